// What a request says of where it may go, in OpenRouter's words.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/auto_strategy.h"

namespace seekroute {

// Bounds of what a request may say.
inline constexpr size_t kMostRouteModels = 8;  // with `model`
inline constexpr size_t kMostSlugs = 64;       // of a list
inline constexpr size_t kMostSlugBytes = 128;
inline constexpr size_t kMostSessionBytes = 256;

enum class RouteSort : uint8_t { kDefault, kPrice, kThroughput, kLatency };

// As requests have it, and reports.
constexpr std::string_view NameOf(RouteSort sort) {
  switch (sort) {
    case RouteSort::kPrice:
      return "price";
    case RouteSort::kThroughput:
      return "throughput";
    case RouteSort::kLatency:
      return "latency";
    case RouteSort::kDefault:
      break;
  }
  return "default";
}

// Whether the endpoints of one model come before those of the next, or all are one list.
enum class Partition : uint8_t { kModel, kNone };

// The most that may be charged, the markup included; absent: anything. In units of 10^-12 USD: for
// a million tokens, a request, a picture.
struct PriceCeilings {
  std::optional<int64_t> prompt, completion, request, image;

  bool any() const { return prompt || completion || request || image; }
};

// What p50, p75, p90 and p99 shall be, in that order; 0: anything.
struct Cutoffs {
  std::array<double, 4> at = {};

  bool any() const { return at != std::array<double, 4>{}; }
};

// The types are checked, and each value by itself; what contradicts what, and which slugs there
// are, is routing/preferences.h's to say. Slugs are in small letters. Value type.
struct AskedRoute {
  std::vector<std::string> models;  // `models`, without `model`
  std::vector<std::string> order, only, ignore, regions, quantizations;
  bool has_order = false;  // also where it is empty
  bool allow_fallbacks = true;
  bool require_parameters = false;
  bool deny_data_collection = false;
  bool zdr = false;
  RouteSort sort = RouteSort::kDefault;
  Partition partition = Partition::kModel;
  PriceCeilings max_price;
  Cutoffs min_throughput;  // tokens a second
  Cutoffs max_latency;     // seconds until the first content
  std::string session_id;
  // Of `auto`.
  std::optional<AutoStrategy> strategy;
  std::vector<std::string> allowed_models, excluded_models;  // patterns, in small letters
  bool has_allowed_models = false;                           // also where they are none
};

}  // namespace seekroute
