// What requests are answered by: swapped whole on a change, so no request sees a mixture.
#pragma once

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "catalog/catalog.h"
#include "catalog/model_lists.h"
#include "gateway/shadow_rules.h"
#include "limits/limit_set.h"
#include "routing/routing_rules.h"
#include "transport/transport.h"
#include "wire/profile.h"

namespace seekroute {

class AutoRouter;

// What becomes of a provider's answer when the client has left.
enum class OnAbort : uint8_t {
  kCancel,
  kReadOut,  // it is read to its end, for its usage: this provider charges for all of it anyway
};

// One of several credentials of the operator at a provider.
struct ProviderKey {
  std::string id;  // the operator's name for it; told to operators alone
  Secret authorization;
  uint32_t weight = 1;                               // of organizations, so many parts use it first
  std::shared_ptr<const LimitSet> limits = nullptr;  // of the attempts with it; null: none
};

struct Provider {
  // More are not used.
  static constexpr size_t kMostKeys = 16;

  std::string id;
  UpstreamSpec upstream;
  std::vector<ProviderKey> keys;     // empty: upstream.authorization alone
  std::vector<std::string> headers;  // extra "Name: value" lines of this provider
  OnAbort on_abort = OnAbort::kCancel;
  bool stream_options = true;  // it takes the field; the usage of its streams is asked for in it
  std::shared_ptr<const LimitSet> limits = nullptr;  // of all attempts at it; null: none

  size_t key_count() const { return keys.empty() ? 1 : std::min(keys.size(), kMostKeys); }
  const Secret& authorization(size_t key) const {
    return keys.empty() ? upstream.authorization : keys[key].authorization;
  }
};

// Immutable; thread-safe. An exchange keeps the one it started with.
struct Snapshot {
  Catalog catalog;
  std::vector<Provider> providers;  // Endpoint::provider indexes it
  // Of the attempts at an endpoint; of those that are not in it: none.
  std::unordered_map<EndpointId, std::shared_ptr<const LimitSet>> endpoint_limits;
  StringMap<Profile> profiles;
  std::string default_profile;
  RoutingRules routing;
  ModelLists lists;
  // Chooses for `auto`, among models of the catalog; null: that means the default model.
  std::shared_ptr<const AutoRouter> router;
  ShadowRules shadow;  // of requests for which it chooses

  // The names for which a request has an excerpt.
  std::span<const std::string> excerpt_for() const {
    return router != nullptr ? catalog.auto_names() : std::span<const std::string>();
  }

  // The profile called `name`, or the default one. Never fails on an installed snapshot.
  const Profile& ProfileNamed(std::string_view name) const {
    const auto found = profiles.find(name);
    return found != profiles.end() ? found->second : profiles.find(default_profile)->second;
  }
};

}  // namespace seekroute
