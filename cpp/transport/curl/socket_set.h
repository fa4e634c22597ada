// One epoll set for all sockets of a transport, and a wake-up. A connection stays registered from
// its opening to its end, idle or not, so that reusing it costs no epoll_ctl.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace seekroute {

class Connection;

// Engine thread only, but for Wake().
class SocketSet {
 public:
  enum Interest : uint8_t { kNone = 0, kRead = 1, kWrite = 2 };
  struct Event {
    int fd;
    bool readable;  // also when the peer is gone: reading tells
    bool writable;
    bool failed;
  };

  SocketSet();
  ~SocketSet();
  SocketSet(const SocketSet&) = delete;
  SocketSet& operator=(const SocketSet&) = delete;

  // False when the process had no descriptors left for it; then Wait() only sleeps.
  bool ok() const { return epoll_fd_ >= 0 && wake_fd_ >= 0; }

  // Sets what is waited for. `owner` is whose socket it is, null for libcurl's own. kNone keeps the
  // socket registered until it becomes ready: a short pause costs no system call.
  void Want(int fd, uint8_t interest, Connection* owner);

  // The socket is about to be closed, or nobody's any more.
  void Forget(int fd);

  // Waits for events, Wake() or `timeout_ms`. The span is valid until the next call; at most
  // kMaxEvents, the rest is reported by the next call. An event may come for a socket that changed
  // hands meanwhile: ask Live(), and take "ready" for a hint.
  std::span<const Event> Wait(int timeout_ms);
  bool Live(int fd) const { return At(fd).want != kNone; }
  Connection* owner(int fd) const { return At(fd).owner; }

  // The last Wait() may have left events unreported.
  bool overflowed() const { return overflowed_; }

  // Thread-safe, async-signal-safe.
  void Wake();

 private:
  struct Socket {
    Connection* owner = nullptr;  // not owned
    uint8_t want = kNone;
    uint8_t armed = kNone;  // what epoll was told
  };
  static constexpr size_t kMaxEvents = 256;

  const Socket& At(int fd) const { return sockets_[static_cast<size_t>(fd)]; }
  Socket& At(int fd);
  void Arm(int fd, uint8_t interest);

  int epoll_fd_;
  int wake_fd_;
  bool overflowed_ = false;
  std::vector<Socket> sockets_;  // by descriptor: as long as RLIMIT_NOFILE at most
  std::array<epoll_event, kMaxEvents> raw_;
  std::array<Event, kMaxEvents> events_;
};

}  // namespace seekroute
