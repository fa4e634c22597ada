#include "gateway/upstream_gate.h"

#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "gateway/expected_cost.h"

namespace seekroute {
namespace {

// Nobody knows when one of those that run ends.
constexpr Duration kUntilOneEnds = Duration::Seconds(1);

Skip SkipFor(RefusalKind kind) {
  switch (kind) {
    case RefusalKind::kWait:
      return Skip::kAtRate;
    case RefusalKind::kTooLarge:
      return Skip::kOverLimit;
    case RefusalKind::kBusy:
    case RefusalKind::kNever:
      break;
  }
  return Skip::kFull;
}

// Whatever has limits in a snapshot.
template <typename Visit>
void ForEachLimited(const Snapshot& snapshot, const Visit& visit) {
  for (const Provider& provider : snapshot.providers) {
    if (provider.limits) visit(LimitScope::kProvider, provider.id, provider.limits);
    for (const ProviderKey& key : provider.keys) {
      if (!key.limits) continue;
      visit(LimitScope::kProviderKey, ProviderKeyName(provider.id, key.id), key.limits);
    }
  }
  for (const auto& [id, limits] : snapshot.endpoint_limits) {
    visit(LimitScope::kEndpoint, EndpointName(id), limits);
  }
}

}  // namespace

TimePoint RetryAt(const LimitRefusal& refusal, TimePoint now) {
  switch (refusal.kind) {
    case RefusalKind::kWait:
      return now + refusal.wait;
    case RefusalKind::kBusy:
      return now + kUntilOneEnds;
    case RefusalKind::kNever:
    case RefusalKind::kTooLarge:
      break;
  }
  return TimePoint::Never();
}

template <typename Reserve>
UpstreamGate::Answer UpstreamGate::Ask(const Candidate& candidate, const Provider& provider,
                                       size_t key, const Reserve& reserve) const {
  Limiter* const limiter = world_.upstream_limiter;
  if (limiter == nullptr || limiter->AllAreFree()) return {};
  LimitCost cost;
  // Where nobody counted tokens when the request came, it is settled by what it has used.
  if (limiter->SomeCountTokens() && admission_.request->ask.prompt) {
    cost = ExpectedCost(admission_, *world_.options, std::span(&candidate, 1), {});
  }
  const std::string endpoint = EndpointName(candidate.endpoint->id);
  const std::string of_key =
      provider.keys.empty() ? std::string() : ProviderKeyName(provider.id, provider.keys[key].id);
  const LimitTime now{world_.clock->Now(), world_.clock->WallTime()};
  Limiter::Answer answer =
      reserve(limiter, UpstreamSubject{provider.id, of_key, endpoint}, cost, now);
  if (!answer.refusal) return {.reservation = std::move(answer.reservation)};
  return {.skip = SkipFor(answer.refusal->kind),
          .retry_at = RetryAt(*answer.refusal, now.now),
          .another_key = answer.refusal->scope == LimitScope::kProviderKey};
}

UpstreamGate::Answer UpstreamGate::Enter(const Candidate& candidate, const Provider& provider,
                                         size_t key) const {
  return Ask(candidate, provider, key,
             [](Limiter* limiter, const auto& whom, const auto& cost, const auto& now) {
               return limiter->ReserveUpstream(whom, cost, now);
             });
}

UpstreamGate::Answer UpstreamGate::Look(const Candidate& candidate, const Provider& provider,
                                        size_t key) const {
  return Ask(candidate, provider, key,
             [](Limiter* limiter, const auto& whom, const auto& cost, const auto& now) {
               return Limiter::Answer{.refusal = limiter->JudgeUpstream(whom, cost, now)};
             });
}

std::vector<Skip> PassedOverNow(const Admission& admission, const Snapshot& snapshot,
                                const ExchangeWorld& world) {
  const std::vector<Candidate>& candidates = admission.route.candidates;
  std::vector<Skip> skipped(candidates.size(), Skip::kNone);
  const UpstreamGate gate(&admission, &world);
  for (size_t place = 0; place < candidates.size(); ++place) {
    const Candidate& candidate = candidates[place];
    HealthQuestion question;
    question.provider = &snapshot.providers[candidate.endpoint->provider];
    question.endpoint = candidate.endpoint;
    question.last_resort = true;
    while (true) {
      const HealthAnswer alive = world.health->Look(question, world.clock->Now());
      if (alive.skip != Skip::kNone) {  // with none of the keys that are left
        if (skipped[place] == Skip::kNone) skipped[place] = alive.skip;
        break;
      }
      const size_t key = alive.permit.key();
      const UpstreamGate::Answer let = gate.Look(candidate, *question.provider, key);
      skipped[place] = let.skip;
      if (let.skip == Skip::kNone || !let.another_key) break;
      question.tried_keys |= uint32_t{1} << key;
    }
  }
  return skipped;
}

void AddUsedUpLimits(const LimitTime& now, Limiter* limiter, std::vector<HealthRow>* rows) {
  if (limiter->AllAreFree()) return;
  const auto tell = [&now](HealthRow* row, TimePoint retry_at) {
    row->lacks = NameOf(Skip::kAtRate);
    if (retry_at != TimePoint::Never()) row->retry_in = retry_at - now.now;
  };
  std::map<std::string_view, std::vector<std::string>> usable;  // keys, by provider
  for (HealthRow& row : *rows) {
    if (!row.is_key || row.state != "ok") continue;
    const std::string key = row.key.empty() ? "" : ProviderKeyName(row.provider, row.key);
    const auto refusal = limiter->JudgeUpstream({row.provider, key, {}}, {}, now);
    if (refusal) tell(&row, RetryAt(*refusal, now.now));
    usable[row.provider].push_back(key);
  }
  for (HealthRow& row : *rows) {
    if (row.is_key || !row.lacks.empty()) continue;
    const std::string endpoint = EndpointName(row.id);
    TimePoint soonest = TimePoint::Never();
    const auto refuses = [&](const std::string& key) {
      const auto refusal = limiter->JudgeUpstream({row.provider, key, endpoint}, {}, now);
      if (refusal) soonest = std::min(soonest, RetryAt(*refusal, now.now));
      return refusal.has_value();
    };
    const std::vector<std::string>& keys = usable[row.provider];
    if (!keys.empty() && std::ranges::all_of(keys, refuses)) tell(&row, soonest);
  }
}

void SetUpstreamLimits(const Snapshot* before, const Snapshot& snapshot, const LimitTime& time,
                       Limiter* limiter) {
  std::set<std::pair<LimitScope, std::string>> limited;
  ForEachLimited(snapshot, [&](LimitScope scope, const std::string& id, const auto& limits) {
    limiter->Set(scope, id, limits, time);
    limited.emplace(scope, id);
  });
  if (before == nullptr) return;
  ForEachLimited(*before, [&](LimitScope scope, const std::string& id, const auto&) {
    if (!limited.contains({scope, id})) limiter->Set(scope, id, nullptr, time);
  });
}

}  // namespace seekroute
