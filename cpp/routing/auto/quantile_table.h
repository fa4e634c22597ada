// Where a number stands among those of some traffic: its rank, 0 to 1.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace seekroute {

// The quantiles of the traffic in equal steps, from its lowest number to its highest.
inline constexpr size_t kQuantiles = 1001;

bool IsQuantileTable(std::span<const float> table);

// Between two quantiles in proportion; of a number that is many of them, the middle of those. 0.5
// of NaN. Requires IsQuantileTable(table).
double RankOf(double value, std::span<const float> table);

}  // namespace seekroute
