// What of a limiter outlives a restart.
#include <algorithm>
#include <string>

#include "limits/limit_domain.h"
#include "limits/limiter.h"

namespace seekroute {

LimitState Limiter::Keep(const LimitTime& told) {
  using enum LimitScope;
  static_assert(kShards == LimitState::kMostShards);
  constexpr size_t kBytesBesideId = 64;
  LimitState state;
  size_t bytes = 0;
  const auto keep = [&](Domain* domain, uint32_t shard, LimitScope scope) {
    MutexLock lock(&domain->mu);
    const LimitTime time = domain->TimeOf(told);
    for (const auto& [id, holder] : domain->holders[static_cast<size_t>(scope)]) {
      if (bytes >= LimitState::kMostBytes) return;
      const Meter::Kept used = holder.meter.Keep(time);
      if (used.empty() || id.size() > LimitState::kMostIdBytes) continue;
      bytes += id.size() + kBytesBesideId;
      state.holders.push_back({scope, shard, id, used});
    }
  };
  for (const LimitScope scope : {kGateway, kModel, kApp, kProvider, kProviderKey, kEndpoint}) {
    keep(shared_.get(), 0, scope);
  }
  for (uint32_t i = 0; i < kShards; ++i) keep(&shards_[i], 0, kOrg);
  for (const LimitScope scope : kLimitsOfKeys) {
    for (uint32_t i = 0; i < kShards; ++i) keep(&shards_[i], i, scope);
  }
  // Two that know the same write the same.
  std::ranges::sort(state.holders, [](const LimitState::Holder& a, const LimitState::Holder& b) {
    return a.scope != b.scope ? a.scope < b.scope : a.id < b.id;
  });
  return state;
}

// Who has no limits gets them later: what is used stays used then.
void Limiter::Restore(const LimitState& state, const LimitTime& told) {
  for (const LimitState::Holder& kept : state.holders) {
    Domain& domain =
        IsOfKey(kept.scope) ? shards_[kept.shard % kShards] : DomainOf(kept.scope, kept.id);
    MutexLock lock(&domain.mu);
    Holder& holder = domain.holders[static_cast<size_t>(kept.scope)][kept.id];
    holder.meter.Restore(kept.used, domain.TimeOf(told));
  }
}

uint64_t Limiter::revision() {
  uint64_t revision = 0;
  const auto add = [&revision](Domain* domain) {
    MutexLock lock(&domain->mu);
    revision += domain->changes;
  };
  for (size_t i = 0; i < kShards; ++i) add(&shards_[i]);
  add(shared_.get());
  return revision;
}

}  // namespace seekroute
