// One connection to an upstream: its socket, and TLS over it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>

#include "transport/curl/socket_set.h"
#include "transport/curl/tls.h"

namespace seekroute {

class Transfer;
struct Origin;

// Engine thread only.
class Connection {
 public:
  using Clock = std::chrono::steady_clock;

  // Takes over `fd`, connected and non-blocking. The others are not owned and outlive it.
  Connection(int fd, Origin* origin, SocketSet* sockets, Clock::time_point now);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // What is waited for; SocketSet::Interest.
  void Want(uint8_t interest) { sockets_->Want(fd_, interest, this); }

  // Begins TLS: Handshake() until it gives kBytes or fails.
  void StartTls(std::shared_ptr<TlsContext> context);
  IoResult Handshake() { return tls_->Handshake(); }
  bool untrusted() const { return tls_->untrusted(); }

  IoResult Receive(char* buffer, size_t size);
  // `more`: further bytes follow at once, so a small packet may wait for them.
  IoResult Send(std::string_view bytes, bool more);

  // Received bytes wait in here, of which the socket says nothing any more.
  bool pending() const { return tls_ != nullptr && tls_->pending(); }
  // Bytes given to the kernel so far.
  uint64_t written() const { return tls_ != nullptr ? tls_->written() : written_; }
  bool tls() const { return tls_ != nullptr; }

  Origin& origin() const { return *origin_; }
  Clock::time_point created() const { return created_; }

  Transfer* transfer = nullptr;  // whose it is; null: idle, in the pool
  Clock::time_point idle_until;  // in the pool: then it is closed

 private:
  const int fd_;
  Origin* const origin_;
  SocketSet* const sockets_;
  const Clock::time_point created_;
  uint64_t written_ = 0;
  std::shared_ptr<TlsContext> context_;  // outlives tls_
  std::unique_ptr<TlsStream> tls_;
};

}  // namespace seekroute
