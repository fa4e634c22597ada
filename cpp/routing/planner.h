// Who serves a request: filters, and the order. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "base/auto_strategy.h"
#include "base/result.h"
#include "base/time.h"
#include "routing/auto/auto_verdict.h"
#include "routing/expectation.h"
#include "routing/health_view.h"
#include "routing/preferences.h"
#include "routing/route.h"
#include "routing/routing_rules.h"
#include "wire/ask.h"

namespace seekroute {

class AutoRouter;

// A model of the route.
struct PlannedModel {
  const Model* model = nullptr;
  AskedAfter after = AskedAfter::kAny;
  uint8_t also_after = 0;                // as Candidate has it
  bool free_only = false;                // `:free` stands behind its name
  bool by_client = true;                 // it named the model: what that costs is its choice
  std::string_view provider;             // the only one it is asked at; empty: any
  bool beside = false;                   // it stands beside the model before it, not behind
  bool same_name = false;                // one name stands for it and for the model before it
  RouteSort sort = RouteSort::kDefault;  // of its list, where the request has none
  // Its place in the pool that `auto` chooses from; nothing: it is not of it. No two of one `pool`
  // have the same, and all that are of one stand behind one another.
  std::optional<uint32_t> pooled = std::nullopt;
  uint8_t pool = 0;  // of the choices: `auto:free` and `auto` are two
  double chance =
      0;  // that it is the first of those of its name, where that is drawn; 0: it is not
  int64_t answer = kGuessedAnswerTokens;  // tokens that its answer is expected to have
};

// What the pooled models of a plan are ranked by.
struct AutoAsk {
  const AutoRouter* router = nullptr;  // never null
  AutoJudgement judged;                // by `router`
  AutoStrategy strategy = AutoStrategy::kBalanced;
  StrategySource strategy_source = StrategySource::kDefault;
  std::optional<uint32_t> last = std::nullopt;  // of the pool: what has answered the conversation
};

// All that a plan depends on. Nothing is owned, but `models` nothing outlives the call.
struct PlanInputs {
  std::span<const PlannedModel> models;  // one at least, distinct
  const ParsedRequest* request = nullptr;
  Preferences preferences = {};
  RoutingRules rules = {};
  const HealthReader* health = nullptr;  // null: everybody is well, and nothing is known
  TimePoint now = {};
  UnixSeconds created = {};                               // whose prices hold
  uint64_t seed = 0;                                      // of all that is left to chance
  std::optional<int64_t> expected_prompt = std::nullopt;  // tokens, where the ask has no estimate
  bool keep_views = false;                                // for a report
  uint64_t sticky = 0;  // id of the endpoint whose cache knows the prompt; 0: none
  TimePoint sticky_at = TimePoint::Never();  // when it answered last
  const AutoAsk* automatic = nullptr;        // never null where a model is pooled
  // Whether the request can pay for an answer there; null: it can everywhere. Of pooled models:
  // what it cannot pay for is not chosen, as long as there is another.
  const std::function<bool(const Candidate&)>* affords = nullptr;
};

// Candidates of the models, those of the first before those of the next unless the client wants
// one list of them all, and of pooled ones in the order of the router's choice; of each, in the
// order of SortCandidates(). Where there are more than Route::kMostCandidates, each model has a
// part of them at least. Whoever lacks what the request needs, or is not what the client wants, is
// left out with the first word of Excluded that holds. What is unknown of an endpoint's abilities
// is tried, unless provider.require_parameters is set; what is unknown of its privacy is not.
//
// Fails where nobody is left: with the client's error where no dialect of any endpoint can say the
// request, else with kNoMatchingEndpoint, `availability` told. Without a strategy.
Result<Route> PlanRoute(const PlanInputs& inputs);

// The endpoints of `models` in the catalog's order, with no preferences.
Result<Route> PlanRoute(std::span<const Model* const> models, const ParsedRequest& request);

// Why no model can be chosen for a request that names none (`auto`): the models to choose from are
// for chats. Nothing where one can be.
std::optional<Error> RefuseAuto(const ParsedRequest& request);

}  // namespace seekroute
