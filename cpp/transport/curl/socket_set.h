// One epoll set for libcurl's sockets, and a wake-up. An idle pooled connection stays registered,
// so that reusing it costs no epoll_ctl; that is a quarter of the request rate.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace seekroute {

// Engine thread only, but for Wake().
class SocketSet {
 public:
  enum Interest : uint8_t { kNone = 0, kRead = 1, kWrite = 2 };
  struct Event {
    int fd;
    bool readable;
    bool writable;
    bool failed;
  };

  SocketSet();
  ~SocketSet();
  SocketSet(const SocketSet&) = delete;
  SocketSet& operator=(const SocketSet&) = delete;

  // False when the process had no descriptors left for it; then Wait() only sleeps.
  bool ok() const { return epoll_fd_ >= 0 && wake_fd_ >= 0; }

  // A connection's socket was opened; it may stay registered while nobody is interested. Sockets
  // not announced here (the resolver's) are dropped as soon as interest is gone, because nobody
  // tells when they are closed.
  void Opened(int fd);

  // The connection's socket is about to be closed.
  void Closed(int fd);

  // Sets what is waited for. `owner` is whose transfer it is, kept while the interest is kNone.
  void Want(int fd, uint8_t interest, const void* owner);

  // The transfer is over. A socket that is then readable was closed by the peer, or got bytes no
  // one asked for; it is emptied and shut down so that no later request can read them.
  void Disown(int fd, const void* owner);

  // Waits for events, Wake() or `timeout_ms`. The span is valid until the next call; at most
  // kMaxEvents, the rest is reported by the next call. Skip an event whose socket changed hands
  // meanwhile by asking Live().
  std::span<const Event> Wait(int timeout_ms);
  bool Live(int fd) const { return At(fd).want != kNone; }

  // Thread-safe, async-signal-safe.
  void Wake();

 private:
  struct Socket {
    const void* owner = nullptr;  // compared, never followed
    uint8_t want = kNone;
    uint8_t armed = kNone;  // what epoll was told
    bool pooled = false;
  };
  static constexpr size_t kMaxEvents = 256;

  const Socket& At(int fd) const { return sockets_[static_cast<size_t>(fd)]; }
  Socket& At(int fd);
  void Arm(int fd, uint8_t interest);
  void Neglect(int fd, uint32_t events);

  int epoll_fd_;
  int wake_fd_;
  std::vector<Socket> sockets_;  // by descriptor: as long as RLIMIT_NOFILE at most
  std::array<epoll_event, kMaxEvents> raw_;
  std::array<Event, kMaxEvents> events_;
};

}  // namespace seekroute
