// Internal to wire/: a text with some ranges replaced, everything else byte for byte.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "wire/json/json.h"

namespace seekroute {

// Collects edits that do not overlap, in any order. The views must outlive it. Not thread-safe.
class Splice {
 public:
  // Two for each choice of an answer, and some.
  static constexpr size_t kMaxEdits = 320;

  explicit Splice(std::string_view text) : text_(text) { edits_.reserve(16); }

  // Puts `with` in the place of `range`; an empty range inserts. Edits beyond kMaxEdits would be
  // a bug of the caller: what changes of a message is bounded.
  void Replace(ByteRange range, std::string_view with) {
    if (edits_.size() == kMaxEdits) return;
    // Insertion sort. At one place an insertion comes before a replacement, and of two insertions
    // the first stays first.
    const auto after = [&range](const ByteRange& other) {
      return other.begin > range.begin ||
             (other.begin == range.begin && other.end > other.begin && range.end == range.begin);
    };
    size_t at = edits_.size();
    edits_.push_back({range, with});
    for (; at > 0 && after(edits_[at - 1].range); --at) edits_[at] = edits_[at - 1];
    edits_[at] = {range, with};
  }

  void AppendTo(std::string* out) const {
    size_t done = 0;
    for (const Edit& edit : edits_) {
      *out += text_.substr(done, edit.range.begin - done);
      *out += edit.with;
      done = std::max(done, edit.range.end);
    }
    *out += text_.substr(done);
  }

  // The same in place, for texts of which a second would be too much. `*text` is what the edits are
  // of; a view of it is none any more.
  void ApplyTo(std::string* text) const {
    for (auto edit = edits_.rbegin(); edit != edits_.rend(); ++edit) {
      text->replace(edit->range.begin, edit->range.end - edit->range.begin, edit->with);
    }
  }

 private:
  struct Edit {
    ByteRange range;
    std::string_view with;
  };
  const std::string_view text_;
  std::vector<Edit> edits_;
};

}  // namespace seekroute
