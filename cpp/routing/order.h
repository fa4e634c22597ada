// The order in which candidates are asked. Pure: the same seed gives the same order.
#pragma once

#include <cstdint>
#include <vector>

#include "routing/health_view.h"
#include "routing/preferences.h"
#include "routing/route.h"
#include "routing/routing_rules.h"

namespace seekroute {

// The order of asking, before all else: lower first.
enum class RouteGroup : uint8_t {
  kPreferred,   // in service, and as quick as was asked for
  kUnmeasured,  // in service, and nobody knows how quick
  kSlower,      // in service, and not as quick
  kTight,       // the prompt may just not fit
  kDegraded,
  kLastResort,
};

// A candidate before it has a place.
struct Ranked {
  Candidate candidate;
  HealthView health;
  uint32_t model_rank = 0;               // of its model among those of the route
  RouteSort sort = RouteSort::kDefault;  // the same of all of that rank
  uint32_t listed = kUnlisted;           // the place in `order` that means it
  static constexpr uint32_t kUnlisted = UINT32_MAX;
  double chance = 0;  // PlannedModel::chance, the same of all of that rank
};

struct OrderRules {
  Balance balance = Balance::kInverseSquare;
  uint64_t seed = 0;
};

// Sorts `ranked`, and sets each candidate's probability of being the first of all: that of being
// the first of its model, times that of its model where some have a chance, else of the first model
// alone.
//
// By rank of the model, then what `order` lists as it does (endpoints of one slug by price; the
// last resort last all the same), then by group, then by the sort. The default draws without
// replacement by `weight * slow start * head room / price^2`: the candidate at place i has
// u = (splitmix64(seed + i) >> 11 + 0.5) * 2^-53 and the key -ln(u) / w, the smallest first, which
// is to pick by weight and to pick from those left in the same way when that fails. Endpoints
// without a price come before all others of their group, those without a weight after them.
void SortCandidates(const OrderRules& rules, std::vector<Ranked>* ranked);

// Of the sorted candidates leaves the first Route::kMostCandidates, but of each model its first
// few: an even part of the room, where it has as many.
void ShareRoom(std::vector<Ranked>* ranked);

// SplitMix64's output for a state.
uint64_t SplitMix64(uint64_t state);

// A number in (0,1) of the seed's draw `i`.
double UnitDraw(uint64_t seed, uint64_t i);

}  // namespace seekroute
