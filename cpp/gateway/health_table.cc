#include "gateway/health_table.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "gateway/health_entries.h"

namespace seekroute {
namespace {

// A view is not older, however little is asked.
constexpr Duration kViewAge = Duration::Seconds(10);
constexpr uint32_t kLeastOutcomes = 20;
// Below it an endpoint is out, however the others do.
constexpr double kBadRate = 0.5;
constexpr double kGoodRate = 0.9;
constexpr double kFarBelow = 1.9;  // standard deviations
constexpr size_t kLeastToCompare = 3;

// In (0, 1), the same for the same two.
double DrawFor(uint64_t owner, uint64_t key) {
  uint64_t z = owner ^ (key * 0x9E3779B97F4A7C15U);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
  z ^= z >> 31;
  return (static_cast<double>(z >> 11) + 0.5) / 9007199254740992.0;
}

// What is said of a key, or of its model, and may be of the one request; kNone: of nothing such.
KeyTrouble DoubtfulOf(const AttemptVerdict& verdict, const Headroom& left, TimePoint now) {
  using Key = AttemptVerdict::Key;
  switch (verdict.key) {
    case Key::kNoCredit:
      return KeyTrouble::kNoCredit;
    case Key::kForbidden:
      return KeyTrouble::kForbidden;
    case Key::kNoModel:
      return KeyTrouble::kNoModel;
    case Key::kLimited: {
      // A long wait, and others would find plenty by its own account.
      const bool contradicts = verdict.retry_after.ns > 0 && left.plentiful(now);
      return contradicts ? KeyTrouble::kLimited : KeyTrouble::kNone;
    }
    case Key::kNothing:
    case Key::kWorked:
    case Key::kBad:
      break;
  }
  return KeyTrouble::kNone;
}

}  // namespace

Permit& Permit::operator=(Permit&& other) noexcept {
  if (this == &other) return *this;
  Release();
  table_ = std::exchange(other.table_, nullptr);
  endpoint_ = other.endpoint_;
  provider_ = other.provider_;
  attempt_ = other.attempt_;
  secret_ = std::move(other.secret_);
  key_ = other.key_;
  slot_ = other.slot_;
  claims_ = other.claims_;
  repeats_ = other.repeats_;
  return *this;
}

void Permit::Release() {
  if (std::exchange(table_, nullptr) == nullptr || provider_ == nullptr) return;
  endpoint_->in_flight[slot_].fetch_sub(1, std::memory_order_relaxed);
  provider_->in_flight.fetch_sub(1, std::memory_order_relaxed);
  if (repeats_) provider_->repeats.fetch_sub(1, std::memory_order_relaxed);
  if (!claims_) return;
  {
    MutexLock lock(&endpoint_->mu);
    if (endpoint_->health.probed_by(attempt_)) ++endpoint_->probes[2];
    endpoint_->health.Release(attempt_);
  }
  MutexLock lock(&provider_->mu);
  provider_->keys[slot_].Release(attempt_);
}

HealthTable::HealthTable(const HealthRules& rules, const RetryBudget& budget)
    : rules_(rules),
      budget_(budget),
      endpoints_(std::make_unique<Index<EndpointEntry>>()),
      providers_(std::make_unique<Index<ProviderEntry>>()) {}

HealthTable::~HealthTable() = default;

// Of those of its model that are ejected as many stay out as may, which are those that would come
// back last: it is not among them.
bool HealthTable::IsLastResort(EndpointEntry* entry, TimePoint now) const {
  const int64_t own = entry->ejected_until_ns.load(std::memory_order_relaxed);
  if (own <= now.ns) return false;
  std::shared_ptr<const EndpointGroup> group;
  {
    MutexLock lock(&entry->mu);
    group = entry->group;
  }
  const size_t size = group ? group->size() : 1;
  const size_t most_out = size * static_cast<size_t>(std::clamp(rules_.max_share, 0, 100)) / 100;
  size_t later = 0;
  for (size_t i = 0; group && i < size; ++i) {
    const EndpointEntry* const other = (*group)[i];
    const int64_t until = other->ejected_until_ns.load(std::memory_order_relaxed);
    if (until > own || (until == own && other->id > entry->id)) ++later;
  }
  return later >= most_out;
}

struct HealthTable::KeyChoice {
  size_t key = Provider::kMostKeys;  // its place among the provider's; kMostKeys: none
  uint8_t slot = 0;
  std::shared_ptr<const Secret> secret = nullptr;
  bool probe = false;
  Skip skip = Skip::kTried;
  TimePoint retry_at = TimePoint::Never();
};

// By weighted rendezvous: an owner keeps to one key, and what a key that fails had is shared by the
// others.
double HealthTable::ScoreOf(const HealthQuestion& question, size_t key, uint64_t key_id) {
  const Provider& of = *question.provider;
  if (of.key_count() == 1) return 0;
  const double weight = of.keys.empty() ? 1 : std::max<uint32_t>(of.keys[key].weight, 1);
  return -weight / std::log(DrawFor(question.owner, key_id));
}

HealthTable::KeyChoice HealthTable::ChooseKey(const HealthQuestion& question,
                                              EndpointEntry* endpoint, ProviderEntry* provider,
                                              TimePoint now) const {
  const Provider& of = *question.provider;
  const bool plain = provider->plain.load(std::memory_order_relaxed) &&
                     endpoint->plain.load(std::memory_order_relaxed);
  KeyChoice choice;
  double best = -1;
  for (size_t i = 0; i < of.key_count(); ++i) {
    if ((question.tried_keys >> i & 1) != 0) continue;
    const uint64_t key_id = KeyIdOf(of, i);
    const size_t slot = provider->SlotOf(key_id);
    std::shared_ptr<const Secret> secret = provider->SecretOf(of, i, slot);
    if (secret == nullptr || slot == Provider::kMostKeys) {
      if (choice.retry_at == TimePoint::Never()) choice.skip = Skip::kGone;
      continue;
    }
    KeyGate gate;
    if (!plain) {
      {
        MutexLock lock(&provider->mu);
        gate = provider->keys[slot].Look(now);
      }
      if (gate.open) {
        MutexLock lock(&endpoint->mu);
        const int running = endpoint->in_flight[slot].load(std::memory_order_relaxed);
        // What was learned of its pace is a guess, and so is what the request takes: where nobody
        // else is left, it says so itself.
        const PairHealth& pair = endpoint->pairs[slot];
        const KeyGate here =
            question.last_resort ? pair.Look(0, now) : pair.Look(running, now, question.needed);
        if (!here.open) gate = here;
      }
    }
    if (!gate.open) {
      const bool limited = gate.why == KeyTrouble::kLimited;
      // What passes sooner is what is told of.
      if (gate.retry_at < choice.retry_at) {
        choice.skip = limited                            ? Skip::kLimited
                      : gate.why == KeyTrouble::kNoModel ? Skip::kOutUntil
                                                         : Skip::kDeadKey;
        choice.retry_at = gate.retry_at;
      }
      continue;
    }
    const double score = ScoreOf(question, i, key_id);
    if (score <= best) continue;
    best = score;
    choice.key = i;
    choice.slot = static_cast<uint8_t>(slot);
    choice.secret = std::move(secret);
    choice.probe = gate.probe;
  }
  return choice;
}

// Of who is let in. `attempt` 0: nothing is claimed.
void HealthTable::Fill(const HealthQuestion& question, uint64_t attempt, const KeyChoice& key,
                       EndpointEntry* endpoint, ProviderEntry* provider, Permit* permit) const {
  permit->endpoint_ = endpoint;
  permit->provider_ = provider;
  permit->attempt_ = attempt;
  permit->secret_ = key.secret;
  permit->key_ = static_cast<uint8_t>(key.key);
  permit->slot_ = key.slot;
  permit->repeats_ = question.repeats;
  if (attempt == 0) return;
  endpoint->in_flight[key.slot].fetch_add(1, std::memory_order_relaxed);
  provider->in_flight.fetch_add(1, std::memory_order_relaxed);
  if (question.repeats) provider->repeats.fetch_add(1, std::memory_order_relaxed);
  permit->table_ = const_cast<HealthTable*>(this);
}

// Whoever nothing is known of, or nothing is made of it; null: not even where it would be kept.
HealthAnswer HealthTable::LetIn(const HealthQuestion& question, uint64_t attempt,
                                EndpointEntry* endpoint, ProviderEntry* provider) const {
  const Provider& of = *question.provider;
  HealthAnswer answer;
  answer.skip = Skip::kTried;
  KeyChoice chosen;
  double best = -1;
  for (size_t i = 0; i < of.key_count(); ++i) {
    if ((question.tried_keys >> i & 1) != 0) continue;
    const uint64_t key_id = KeyIdOf(of, i);
    KeyChoice key;
    key.key = i;
    if (provider != nullptr) {
      const size_t slot = provider->SlotOf(key_id);
      key.secret = provider->SecretOf(of, i, slot);
      if (key.secret == nullptr || slot == Provider::kMostKeys) {
        if (best < 0) answer.skip = Skip::kGone;
        answer.retry_at = TimePoint::Never();
        continue;
      }
      key.slot = static_cast<uint8_t>(slot);
    }
    const double score = ScoreOf(question, i, key_id);
    if (score <= best) continue;
    best = score;
    chosen = std::move(key);
    answer.skip = Skip::kNone;
  }
  if (answer.skip != Skip::kNone) return answer;
  if (provider != nullptr) Fill(question, attempt, chosen, endpoint, provider, &answer.permit);
  answer.permit.key_ = static_cast<uint8_t>(chosen.key);
  return answer;
}

// `attempt` 0: nothing is claimed.
HealthAnswer HealthTable::Pick(const HealthQuestion& question, uint64_t attempt,
                               TimePoint now) const {
  EndpointEntry* const endpoint = endpoints_->Find(question.endpoint->id);
  ProviderEntry* const provider =
      endpoint != nullptr ? endpoint->provider.load(std::memory_order_acquire) : nullptr;
  HealthAnswer answer;
  const auto refuse = [&answer](Skip skip, TimePoint retry_at) {
    answer.skip = skip;
    answer.retry_at = retry_at;
    return std::move(answer);
  };
  if (provider != nullptr && question.repeats) {
    const int running = provider->in_flight.load(std::memory_order_relaxed);
    const int most = std::max(budget_.least, running * budget_.percent / 100);
    if (provider->repeats.load(std::memory_order_relaxed) >= most) {
      return refuse(Skip::kRetryBudget, now + Duration::Seconds(1));
    }
  }
  if (provider == nullptr || !rules_.leave_out) return LetIn(question, attempt, endpoint, provider);
  const KeyChoice key = ChooseKey(question, endpoint, provider, now);
  if (key.key == Provider::kMostKeys) return refuse(key.skip, key.retry_at);
  EndpointGate gate;
  if (!endpoint->plain.load(std::memory_order_relaxed)) {
    const bool last_resort = IsLastResort(endpoint, now);
    MutexLock lock(&endpoint->mu);
    gate = endpoint->health.Look(last_resort, now);
    const bool held_back = gate.is == EndpointGate::Is::kLastResort && !question.last_resort;
    if (gate.is == EndpointGate::Is::kOut) return refuse(Skip::kOutUntil, gate.retry_at);
    if (!gate.open() || held_back) return refuse(Skip::kEjected, held_back ? now : gate.retry_at);
    if (attempt != 0) (void)endpoint->health.Ask(attempt, last_resort, now);
  }
  Permit& permit = answer.permit;
  Fill(question, attempt, key, endpoint, provider, &permit);
  permit.claims_ = key.probe || gate.is != EndpointGate::Is::kOpen;
  if (!key.probe || attempt == 0) return answer;
  KeyGate again;
  {
    MutexLock lock(&provider->mu);
    again = provider->keys[key.slot].Ask(attempt, now);
  }
  if (again.open) return answer;
  permit.Release();  // somebody was quicker
  return refuse(Skip::kDeadKey, again.retry_at);
}

HealthAnswer HealthTable::Ask(const HealthQuestion& question, TimePoint now) {
  HealthAnswer answer = Pick(question, attempts_.fetch_add(1, std::memory_order_relaxed) + 1, now);
  if (answer.skip == Skip::kNone) answer.permit.table_ = this;
  return answer;
}

HealthAnswer HealthTable::Look(const HealthQuestion& question, TimePoint now) const {
  return Pick(question, 0, now);
}

EjectedFor HealthTable::Report(Permit permit, const AttemptVerdict& told, const Sent& sent,
                               const Measured& measured, uint64_t random, TimePoint now) {
  AttemptVerdict verdict = told;
  if (!permit.valid() || permit.endpoint_ == nullptr) return EjectedFor::kNothing;
  revision_.fetch_add(1, std::memory_order_relaxed);
  EndpointEntry* const entry = permit.endpoint_;
  const bool fault = IsFault(verdict.outcome);
  EjectedFor ejected = EjectedFor::kNothing;
  TimePoint limited_until;
  bool judge = false;
  using Key = AttemptVerdict::Key;
  const bool of_key = verdict.key != Key::kNothing && verdict.key != Key::kWorked;
  const bool outdated = rules_.leave_out && of_key && IsOutdated(permit);
  {
    MutexLock lock(&entry->mu);
    if (permit.claims_ && entry->health.probed_by(permit.attempt_)) {
      const bool neutral = !fault && verdict.outcome != Outcome::kOk;
      ++entry->probes[neutral ? 2 : fault ? 1 : 0];
    }
    ejected = entry->health.Report(permit.attempt_, verdict.outcome, sent.body, measured, rules_,
                                   random, now);
    if (ejected != EjectedFor::kNothing) ++entry->ejections[static_cast<size_t>(ejected)];
    PairHealth& pair = entry->pairs[permit.slot_];
    const KeyTrouble doubtful = DoubtfulOf(verdict, pair.headroom(), now);
    if (doubtful != KeyTrouble::kNone && !outdated && !pair.Believes(doubtful, sent)) {
      verdict = {verdict.outcome, Key::kNothing, {}};
    }
    if (!rules_.leave_out || outdated) {
      // It is only counted.
    } else if (verdict.key == Key::kLimited) {
      const int running = entry->in_flight[permit.slot_].load(std::memory_order_relaxed);
      limited_until = pair.Limit(verdict.retry_after, running, random, now);
    } else if (verdict.key == Key::kForbidden) {
      pair.Forbid(now);
    } else if (verdict.key == Key::kNoModel) {
      pair.NoModel(now);
    } else if (verdict.key == Key::kWorked) {
      pair.Worked(now, sent);
    } else if (verdict.retry_after.ns > 0) {
      entry->health.LeaveAlone(verdict.retry_after, now);
    }
    judge = fault && entry->health.RateIsDue(now);
    entry->Publish(rules_, false, now);
  }
  if (!rules_.leave_out) return ejected;
  if (!outdated) TellKey(permit, verdict, limited_until, now);
  if (judge) JudgeRate(entry, random, now);
  return ejected;
}

// Its key has another secret by now, or is another one: what is said of that says nothing of this.
bool HealthTable::IsOutdated(const Permit& permit) {
  const uint64_t fingerprint = FingerprintOf(*permit.secret_);
  MutexLock lock(&permit.provider_->mu);
  return fingerprint != permit.provider_->keys[permit.slot_].fingerprint();
}

void HealthTable::Tell(const Permit& permit, const ToldLimits& told, TimePoint now) {
  EndpointEntry* const entry = permit.endpoint_;
  if (!permit.valid() || entry == nullptr || !rules_.leave_out) return;
  Headroom left;
  left.Tell(told, now);
  if (!left.ample(now) && IsOutdated(permit)) return;
  MutexLock lock(&entry->mu);
  PairHealth& pair = entry->pairs[permit.slot_];
  const bool was_plain = pair.plain(now);
  pair.Tell(told, now);
  if (!was_plain || !pair.plain(now)) entry->Publish(rules_, false, now);
}

void HealthTable::TellKey(const Permit& permit, const AttemptVerdict& verdict,
                          TimePoint limited_until, TimePoint now) {
  using Key = AttemptVerdict::Key;
  ProviderEntry* const provider = permit.provider_;
  if (verdict.key == Key::kNothing || verdict.key == Key::kNoModel) return;
  if (verdict.key == Key::kWorked && provider->plain.load(std::memory_order_relaxed)) return;
  MutexLock lock(&provider->mu);
  KeyHealth& key = provider->keys[permit.slot_];
  switch (verdict.key) {
    case Key::kWorked:
      key.Worked(permit.attempt_);
      break;
    case Key::kLimited:
      key.Limit(permit.endpoint_->id, limited_until, now);
      break;
    case Key::kBad:
      key.Die(permit.attempt_, KeyTrouble::kBadKey, now);
      break;
    case Key::kNoCredit:
      key.Die(permit.attempt_, KeyTrouble::kNoCredit, now);
      break;
    case Key::kForbidden:
      key.Forbid(permit.attempt_, permit.endpoint_->id, now);
      break;
    case Key::kNothing:
    case Key::kNoModel:
      break;
  }
  provider->plain.store(
      std::ranges::all_of(provider->keys, [now](const KeyHealth& each) { return each.plain(now); }),
      std::memory_order_relaxed);
}

// Far below the others of its model, or bad by itself.
void HealthTable::JudgeRate(EndpointEntry* entry, uint64_t random, TimePoint now) {
  std::shared_ptr<const EndpointGroup> group;
  OutcomeCounts own;
  {
    MutexLock lock(&entry->mu);
    group = entry->peers;
    own = entry->health.LastMinute(now);
  }
  if (own.judged() < kLeastOutcomes) return;
  const double rate = static_cast<double>(own.ok) / own.judged();
  std::vector<double> rates;
  for (size_t i = 0; group && i < group->size(); ++i) {
    const EndpointEntry* const other = (*group)[i];
    MutexLock lock(&other->mu);
    const OutcomeCounts counts = other->health.LastMinute(now);
    if (counts.judged() >= kLeastOutcomes) {
      rates.push_back(static_cast<double>(counts.ok) / counts.judged());
    }
  }
  bool out = rate < kBadRate;
  if (rates.size() >= kLeastToCompare && rate < kGoodRate) {
    double mean = 0, spread = 0;
    for (const double each : rates) mean += each / static_cast<double>(rates.size());
    for (const double each : rates) {
      spread += (each - mean) * (each - mean) / static_cast<double>(rates.size());
    }
    out = out || rate < mean - kFarBelow * std::sqrt(spread);
  }
  if (!out) return;
  MutexLock lock(&entry->mu);
  if (!entry->health.EjectForRate(rules_, random, now)) return;
  ++entry->ejections[static_cast<size_t>(EjectedFor::kSuccessRate)];
  entry->Publish(rules_, false, now);
}

HealthView HealthTable::ViewOf(uint64_t endpoint_id, TimePoint now) const {
  EndpointEntry* const entry = endpoints_->Find(endpoint_id);
  ProviderEntry* const provider =
      entry != nullptr ? entry->provider.load(std::memory_order_acquire) : nullptr;
  if (provider == nullptr) return {};
  const bool plain = entry->plain.load(std::memory_order_relaxed);
  const bool fresh = now.ns - entry->viewed_ns.load(std::memory_order_relaxed) < kViewAge.ns;
  HealthView view;
  const bool keys_plain = provider->plain.load(std::memory_order_relaxed);
  if (plain && fresh && keys_plain && entry->view.Get(&view)) return view;
  const bool last_resort = IsLastResort(entry, now);
  {
    MutexLock lock(&entry->mu);
    view = entry->health.View(last_resort, rules_, now);
    if (plain) entry->Publish(rules_, last_resort, now);
  }
  if (plain && keys_plain) return view;
  // Of the keys that the newest snapshot has: any that may be used is enough.
  view.has_live_key = view.has_room = false;
  TimePoint soonest = TimePoint::Never();
  Headroom::Sum left;
  for (size_t i = 0; i < Provider::kMostKeys; ++i) {
    KeyGate gate;
    {
      MutexLock lock(&provider->mu);
      if (!provider->Lists(i)) continue;
      gate = provider->keys[i].Look(now);
    }
    if (gate.open) {
      MutexLock lock(&entry->mu);
      gate = entry->pairs[i].Look(entry->in_flight[i].load(std::memory_order_relaxed), now);
      if (gate.open) left.Add(entry->pairs[i].headroom(), now);
    }
    view.has_live_key |= gate.open || gate.why == KeyTrouble::kLimited;
    view.has_room |= gate.open;
    if (!gate.open) soonest = std::min(soonest, gate.retry_at);
  }
  view.head = left.head();
  if (!view.has_live_key) view.has_room = true;  // that is not what it lacks
  if (!(view.has_live_key && view.has_room) && soonest != TimePoint::Never()) {
    view.retry_at = std::max(view.retry_at, soonest);
  }
  return view;
}

std::optional<Duration> HealthTable::SlowAfter(uint64_t endpoint_id, TimePoint now) const {
  constexpr uint32_t kLeastSamples = 100;
  EndpointEntry* const entry = endpoints_->Find(endpoint_id);
  if (entry == nullptr) return std::nullopt;
  MutexLock lock(&entry->mu);
  const Sketch::Figures figures =
      entry->health.first_content().Over30Minutes(now, {0.95, 0.95, 0.95, 0.95});
  if (figures.samples < kLeastSamples) return std::nullopt;
  return Duration::Milliseconds(static_cast<int64_t>(figures.at[0]));
}

}  // namespace seekroute
