// Whole numbers and lists of them as few bytes, for what is written to a file at once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace seekroute {

// Whole numbers in seven bits a byte, the lowest first.
class VarintWriter {
 public:
  void Number(uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes.push_back(static_cast<char>(value | 0x80));
    bytes.push_back(static_cast<char>(value));
  }
  // 0 of a negative one.
  void Span(Duration span) { Number(static_cast<uint64_t>(std::max<int64_t>(span.ns, 0))); }
  void Text(std::string_view text) {
    Number(text.size());
    bytes += text;
  }

  std::string bytes;
};

// Reads what a VarintWriter wrote, or any other bytes: nothing is read beyond their end, and a
// figure out of its bounds is an error. Once there was one, all that is read is 0 or empty.
class VarintReader {
 public:
  // A longer span is an error: within it the sum of two is far from the end of its type.
  static constexpr Duration kLongestSpan = Duration::Seconds(int64_t{7} * 86'400);

  // Not owned.
  explicit VarintReader(std::string_view bytes) : rest_(bytes) {}

  uint64_t Number(uint64_t most = std::numeric_limits<uint64_t>::max()) {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) break;
      const auto byte = static_cast<uint8_t>(rest_.front());
      rest_.remove_prefix(1);
      if (shift == 63 && byte > 1) break;
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (value <= most) return value;
        break;
      }
    }
    return Fail();
  }
  int64_t Between(int64_t least, int64_t most) {
    const auto value = static_cast<int64_t>(Number(static_cast<uint64_t>(most)));
    if (value < least) Fail();
    return value < least ? 0 : value;
  }
  Duration Span() { return {static_cast<int64_t>(Number(static_cast<uint64_t>(kLongestSpan.ns)))}; }
  std::string_view Text() {
    const auto size = static_cast<size_t>(Number(rest_.size()));
    if (size > rest_.size()) return {};  // the number was none
    const std::string_view text = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return text;
  }
  // `read` gives one item, of a byte at least: no more memory is taken than bytes are there.
  template <typename T, typename Read>
  std::vector<T> List(const Read& read) {
    std::vector<T> items;
    for (size_t left = Number(rest_.size()); left > 0 && ok_; --left) items.push_back(read());
    return items;
  }

  bool ok() const { return ok_; }
  bool done() const { return rest_.empty(); }

 private:
  uint64_t Fail() {
    ok_ = false;
    rest_ = {};
    return 0;
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace seekroute
