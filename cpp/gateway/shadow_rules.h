// What the operator says of shadow pairs.
#pragma once

#include "base/money.h"

namespace seekroute {

// Value type.
struct ShadowRules {
  static constexpr double kMostShare = 0.2;

  double share = 0;  // of requests whose model is chosen: 0 to kMostShare
  Money per_day;     // the most that second requests may cost on a UTC day
};

}  // namespace seekroute
