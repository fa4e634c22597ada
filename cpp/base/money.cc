#include "base/money.h"

#include <algorithm>
#include <limits>

namespace seekroute {
namespace {

constexpr int kNanoDigits = 9;
constexpr int kPicoDigits = 12;

__extension__ using Wide = unsigned __int128;

// The decimal point put in, and the zeros at the end left out.
std::string WithPoint(std::string digits, int decimals, bool negative) {
  const auto width = static_cast<size_t>(decimals);
  if (digits.size() <= width) digits.insert(0, width + 1 - digits.size(), '0');
  digits.insert(digits.size() - width, ".");
  while (digits.back() == '0') digits.pop_back();
  if (digits.back() == '.') digits.pop_back();
  if (negative) digits.insert(0, 1, '-');
  return digits;
}

std::string FormatScaled(uint64_t magnitude, int decimals, bool negative) {
  return WithPoint(std::to_string(magnitude), decimals, negative);
}

Error NotDecimal(std::string_view why) {
  return MakeError(ErrorCode::kInvalidValue,
                   "expected a plain decimal number of USD: " + std::string(why));
}

// The magnitude of `text` times 10^decimals.
Result<uint64_t> ParseScaled(std::string_view text, int decimals) {
  uint64_t value = 0;
  int fraction = -1;  // digits seen after the point; -1 before it
  bool any_digit = false;
  for (char c : text) {
    if (c == '.') {
      if (fraction >= 0) return NotDecimal("two decimal points");
      fraction = 0;
      continue;
    }
    if (c < '0' || c > '9') return NotDecimal("only digits and one point are allowed");
    any_digit = true;
    if (fraction >= decimals) {
      if (c != '0') return NotDecimal("more than " + std::to_string(decimals) + " decimals");
      continue;
    }
    if (fraction >= 0) ++fraction;
    if (__builtin_mul_overflow(value, uint64_t{10}, &value) ||
        __builtin_add_overflow(value, static_cast<uint64_t>(c - '0'), &value)) {
      return NotDecimal("out of range");
    }
  }
  if (!any_digit) return NotDecimal("no digits");
  for (int i = fraction < 0 ? 0 : fraction; i < decimals; ++i) {
    if (__builtin_mul_overflow(value, uint64_t{10}, &value)) return NotDecimal("out of range");
  }
  return value;
}

}  // namespace

std::string FormatUsd(Money amount) {
  const bool negative = amount.nano < 0;
  const uint64_t bits = static_cast<uint64_t>(amount.nano);
  return FormatScaled(negative ? ~bits + 1 : bits, kNanoDigits, negative);
}

std::string FormatUsd(Rate rate) { return FormatScaled(rate.pico, kPicoDigits, false); }

std::string FormatUsd(Rate rate, int32_t markup_bps) {
  constexpr int kBpsDigits = 4;
  constexpr int64_t kBpsOfOne = 10'000;
  const auto factor = static_cast<uint64_t>(kBpsOfOne + std::max<int64_t>(markup_bps, -kBpsOfOne));
  Wide value = Wide{rate.pico} * factor;
  std::string digits;
  do {
    digits += static_cast<char>('0' + static_cast<int>(value % 10));
    value /= 10;
  } while (value != 0);
  std::reverse(digits.begin(), digits.end());
  return WithPoint(std::move(digits), kPicoDigits + kBpsDigits, false);
}

Result<Money> ParseUsd(std::string_view decimal) {
  const bool negative = !decimal.empty() && decimal.front() == '-';
  if (negative) decimal.remove_prefix(1);
  Result<uint64_t> magnitude = ParseScaled(decimal, kNanoDigits);
  if (!magnitude) return magnitude.error();
  if (*magnitude > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return NotDecimal("out of range");
  }
  const auto nano = static_cast<int64_t>(*magnitude);
  return Money{negative ? -nano : nano};
}

Result<Rate> ParseRate(std::string_view decimal) {
  Result<uint64_t> magnitude = ParseScaled(decimal, kPicoDigits);
  if (!magnitude) return magnitude.error();
  return Rate{*magnitude};
}

}  // namespace seekroute
