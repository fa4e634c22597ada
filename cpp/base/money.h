// Money: signed 64-bit nano-USD (range +-9.2e9 USD), and prices: unsigned pico-USD per token
// (1 USD per million tokens = 1,000,000). No floating point ever touches either.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace seekroute {

// An amount of nano-USD. Value type.
struct Money {
  int64_t nano = 0;
  friend constexpr auto operator<=>(Money, Money) = default;
};

// What one unit (a token, a request, an image) costs, in pico-USD. Value type.
struct Rate {
  uint64_t pico = 0;
  friend constexpr auto operator<=>(Rate, Rate) = default;
};

// Exact decimal USD without exponent or trailing zeros: 14800 nano -> "0.0000148", 0 -> "0".
std::string FormatUsd(Money amount);

// Exact decimal USD per unit: 2'500'000 pico -> "0.0000025".
std::string FormatUsd(Rate rate);

// The same with a markup in 1/100 percent, exact: 2'500'000 pico at 550 -> "0.0000026375".
std::string FormatUsd(Rate rate, int32_t markup_bps);

// Parses a plain decimal ("0.0000148", "3", "-1.5"). Fails on exponents, on more decimals than the
// type holds, and outside its range; rounding money silently is not a service.
Result<Money> ParseUsd(std::string_view decimal);
Result<Rate> ParseRate(std::string_view decimal);

}  // namespace seekroute
