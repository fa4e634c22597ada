// The route of one model, for tests that begin behind the planner.
#pragma once

#include "routing/planner.h"
#include "wire/openai/parsed_chat.h"

namespace seekroute::testing {

// All endpoints of `model`, which has some and outlives the route.
inline Route RouteTo(const Model& model) { return *PlanRoute({{&model}}, ParsedChat()); }

}  // namespace seekroute::testing
