// Transport over HTTP/1.1: libcurl connects, the requests and answers on the connections are ours.
// The only libcurl in the house.
#pragma once

#include <memory>
#include <string>

#include "base/time.h"
#include "transport/transport.h"

namespace seekroute {

// Engine thread only, but for Wake(), which any thread may call.
//
// A request is written once. One kind of failure is mended unseen: a pooled connection that takes
// not a single byte of the request is replaced by a fresh one.
class CurlTransport : public Transport {
 public:
  struct Options {
    size_t max_head_bytes = 64 << 10;
    Duration max_connection_life = Duration::Seconds(300);
    Duration dns_cache = Duration::Seconds(60);
    long max_idle_connections = 256;
  };
  CurlTransport() : CurlTransport(Options{}) {}
  explicit CurlTransport(Options options);
  ~CurlTransport() override;  // cancels what is in flight

  CurlTransport(const CurlTransport&) = delete;
  CurlTransport& operator=(const CurlTransport&) = delete;

  TransferId Start(TransportRequest request, TransportObserver* observer) override;
  void Cancel(TransferId id) override;
  void Resume(TransferId id) override;

  // Waits for I/O or Wake(), at most `timeout`, and runs the callbacks of what happened.
  void Poll(Duration timeout);

  // Makes a running or the next Poll() return at once. Thread-safe, async-signal-safe.
  void Wake();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace seekroute
