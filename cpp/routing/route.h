// Who may serve a request, in order, and who may not and why.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/auto_strategy.h"
#include "catalog/catalog.h"
#include "routing/auto/auto_verdict.h"
#include "routing/exclusion.h"
#include "routing/health_view.h"
#include "wire/asked_route.h"

namespace seekroute {

// How a candidate came to be one: after which failures of those before it it may be asked.
enum class AskedAfter : uint8_t { kAny, kContextTooLong, kContentPolicy };
constexpr uint8_t BitOf(AskedAfter after) {
  return static_cast<uint8_t>(1U << static_cast<unsigned>(after));
}

// One endpoint that may be asked. Points into the catalog, which whoever keeps this keeps too.
struct Candidate {
  const Model* model = nullptr;
  const Endpoint* endpoint = nullptr;
  int64_t inputs = 1;  // of the request
  // What the request is expected to cost, the markup included, in pico-USD. Saturates.
  uint64_t expected_pico = 0;
  double probability = 0;  // that it came to be the first of the route
  uint8_t group = 0;       // RouteGroup
  AskedAfter after = AskedAfter::kAny;
  uint8_t name = 0;  // of the names that the request has, and of those behind them: which it is of
  // Of the operator's list `any`: asked after what another provider would be asked after.
  bool of_any_list = false;
  int64_t expected_answer = 0;  // tokens of one choice; 0: answers are not made of them

  uint8_t also_after = 0;  // other lists of the operator's that have its model: BitOf() each

  bool IsAskedAfter(AskedAfter which) const {
    return after == which || (also_after & BitOf(which)) != 0;
  }

  // Of this endpoint, in tokens; 0: unknown. For all that the request has it read.
  int64_t context() const { return model->ContextAt(*endpoint, inputs); }
  int64_t max_output() const { return model->MaxOutputAt(*endpoint); }
  const PriceTable& price() const { return *endpoint->price; }
  // Its answers are made of tokens, and charged by them.
  bool answers_in_tokens() const { return endpoint->token_answer; }
};

// A provider that is not asked. Points likewise.
struct OutOfRoute {
  const Model* model = nullptr;
  std::string_view provider;           // or the tag of its endpoint
  std::string_view reason;             // one word for clients: "no_key", "disabled"
  const Endpoint* endpoint = nullptr;  // null: it is not connected
  ExcludedSet why = {};                // all that holds of an endpoint
  bool is_fallback = false;            // the operator has added its model to those asked for
};

// How `auto` has chosen. Points into the snapshot.
struct AutoRoute {
  struct Each {
    const Model* model;
    AutoVerdict verdict;
  };

  AutoStrategy strategy = AutoStrategy::kBalanced;
  StrategySource strategy_source = StrategySource::kDefault;
  float difficulty = 0;       // of the prompt, 0 to 1
  std::string_view revision;  // of the weights; empty: nothing was learned
  std::vector<Each> models;   // of the pool, who may serve the request: the chosen one first
};

// Planned once, at admission; quote, bound, attempts and report read the same one. Immutable.
struct Route {
  static constexpr size_t kMostCandidates = 64;
  static constexpr size_t kMostExcluded = 64;

  std::vector<Candidate> candidates;  // in the order in which they are asked
  std::vector<OutOfRoute> excluded;
  size_t more_excluded = 0;  // beyond kMostExcluded
  // How the model was found: "auto", "direct" (its id), "alias", "virtual" or "fallback" (another
  // model than the first was named). A literal.
  std::string_view strategy;
  RouteSort sort = RouteSort::kDefault;
  uint64_t seed = 0;      // of all that was left to chance
  bool explored = false;  // somebody of whom little is known was drawn for the first place
  // Whether whose cache knows the prompt goes first: "hit", "yielded:" and why it does not, "miss":
  // nobody's does, "off": it is not asked for. A literal.
  std::string_view sticky = "off";
  int64_t expected_prompt = 0;                        // tokens
  std::optional<AutoRoute> automatic = std::nullopt;  // nothing: no model was chosen
  // Of each candidate, where the plan was to be explained.
  std::vector<HealthView> views;
};

}  // namespace seekroute
