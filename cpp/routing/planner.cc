#include "routing/planner.h"

#include <string>

namespace seekroute {

namespace {

Error Unserved(Need need, const ParsedRequest& request) {
  std::string_view why = "no provider of the model takes such a request";
  if (need == Need::kNoPromptText) why = "expected text in the last user message, to draw from";
  return MakeError(ErrorCode::kInvalidValue, std::string(why), request.PathOf(need));
}

}  // namespace

Result<Route> PlanRoute(std::span<const Model* const> models, const ParsedRequest& request) {
  Route route;
  NeedSet unserved;  // of the request, by one or another
  for (const Model* model : models) {
    for (const Endpoint& endpoint : model->endpoints) {
      const NeedSet lacking = endpoint.lacks & request.ask.needs;
      unserved = unserved | lacking;
      if (lacking.IsEmpty()) route.candidates.push_back({model, &endpoint});
    }
    for (const Exclusion& each : model->excluded) {
      route.excluded.push_back({model, each.provider, each.reason});
    }
  }
  if (!route.candidates.empty()) return route;
  for (int i = 0; i < kNeedCount; ++i) {
    const Need need = static_cast<Need>(i);
    if (unserved.Has(need)) return Unserved(need, request);
  }
  return MakeError(ErrorCode::kNoMatchingEndpoint,
                   "no provider of '" + models.front()->id +
                       "' is configured at this gateway; GET /v1/models lists the models it serves",
                   "model");
}

}  // namespace seekroute
