// An answer that is no stream, while it comes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace seekroute {

// Keeps at most so many bytes. Every cutting of the input gives the same. Not thread-safe.
class WholeBody {
 public:
  explicit WholeBody(size_t most) : most_(most) {}

  // Keeps what there is room for; returns the rest, with which the answer is too large.
  std::string_view Take(std::string_view bytes);

  static Error TooLarge();

  // All of it has come. Drops a byte order mark. Fails with kBadUpstreamResponse for what is no
  // JSON by its first bytes, in the words of its `media_type`.
  Status End(std::string_view media_type);

  const std::string& text() const { return text_; }
  std::string TakeText() { return std::exchange(text_, {}); }
  void Replace(std::string text) { text_ = std::move(text); }

 private:
  const size_t most_;
  std::string text_;
};

}  // namespace seekroute
