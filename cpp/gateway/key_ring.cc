#include "gateway/key_ring.h"

#include <algorithm>

namespace seekroute {
namespace {

constexpr size_t kMaxAuthorizationBytes = 512;

// The bearer token of the header, or an empty view.
std::string_view BearerToken(std::string_view header) {
  constexpr std::string_view kScheme = "bearer ";
  if (header.size() <= kScheme.size()) return {};
  for (size_t i = 0; i < kScheme.size(); ++i) {
    const char c = header[i];
    if ((c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c) != kScheme[i]) return {};
  }
  std::string_view token = header.substr(kScheme.size());
  while (!token.empty() && token.front() == ' ') token.remove_prefix(1);
  while (!token.empty() && token.back() == ' ') token.remove_suffix(1);
  return token;
}

Error NoKey() {
  return MakeError(ErrorCode::kMissingApiKey,
                   "no API key was given: send it as 'Authorization: Bearer YOUR_KEY'");
}

Error BadKey() {
  return MakeError(
      ErrorCode::kInvalidApiKey,
      "the API key is not valid: check that it is complete, and not revoked or expired");
}

}  // namespace

bool ApiKey::MayUse(std::string_view model_id) const {
  if (models == nullptr) return true;
  return std::any_of(models->begin(), models->end(), [&](std::string_view allowed) {
    if (allowed.ends_with("/*")) return model_id.starts_with(allowed.substr(0, allowed.size() - 1));
    return allowed == model_id;
  });
}

void KeyRing::Put(const Mac& mac, ApiKey key) {
  auto shared = std::make_shared<ApiKey>(std::move(key));
  MutexLock lock(&mu_);
  for (SharedText* text : {&shared->org_id, &shared->app_id, &shared->profile}) {
    *text = texts_.Share(*text);
  }
  shared->limits = Shared(std::move(shared->limits));
  shared->limits_version = ++last_version_;
  keys_[mac] = std::move(shared);
}

std::shared_ptr<const LimitSet> KeyRing::Shared(std::shared_ptr<const LimitSet> limits) {
  if (!limits) return nullptr;
  if (sets_.size() >= prune_at_) {
    std::erase_if(sets_, [](const auto& each) { return each.second.expired(); });
    prune_at_ = std::max<size_t>(1024, 2 * sets_.size());
  }
  std::weak_ptr<const LimitSet>& known = sets_[*limits];
  if (auto same = known.lock()) return same;
  known = limits;
  return limits;
}

void KeyRing::Remove(const Mac& mac) {
  MutexLock lock(&mu_);
  keys_.erase(mac);
}

Result<std::shared_ptr<const ApiKey>> KeyRing::Find(const std::optional<Secret>& authorization,
                                                    UnixSeconds now, Mac* found_by) const {
  if (!authorization || authorization->empty()) return NoKey();
  const std::string_view header = authorization->Reveal();
  const std::string_view token = BearerToken(header);
  if (token.empty()) return NoKey();
  const bool plain = std::all_of(token.begin(), token.end(),
                                 [](char c) { return c > ' ' && static_cast<signed char>(c) > 0; });
  if (header.size() > kMaxAuthorizationBytes || !plain) return BadKey();

  const Mac mac = pepper_.Of(token);
  if (found_by != nullptr) *found_by = mac;
  return Find(mac, now);
}

Result<std::shared_ptr<const ApiKey>> KeyRing::Find(const Mac& mac, UnixSeconds now) const {
  std::shared_ptr<const ApiKey> key;
  {
    MutexLock lock(&mu_);
    // The index is a keyed MAC, so what a lookup's timing tells is useless without the pepper; the
    // full comparison is constant-time all the same.
    const auto found = keys_.find(mac);
    if (found != keys_.end() && ConstantTimeEqual(found->first, mac)) key = found->second;
  }
  if (!key || (key->expires_at && *key->expires_at <= now)) return BadKey();
  return key;
}

std::shared_ptr<const ApiKey> KeyRing::At(const Mac& mac) const {
  MutexLock lock(&mu_);
  const auto found = keys_.find(mac);
  return found != keys_.end() ? found->second : nullptr;
}

Status KeyRing::CheckUsable(const ApiKey& key) {
  if (key.app_pending) {
    return MakeError(ErrorCode::kAppNotApproved,
                     "App not approved: the operator has not approved the app of this key yet");
  }
  if (key.disabled) {
    return MakeError(ErrorCode::kPermissionDenied,
                     "permission denied: this key or its organization is disabled");
  }
  return {};
}

}  // namespace seekroute
