#include "routing/planner.h"

#include <string>

namespace seekroute {

Result<Route> PlanRoute(std::span<const Model* const> models) {
  Route route;
  for (const Model* model : models) {
    for (const Endpoint& endpoint : model->endpoints) {
      route.candidates.push_back({model, &endpoint});
    }
    for (const Exclusion& each : model->excluded) {
      route.excluded.push_back({model, each.provider, each.reason});
    }
  }
  if (!route.candidates.empty()) return route;
  return MakeError(ErrorCode::kNoMatchingEndpoint,
                   "no provider of '" + models.front()->id +
                       "' is configured at this gateway; GET /v1/models lists the models it serves",
                   "model");
}

}  // namespace seekroute
