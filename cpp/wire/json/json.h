// The room's small face of JSON for its neighbours; RapidJSON stays behind it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace seekroute {

// Nesting allowed in anything we read: the client's body and the upstream's. Deeper is refused.
inline constexpr int kMaxJsonDepth = 128;

// Half-open byte range of a value inside the text it was found in.
struct ByteRange {
  size_t begin = 0;
  size_t end = 0;
  std::string_view In(std::string_view text) const { return text.substr(begin, end - begin); }
};

// Appends `text` as a JSON string with its quotes. `text` is UTF-8; invalid sequences are written
// as U+FFFD so that the output is always valid JSON.
void AppendJsonString(std::string_view text, std::string* out);

// True when `text` is well-formed UTF-8 (no overlong forms, no surrogates, at most U+10FFFF).
bool IsValidUtf8(std::string_view text);

// `text` with every maximal invalid sequence replaced by U+FFFD, as the WHATWG decoder does.
std::string ReplaceInvalidUtf8(std::string_view text);

// A number as its digits, none of them a zero at either end, and a power of ten behind them. Zero
// has no digits. Value type.
struct Decimal {
  // A power is cut to this size: no text has so many digits.
  static constexpr int64_t kMostPower = int64_t{1} << 48;

  bool is_negative = false;
  std::string digits;
  int64_t power = 0;

  // The integer that it is. Nothing where it has a fraction or does not fit.
  std::optional<int64_t> Integer() const;
};

// `number` is as JSON writes it: checked by a scan, or by the caller.
Decimal ReadDecimal(std::string_view number);

// The value of a JSON number that is an integer in whatever spelling: 100, 100.0, 1e2. Nothing for
// one that has a fraction or does not fit.
std::optional<int64_t> ReadInteger(std::string_view number);

// Succeeds when `text` is exactly one JSON value within kMaxJsonDepth, in UTF-8.
Status CheckJson(std::string_view text);

// The same of what a provider sent: duplicate keys and lone surrogates pass.
bool IsProvidersJson(std::string_view text);

}  // namespace seekroute
