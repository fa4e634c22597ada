#include "gateway/admission.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/key_shapes.h"
#include "gateway/gate.h"
#include "routing/order.h"
#include "routing/planner.h"
#include "routing/preferences.h"
#include "wire/sanitize.h"

namespace seekroute {
namespace {

Status CheckKey(const std::optional<Secret>& authorization, const Snapshot& snapshot,
                const AdmissionRules& rules, Admission* out) {
  if (rules.as) {
    out->key = rules.as;
    out->profile = &snapshot.ProfileNamed(out->key->profile);
    return KeyRing::CheckUsable(*out->key);
  }
  if (rules.origin == Origin::kInProcess) return {};
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

constexpr std::string_view kListed = " GET /v1/models lists the models it serves";

// What is served in the place of a snapshot that is not: the name without its date, which may lead
// to a successor. Nothing where there is none that the key may use.
std::optional<Error> GoneSnapshot(const Catalog& catalog, const Admission& admission,
                                  const std::string& named) {
  for (const std::string_view dateless : NamesWithoutDate(named)) {
    const Model* model = catalog.Find(dateless);
    if (model == nullptr || model->endpoints.empty()) continue;
    if (admission.key && !admission.key->MayUse(model->id)) continue;
    std::string message = "the snapshot '" + named + "' is not served at this gateway; ";
    if (dateless == model->id) {
      message += "the model '" + model->id + "' is.";
    } else {
      message += "the alias '" + std::string(dateless) + "' is, and leads to " + model->id + ".";
    }
    message += kListed;
    return MakeError(ErrorCode::kModelNotFound, std::move(message), "model");
  }
  return std::nullopt;
}

const VirtualModel* VirtualNamed(const Snapshot& snapshot, std::string_view name) {
  const auto found = snapshot.lists.virtual_models.find(name);
  return found == snapshot.lists.virtual_models.end() ? nullptr : &found->second;
}

// Names the model, of a length that a name has, and the nearest that the key may use.
Error UnknownModel(const Snapshot& snapshot, const Admission& admission, const std::string& asked,
                   const std::string& param) {
  const Catalog& catalog = snapshot.catalog;
  constexpr size_t kMostNamed = 64;
  std::string named = WithoutKeys(asked);
  CutText(kMostNamed, &named);
  const std::string before_colon = asked.substr(0, asked.rfind(':'));
  if (HasUnknownSuffix(asked) &&
      (catalog.Find(before_colon) != nullptr || VirtualNamed(snapshot, before_colon) != nullptr)) {
    return MakeError(ErrorCode::kModelNotFound,
                     "there is no model '" + named +
                         "' at this gateway: behind a model's name there may be :floor, :nitro or "
                         ":free",
                     param);
  }
  if (std::optional<Error> gone = GoneSnapshot(catalog, admission, named)) return *std::move(gone);
  std::string nearest;
  for (const std::string_view id : catalog.Nearest(named, [&](std::string_view each) {
         return !admission.key || admission.key->MayUse(each);
       })) {
    nearest += nearest.empty() ? " did you mean " : ", ";
    nearest += id;
  }
  if (!nearest.empty()) nearest += '?';
  return MakeError(
      ErrorCode::kModelNotFound,
      "there is no model '" + named + "' at this gateway;" + nearest + std::string(kListed), param);
}

// Of a virtual model, one that the key may use, else any: null where there is no such name.
const Model* FirstMember(const Snapshot& snapshot, const Admission& admission,
                         std::string_view name) {
  const VirtualModel* const named = VirtualNamed(snapshot, name);
  if (named == nullptr) return nullptr;
  const Model* first = nullptr;
  for (const VirtualModel::Member& each : named->members) {
    const Model* const model = snapshot.catalog.Find(each.model);
    if (model == nullptr) continue;
    if (first == nullptr) first = model;
    if (!admission.key || admission.key->MayUse(model->id)) return model;
  }
  return first;
}

Status Resolve(std::string_view body, const Snapshot& snapshot, const AdmissionRules& rules,
               Admission* out, Suffix* suffix) {
  ReadScope scope = rules.scope;
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

// What a stand-in says is no goods: money that came in pays for none of it.
const Model* SoldTo(const ApiKey* key, const Model* model) {
  return key != nullptr && key->has_paid && model->gratis ? model->gratis.get() : model;
}

constexpr std::string_view kVirtual = "virtual";

// Draws beside those of a plan, of the same seed.
constexpr uint64_t kMemberDraw = uint64_t{1} << 33;

// The members of a virtual model in the order in which they are asked.
std::vector<const VirtualModel::Member*> Ordered(const VirtualModel& named, uint64_t seed) {
  std::vector<const VirtualModel::Member*> members;
  for (const VirtualModel::Member& each : named.members) members.push_back(&each);
  if (named.strategy != VirtualModel::Strategy::kWeighted) return members;
  // As endpoints are drawn: the least of these keys first, those without a weight last.
  const auto key = [&](const VirtualModel::Member* each) {
    const auto at = static_cast<uint64_t>(each - named.members.data());
    const double drawn = -std::log(UnitDraw(seed, kMemberDraw + at));
    return each->weight > 0 ? drawn / each->weight : std::numeric_limits<double>::infinity();
  };
  std::ranges::stable_sort(members, {}, key);
  return members;
}

// The models of a request, in order.
class Gathering {
 public:
  Gathering(const Snapshot& snapshot, const ApiKey* key, std::vector<PlannedModel>* models)
      : snapshot_(snapshot), key_(key), models_(models) {}

  // A name stands for itself: what the key may not use is not asked, whoever named it. Each once,
  // but at another provider, or at any price behind where it is free.
  void Add(const Model* model, PlannedModel planned) {
    if (model == nullptr || (key_ != nullptr && !key_->MayUse(model->id))) return;
    planned.model = SoldTo(key_, model);
    const auto same = [&planned](const PlannedModel& each) {
      return each.model == planned.model &&
             (each.provider.empty() || each.provider == planned.provider) &&
             (!each.free_only || planned.free_only);
    };
    if (models_->size() >= kMostRouteModels || std::ranges::any_of(*models_, same)) return;
    models_->push_back(planned);
  }

  void AddMembers(const VirtualModel& named, uint64_t seed, Suffix suffix) {
    const bool one_list = named.strategy == VirtualModel::Strategy::kPrice;
    const size_t before = models_->size();
    for (const VirtualModel::Member* each : Ordered(named, seed)) {
      Add(snapshot_.catalog.Find(each->model),
          {.free_only = suffix == Suffix::kFree,
           .provider = each->provider,
           .beside = one_list && models_->size() > before,
           .same_name = models_->size() > before,
           .sort = one_list ? RouteSort::kPrice : RouteSort::kDefault});
    }
  }

  // What the operator lists behind the models so far: one level, and none of them again.
  void AddFallbacks() {
    const ModelLists& lists = snapshot_.lists;
    if (!lists.has_fallbacks()) return;
    const size_t named = models_->size();
    const std::pair<const FallbackList*, AskedAfter> kinds[] = {
        {&lists.after_any, AskedAfter::kAny},
        {&lists.after_context, AskedAfter::kContextTooLong},
        {&lists.after_content_policy, AskedAfter::kContentPolicy}};
    for (const auto& [list, after] : kinds) {
      for (size_t i = 0; i < named; ++i) {
        const auto found = list->find((*models_)[i].model->id);
        if (found == list->end()) continue;
        for (const std::string& id : found->second) {
          // Who asks for what costs nothing gets nothing else.
          const bool free_only = (*models_)[i].free_only;
          Add(snapshot_.catalog.Find(id),
              {.after = after, .free_only = free_only, .by_client = false});
        }
      }
    }
  }

 private:
  const Snapshot& snapshot_;
  const ApiKey* const key_;
  std::vector<PlannedModel>* const models_;
};

// The models that may answer, in order. Fails with kModelNotFound where there is no such name, or
// nothing is left.
Status Gather(const Snapshot& snapshot, Suffix suffix, uint64_t seed, Admission* out,
              std::vector<PlannedModel>* models) {
  Gathering gathering(snapshot, out->key.get(), models);
  const std::string& asked_name = out->request->ask.model;
  const VirtualModel* named = nullptr;
  if (snapshot.catalog.Find(asked_name) == nullptr) {
    named = VirtualNamed(snapshot, asked_name);
    // As Resolve() reads it.
    const std::string_view stem = TakeSuffix(asked_name).name;
    if (named == nullptr && snapshot.catalog.Find(stem) == nullptr) {
      named = VirtualNamed(snapshot, stem);
    }
  }
  if (named != nullptr) {
    gathering.AddMembers(*named, seed, suffix);
  } else {
    gathering.Add(out->model, {.free_only = suffix == Suffix::kFree});
  }
  if (const AskedRoute* const asked = out->request->ask.route.get()) {
    for (size_t i = 0; i < asked->models.size(); ++i) {
      const std::string& name = asked->models[i];
      const std::string at = "models[" + std::to_string(i) + ']';
      SuffixedName suffixed{name};
      const Model* model = snapshot.catalog.Find(name);
      const VirtualModel* members = model == nullptr ? VirtualNamed(snapshot, name) : nullptr;
      if (model == nullptr && members == nullptr) {
        suffixed = TakeSuffix(name);
        model = snapshot.catalog.Find(suffixed.name);
        if (model == nullptr) members = VirtualNamed(snapshot, suffixed.name);
      }
      if (model == nullptr && members == nullptr) return UnknownModel(snapshot, *out, name, at);
      if (suffixed.suffix != suffix && SortOf(suffixed.suffix) != RouteSort::kDefault) {
        return MakeError(ErrorCode::kInvalidValue,
                         "expected no suffix that sorts but behind `model`: one order is for all",
                         at);
      }
      if (members != nullptr) {
        gathering.AddMembers(*members, seed, suffixed.suffix);
      } else {
        gathering.Add(model, {.free_only = suffixed.suffix == Suffix::kFree});
      }
    }
  }
  gathering.AddFallbacks();
  if (models->empty()) {
    return MakeError(ErrorCode::kModelNotFound,
                     "this API key may not use the model; GET /v1/models lists what it may",
                     "model");
  }
  if (named == nullptr) return {};
  out->route.strategy = kVirtual;
  return {};
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
// together.
std::string_view FindSticky(std::string_view body, const AdmissionRules& rules, Admission* out,
                            uint64_t* endpoint, TimePoint* at) {
  const std::vector<Endpoint>& endpoints = out->model->endpoints;
  if (rules.sticky == nullptr || endpoints.size() < 2) return "off";
  if (std::ranges::none_of(endpoints, HasCachePrice)) return "off";
  const std::string_view org = out->key ? std::string_view(out->key->org_id) : std::string_view();
  out->sticky = StickyKeyOf(*rules.salt, org, *out->model, out->request->ask, rules.session, body);
  if (!out->sticky.valid()) return "off";
  *endpoint = rules.sticky->Find(out->sticky, rules.moment, at);
  return *endpoint == 0 ? "miss" : "hit";
}

// Candidates that are drawn in one simulation: some tens of milliseconds.
constexpr size_t kMostDrawn = 500'000;

// Plans again and again, by seeds that follow from the first.
void Simulate(const Snapshot& snapshot, Suffix suffix, PlanInputs inputs, int draws,
              Admission* out) {
  const uint64_t first = inputs.seed;
  inputs.keep_views = false;
  std::vector<PlannedModel> models;
  const size_t each = out->route.candidates.size() + out->route.excluded.size();
  const auto affordable = static_cast<int>(kMostDrawn / std::max<size_t>(each, 1));
  for (int i = 0; i < std::min({draws, kMostSimulated, affordable}); ++i) {
    inputs.seed = SplitMix64(first + static_cast<uint64_t>(i));
    if (out->route.strategy == kVirtual) {  // the order of its models may be drawn, too
      models.clear();
      if (!Gather(snapshot, suffix, inputs.seed, out, &models)) return;
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
  Status gathered = Gather(snapshot, suffix, rules.seed, out, &models);
  if (!gathered.ok()) return gathered;
  const bool is_virtual = out->route.strategy == kVirtual;
  if (!is_virtual && models.front().model->id != out->model->id) out->route.strategy = "fallback";
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
  const std::string_view found = FindSticky(body, rules, out, &inputs.sticky, &inputs.sticky_at);
  Result<Route> route = PlanRoute(inputs);
  end_lap("plan");
  if (!route) return std::move(route.error());
  if (inputs.sticky == 0) route->sticky = found;
  route->strategy = out->route.strategy;
  out->route = std::move(*route);
  if (rules.simulate > 0) Simulate(snapshot, suffix, inputs, rules.simulate, out);
  return {};
}

}  // namespace seekroute
