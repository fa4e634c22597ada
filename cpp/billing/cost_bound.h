// The most that a request can cost, before it is sent.
#pragma once

#include <cstdint>

#include "base/money.h"
#include "base/price.h"
#include "base/time.h"

namespace seekroute {

// What a request can use at most.
struct UseBound {
  int64_t prompt = 0;
  int64_t completion = 0;  // of all choices together
  int64_t images = 0;
};

// No usage within `bound` costs more (markup included, CostOf() at the same `now`), as long as the
// provider answers at its usual service tier and no audio is used: every prompt token is taken at
// the dearest of the text, cache and image rates, every completion token at the dearer of output
// and reasoning, and the prompt may end in any tier up to its bound. Saturates. Pure.
Money CostBound(const UseBound& bound, const PriceTable& price, UnixSeconds now);

}  // namespace seekroute
