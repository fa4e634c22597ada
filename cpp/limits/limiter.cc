#include "limits/limiter.h"

#include <algorithm>
#include <utility>

namespace seekroute {
namespace {

// Two threads may have read the clock in another order than they come in, and one may have been
// stopped for a while between the two.
constexpr Duration kRace = Duration::Seconds(60);

// Holders of a domain after which those at rest are looked for, at first.
constexpr size_t kFirstSweep = 1024;

constexpr LimitScope kOfKeys[] = {LimitScope::kKey, LimitScope::kKeyModel};

bool IsOfKey(LimitScope scope) { return scope <= LimitScope::kKeyModel; }

bool IsShared(LimitScope scope) { return !IsOfKey(scope) && scope != LimitScope::kOrg; }

bool IsOfModel(LimitScope scope) {
  return scope == LimitScope::kModel || scope == LimitScope::kKeyModel;
}

// No id has a line break.
std::string KeyModelName(const LimitSubject& who) {
  return std::string(who.key) + '\n' + std::string(who.model);
}

}  // namespace

std::string ProviderKeyName(std::string_view provider, std::string_view key) {
  return std::string(provider) + '#' + std::string(key);
}

std::string EndpointName(uint64_t id) { return std::to_string(id); }

// What one reservation took of one holder, in the list of its domain.
struct Limiter::Part {
  Holder* holder = nullptr;  // null: there is none of this scope
  Domain* domain = nullptr;
  Meter::Taken taken;
  Part* before = nullptr;
  Part* after = nullptr;
};

// Holders under one lock.
struct Limiter::Domain {
  Mutex mu;
  std::array<Holders, kLimitScopes> holders SR_GUARDED_BY(mu);
  SteadyTime steady SR_GUARDED_BY(mu);
  TimePoint told SR_GUARDED_BY(mu);    // the latest
  LimitTime latest SR_GUARDED_BY(mu);  // of the meters
  size_t sweep_at SR_GUARDED_BY(mu) = kFirstSweep;
  Part* live = nullptr;  // likewise under mu, which is not seen through a Pick

  LimitTime TimeOf(const LimitTime& time) SR_REQUIRES(mu) {
    const bool race = time.now < told && told - time.now < kRace;
    if (!race) told = time.now;
    latest = {steady.At(told), time.wall};
    return latest;
  }

  Holder* Find(LimitScope scope, std::string_view id) SR_REQUIRES(mu) {
    Holders& all = holders[static_cast<size_t>(scope)];
    if (all.empty()) return nullptr;
    const auto found = all.find(id);
    return found != all.end() ? &found->second : nullptr;
  }

  Holder* FindKey(const LimitSubject& who, const LimitTime& time) SR_REQUIRES(mu) {
    return FindKey(LimitScope::kKey, who.key, *who.key_limits, who.key_version, time);
  }

  // That of a key, with its newest limits.
  Holder* FindKey(LimitScope scope, std::string_view id, const LimitSet& limits, uint64_t version,
                  const LimitTime& time) SR_REQUIRES(mu) {
    Holder* holder = Find(scope, id);
    if (holder == nullptr) {
      Sweep(time);
      holder = &holders[static_cast<size_t>(scope)][std::string(id)];
      holder->meter.Change(limits, time.now);
      holder->version = version;
    } else if (holder->version < version) {
      holder->meter.Change(limits, time.now);
      holder->version = version;
    }
    return holder;
  }

  // As often as their number doubles.
  void Sweep(const LimitTime& time) SR_REQUIRES(mu) {
    const auto count = [this]() SR_REQUIRES(mu) {
      size_t keys = 0;
      for (const LimitScope scope : kOfKeys) keys += holders[static_cast<size_t>(scope)].size();
      return keys;
    };
    if (count() < sweep_at) return;
    for (const LimitScope scope : kOfKeys) {
      std::erase_if(holders[static_cast<size_t>(scope)],
                    [&time](const auto& each) { return each.second.meter.AtRest(time); });
    }
    sweep_at = std::max(kFirstSweep, 2 * count());
  }

  void Link(Part* part) {
    part->after = live;
    if (live != nullptr) live->before = part;
    live = part;
  }

  void Unlink(Part* part) {
    (part->before != nullptr ? part->before->after : live) = part->after;
    if (part->after != nullptr) part->after->before = part->before;
  }

  // How many more, or fewer, are counted than run.
  uint64_t Census() SR_REQUIRES(mu) {
    for (Part* part = live; part != nullptr; part = part->after) ++part->holder->counted;
    uint64_t leaks = 0;
    for (Holders& all : holders) {
      for (auto& [id, holder] : all) {
        const int64_t counted = std::exchange(holder.counted, 0);
        const int64_t off = holder.meter.running() - counted;
        leaks += static_cast<uint64_t>(off < 0 ? -off : off);
        holder.meter.Correct(counted);
      }
    }
    return leaks;
  }
};

// Those that a request falls under, by scope.
struct Limiter::Pick {
  struct Each {
    Holder* holder = nullptr;
    Domain* domain = nullptr;
    LimitTime time;
  };
  std::array<Each, kLimitScopes> all;
  Domain* own = nullptr;

  void Add(LimitScope scope, Holder* holder, Domain* domain, const LimitTime& time) {
    if (holder != nullptr) all[static_cast<size_t>(scope)] = {holder, domain, time};
  }

  LimitsLeft Left() const {
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
};

struct Reservation::Body {
  Limiter* limiter = nullptr;
  Limiter::Domain* own = nullptr;
  // Of one reservation: key, app, organization and gateway.
  static constexpr size_t kMost = 4;
  std::array<Limiter::Part, kMost> parts;
  size_t size = 0;
  bool shares = false;  // some are in the limiter's shared domain
  bool settled = false;
};

Limiter::Limiter() : shards_(new Domain[kShards]), shared_(new Domain) {}

Limiter::~Limiter() = default;

Limiter::Domain& Limiter::ShardOf(std::string_view org) { return shards_[Hash()(org) % kShards]; }

void Limiter::Set(LimitScope scope, std::string_view id, std::shared_ptr<const LimitSet> limits,
                  const LimitTime& time) {
  static const LimitSet kNone;
  if (IsOfKey(scope)) return;
  if (scope == LimitScope::kGateway) id = {};
  if (limits && limits->empty()) limits = nullptr;
  Domain& domain = IsShared(scope) ? *shared_ : ShardOf(id);
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
  holder.meter.Change(holder.limits ? *holder.limits : kNone, at.now);
  if (!holder.limits && holder.meter.AtRest(at)) all.erase(all.find(id));
}

template <typename What>
auto Limiter::With(const LimitSubject& who, const LimitTime& told, What what) {
  using enum LimitScope;
  Pick pick;
  Domain& own = ShardOf(who.org);
  pick.own = &own;
  MutexLock lock(&own.mu);
  const LimitTime time = own.TimeOf(told);
  if (who.key_limits != nullptr) pick.Add(kKey, own.FindKey(who, time), &own, time);
  if (who.key_model_limits != nullptr) {
    Holder* const holder =
        own.FindKey(kKeyModel, KeyModelName(who), *who.key_model_limits, who.key_version, time);
    pick.Add(kKeyModel, holder, &own, time);
  }
  if (!who.org.empty()) pick.Add(kOrg, own.Find(kOrg, who.org), &own, time);
  if (shared_sets_.load(std::memory_order_relaxed) == 0) return what(&pick);
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
                                 const LimitTime& time) {
  if (IsFree(who)) return {};
  return With(who, time, [&](Pick* pick) {
    Answer answer = ReserveOf(cost, pick);
    answer.left = pick->Left();
    return answer;
  });
}

Limiter::Answer Limiter::ReserveModel(const LimitSubject& who, const LimitCost& cost,
                                      const LimitTime& time) {
  if (who.key_model_limits == nullptr && AllAreFree()) return {};
  return With(who, time, [&](Pick* pick) {
    for (size_t i = 0; i < kLimitScopes; ++i) {
      if (!IsOfModel(static_cast<LimitScope>(i))) pick->all[i] = {};
    }
    return ReserveOf(cost, pick);
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
  return WithUpstream(whom, time, [&](Pick* pick) { return JudgeOf(cost, *pick); });
}

// The one that holds longest of all that refuse it.
std::optional<LimitRefusal> Limiter::JudgeOf(const LimitCost& cost, const Pick& pick) {
  std::optional<LimitRefusal> longest;
  bool exact = true;
  for (size_t i = 0; i < kLimitScopes; ++i) {
    const Pick::Each& each = pick.all[i];
    if (each.holder == nullptr) continue;
    const auto refusal = each.holder->meter.Judge(static_cast<LimitScope>(i), cost, each.time);
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
  answer.refusal = JudgeOf(cost, *pick);
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
    body->shares = body->shares || each.domain != pick->own;
  }
  return reservation;
}

void Limiter::Count(const LimitRefusal& refusal) {
  const auto scope = static_cast<size_t>(refusal.scope);
  refused_[scope][static_cast<size_t>(refusal.dimension)].fetch_add(1, std::memory_order_relaxed);
}

std::optional<LimitRefusal> Limiter::Peek(const LimitSubject& who, const LimitTime& told) {
  if (who.key_limits == nullptr || !who.key_limits->requests_per_minute) return std::nullopt;
  Domain& own = ShardOf(who.org);
  std::optional<LimitRefusal> refusal;
  {
    MutexLock lock(&own.mu);
    const LimitTime time = own.TimeOf(told);
    refusal = own.FindKey(who, time)->meter.JudgeRequests(LimitScope::kKey, time);
  }
  if (refusal) Count(*refusal);
  return refusal;
}

LimitsLeft Limiter::Look(const LimitSubject& who, const LimitTime& time) {
  if (IsFree(who)) return {};
  return With(who, time, [](const Pick* pick) { return pick->Left(); });
}

void Limiter::SettleIn(Reservation::Body* body, Domain* domain, const TokensUsed& used,
                       const LimitTime& told) {
  MutexLock lock(&domain->mu);
  const LimitTime time = domain->TimeOf(told);
  for (Part& part : body->parts) {
    if (part.domain != domain) continue;
    const int64_t forgiven = part.holder->meter.Settle(part.taken, used, time);
    if (forgiven > 0) forgiven_.fetch_add(static_cast<uint64_t>(forgiven));
  }
}

void Limiter::EndIn(Reservation::Body* body, Domain* domain) {
  MutexLock lock(&domain->mu);
  for (Part& part : body->parts) {
    if (part.domain != domain) continue;
    if (!body->settled) part.holder->meter.GiveBack(part.taken, domain->latest);
    part.holder->meter.Leave();
    domain->Unlink(&part);
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

void Limiter::Census() {
  uint64_t leaks = 0;
  const auto census = [&leaks](Domain* domain) {
    MutexLock lock(&domain->mu);
    leaks += domain->Census();
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
  return figures;
}

size_t Limiter::keys() {
  size_t keys = 0;
  for (size_t i = 0; i < kShards; ++i) {
    Domain& domain = shards_[i];
    MutexLock lock(&domain.mu);
    for (const LimitScope scope : kOfKeys)
      keys += domain.holders[static_cast<size_t>(scope)].size();
  }
  return keys;
}

int64_t Limiter::running(LimitScope scope, std::string_view org, std::string_view id) {
  Domain& domain = IsShared(scope) ? *shared_ : ShardOf(org);
  MutexLock lock(&domain.mu);
  const Holder* const holder = domain.Find(scope, id);
  return holder != nullptr ? holder->meter.running() : 0;
}

}  // namespace seekroute
