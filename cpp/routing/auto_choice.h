// Internal to routing/: which model of a pool a request goes to. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "routing/order.h"
#include "routing/planner.h"
#include "routing/route.h"

namespace seekroute {

// Candidates, and of each, in step with it, the place of its model among those of the plan.
struct RankedOfModels {
  std::vector<size_t>* numbers;  // never null
  std::vector<Ranked>* ranked;   // likewise
};

// Gives the candidates of the models of that pool new ranks, the chosen model's first, within those
// that their models had: whoever is no member keeps its place. Drops the candidates of the last
// ones where the route has more than kMostRouteModels models, and returns verdicts on all. `seed`:
// of what is drawn.
//
// What a model would take is what its cheapest candidate does, of those in service where there are
// some. One that has answered the conversation is not left by chance.
AutoRoute ChooseModel(const AutoAsk& ask, std::span<const PlannedModel> models, uint8_t pool,
                      uint64_t seed, const RankedOfModels& candidates);

}  // namespace seekroute
