#include "routing/auto/quantile_table.h"

#include <algorithm>
#include <cmath>

namespace seekroute {

bool IsQuantileTable(std::span<const float> table) {
  return table.size() == kQuantiles &&
         std::all_of(table.begin(), table.end(), [](float each) { return std::isfinite(each); }) &&
         std::is_sorted(table.begin(), table.end());
}

double RankOf(double value, std::span<const float> table) {
  constexpr double kLast = static_cast<double>(kQuantiles - 1);
  if (std::isnan(value)) return 0.5;
  // Numbers of the traffic were floats as well, so they meet their quantile.
  const auto at = static_cast<float>(value);
  const auto [first, end] = std::equal_range(table.begin(), table.end(), at);
  const auto below = static_cast<double>(first - table.begin());
  if (first != end) return (below + static_cast<double>(end - table.begin()) - 1) / 2 / kLast;
  if (first == table.begin()) return 0;
  if (first == table.end()) return 1;
  const auto low = static_cast<double>(*(first - 1)), high = static_cast<double>(*first);
  return (below - 1 + (static_cast<double>(at) - low) / (high - low)) / kLast;
}

}  // namespace seekroute
