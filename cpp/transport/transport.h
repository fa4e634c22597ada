// How the gateway sends one HTTP request to an upstream. It moves bytes and knows no JSON, no model
// and no money. The simulator plays this interface with a script.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/secret.h"
#include "base/time.h"

namespace seekroute {

// Where a provider is and how it may be reached. Immutable; outlives every transfer to it.
struct UpstreamSpec {
  std::string base_url;        // "https://api.openai.com/v1", no trailing slash
  Secret authorization;        // the value of the Authorization header; empty: none is sent
  bool allow_http = false;     // plain http is refused unless the operator says so
  bool allow_private = false;  // loopback, link-local, private and other special addresses
  std::string ca_file;         // PEM; empty: the system's trust store
  std::string proxy;           // empty: no proxy, whatever the environment says
  // How long an idle connection is kept for the next request, where the answer allows no less. A
  // second below what upstreams of uvicorn and Node give one, for a request that meets its close on
  // the way is lost: it may have been read, so it is not sent again.
  Duration keep_alive = Duration::Seconds(4);
};

// One POST. Owned by the transport until the transfer is done.
struct TransportRequest {
  const UpstreamSpec* upstream = nullptr;  // not owned
  const Secret* authorization = nullptr;   // likewise; in the place of upstream's. Null: that
  std::string path;                        // "/chat/completions", appended to base_url
  std::vector<std::string> headers;        // "Name: value" lines besides those the transport sets
  std::string body;
  Duration connect_timeout = Duration::Seconds(5);
  // Headers of the answer that are handed on as they come: by the beginnings of their names, in
  // small letters. Not owned.
  std::span<const std::string_view> wanted_headers = {};

  const Secret& credentials() const {
    return authorization != nullptr ? *authorization : upstream->authorization;
  }
};

// No answer of a provider keeps it out of service for longer than this.
inline constexpr int64_t kMaxRetryAfterMs = int64_t{24} * 3600 * 1000;

// A header: its name in small letters, and its value without white space around it.
using HeaderField = std::pair<std::string, std::string>;

// The head of a response.
struct TransportHead {
  // Of wanted headers as many are handed on, of so many bytes each; the others are passed over.
  static constexpr size_t kMostWanted = 32;
  static constexpr size_t kMostWantedBytes = 128;

  int status = 0;
  std::string content_type;      // lower-cased media type without parameters
  std::string content_encoding;  // lower-cased; of all headers of that name, with commas
  int64_t retry_after_ms = -1;   // from retry-after-ms or Retry-After; -1 when absent
  // Retry-After as a date where the answer has no date of its own to measure it from; 0: absent.
  UnixSeconds retry_after_date;
  std::vector<HeaderField> wanted = {};  // as TransportRequest::wanted_headers has them
  UnixSeconds date = {};  // by the provider's clock, where any header was wanted; 0: unsaid
};

// The same with such a date measured from `now`: what is past is 0, and a day is the most.
int64_t RetryAfterMs(const TransportHead& head, UnixSeconds now);

// How a transfer ended.
struct TransportEnd {
  bool complete = false;  // the whole response arrived
  Error error;            // set when not complete
  // False when it is certain that no byte of the request was sent (DNS, connect, TLS, a dead
  // pooled connection caught before sending): asking again costs nothing.
  bool dispatched = false;
};

enum class Flow : uint8_t { kContinue, kPause };

// What the gateway hears of a transfer. Called on the engine thread, from inside Transport calls;
// it may call Transport::Cancel and Resume, also for its own transfer. After OnEnd, or after
// Cancel() returned, it is not called again and may be destroyed.
class TransportObserver {
 public:
  virtual ~TransportObserver() = default;
  // All of the request is written, and its body is not in memory any more. At most once; an answer
  // may have begun before. May not call the transport.
  virtual void OnSent() {}
  virtual void OnHead(const TransportHead& head) = 0;
  // kPause: the bytes of this call were taken; no more come until Resume().
  virtual Flow OnBody(std::string_view bytes) = 0;
  virtual void OnEnd(const TransportEnd& end) = 0;
};

using TransferId = uint64_t;

// Engine thread only.
class Transport {
 public:
  virtual ~Transport() = default;

  // Starts a transfer; at most one POST is ever put on the wire for it. The observer is never
  // called before Start() returns. Not owned: `observer` lives until OnEnd or Cancel.
  virtual TransferId Start(TransportRequest request, TransportObserver* observer) = 0;

  // Stops the transfer and closes its connection. The observer hears nothing more. Unknown ids are
  // ignored: the transfer may just have ended.
  virtual void Cancel(TransferId id) = 0;

  // Lets a paused transfer go on. Unknown ids are ignored.
  virtual void Resume(TransferId id) = 0;
};

}  // namespace seekroute
