#include "gateway/admission.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "gateway/answer_table.h"
#include "gateway/asked_models.h"
#include "gateway/gate.h"
#include "gateway/options.h"
#include "gateway/spend_bound.h"
#include "routing/auto/auto_router.h"
#include "routing/order.h"
#include "routing/planner.h"
#include "routing/preferences.h"

namespace seekroute {
namespace {

Status CheckKey(const std::optional<Secret>& authorization, const Snapshot& snapshot,
                const AdmissionRules& rules, Admission* out) {
  if (rules.as) {
    out->key = rules.as;
    out->profile = &snapshot.ProfileNamed(out->key->profile);
    return KeyRing::CheckUsable(*out->key);
  }
  if (rules.origin == Origin::kInProcess || rules.origin == Origin::kShadow) return {};
  Result<std::shared_ptr<const ApiKey>> key =
      rules.keys->Find(authorization, rules.now, &out->key_mac);
  if (!key) {
    if (rules.require_key) return std::move(key.error());
    return {};
  }
  out->key = std::move(*key);
  out->profile = &snapshot.ProfileNamed(out->key->profile);
  return KeyRing::CheckUsable(*out->key);
}

Status Resolve(std::string_view body, const Snapshot& snapshot, const AdmissionRules& rules,
               Admission* out, Suffix* suffix) {
  ReadScope scope = rules.scope;
  scope.excerpt_for = snapshot.excerpt_for();
  scope.prompt = scope.prompt || (rules.gate != nullptr && rules.gate->NeedsPrompt());
  // A key that has got another profile since is rare: its body is read again.
  const bool scanned = rules.scan != nullptr && rules.scan->profile == out->profile;
  Result<std::unique_ptr<const ParsedRequest>> request =
      scanned ? std::move(rules.scan->request) : out->surface->Read(body, *out->profile, scope);
  if (!request) return std::move(request.error());
  out->request = std::move(*request);
  out->automatic = snapshot.catalog.IsAuto(out->request->ask.model);
  if (out->automatic) {
    if (std::optional<Error> refused = RefuseAuto(*out->request)) return *std::move(refused);
  }
  // A name may have a colon of its own: all of it counts first.
  out->model = snapshot.catalog.Find(out->request->ask.model);
  *suffix = Suffix::kNone;
  if (out->model == nullptr) {
    out->model = FirstMember(snapshot, *out, out->request->ask.model);
  }
  if (out->model == nullptr) {
    const SuffixedName named = TakeSuffix(out->request->ask.model);
    out->model = snapshot.catalog.Find(named.name);
    *suffix = named.suffix;
    out->automatic = snapshot.catalog.IsAuto(named.name);
    if (out->model == nullptr) out->model = FirstMember(snapshot, *out, named.name);
  }
  if (IsChosenFor(snapshot, out->request->ask.model)) out->model = FirstPooled(snapshot, *out);
  if (out->model != nullptr) return {};
  if (!out->automatic) return UnknownModel(snapshot, *out, out->request->ask.model, "model");
  return MakeError(ErrorCode::kModelNotFound,
                   "'auto' is not served here: the operator has set no default model", "model");
}

// How the model of a name is called that does not lead to it alone.
std::string_view StrategyOf(const Admission& admission) {
  if (admission.automatic) return "auto";
  const std::string_view asked = admission.request->ask.model;
  const bool direct = asked == admission.model->id || TakeSuffix(asked).name == admission.model->id;
  return direct ? "direct" : "alias";
}

// Tokens of the prompt, where some endpoint may be too short for it and nobody has estimated it
// yet: that takes another pass over the body.
std::optional<int64_t> EstimateLong(std::string_view body, const Admission& admission,
                                    std::span<const PlannedModel> models) {
  const Ask& ask = admission.request->ask;
  if (ask.prompt) return std::nullopt;
  for (const PlannedModel& each : models) {
    for (const Endpoint& endpoint : each.model->endpoints) {
      const int64_t context = each.model->ContextAt(endpoint, ask.inputs);
      if (context > 0 && ask.strict_prompt >= context / 100 * 95) {
        return admission.surface->EstimatePrompt(body).tokens;
      }
    }
  }
  return std::nullopt;
}

// Where a prompt's cache makes a difference, and there is a choice: who answered what belongs
// together. Of a conversation for which models are chosen, always.
std::string_view FindSticky(std::string_view body, const Snapshot& snapshot,
                            const AdmissionRules& rules, std::span<const PlannedModel> models,
                            Admission* out, uint64_t* endpoint, TimePoint* at) {
  if (rules.sticky == nullptr) return "off";
  const Ask& ask = out->request->ask;
  const bool drawn = models.front().chance > 0;
  out->keeps_model = models.front().pooled && snapshot.router->rules().stay > 0;
  size_t endpoints = 0;
  bool cached = false;
  for (const PlannedModel& each : models) {
    const bool first = &each == &models.front();
    if (!first && (!each.same_name || !(drawn || each.pooled))) break;
    endpoints += each.model->endpoints.size();
    cached = cached || std::ranges::any_of(each.model->endpoints, HasCachePrice);
  }
  if (!out->keeps_model && (endpoints < 2 || !cached)) return "off";
  const std::string_view org = out->key ? std::string_view(out->key->org_id) : std::string_view();
  out->sticky = StickyKeyOf(*rules.salt, org, StickyNameOf(ask.model, snapshot, models), ask,
                            rules.session, body);
  if (!out->sticky.valid()) return "off";
  *endpoint = rules.sticky->Find(out->sticky, rules.moment, at);
  return *endpoint == 0 ? "miss" : "hit";
}

// What the request may cost at most, as far as that is known before its money is held.
std::optional<Money> BudgetOf(const Ask& ask, const ApiKey* key, const GatewayOptions& options) {
  std::optional<Money> budget = ask.max_cost;
  if (options.credits && key != nullptr && key->limit) {
    budget = std::min(budget.value_or(*key->limit), *key->limit);
  }
  return budget;
}

// The endpoint's price of cached tokens is lower.
bool IsCachedAt(uint64_t endpoint, std::span<const PlannedModel> models) {
  for (const PlannedModel& each : models) {
    const auto found = std::ranges::find(each.model->endpoints, endpoint, &Endpoint::id);
    if (found != each.model->endpoints.end()) return HasCachePrice(*found);
  }
  return false;
}

// The request's own strategy, else that of its key (may be null), else the operator's.
std::pair<AutoStrategy, StrategySource> StrategyFor(const Ask& ask, const ApiKey* key,
                                                    const AutoRules& rules) {
  if (ask.route != nullptr && ask.route->strategy) {
    return {*ask.route->strategy, StrategySource::kRequest};
  }
  if (key != nullptr && key->auto_strategy) return {*key->auto_strategy, StrategySource::kKey};
  return {rules.strategy, StrategySource::kDefault};
}

// What pooled models are chosen by; nothing: none of the models is one. `key` may be null.
// `endpoint`: that has answered the conversation; 0: none has. `session`: it was named, else a
// first question is none.
std::optional<AutoAsk> AskRouter(const Snapshot& snapshot, const Ask& ask, const ApiKey* key,
                                 std::span<const PlannedModel> models, uint64_t endpoint,
                                 bool session) {
  const auto pooled = [](const PlannedModel& each) { return each.pooled.has_value(); };
  if (std::ranges::none_of(models, pooled)) return std::nullopt;
  const AutoRouter& router = *snapshot.router;
  const bool goes_on = endpoint != 0 && (session || ask.affinity.answered);
  const auto [strategy, source] = StrategyFor(ask, key, router.rules());
  return AutoAsk{&router, router.Judge(ask.excerpt), strategy, source,
                 goes_on ? PooledAt(endpoint, models) : std::nullopt};
}

// Where a model is chosen: how long the answers of all of them will be.
void ExpectAnswers(const AnswerTable* answers, const AutoAsk* automatic,
                   std::span<PlannedModel> models) {
  if (answers != nullptr && automatic != nullptr) {
    answers->Expect(automatic->judged.difficulty, models);
  }
}

// Endpoints that are looked at in one simulation: some tens of milliseconds.
constexpr size_t kMostDrawn = 500'000;

// Plans again and again, by seeds that follow from the first; less often where the models have very
// many endpoints.
void Simulate(const Snapshot& snapshot, Suffix suffix, PlanInputs inputs, int draws,
              const AnswerTable* answers, Admission* out) {
  const uint64_t first = inputs.seed;
  inputs.keep_views = false;
  std::vector<PlannedModel> models;
  size_t each = 1;
  for (const PlannedModel& model : inputs.models) each += model.model->endpoints.size();
  const auto affordable = static_cast<int>(std::max<size_t>(1, kMostDrawn / each));
  for (int i = 0; i < std::min({draws, kMostSimulated, affordable}); ++i) {
    inputs.seed = SplitMix64(first + static_cast<uint64_t>(i));
    if (out->route.strategy == kVirtual) {  // the order of its models may be drawn, too
      models.clear();
      if (!GatherModels(snapshot, suffix, inputs.seed, out, &models)) return;
      PutFirst(inputs.sticky, inputs.health, inputs.now, &models);
      ExpectAnswers(answers, inputs.automatic, models);
      inputs.models = models;
    }
    const Result<Route> drawn = PlanRoute(inputs);
    if (!drawn) return;
    const Candidate& front = drawn->candidates.front();
    const auto found =
        std::ranges::find(out->first_places, front.endpoint, &Admission::FirstPlace::endpoint);
    if (found != out->first_places.end()) {
      ++found->draws;
    } else {
      out->first_places.push_back({front.model, front.endpoint, 1});
    }
  }
}

}  // namespace

Status Admit(const Surface& surface, std::string_view body,
             const std::optional<Secret>& authorization, const Snapshot& snapshot,
             const AdmissionRules& rules, Admission* out) {
  out->surface = &surface;
  out->shadow = rules.origin == Origin::kShadow;
  out->profile = &snapshot.ProfileNamed(snapshot.default_profile);
  Status checked = CheckKey(authorization, snapshot, rules, out);
  const auto end_lap = [&rules](std::string_view step) {
    if (rules.laps != nullptr) rules.laps->End(step);
  };
  end_lap("auth");
  if (checked.ok() && rules.gate != nullptr) checked = rules.gate->Peek();
  if (!checked.ok()) return checked;
  Suffix suffix = Suffix::kNone;
  Status resolved = Resolve(body, snapshot, rules, out, &suffix);
  end_lap("parse");
  if (!resolved.ok()) return resolved;
  out->route.strategy = StrategyOf(*out);  // told also where nobody serves it
  std::vector<PlannedModel> models;
  Status gathered = GatherModels(snapshot, suffix, rules.seed, out, &models);
  if (!gathered.ok()) return gathered;
  const bool is_virtual = out->route.strategy == kVirtual;
  const bool chosen = models.front().pooled.has_value();
  const bool as_named = chosen ? out->automatic : models.front().model->id == out->model->id;
  if (!is_virtual && !as_named) out->route.strategy = "fallback";
  uint64_t known = 0;  // an endpoint
  TimePoint known_at = TimePoint::Never();
  std::string_view found = FindSticky(body, snapshot, rules, models, out, &known, &known_at);
  PutFirst(known, rules.health, rules.moment, &models);
  out->model = models.front().model;
  Result<Preferences> preferences =
      ReadPreferences(out->request->ask.route.get(), suffix, snapshot.catalog);
  if (!preferences) return std::move(preferences.error());
  PlanInputs inputs{.models = models,
                    .request = out->request.get(),
                    .preferences = *preferences,
                    .rules = snapshot.routing,
                    .health = rules.health,
                    .now = rules.moment,
                    .created = rules.now,
                    .seed = rules.seed,
                    .expected_prompt = EstimateLong(body, *out, models),
                    .keep_views = rules.explain};
  const std::optional<AutoAsk> automatic =
      AskRouter(snapshot, out->request->ask, out->key.get(), models, known, out->sticky.named);
  if (automatic) inputs.automatic = &*automatic;
  ExpectAnswers(rules.answers, inputs.automatic, models);
  // Of a chosen model the endpoint matters only to a cache.
  if (chosen && known != 0 && !IsCachedAt(known, models)) {
    found = "miss";
  } else {
    inputs.sticky = known;
    inputs.sticky_at = known_at;
  }
  std::optional<Money> budget;
  if (chosen && rules.options != nullptr) {
    budget = BudgetOf(out->request->ask, out->key.get(), *rules.options);
  }
  const std::function<bool(const Candidate&)> affords = [&](const Candidate& candidate) {
    Route alone;
    alone.candidates.push_back(candidate);
    const SpendBound bound(out->request->ask, alone, *rules.options, rules.now);
    return bound.Affords(alone.candidates.front(), {.max_cost = budget});
  };
  if (budget) inputs.affords = &affords;
  Result<Route> route = PlanRoute(inputs);
  end_lap("plan");
  if (!route) return std::move(route.error());
  if (chosen) out->model = route->candidates.front().model;
  if (inputs.sticky == 0) route->sticky = found;
  route->strategy = out->route.strategy;
  out->route = std::move(*route);
  if (rules.simulate > 0) {
    Simulate(snapshot, suffix, inputs, rules.simulate, rules.answers, out);
  }
  return {};
}

}  // namespace seekroute
