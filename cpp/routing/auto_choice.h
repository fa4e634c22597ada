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

// Gives the candidates of pooled models new ranks, the chosen model's first, within those that
// their models had: whoever is no member keeps its place. Drops the candidates of the last ones
// where the route has more than kMostRouteModels models, and appends verdicts on all to the result.
//
// `numbers`: of each of `ranked`, in step with it, the place of its model in `models`. What a model
// would take is what its cheapest candidate does, of those in service where there are some.
// `seed`: of whether somebody else than the best is drawn.
AutoRoute ChooseModel(const AutoAsk& ask, std::span<const PlannedModel> models,
                      std::span<const size_t> numbers, uint64_t seed, std::vector<Ranked>* ranked);

}  // namespace seekroute
