// The most that a request can cost, before it is sent.
#pragma once

#include <cstdint>
#include <optional>

#include "base/money.h"
#include "base/time.h"
#include "catalog/price.h"

namespace seekroute {

// What a request can use at most.
struct UseBound {
  int64_t prompt = 0;
  int64_t completion = 0;  // of all choices together
  int64_t images = 0;
  bool any_input = false;   // of any kind, not only text and pictures
  bool any_output = false;  // of any kind, not only text
  bool any_tier = false;    // the provider may answer at any of its service tiers
};

// The thinking of a choice that comes beside its answer: as much as that is long, within these.
struct ReasoningBound {
  int64_t least = 0;
  int64_t most = 0;  // not below `least`

  int64_t Beside(int64_t answer) const {
    return answer < least ? least : answer > most ? most : answer;
  }
};

// No usage within `bound` costs more (markup included, CostOf() at the same `now`), as long as the
// provider answers at its usual service tier and no audio is used, unless `bound` says otherwise:
// every prompt token is taken at the dearest of the text, cache and image rates (any_input: and the
// audio rates), every completion token at the dearer of output and reasoning (any_output: and audio
// and image), and the prompt may end in any tier up to its bound. Saturates. Pure.
Money CostBound(const UseBound& bound, const PriceTable& price, UnixSeconds now);

// The largest count up to `longest` of completion tokens a choice, of `choices`, for which the
// bound, with their `reasoning`, is not above `budget`; nothing when not even an answer of none is
// within it. bound.completion is what is used besides. At most 64 costs are compared.
std::optional<int64_t> LongestWithin(Money budget, UseBound bound, int64_t choices, int64_t longest,
                                     const PriceTable& price, UnixSeconds now,
                                     const ReasoningBound& reasoning = {});

}  // namespace seekroute
