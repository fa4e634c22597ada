#include "gateway/admission.h"

namespace seekroute {
namespace {

Status CheckKey(const std::optional<Secret>& authorization, const Snapshot& snapshot,
                const AdmissionRules& rules, Admission* out) {
  if (rules.local) return {};
  Result<std::shared_ptr<const ApiKey>> key = rules.keys->Find(authorization, rules.now);
  if (!key) {
    if (rules.require_key) return std::move(key.error());
    return {};
  }
  out->key = std::move(*key);
  out->profile = &snapshot.ProfileNamed(out->key->profile);
  return KeyRing::CheckUsable(*out->key);
}

Status Resolve(std::string_view body, const Snapshot& snapshot, BodyScan* scan, Admission* out) {
  // A key that has got another profile since is rare: its body is read again.
  const bool scanned = scan != nullptr && scan->profile == out->profile;
  Result<ChatRequest> request =
      scanned ? std::move(scan->request) : ParseChatRequest(body, *out->profile);
  if (!request) return std::move(request.error());
  out->request = std::move(*request);
  out->automatic = snapshot.catalog.IsAuto(out->request.model);
  out->model = snapshot.catalog.Find(out->request.model);
  if (out->model != nullptr) return {};
  return MakeError(ErrorCode::kModelNotFound,
                   out->automatic
                       ? "'auto' is not served here: the operator has set no default model"
                       : "there is no such model at this gateway; GET /v1/models lists the "
                         "models it serves",
                   "model");
}

}  // namespace

Status Admit(std::string_view body, const std::optional<Secret>& authorization,
             const Snapshot& snapshot, const AdmissionRules& rules, Admission* out) {
  out->profile = &snapshot.ProfileNamed(snapshot.default_profile);
  Status checked = CheckKey(authorization, snapshot, rules, out);
  if (!checked.ok()) return checked;
  Status resolved = Resolve(body, snapshot, rules.scan, out);
  if (!resolved.ok()) return resolved;
  if (out->key && !out->key->MayUse(out->model->id)) {
    return MakeError(ErrorCode::kModelNotFound,
                     "this API key may not use the model; GET /v1/models lists what it may",
                     "model");
  }
  // What a stand-in says is no goods: money that came in pays for none of it.
  if (out->key && out->key->has_paid && out->model->gratis) out->model = out->model->gratis.get();
  if (out->model->endpoints.empty()) {
    return MakeError(ErrorCode::kNoUpstream,
                     "no provider of '" + out->model->id + "' is configured at this gateway",
                     "model");
  }
  return {};
}

}  // namespace seekroute
