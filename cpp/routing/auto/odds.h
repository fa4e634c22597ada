// Internal to routing/auto: chances, and the logarithm of their odds.
#pragma once

#include <algorithm>
#include <cmath>

namespace seekroute {

// Nothing is believed to be surer than this, whoever says it.
inline constexpr double kLeastChance = 0.01;

inline double ChanceOf(double logit) { return 1 / (1 + std::exp(-logit)); }

// Of a chance beyond what is believed: of the nearest that is.
inline double LogitOf(double chance) {
  chance = std::clamp(chance, kLeastChance, 1 - kLeastChance);
  return std::log(chance / (1 - chance));
}

}  // namespace seekroute
