// What an upstream tells of its own limits beside an answer, in every vendor's spelling. Pure.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/time.h"

namespace seekroute {

// The headers that tell it, by the beginnings of their names.
inline constexpr std::array<std::string_view, 2> kToldLimitHeaders = {"x-ratelimit-",
                                                                      "anthropic-ratelimit-"};

// What is limited. Tokens are those of prompts and answers together.
enum class ToldDimension : uint8_t { kRequests, kTokens, kInputTokens, kOutputTokens };
inline constexpr size_t kToldDimensions = 4;

// Of one dimension. Value type.
struct ToldLimit {
  // A reset that lies further ahead is none.
  static constexpr Duration kLongestReset = Duration::Seconds(86'400);

  int64_t limit = 0;  // 0: unsaid
  int64_t remaining = 0;
  Duration reset;  // from now, until all of it is there again; 0: nothing is told

  bool told() const { return reset.ns > 0; }
};

// Value type.
struct ToldLimits {
  std::array<ToldLimit, kToldDimensions> of;  // by ToldDimension

  const ToldLimit& operator[](ToldDimension dimension) const {
    return of[static_cast<size_t>(dimension)];
  }
  bool empty() const {
    return std::ranges::none_of(of, [](const ToldLimit& each) { return each.told(); });
  }
};

// Reads OpenAI's headers (`x-ratelimit-remaining-requests`, resets as "6m0s", "12ms" or plain
// seconds) and Anthropic's (`anthropic-ratelimit-requests-remaining`, resets as instants of RFC
// 3339, measured from `now`); of one that is repeated, the last. Names are in small letters. A
// dimension counts as untold where its figures are no plain numbers (-1), its limit is 0, its reset
// is missing, past or more than a day ahead. Never fails.
ToldLimits ReadToldLimits(std::span<const std::pair<std::string, std::string>> headers,
                          UnixSeconds now);

}  // namespace seekroute
