// Internal to wire/: a text with some ranges replaced, everything else byte for byte.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "wire/json.h"

namespace seekroute {

// Collects edits that do not overlap, in any order. The views must outlive it. Not thread-safe.
class Splice {
 public:
  static constexpr size_t kMaxEdits = 64;

  explicit Splice(std::string_view text) : text_(text) {}

  // Puts `with` in the place of `range`; an empty range inserts. Edits beyond kMaxEdits would be
  // a bug of the caller: no message has more than a handful of fields that change.
  void Replace(ByteRange range, std::string_view with) {
    if (count_ == kMaxEdits) return;
    // Insertion sort. At one place an insertion comes before a replacement, and of two insertions
    // the first stays first.
    const auto after = [&range](const ByteRange& other) {
      return other.begin > range.begin ||
             (other.begin == range.begin && other.end > other.begin && range.end == range.begin);
    };
    size_t at = count_++;
    for (; at > 0 && after(edits_[at - 1].range); --at) edits_[at] = edits_[at - 1];
    edits_[at] = {range, with};
  }

  void AppendTo(std::string* out) const {
    size_t done = 0;
    for (size_t i = 0; i < count_; ++i) {
      const Edit& edit = edits_[i];
      *out += text_.substr(done, edit.range.begin - done);
      *out += edit.with;
      done = std::max(done, edit.range.end);
    }
    *out += text_.substr(done);
  }

 private:
  struct Edit {
    ByteRange range;
    std::string_view with;
  };
  const std::string_view text_;
  std::array<Edit, kMaxEdits> edits_;
  size_t count_ = 0;
};

}  // namespace seekroute
