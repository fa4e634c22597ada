#include "gateway/asked_models.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <span>
#include <utility>

#include "base/key_shapes.h"
#include "routing/auto/auto_router.h"
#include "routing/model_pattern.h"
#include "routing/order.h"
#include "wire/sanitize.h"

namespace seekroute {
namespace {

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

// What a stand-in says is no goods: money that came in pays for none of it.
const Model* SoldTo(const ApiKey* key, const Model* model) {
  return key != nullptr && key->has_paid && model->gratis ? model->gratis.get() : model;
}

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
      // A fallback does not bring a model to providers that a virtual model keeps it from.
      const bool anywhere = !planned.by_client || each.provider.empty();
      return each.model == planned.model && (anywhere || each.provider == planned.provider) &&
             (!each.free_only || planned.free_only);
    };
    // Of a pool more are looked at than a route has.
    const bool full = !planned.pooled && models_->size() - pooled_ >= kMostRouteModels;
    if (full || std::ranges::any_of(*models_, same)) return;
    models_->push_back(planned);
    if (planned.pooled) ++pooled_;
  }

  // Those that `auto` may choose from: once, whoever names it again, but at any price behind those
  // that are free.
  void AddPool(const AskedRoute* asked, Suffix suffix) {
    const bool free_only = suffix == Suffix::kFree;
    if (pool_ == kMostPools || (pool_ > 0 && (free_only || !pools_are_free_))) return;
    const uint8_t number = pool_++;
    pools_are_free_ = free_only;
    const size_t before = models_->size();
    const std::span<const PooledModel> pool = snapshot_.router->pool();
    for (size_t i = 0; i < pool.size(); ++i) {
      const bool named = asked == nullptr ||
                         ((!asked->has_allowed_models || IsMeant(asked->allowed_models, pool[i])) &&
                          !IsMeant(asked->excluded_models, pool[i]));
      if (!named) continue;
      Add(snapshot_.catalog.Find(pool[i].id), {.free_only = free_only,
                                               .same_name = models_->size() > before,
                                               .pooled = static_cast<uint32_t>(i),
                                               .pool = number});
    }
  }

  void AddMembers(const VirtualModel& named, uint64_t seed, Suffix suffix) {
    const bool one_list = named.strategy == VirtualModel::Strategy::kPrice;
    const bool draws = named.strategy == VirtualModel::Strategy::kWeighted;
    const size_t before = models_->size();
    for (const VirtualModel::Member* each : Ordered(named, seed)) {
      Add(snapshot_.catalog.Find(each->model),
          {.free_only = suffix == Suffix::kFree,
           .provider = each->provider,
           .beside = one_list && models_->size() > before,
           .same_name = models_->size() > before,
           .sort = one_list ? RouteSort::kPrice : RouteSort::kDefault,
           .chance = draws ? each->weight : 0});
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
  static constexpr uint8_t kMostPools = 2;

  // By its id, or by another of its names.
  static bool IsMeant(const std::vector<std::string>& patterns, const PooledModel& model) {
    const auto matches = [&patterns](const std::string& name) {
      return MatchesAny(patterns, name);
    };
    return matches(model.id) || std::ranges::any_of(model.aliases, matches);
  }

  size_t pooled_ = 0;  // of them
  uint8_t pool_ = 0;   // choices
  bool pools_are_free_ = false;
};

// How many of the models the first name stands for.
size_t CountOfFirst(std::span<const PlannedModel> models) {
  const auto behind = models.subspan(1);
  const auto next = std::ranges::find(behind, false, &PlannedModel::same_name);
  return 1 + static_cast<size_t>(next - behind.begin());
}

// None of the pool is left that the key may use: whose words they are that left it out.
Error NothingToChoose(const Snapshot& snapshot, const Admission& admission) {
  std::string names;
  size_t told = 0;
  constexpr size_t kMostNames = 3;
  for (const PooledModel& each : snapshot.router->pool()) {
    if (admission.key && !admission.key->MayUse(each.id)) continue;
    if (++told > kMostNames) break;
    names += (names.empty() ? "" : ", ") + each.id;
  }
  if (names.empty()) {
    return MakeError(ErrorCode::kModelNotFound,
                     "this API key may use none of the models that 'auto' chooses from; GET "
                     "/v1/models lists what it may use",
                     "model");
  }
  return MakeError(ErrorCode::kModelNotFound,
                   "allowed_models and excluded_models leave 'auto' no model to choose: allow one "
                   "of those that it chooses from here, such as " +
                       names,
                   "plugins");
}

}  // namespace

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

const Model* FirstPooled(const Snapshot& snapshot, const Admission& admission) {
  const Model* first = nullptr;
  for (const PooledModel& each : snapshot.router->pool()) {
    const Model* const model = snapshot.catalog.Find(each.id);
    if (model == nullptr) continue;
    if (first == nullptr) first = model;
    if (!admission.key || admission.key->MayUse(model->id)) return model;
  }
  return first;
}

bool IsChosenFor(const Snapshot& snapshot, std::string_view name) {
  const Catalog& catalog = snapshot.catalog;
  return snapshot.router != nullptr &&
         (catalog.IsAuto(name) || catalog.IsAuto(TakeSuffix(name).name));
}

std::string_view StickyNameOf(std::string_view asked, const Snapshot& snapshot,
                              std::span<const PlannedModel> models) {
  if (models.front().pooled) return "auto";
  if (models.front().chance <= 0) return models.front().model->id;
  return VirtualNamed(snapshot, asked) != nullptr ? asked : TakeSuffix(asked).name;
}

void PutFirst(uint64_t endpoint, const HealthReader* health, TimePoint now,
              std::vector<PlannedModel>* models) {
  if (endpoint == 0 || models->front().chance <= 0) return;
  const auto is_it = [endpoint](const Endpoint& each) { return each.id == endpoint; };
  const auto serves = [health, now](const Endpoint& each) {
    return health == nullptr || health->ViewOf(each.id, now).serves(false);
  };
  for (size_t i = 0; i < CountOfFirst(*models); ++i) {
    const std::vector<Endpoint>& endpoints = (*models)[i].model->endpoints;
    if (std::ranges::none_of(endpoints, is_it) || std::ranges::none_of(endpoints, serves)) continue;
    const auto begin = models->begin();
    std::rotate(begin, begin + static_cast<ptrdiff_t>(i), begin + static_cast<ptrdiff_t>(i) + 1);
    if (i == 0) return;
    (*models)[0].same_name = false;
    (*models)[1].same_name = true;
    return;
  }
}

std::optional<uint32_t> PooledAt(uint64_t endpoint, std::span<const PlannedModel> models) {
  const auto has_it = [endpoint](const PlannedModel& each) {
    return each.pooled && std::ranges::find(each.model->endpoints, endpoint, &Endpoint::id) !=
                              each.model->endpoints.end();
  };
  const auto found = std::ranges::find_if(models, has_it);
  return found != models.end() ? found->pooled : std::nullopt;
}

Status GatherModels(const Snapshot& snapshot, Suffix suffix, uint64_t seed, Admission* out,
                    std::vector<PlannedModel>* models) {
  Gathering gathering(snapshot, out->key.get(), models);
  const std::string& asked_name = out->request->ask.model;
  const AskedRoute* const asked = out->request->ask.route.get();
  const VirtualModel* named = nullptr;
  bool chosen = IsChosenFor(snapshot, asked_name);
  if (!chosen && snapshot.catalog.Find(asked_name) == nullptr) {
    named = VirtualNamed(snapshot, asked_name);
    // As Resolve() reads it.
    const std::string_view stem = TakeSuffix(asked_name).name;
    if (named == nullptr && snapshot.catalog.Find(stem) == nullptr) {
      named = VirtualNamed(snapshot, stem);
    }
  }
  if (chosen) {
    gathering.AddPool(asked, suffix);
  } else if (named != nullptr) {
    gathering.AddMembers(*named, seed, suffix);
  } else {
    gathering.Add(out->model, {.free_only = suffix == Suffix::kFree});
  }
  if (asked != nullptr) {
    for (size_t i = 0; i < asked->models.size(); ++i) {
      const std::string& name = asked->models[i];
      const std::string at = "models[" + std::to_string(i) + ']';
      SuffixedName suffixed{name};
      const bool pool = IsChosenFor(snapshot, name);
      chosen = chosen || pool;
      const Model* model = pool ? FirstPooled(snapshot, *out) : snapshot.catalog.Find(name);
      const VirtualModel* members = model == nullptr ? VirtualNamed(snapshot, name) : nullptr;
      if (pool) suffixed = TakeSuffix(name);
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
      if (pool) {
        gathering.AddPool(asked, suffixed.suffix);
      } else if (members != nullptr) {
        gathering.AddMembers(*members, seed, suffixed.suffix);
      } else {
        gathering.Add(model, {.free_only = suffixed.suffix == Suffix::kFree});
      }
    }
  }
  if (!out->shadow) gathering.AddFallbacks();
  if (models->empty() && chosen) return NothingToChoose(snapshot, *out);
  if (models->empty()) {
    return MakeError(ErrorCode::kModelNotFound,
                     "this API key may not use the model; GET /v1/models lists what it may",
                     "model");
  }
  if (named == nullptr) return {};
  out->route.strategy = kVirtual;
  return {};
}

}  // namespace seekroute
