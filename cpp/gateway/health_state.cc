// What of the health table outlives a restart.
#include <algorithm>
#include <utility>

#include "gateway/health_entries.h"
#include "gateway/health_table.h"

namespace seekroute {

RoutingState HealthTable::Keep(TimePoint now) const {
  MutexLock learning(&learning_);
  RoutingState state;
  for (const auto& each : providers_->all()) {
    ProviderEntry* const entry = each.get();
    RoutingState::Provider kept{.id = entry->id, .keys = {}};
    MutexLock lock(&entry->mu);
    for (size_t i = 0; i < entry->keys.size(); ++i) {
      if (!entry->Lists(i)) continue;
      // Also one that is well: what is known of it at single endpoints is of this secret.
      kept.keys.push_back({entry->key_ids[i].load(std::memory_order_relaxed),
                           entry->keys[i].fingerprint(), entry->keys[i].Keep(now)});
    }
    if (!kept.keys.empty()) state.providers.push_back(std::move(kept));
  }
  for (const auto& each : endpoints_->all()) {
    EndpointEntry* const entry = each.get();
    const ProviderEntry* const provider = entry->provider.load(std::memory_order_acquire);
    if (provider == nullptr) continue;
    RoutingState::Endpoint kept{
        .id = entry->id, .provider = provider->id, .health = {}, .pairs = {}};
    MutexLock lock(&entry->mu);
    if (!entry->listed && now - entry->gone_at > kKeptFor) continue;
    kept.health = entry->health.Keep(now);
    for (size_t i = 0; i < entry->pairs.size(); ++i) {
      const uint64_t key_id = provider->key_ids[i].load(std::memory_order_relaxed);
      const PairHealth::Kept pair = entry->pairs[i].Keep(now);
      if (key_id != 0 && !pair.empty()) kept.pairs.push_back({key_id, pair});
    }
    if (!kept.health.empty() || !kept.pairs.empty()) state.endpoints.push_back(std::move(kept));
  }
  return state;
}

void HealthTable::Restore(const RoutingState& state, TimePoint now) {
  MutexLock learning(&learning_);
  for (const RoutingState::Provider& kept : state.providers) {
    ProviderEntry* const entry = providers_->FindOrMake(kept.id);
    if (entry == nullptr) continue;
    MutexLock lock(&entry->mu);
    for (const RoutingState::Key& key : kept.keys) {
      size_t slot = entry->SlotOf(key.id);
      if (slot == Provider::kMostKeys) slot = entry->SlotOf(0);
      if (slot == Provider::kMostKeys || key.id == 0) continue;
      entry->key_ids[slot].store(key.id, std::memory_order_relaxed);
      (void)entry->keys[slot].Use(key.fingerprint);
      entry->keys[slot].Restore(key.health, now);
      if (!key.health.empty()) entry->plain.store(false, std::memory_order_relaxed);
    }
  }
  for (const RoutingState::Endpoint& kept : state.endpoints) {
    ProviderEntry* const provider = providers_->FindOrMake(kept.provider);
    EndpointEntry* const entry = provider != nullptr ? endpoints_->FindOrMake(kept.id) : nullptr;
    if (entry == nullptr) continue;
    MutexLock lock(&entry->mu);
    entry->health.Restore(kept.health, rules_, now);
    for (const RoutingState::Pair& pair : kept.pairs) {
      const size_t slot = pair.key != 0 ? provider->SlotOf(pair.key) : Provider::kMostKeys;
      if (slot < Provider::kMostKeys) entry->pairs[slot].Restore(pair.health, now);
    }
    entry->gone_at = now;  // until a snapshot has it
    entry->provider.store(provider, std::memory_order_release);
    entry->Publish(rules_, false, now);
  }
}

}  // namespace seekroute
