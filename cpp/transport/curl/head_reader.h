// Collects the head of a response from its lines, and what it says about the end of the body.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "transport/transport.h"

namespace seekroute {

// How the body of a response ends, and whether its connection can carry another request.
struct Framing {
  enum class Body : uint8_t { kNone, kLength, kChunked, kUntilClose };
  Body body = Body::kUntilClose;
  uint64_t length = 0;  // for kLength
  bool keep_alive = false;
  int64_t idle_limit_s = -1;  // after which the peer closes an idle connection; -1: unsaid
};

// Not thread-safe.
class HeadReader {
 public:
  enum class Step : uint8_t {
    kMore,      // the head goes on, or it was an interim (1xx) one
    kFinal,     // head() and framing() are whole; said once
    kTooLarge,  // more than max_bytes in heads and trailers together
    kInvalid,   // no head of HTTP/1, one whose framing is ambiguous, or an unasked 101
  };

  // `wanted`: as TransportRequest::wanted_headers; outlives this.
  explicit HeadReader(size_t max_bytes, std::span<const std::string_view> wanted = {})
      : max_bytes_(max_bytes), wanted_(wanted) {}

  // Forgets everything: a new response begins.
  void Reset();

  // Takes one line with its line end. Lines after the final head (trailers) are only counted.
  // A folded line goes on with the header before it, behind a space. A line without a colon, a name
  // that is no token and a value with control characters are skipped alone. Refused are NUL and
  // bare CR anywhere, a line of white space, and whatever of these is about the end of the body:
  // another reader could take it for what it is not.
  Step Add(std::string_view line);

  // Whether `bytes` more would exceed the limit.
  bool Exceeds(size_t bytes) const { return bytes > max_bytes_ - bytes_; }

  bool done() const { return done_; }
  bool begun() const { return bytes_ > 0; }
  bool expects_status() const { return expects_status_; }
  const TransportHead& head() const { return head_; }
  const Framing& framing() const { return framing_; }

 private:
  void Forget();
  bool StatusLine(std::string_view line);
  bool Line(std::string_view line);
  bool Fold(std::string_view line);
  bool Field(std::string_view line);
  bool ContentLengths(std::string_view value);
  bool ContentLength(std::string_view digits);
  bool DecideFraming();
  void KeepAlive(std::string_view value);
  void HandOn(std::string_view name, std::string_view value);
  void ReadTimes();
  void ReadRetryAfter(UnixSeconds date);

  const size_t max_bytes_;
  const std::span<const std::string_view> wanted_;
  size_t bytes_ = 0;
  bool done_ = false;
  bool expects_status_ = true;
  TransportHead head_;
  Framing framing_;
  std::string field_;            // the header that may be folded; max_bytes_ bounds it
  int64_t retry_after_ms_ = -1;  // of the header retry-after-ms
  std::string retry_after_;      // raw, because its date form is measured from `Date`
  std::string date_;

  bool http10_ = false;
  bool close_ = false;       // Connection: close
  bool keep_alive_ = false;  // Connection: keep-alive
  int64_t idle_limit_s_ = -1;
  bool has_length_ = false;
  uint64_t length_ = 0;
  int codings_ = 0;  // Transfer-Encoding fields seen
  bool chunked_ = false;
};

}  // namespace seekroute
