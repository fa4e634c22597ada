// Sockets, clock and limits for the two programs of the benchmark. They are tools of one run, not
// part of the core: a fault ends the program with one line on standard error.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <utility>

namespace seekroute::bench {

constexpr int64_t kNsPerSecond = 1'000'000'000;

// Marks the time a chunk was sent inside its content: @@ + 20 digits (CLOCK_MONOTONIC ns) + @@.
// Both programs run on one machine, so the load generator can subtract.
constexpr std::size_t kStampDigits = 20;
// The last words of every whole answer; the load generator calls an answer without them incomplete.
constexpr char kAnswerEnd[] = "@@end@@";

[[noreturn]] inline void Die(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

[[noreturn]] inline void DieErrno(const char* call) {
  Die(std::string(call) + ": " + std::strerror(errno));
}

inline int64_t NowNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<int64_t>(now.tv_sec) * kNsPerSecond + now.tv_nsec;
}

// Owns one file descriptor. Not thread-safe.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      Close();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Fd() { Close(); }

  int get() const { return fd_; }
  bool open() const { return fd_ >= 0; }
  void Close() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }

 private:
  int fd_ = -1;
};

// Thousands of streams need thousands of descriptors; the soft limit is often 1024.
inline void RaiseOpenFiles() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
}

inline void SetNoDelay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

inline sockaddr_in Ipv4Address(const std::string& host, uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) {
    Die("expected an IPv4 address, found " + host);
  }
  return address;
}

struct Listener {
  Fd fd;
  uint16_t port = 0;
};

// Listens on 127.0.0.1; port 0 takes a free one.
inline Listener ListenOnLoopback(uint16_t port) {
  constexpr int kBacklog = 4096;
  Listener listener{Fd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)), 0};
  if (!listener.fd.open()) DieErrno("socket");
  const int on = 1;
  setsockopt(listener.fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in address = Ipv4Address("127.0.0.1", port);
  if (bind(listener.fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    DieErrno("bind");
  }
  if (listen(listener.fd.get(), kBacklog) != 0) DieErrno("listen");
  socklen_t length = sizeof(address);
  getsockname(listener.fd.get(), reinterpret_cast<sockaddr*>(&address), &length);
  listener.port = ntohs(address.sin_port);
  return listener;
}

// Starts a connection; the socket turns writable when it stands. Not open on an immediate refusal.
inline Fd StartConnect(const sockaddr_in& address) {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.open()) DieErrno("socket");
  SetNoDelay(fd.get());
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 &&
      errno != EINPROGRESS) {
    fd.Close();
  }
  return fd;
}

// An epoll set whose events carry a caller's number. Not thread-safe.
class Poller {
 public:
  static constexpr int kMaxEvents = 512;

  Poller() : fd_(epoll_create1(EPOLL_CLOEXEC)) {
    if (!fd_.open()) DieErrno("epoll_create1");
  }
  void Add(int fd, uint32_t events, uint64_t tag) { Control(EPOLL_CTL_ADD, fd, events, tag); }
  void Change(int fd, uint32_t events, uint64_t tag) { Control(EPOLL_CTL_MOD, fd, events, tag); }
  // Returns the number of events, 0 on a signal or after timeout_ms (-1 waits without end).
  int Wait(epoll_event* events, int timeout_ms) {
    const int count = epoll_wait(fd_.get(), events, kMaxEvents, timeout_ms);
    return count < 0 ? 0 : count;
  }

 private:
  void Control(int what, int fd, uint32_t events, uint64_t tag) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = tag;
    if (epoll_ctl(fd_.get(), what, fd, &event) != 0) DieErrno("epoll_ctl");
  }

  Fd fd_;
};

// A timer that wakes a Poller at an absolute time, to the microsecond (epoll's own timeout has
// milliseconds).
class WakeTimer {
 public:
  WakeTimer() : fd_(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) {
    if (!fd_.open()) DieErrno("timerfd_create");
  }
  int fd() const { return fd_.get(); }
  void SetAt(int64_t at_ns) {
    if (at_ns == armed_ns_) return;
    armed_ns_ = at_ns;
    itimerspec spec{};
    spec.it_value.tv_sec = at_ns / kNsPerSecond;
    spec.it_value.tv_nsec = at_ns % kNsPerSecond;
    timerfd_settime(fd_.get(), TFD_TIMER_ABSTIME, &spec, nullptr);
  }
  // Takes the expiry so that the descriptor is no longer readable.
  void Clear() {
    uint64_t expirations = 0;
    if (read(fd_.get(), &expirations, sizeof(expirations)) > 0) armed_ns_ = 0;
  }

 private:
  Fd fd_;
  int64_t armed_ns_ = 0;
};

}  // namespace seekroute::bench
