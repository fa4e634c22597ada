#include "transport/curl/socket_set.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace seekroute {
namespace {

// What an idle connection may have received before it is given up; the rest is refused by the
// shutdown.
constexpr int kMaxDrainReads = 16;

uint32_t EpollMask(uint8_t interest) {
  uint32_t mask = 0;
  if ((interest & SocketSet::kRead) != 0) mask |= EPOLLIN;
  if ((interest & SocketSet::kWrite) != 0) mask |= EPOLLOUT;
  return mask;
}

// libcurl takes an idle connection for dead when a peek reads nothing: read what is there, and let
// nothing follow.
void Retire(int fd) {
  char scratch[4096];
  for (int i = 0; i < kMaxDrainReads; ++i) {
    if (recv(fd, scratch, sizeof scratch, MSG_DONTWAIT) <= 0) break;
  }
  shutdown(fd, SHUT_RDWR);
}

}  // namespace

SocketSet::SocketSet()
    : epoll_fd_(epoll_create1(EPOLL_CLOEXEC)), wake_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!ok()) return;
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.fd = wake_fd_;
  epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, wake_fd_, &event);
}

SocketSet::~SocketSet() {
  if (epoll_fd_ >= 0) close(epoll_fd_);
  if (wake_fd_ >= 0) close(wake_fd_);
}

SocketSet::Socket& SocketSet::At(int fd) {
  const auto index = static_cast<size_t>(fd);
  if (index >= sockets_.size()) sockets_.resize(index + 1);
  return sockets_[index];
}

void SocketSet::Opened(int fd) {
  At(fd) = Socket{};
  At(fd).pooled = true;
}

void SocketSet::Closed(int fd) {
  // Closing alone would do, were it not for forked children that hold the descriptor.
  Arm(fd, kNone);
  At(fd) = Socket{};
}

void SocketSet::Want(int fd, uint8_t interest, const void* owner) {
  Socket& socket = At(fd);
  socket.want = interest;
  if (interest != kNone) {
    socket.owner = owner;
    Arm(fd, interest);
    return;
  }
  // Idle or paused: stay registered for reading. Should it become readable, Neglect() decides.
  if (!socket.pooled) {
    Arm(fd, kNone);
    socket = Socket{};
  } else if (socket.armed != kNone) {
    Arm(fd, kRead);
  }
}

void SocketSet::Disown(int fd, const void* owner) {
  if (fd < 0) return;
  Socket& socket = At(fd);
  if (socket.owner == owner) socket.owner = nullptr;
}

void SocketSet::Arm(int fd, uint8_t interest) {
  Socket& socket = At(fd);
  if (socket.armed == interest) return;
  epoll_event event = {};
  event.events = EpollMask(interest);
  event.data.fd = fd;
  const int operation = interest == kNone       ? EPOLL_CTL_DEL
                        : socket.armed == kNone ? EPOLL_CTL_ADD
                                                : EPOLL_CTL_MOD;
  // A failure (out of kernel memory) leaves a socket unheard; the caller's deadlines end it.
  epoll_ctl(epoll_fd_, operation, fd, &event);
  socket.armed = interest;
}

void SocketSet::Neglect(int fd, uint32_t events) {
  Socket& socket = At(fd);
  if (socket.armed == kNone) return;
  // Level-triggered: left registered it would be reported again at once, for ever.
  Arm(fd, kNone);
  const bool idle = socket.pooled && socket.owner == nullptr;
  if (idle && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) Retire(fd);
}

std::span<const SocketSet::Event> SocketSet::Wait(int timeout_ms) {
  if (!ok()) {
    poll(nullptr, 0, timeout_ms);
    return {};
  }
  const int ready = epoll_wait(epoll_fd_, raw_.data(), static_cast<int>(raw_.size()), timeout_ms);
  size_t count = 0;
  for (int i = 0; i < ready; ++i) {
    const epoll_event& raw = raw_[static_cast<size_t>(i)];
    const int fd = raw.data.fd;
    if (fd == wake_fd_) {
      uint64_t wakes;
      [[maybe_unused]] const ssize_t taken = read(wake_fd_, &wakes, sizeof wakes);
    } else if (Live(fd)) {
      events_[count++] = Event{fd, (raw.events & (EPOLLIN | EPOLLHUP)) != 0,
                               (raw.events & EPOLLOUT) != 0, (raw.events & EPOLLERR) != 0};
    } else {
      Neglect(fd, raw.events);
    }
  }
  return {events_.data(), count};
}

void SocketSet::Wake() {
  const uint64_t one = 1;
  // Fails only when 2^64 - 1 wake-ups are unread, which is a wake-up all the same.
  [[maybe_unused]] const ssize_t written = write(wake_fd_, &one, sizeof one);
}

}  // namespace seekroute
