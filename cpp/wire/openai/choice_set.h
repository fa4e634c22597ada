// Which choices of an answer: one bit each.
#pragma once

#include <bit>
#include <cstdint>

namespace seekroute {

// Bit i: choice i.
__extension__ using ChoiceSet = unsigned __int128;

// How many choices an answer may have: as many as OpenAI's `n`.
inline constexpr int64_t kMaxAnswerChoices = 128;

constexpr int CountOf(ChoiceSet choices) {
  return std::popcount(static_cast<uint64_t>(choices)) +
         std::popcount(static_cast<uint64_t>(choices >> 64));
}

}  // namespace seekroute
