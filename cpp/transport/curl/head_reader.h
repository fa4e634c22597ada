// Collects a TransportHead from the header lines libcurl hands over one by one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "transport/transport.h"

namespace seekroute {

// Not thread-safe.
class HeadReader {
 public:
  enum class Step : uint8_t {
    kMore,      // the head goes on, or it was an interim (1xx) one
    kFinal,     // head() is whole; said once
    kTooLarge,  // more than max_bytes in heads and trailers together
    kInvalid,   // not a status line of HTTP/1, or a switch of protocols nobody asked for
  };

  explicit HeadReader(size_t max_bytes) : max_bytes_(max_bytes) {}

  // Forgets everything: a new transfer begins.
  void Reset();

  // Takes one line with its line end. Lines after the final head (trailers) are only counted.
  Step Add(std::string_view line);

  bool done() const { return done_; }
  bool begun() const { return bytes_ > 0; }
  const TransportHead& head() const { return head_; }

 private:
  void Forget();
  void Field(std::string_view line);
  int64_t RetryAfterMs() const;

  const size_t max_bytes_;
  size_t bytes_ = 0;
  bool done_ = false;
  TransportHead head_;
  int64_t retry_after_ms_ = -1;  // of the header retry-after-ms
  std::string retry_after_;      // raw, because its date form is measured from `Date`
  std::string date_;
};

}  // namespace seekroute
