// Opens connections with libcurl: names, TCP with both address families, proxies, and the guard on
// special addresses. libcurl's work ends where a byte could be said to the upstream; then the
// socket is ours.
#pragma once

#include <curl/curl.h>

#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "transport/curl/origin.h"
#include "transport/curl/socket_set.h"
#include "transport/transport.h"

namespace seekroute {

// Engine thread only. Calls nobody back.
class Connector {
 public:
  using Clock = std::chrono::steady_clock;

  // One connecting; the Connector's.
  class Dial;

  struct Outcome {
    TransferId id = 0;
    int fd = -1;  // connected and non-blocking, the caller's; -1: failed
    Error error;
  };

  // `sockets` is not owned and outlives it.
  Connector(SocketSet* sockets, Duration dns_cache);
  ~Connector();
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;

  // `origin` is not owned and lives until the outcome or Abandon(). Null when there is no memory.
  Dial* Begin(TransferId id, const Origin& origin, Duration timeout);
  // Gives up without waiting for anything, and without an outcome.
  void Abandon(Dial* attempt);

  // An event of a socket without an owner.
  void OnEvent(const SocketSet::Event& event);
  // Call at least by NextTimer().
  void RunTimer(Clock::time_point now);
  Clock::time_point NextTimer() const { return timer_at_; }

  // What has come of attempts since; each ends its attempt.
  std::optional<Outcome> Next();

 private:
  static constexpr auto kNever = Clock::time_point::max();
  // Handles kept for reuse, about 6 kB each. A burst beyond it pays some microseconds more.
  static constexpr size_t kMaxPooled = 16;

  void Act(curl_socket_t socket, int events);
  Outcome Take(Dial* attempt, CURLcode code);
  void Recycle(Dial* attempt);

  static int OnSocket(CURL* easy, curl_socket_t socket, int what, void* self, void* unused);
  static int OnTimer(CURLM* multi, long timeout_ms, void* self);
  static curl_socket_t OnOpenSocket(void* attempt, curlsocktype purpose, curl_sockaddr* address);
  static int OnCloseSocket(void* self, curl_socket_t socket);

  SocketSet* const sockets_;
  const Duration dns_cache_;
  CURLM* multi_ = nullptr;
  std::vector<std::unique_ptr<Dial>> running_;
  std::vector<std::unique_ptr<Dial>> pool_;  // at most kMaxPooled
  // libcurl's one timer. It lives on the real clock, whatever clock the gateway is given.
  Clock::time_point timer_at_ = kNever;
};

}  // namespace seekroute
