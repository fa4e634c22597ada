// What `auto` goes by where it chooses among models.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace seekroute {

enum class AutoStrategy : uint8_t {
  kBalanced,  // what a model is worth, less its part of what the best one costs
  kCost,      // the cheapest that is nearly as good as the best
  kLatency,   // the quickest of those
  kQuality,   // the best
};

// By AutoStrategy, as requests, settings and reports have them.
inline constexpr std::array<std::string_view, 4> kAutoStrategyNames = {"balanced", "cost",
                                                                       "latency", "quality"};

constexpr std::string_view NameOf(AutoStrategy strategy) {
  return kAutoStrategyNames[static_cast<size_t>(strategy)];
}

constexpr std::optional<AutoStrategy> AutoStrategyNamed(std::string_view name) {
  for (size_t i = 0; i < kAutoStrategyNames.size(); ++i) {
    if (kAutoStrategyNames[i] == name) return static_cast<AutoStrategy>(i);
  }
  return std::nullopt;
}

// Who said the strategy of a request: itself, else its key, else the operator for all.
enum class StrategySource : uint8_t { kRequest, kKey, kDefault };

// By StrategySource, as reports have them.
inline constexpr std::array<std::string_view, 3> kStrategySourceNames = {"request", "key",
                                                                         "default"};

constexpr std::string_view NameOf(StrategySource source) {
  return kStrategySourceNames[static_cast<size_t>(source)];
}

}  // namespace seekroute
