#include "transport/curl/socket_set.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace seekroute {
namespace {

uint32_t EpollMask(uint8_t interest) {
  uint32_t mask = 0;
  if ((interest & SocketSet::kRead) != 0) mask |= EPOLLIN;
  if ((interest & SocketSet::kWrite) != 0) mask |= EPOLLOUT;
  return mask;
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

void SocketSet::Want(int fd, uint8_t interest, Connection* owner) {
  Socket& socket = At(fd);
  socket.owner = owner;
  socket.want = interest;
  if (interest != kNone) Arm(fd, interest);
}

void SocketSet::Forget(int fd) {
  // Closing alone would do, were it not for forked children that hold the descriptor.
  Arm(fd, kNone);
  At(fd) = Socket{};
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

std::span<const SocketSet::Event> SocketSet::Wait(int timeout_ms) {
  if (!ok()) {
    poll(nullptr, 0, timeout_ms);
    return {};
  }
  const int ready = epoll_wait(epoll_fd_, raw_.data(), static_cast<int>(raw_.size()), timeout_ms);
  overflowed_ = ready == static_cast<int>(raw_.size());
  size_t count = 0;
  for (int i = 0; i < ready; ++i) {
    const epoll_event& raw = raw_[static_cast<size_t>(i)];
    const int fd = raw.data.fd;
    if (fd == wake_fd_) {
      uint64_t wakes;
      [[maybe_unused]] const ssize_t taken = read(wake_fd_, &wakes, sizeof wakes);
    } else if (Live(fd)) {
      events_[count++] =
          Event{fd, (raw.events & (EPOLLIN | EPOLLHUP)) != 0,
                (raw.events & (EPOLLOUT | EPOLLHUP)) != 0, (raw.events & EPOLLERR) != 0};
    } else {
      // Level-triggered: left registered it would be reported again at once, for ever.
      Arm(fd, kNone);
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
