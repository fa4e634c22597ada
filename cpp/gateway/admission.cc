#include "gateway/admission.h"

#include "base/key_shapes.h"
#include "gateway/gate.h"
#include "routing/planner.h"
#include "wire/sanitize.h"

namespace seekroute {
namespace {

Status CheckKey(const std::optional<Secret>& authorization, const Snapshot& snapshot,
                const AdmissionRules& rules, Admission* out) {
  if (rules.origin == Origin::kInProcess) return {};
  Result<std::shared_ptr<const ApiKey>> key = rules.keys->Find(authorization, rules.now);
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

// Names the model, of a length that a name has, and the nearest that the key may use.
Error UnknownModel(const Catalog& catalog, const Admission& admission) {
  constexpr size_t kMostNamed = 64;
  std::string named = WithoutKeys(admission.request->ask.model);
  CutText(kMostNamed, &named);
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
      "there is no model '" + named + "' at this gateway;" + nearest + std::string(kListed),
      "model");
}

Status Resolve(std::string_view body, const Snapshot& snapshot, const AdmissionRules& rules,
               Admission* out) {
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
  out->model = snapshot.catalog.Find(out->request->ask.model);
  if (out->model != nullptr) return {};
  if (!out->automatic) return UnknownModel(snapshot.catalog, *out);
  return MakeError(ErrorCode::kModelNotFound,
                   "'auto' is not served here: the operator has set no default model", "model");
}

std::string_view StrategyOf(const Admission& admission) {
  if (admission.automatic) return "auto";
  return admission.request->ask.model == admission.model->id ? "direct" : "alias";
}

}  // namespace

Status Admit(const Surface& surface, std::string_view body,
             const std::optional<Secret>& authorization, const Snapshot& snapshot,
             const AdmissionRules& rules, Admission* out) {
  out->surface = &surface;
  out->profile = &snapshot.ProfileNamed(snapshot.default_profile);
  Status checked = CheckKey(authorization, snapshot, rules, out);
  if (checked.ok() && rules.gate != nullptr) checked = rules.gate->Peek();
  if (!checked.ok()) return checked;
  Status resolved = Resolve(body, snapshot, rules, out);
  if (!resolved.ok()) return resolved;
  out->route.strategy = StrategyOf(*out);  // told also where nobody serves it
  if (out->key && !out->key->MayUse(out->model->id)) {
    return MakeError(ErrorCode::kModelNotFound,
                     "this API key may not use the model; GET /v1/models lists what it may",
                     "model");
  }
  // What a stand-in says is no goods: money that came in pays for none of it.
  if (out->key && out->key->has_paid && out->model->gratis) out->model = out->model->gratis.get();
  Result<Route> route = PlanRoute({{out->model}}, *out->request);
  if (!route) return std::move(route.error());
  route->strategy = out->route.strategy;
  out->route = std::move(*route);
  return {};
}

}  // namespace seekroute
