#include "limits/limiter.h"

#include <algorithm>
#include <utility>

#include "base/crc32c.h"
#include "limits/limit_domain.h"
#include "limits/limit_queue.h"

namespace seekroute {
namespace {

bool IsShared(LimitScope scope) { return !IsOfKey(scope) && scope != LimitScope::kOrg; }

bool IsOfModel(LimitScope scope) {
  return scope == LimitScope::kModel || scope == LimitScope::kKeyModel;
}

// From queue to queue at once. Each is one of a greater reach, or where it is older than the first.
constexpr int kMostMoves = 8;

// No id has a line break.
std::string KeyModelName(const LimitSubject& who) {
  return std::string(who.key) + '\n' + std::string(who.model);
}

// What the client says counts before what its operator says, and the key before its organization.
Duration PatienceOf(const LimitPatience& patience, const LimitSet* key, const LimitSet* org) {
  Duration found = patience.usual;
  for (const LimitSet* set : {org, key}) {
    if (set != nullptr && set->queue_ms) found = Duration::Milliseconds(*set->queue_ms);
  }
  return std::max(Duration{}, std::min(patience.asked.value_or(found), patience.most));
}

}  // namespace

std::string ProviderKeyName(std::string_view provider, std::string_view key) {
  return std::string(provider) + '#' + std::string(key);
}

std::string EndpointName(uint64_t id) { return std::to_string(id); }

LimitsLeft Limiter::Pick::Left() const {
  LimitsLeft left;
  for (size_t i = 0; i < kLimitScopes; ++i) {
    const Each& each = all[i];
    if (each.holder == nullptr) continue;
    each.holder->meter.TellMinutes(static_cast<LimitScope>(i), each.time.now, &left);
  }
  for (size_t i = 0; i < kLimitScopes; ++i) {
    const Each& each = all[i];
    if (each.holder == nullptr) continue;
    each.holder->meter.TellDays(static_cast<LimitScope>(i), each.time, &left);
  }
  for (const LimitsLeft::Kind kind : {&LimitsLeft::requests, &LimitsLeft::tokens}) {
    if (!(left.*kind)) continue;
    const Each& each = all[static_cast<size_t>((left.*kind)->scope)];
    each.holder->meter.TellReset(kind, each.time, &left);
  }
  return left;
}

void Limiter::Pick::KeepModelAlone() {
  for (size_t i = 0; i < kLimitScopes; ++i) {
    if (!IsOfModel(static_cast<LimitScope>(i))) all[i] = {};
  }
}

Limiter::Limiter(const QueueBounds& queue)
    : shards_(new Domain[kShards]), shared_(new Domain), queue_(queue) {}

Limiter::~Limiter() = default;

// By a hash that is the same after a restart: see LimitState::Holder::shard.
Limiter::Domain& Limiter::ShardOf(std::string_view org) { return shards_[Crc32c(org) % kShards]; }

Limiter::Domain& Limiter::DomainOf(LimitScope scope, std::string_view org) {
  return IsShared(scope) ? *shared_ : ShardOf(org);
}

void Limiter::Set(LimitScope scope, std::string_view id, std::shared_ptr<const LimitSet> limits,
                  const LimitTime& time) {
  static const LimitSet kNone;
  if (IsOfKey(scope)) return;
  if (scope == LimitScope::kGateway) id = {};
  if (limits && *limits == kNone) limits = nullptr;
  Domain& domain = DomainOf(scope, id);
  LimitWakes wakes;
  MutexLock lock(&domain.mu);
  Holders& all = domain.holders[static_cast<size_t>(scope)];
  const auto found = all.find(id);
  if (!limits && found == all.end()) return;
  Holder& holder = found != all.end() ? found->second : all[std::string(id)];
  const auto count = [&](const LimitSet* set, int64_t by) {
    if (set == nullptr) return;
    set_ += by;
    if (IsShared(scope)) shared_sets_ += by;
    if (set->counts_tokens()) token_sets_ += by;
  };
  count(limits.get(), 1);
  count(holder.limits.get(), -1);
  holder.limits = std::move(limits);
  const LimitTime at = domain.TimeOf(time);
  holder.meter.Change(holder.limits ? *holder.limits : kNone, at.now, domain.LiveOf(holder));
  Domain::WakeFirst(holder, &wakes);
  if (!holder.limits && holder.queues == nullptr && holder.meter.AtRest(at))
    all.erase(all.find(id));
}

template <typename What>
auto Limiter::With(const LimitSubject& who, const LimitTime& told, bool share, LimitWakes* wakes,
                   What what) {
  using enum LimitScope;
  Pick pick;
  Domain& own = ShardOf(who.org);
  pick.own = &own;
  pick.org = who.org;
  pick.key = who.key;
  MutexLock lock(&own.mu);
  const LimitTime time = own.TimeOf(told);
  own.Sweep(time);
  if (who.key_limits != nullptr) pick.Add(kKey, own.FindKey(who, time, wakes), &own, time);
  if (who.key_model_limits != nullptr) {
    Holder* const holder = own.FindKey(kKeyModel, KeyModelName(who), *who.key_model_limits,
                                       who.key_version, time, wakes);
    pick.Add(kKeyModel, holder, &own, time);
  }
  if (!who.org.empty()) pick.Add(kOrg, own.Find(kOrg, who.org), &own, time);
  if (const LimitSet* const org = pick.LimitsOf(kOrg)) pick.weight = org->queue_weight.value_or(1);
  if (!share && shared_sets_.load(std::memory_order_relaxed) == 0) return what(&pick);
  MutexLock also(&shared_->mu);
  const LimitTime shared = shared_->TimeOf(told);
  if (!who.app.empty()) pick.Add(kApp, shared_->Find(kApp, who.app), shared_.get(), shared);
  pick.Add(kGateway, shared_->Find(kGateway, {}), shared_.get(), shared);
  if (!who.model.empty()) pick.Add(kModel, shared_->Find(kModel, who.model), shared_.get(), shared);
  return what(&pick);
}

template <typename What>
auto Limiter::WithUpstream(const UpstreamSubject& whom, const LimitTime& told, What what) {
  using enum LimitScope;
  Pick pick;
  pick.own = shared_.get();
  MutexLock lock(&shared_->mu);
  const LimitTime time = shared_->TimeOf(told);
  const auto add = [&](LimitScope scope, std::string_view id) SR_REQUIRES(shared_->mu) {
    if (!id.empty()) pick.Add(scope, shared_->Find(scope, id), shared_.get(), time);
  };
  add(kProvider, whom.provider);
  add(kProviderKey, whom.key);
  add(kEndpoint, whom.endpoint);
  return what(&pick);
}

Limiter::Answer Limiter::Reserve(const LimitSubject& who, const LimitCost& cost,
                                 const LimitTime& time, LimitWaiter* waiter,
                                 const LimitPatience& patience) {
  const LimitWaiter::Place* const waits = waiter != nullptr ? waiter->place_.get() : nullptr;
  if (waits == nullptr && IsFree(who)) return {};
  const bool share = waits != nullptr && waits->domain == shared_.get();
  LimitWakes wakes;
  return With(who, time, share, &wakes, [&](Pick* pick) {
    Answer answer;
    const LimitSet* const org = pick->LimitsOf(LimitScope::kOrg);
    if (waiter != nullptr) {
      answer.until = patience.since + PatienceOf(patience, who.key_limits, org);
    }
    const bool may_wait = waiter != nullptr && time.now < answer.until;
    LimitWaiter::Place* place = waiter != nullptr ? waiter->place_.get() : nullptr;
    if (place != nullptr) {
      place->woken = false;
      answer.waits = may_wait && !place->queue->IsFirst(*place);
      if (answer.waits) return answer;
    }
    answer.refusal = JudgeOf(cost, waiter, *pick);
    // In the queue that it comes to it may be the first at once, by its age: nobody would wake it.
    for (int moves = 0; answer.refusal && may_wait && moves < kMostMoves; ++moves) {
      const LimitRefusal refusal = *answer.refusal;
      const bool in_time =
          refusal.kind == RefusalKind::kWait && time.now + refusal.wait <= answer.until;
      answer.waits = (in_time || refusal.kind == RefusalKind::kBusy) &&
                     Join(cost, refusal, waiter, pick, &wakes);
      if (!answer.waits) break;
      place = waiter->place_.get();
      if (!place->queue->IsFirst(*place)) break;
      answer.refusal = JudgeOf(cost, waiter, *pick);
      answer.waits = answer.refusal.has_value();
      if (!answer.waits) break;
      const bool same =
          answer.refusal->scope == refusal.scope && answer.refusal->dimension == refusal.dimension;
      if (!same) continue;
      if (answer.refusal->kind == RefusalKind::kWait) {
        answer.again = time.now + answer.refusal->wait;
      }
      break;
    }
    if (answer.waits) {
      answer.refusal.reset();
    } else if (answer.refusal) {
      Count(*answer.refusal);
    } else {
      answer.reservation = TakeOf(cost, false, pick);
      answer.of_model = TakeOf(cost, true, pick);
      PassBy(cost, place != nullptr ? place->queue : nullptr, *pick, &wakes);
    }
    // After it has taken, or the next one would be woken for nothing.
    if (place != nullptr && !answer.waits) {
      Drop(place, !answer.refusal, &wakes);
      delete waiter->place_.release();
    }
    answer.left = pick->Left();
    return answer;
  });
}

Limiter::Answer Limiter::ReserveModel(const LimitSubject& who, const LimitCost& cost,
                                      const LimitTime& time) {
  if (who.key_model_limits == nullptr && AllAreFree()) return {};
  LimitWakes wakes;
  return With(who, time, false, &wakes, [&](Pick* pick) {
    pick->KeepModelAlone();
    Answer answer = ReserveOf(cost, pick);
    if (!answer.refusal) PassBy(cost, nullptr, *pick, &wakes);
    return answer;
  });
}

Limiter::Answer Limiter::ReserveUpstream(const UpstreamSubject& whom, const LimitCost& cost,
                                         const LimitTime& time) {
  if (AllAreFree()) return {};
  return WithUpstream(whom, time, [&](Pick* pick) { return ReserveOf(cost, pick); });
}

std::optional<LimitRefusal> Limiter::JudgeUpstream(const UpstreamSubject& whom,
                                                   const LimitCost& cost, const LimitTime& time) {
  if (AllAreFree()) return std::nullopt;
  return WithUpstream(whom, time, [&](Pick* pick) { return JudgeOf(cost, nullptr, *pick); });
}

std::optional<LimitRefusal> Limiter::Judge(const LimitSubject& who, const LimitCost& cost,
                                           const LimitTime& time, const LimitPatience& patience) {
  if (IsFree(who)) return std::nullopt;
  LimitWakes wakes;
  return With(who, time, false, &wakes, [&](const Pick* pick) {
    std::optional<LimitRefusal> refusal = JudgeOf(cost, nullptr, *pick);
    if (!refusal) return refusal;
    const LimitSet* const org = pick->LimitsOf(LimitScope::kOrg);
    const Duration most = PatienceOf(patience, who.key_limits, org);
    const bool waits = refusal->kind == RefusalKind::kBusy
                           ? most.ns > 0
                           : refusal->kind == RefusalKind::kWait && refusal->wait <= most;
    if (waits) refusal.reset();
    return refusal;
  });
}

std::optional<LimitRefusal> Limiter::JudgeModel(const LimitSubject& who, const LimitCost& cost,
                                                const LimitTime& time) {
  if (who.key_model_limits == nullptr && AllAreFree()) return std::nullopt;
  LimitWakes wakes;
  return With(who, time, false, &wakes, [&](Pick* pick) {
    pick->KeepModelAlone();
    return JudgeOf(cost, nullptr, *pick);
  });
}

// The one that holds longest of all that refuse it. Nobody overtakes those whose turn comes before
// its own.
std::optional<LimitRefusal> Limiter::JudgeOf(const LimitCost& cost, const LimitWaiter* waiter,
                                             const Pick& pick) {
  std::optional<LimitRefusal> longest;
  bool exact = true;
  for (size_t i = 0; i < kLimitScopes; ++i) {
    const Pick::Each& each = pick.all[i];
    if (each.holder == nullptr) continue;
    const auto scope = static_cast<LimitScope>(i);
    UnitsAhead ahead{};
    if (each.holder->queues != nullptr) {
      ahead = each.holder->queues->UnitsBefore(waiter, pick.SharesOf(scope, cost));
    }
    const auto refusal = each.holder->meter.Judge(scope, cost, each.time, ahead);
    if (!refusal) continue;
    exact = exact && refusal->exact;
    if (!longest || refusal->Outlasts(*longest)) longest = refusal;
  }
  // Of a wait nobody knows whether it will do where slots are full as well.
  if (longest && longest->kind == RefusalKind::kWait) longest->exact = exact;
  return longest;
}

Limiter::Answer Limiter::ReserveOf(const LimitCost& cost, Pick* pick) {
  Answer answer;
  answer.refusal = JudgeOf(cost, nullptr, *pick);
  if (answer.refusal) {
    Count(*answer.refusal);
  } else {
    answer.reservation = TakeOf(cost, false, pick);
    answer.of_model = TakeOf(cost, true, pick);
  }
  return answer;
}

// Of the limits of the model, or of all others.
Reservation Limiter::TakeOf(const LimitCost& cost, bool of_model, Pick* pick) {
  Reservation reservation;
  for (size_t i = 0; i < kLimitScopes; ++i) {
    const Pick::Each& each = pick->all[i];
    if (each.holder == nullptr || IsOfModel(static_cast<LimitScope>(i)) != of_model) continue;
    if (!reservation.holds()) reservation.taken_.reset(new Reservation::Body{this, pick->own});
    Reservation::Body* const body = reservation.taken_.get();
    Part& part = body->parts[body->size++];
    part.holder = each.holder;
    part.domain = each.domain;
    part.taken = each.holder->meter.Take(cost, each.time);
    each.domain->Link(&part);
    ++each.domain->changes;
    body->shares = body->shares || each.domain != pick->own;
  }
  return reservation;
}

void Limiter::Count(const LimitRefusal& refusal) {
  const auto scope = static_cast<size_t>(refusal.scope);
  refused_[scope][static_cast<size_t>(refusal.dimension)].fetch_add(1, std::memory_order_relaxed);
}

std::optional<LimitRefusal> Limiter::Peek(const LimitSubject& who, const LimitTime& told,
                                          const LimitPatience& patience) {
  if (who.key_limits == nullptr || !who.key_limits->requests_per_minute) return std::nullopt;
  Domain& own = ShardOf(who.org);
  std::optional<LimitRefusal> refusal;
  {
    LimitWakes wakes;
    MutexLock lock(&own.mu);
    const LimitTime time = own.TimeOf(told);
    own.Sweep(time);
    refusal = own.FindKey(who, time, &wakes)->meter.JudgeRequests(LimitScope::kKey, time);
    const bool waits = refusal && refusal->kind == RefusalKind::kWait;
    const Holder* const org = own.Find(LimitScope::kOrg, who.org);
    const LimitSet* const of_org = org != nullptr ? org->limits.get() : nullptr;
    if (waits && refusal->wait <= PatienceOf(patience, who.key_limits, of_org)) refusal.reset();
  }
  if (!refusal) return std::nullopt;
  // Others may hold it longer. How many tokens it takes, and of which model, nobody knows yet.
  bool all_known = !MayCountTokens(who);
  if (shared_sets_.load(std::memory_order_relaxed) > 0) {
    MutexLock lock(&shared_->mu);
    all_known = all_known && shared_->holders[static_cast<size_t>(LimitScope::kModel)].empty();
  }
  LimitWakes wakes;
  With(who, told, false, &wakes, [&](const Pick* pick) {
    const auto longest = JudgeOf({}, nullptr, *pick);
    if (longest && longest->Outlasts(*refusal)) refusal = longest;
    const bool waits = refusal->kind == RefusalKind::kWait;
    if (waits) refusal->exact = all_known && longest && longest->exact;
  });
  Count(*refusal);
  return refusal;
}

std::optional<bool> Limiter::HedgeOf(const LimitSubject& who) {
  if (who.key_limits != nullptr && who.key_limits->hedge) return who.key_limits->hedge;
  if (who.org.empty() || AllAreFree()) return std::nullopt;
  Domain& own = ShardOf(who.org);
  MutexLock lock(&own.mu);
  const Holder* const org = own.Find(LimitScope::kOrg, who.org);
  return org != nullptr && org->limits != nullptr ? org->limits->hedge : std::nullopt;
}

LimitsLeft Limiter::Look(const LimitSubject& who, const LimitTime& time) {
  if (IsFree(who)) return {};
  LimitWakes wakes;
  return With(who, time, false, &wakes, [](const Pick* pick) { return pick->Left(); });
}

void Limiter::SettleIn(Reservation::Body* body, Domain* domain, const TokensUsed& used,
                       const LimitTime& told) {
  LimitWakes wakes;
  MutexLock lock(&domain->mu);
  const LimitTime time = domain->TimeOf(told);
  ++domain->changes;
  for (Part& part : body->parts) {
    if (part.domain != domain) continue;
    const int64_t forgiven = part.holder->meter.Settle(part.taken, used, time);
    if (forgiven > 0) forgiven_.fetch_add(static_cast<uint64_t>(forgiven));
    Domain::WakeFirst(*part.holder, &wakes);
  }
}

void Limiter::EndIn(Reservation::Body* body, Domain* domain) {
  LimitWakes wakes;
  MutexLock lock(&domain->mu);
  for (Part& part : body->parts) {
    if (part.domain != domain) continue;
    if (!body->settled) part.holder->meter.GiveBack(part.taken, domain->latest);
    part.holder->meter.Leave();
    domain->Unlink(&part);
    Domain::WakeFirst(*part.holder, &wakes);
  }
}

void Reservation::Settle(const TokensUsed& used, const LimitTime& time) {
  if (!taken_ || std::exchange(taken_->settled, true)) return;
  Limiter& limiter = *taken_->limiter;
  limiter.SettleIn(taken_.get(), taken_->own, used, time);
  if (taken_->shares) limiter.SettleIn(taken_.get(), limiter.shared_.get(), used, time);
}

void Reservation::End::operator()(Body* body) const {
  body->limiter->EndIn(body, body->own);
  if (body->shares) body->limiter->EndIn(body, body->limiter->shared_.get());
  delete body;
}

// The limits of a key come with its first request.
void Limiter::RaiseToday(LimitScope scope, std::string_view org, std::string_view id,
                         int64_t requests, int64_t tokens, const LimitTime& told) {
  Domain& domain = DomainOf(scope, org);
  MutexLock lock(&domain.mu);
  const LimitTime time = domain.TimeOf(told);
  Holder* const holder = scope == LimitScope::kKey
                             ? &domain.holders[static_cast<size_t>(scope)][std::string(id)]
                             : domain.Find(scope, id);
  if (holder == nullptr) return;
  holder->meter.RaiseToday(requests, tokens, time);
  ++domain.changes;
}

void Limiter::Census() {
  uint64_t leaks = 0;
  const auto census = [&leaks](Domain* domain) {
    LimitWakes wakes;
    MutexLock lock(&domain->mu);
    leaks += domain->Census(&wakes);
  };
  for (size_t i = 0; i < kShards; ++i) census(&shards_[i]);
  census(shared_.get());
  leaks_.fetch_add(leaks);
}

Limiter::Figures Limiter::figures() const {
  Figures figures;
  for (size_t i = 0; i < kLimitScopes; ++i) {
    for (size_t k = 0; k < kLimitDimensions; ++k) figures.refused[i][k] = refused_[i][k].load();
  }
  figures.forgiven = forgiven_.load();
  figures.leaks = leaks_.load();
  figures.waiting = waiting_.load();
  return figures;
}

size_t Limiter::keys() {
  size_t keys = 0;
  for (size_t i = 0; i < kShards; ++i) {
    Domain& domain = shards_[i];
    MutexLock lock(&domain.mu);
    for (const LimitScope scope : kLimitsOfKeys)
      keys += domain.holders[static_cast<size_t>(scope)].size();
  }
  return keys;
}

int64_t Limiter::running(LimitScope scope, std::string_view org, std::string_view id) {
  Domain& domain = DomainOf(scope, org);
  MutexLock lock(&domain.mu);
  const Holder* const holder = domain.Find(scope, id);
  return holder != nullptr ? holder->meter.running() : 0;
}

}  // namespace seekroute
