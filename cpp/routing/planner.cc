#include "routing/planner.h"

#include <array>
#include <string>
#include <string_view>

namespace seekroute {
namespace {

// Why a request is refused that needs what nobody of its model can do.
struct Lack {
  ErrorCode code;
  std::string_view why;    // behind the model's name, where there is a `param`
  std::string_view param;  // empty: the member of the request that has the need
};

// By Need.
constexpr std::array<Lack, kNeedCount> kLacks = {{
    {ErrorCode::kNoMatchingEndpoint, "makes embeddings: it is asked at POST /v1/embeddings",
     "model"},
    {ErrorCode::kNoMatchingEndpoint,
     "makes no embeddings: it is asked at POST /v1/chat/completions", "model"},
    {ErrorCode::kInvalidValue, "expected text in the last user message, to draw from", ""},
    {ErrorCode::kInvalidUnicode, "expected a prompt without lone surrogates", ""},
}};

Error Unserved(Need need, const Model& model, const ParsedRequest& request) {
  const Lack& lack = kLacks[static_cast<size_t>(need)];
  if (lack.param.empty()) {
    return MakeError(lack.code, std::string(lack.why), request.PathOf(need));
  }
  return MakeError(lack.code, "the model '" + model.id + "' " + std::string(lack.why),
                   std::string(lack.param));
}

}  // namespace

Result<Route> PlanRoute(std::span<const Model* const> models, const ParsedRequest& request) {
  Route route;
  NeedSet unserved;  // of the request, by one or another
  for (const Model* model : models) {
    route.candidates.reserve(route.candidates.size() + model->endpoints.size());
    route.excluded.reserve(route.excluded.size() + model->excluded.size());
    for (const Endpoint& endpoint : model->endpoints) {
      const NeedSet lacking = endpoint.lacks & request.ask.needs;
      unserved = unserved | lacking;
      if (lacking.IsEmpty()) {
        route.candidates.push_back({model, &endpoint, request.ask.inputs});
      }
    }
    for (const Exclusion& each : model->excluded) {
      route.excluded.push_back({model, each.provider, each.reason});
    }
  }
  if (!route.candidates.empty()) return route;
  for (int i = 0; i < kNeedCount; ++i) {
    const Need need = static_cast<Need>(i);
    if (unserved.Has(need)) return Unserved(need, *models.front(), request);
  }
  return MakeError(ErrorCode::kNoMatchingEndpoint,
                   "no provider of '" + models.front()->id +
                       "' is configured at this gateway; GET /v1/models lists the models it serves",
                   "model");
}

std::optional<Error> RefuseAuto(const ParsedRequest& request) {
  if (!request.ask.needs.Has(Need::kEmbedding)) return std::nullopt;
  return MakeError(ErrorCode::kNoMatchingEndpoint,
                   "'" + request.ask.model +
                       "' chooses a model for chats: ask for embeddings by a model's name; "
                       "GET /v1/models?output_modalities=embeddings lists those that make them",
                   "model");
}

}  // namespace seekroute
