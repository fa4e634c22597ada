// The API keys the gateway takes, indexed by MAC: the key itself is never stored.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/auto_strategy.h"
#include "base/calendar.h"
#include "base/digest.h"
#include "base/money.h"
#include "base/mutex.h"
#include "base/result.h"
#include "base/secret.h"
#include "base/shared_text.h"
#include "base/time.h"
#include "limits/limit_set.h"

namespace seekroute {

// Of the models that a key has limits of its own for, by their ids.
using ModelLimits = std::map<std::string, LimitSet, std::less<>>;

// What a key may do. Immutable once in the ring.
struct ApiKey {
  std::string key_id;
  SharedText org_id;
  SharedText app_id;  // empty: of none
  SharedText profile;
  bool disabled = false;     // by its owner or the operator: 403
  bool app_pending = false;  // belongs to an app the operator has not approved: 403
  std::optional<UnixSeconds> expires_at;
  std::optional<Money> limit;           // what it may spend of its organization's credits...
  Window limit_reset = Window::kNever;  // ...in each window of this length
  Money credit_line = {};               // what the organization may owe; 0: it pays before
  bool has_paid = false;                // its organization has: no stand-in is sold to it
  bool store_answers = false;           // a repeated Idempotency-Key gets the first answer again
  std::optional<AutoStrategy> auto_strategy = std::nullopt;  // of requests that name none
  // Ids or "author/*"; null: every model.
  std::shared_ptr<const std::vector<std::string>> models = nullptr;
  std::shared_ptr<const LimitSet> limits = nullptr;           // null: none but those of others
  std::shared_ptr<const ModelLimits> model_limits = nullptr;  // beside those; null: none
  uint64_t limits_version = 0;  // the ring's: higher, the later it was put

  bool MayUse(std::string_view model_id) const;
  // Its own for one model; null: none.
  const LimitSet* LimitsFor(std::string_view model_id) const {
    if (model_limits == nullptr) return nullptr;
    const auto found = model_limits->find(model_id);
    return found != model_limits->end() ? &found->second : nullptr;
  }
};

// Thread-safe. What many keys have in common is kept once: a million keys take 350 MB.
class KeyRing {
 public:
  explicit KeyRing(const Secret& pepper) : pepper_(pepper) {}

  void Put(const Mac& mac, ApiKey key);
  void Remove(const Mac& mac);

  // The key behind an Authorization header. Fails with kMissingApiKey when there is no bearer
  // token, and with the same kInvalidApiKey, after the same work, for a malformed, unknown, revoked
  // or expired one. Whether a known key is disabled is CheckUsable()'s to say.
  // `mac` (may be null) gets what it is found again by.
  Result<std::shared_ptr<const ApiKey>> Find(const std::optional<Secret>& authorization,
                                             UnixSeconds now, Mac* mac = nullptr) const;
  // The key as it is by now.
  Result<std::shared_ptr<const ApiKey>> Find(const Mac& mac, UnixSeconds now) const;

  // The key with that MAC; null: there is none.
  std::shared_ptr<const ApiKey> At(const Mac& mac) const;

  // kPermissionDenied or kAppNotApproved when the key is known but not to be served.
  static Status CheckUsable(const ApiKey& key);

 private:
  struct MacHash {
    size_t operator()(const Mac& mac) const {
      size_t h = 0;
      std::memcpy(&h, mac.data(), sizeof h);  // a MAC is uniform already
      return h;
    }
  };

  const MacKey pepper_;

  // `limits`, or what is equal to it and known: a million keys have a handful of different ones.
  std::shared_ptr<const LimitSet> Shared(std::shared_ptr<const LimitSet> limits) SR_REQUIRES(mu_);

  mutable Mutex mu_;
  uint64_t last_version_ SR_GUARDED_BY(mu_) = 0;
  std::map<LimitSet, std::weak_ptr<const LimitSet>> sets_ SR_GUARDED_BY(mu_);
  size_t prune_at_ SR_GUARDED_BY(mu_) = 1024;  // that many of them
  TextPool texts_ SR_GUARDED_BY(mu_);
  std::unordered_map<Mac, std::shared_ptr<const ApiKey>, MacHash> keys_ SR_GUARDED_BY(mu_);
};

}  // namespace seekroute
