// What there is to be asked, and how it stands, for operators.
#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "base/digest.h"
#include "gateway/health_entries.h"
#include "gateway/health_table.h"

namespace seekroute {
namespace {

double Ratio(uint16_t uptime) {
  return uptime == HealthView::kUnknownUptime ? -1 : static_cast<double>(uptime) / 1000;
}

std::string_view WordOf(KeyTrouble trouble) {
  switch (trouble) {
    case KeyTrouble::kBadKey:
      return "bad_key";
    case KeyTrouble::kNoCredit:
      return "no_credit";
    case KeyTrouble::kForbidden:
      return "forbidden";
    case KeyTrouble::kNoModel:
      return "no_model";
    case KeyTrouble::kLimited:
      return "rate_limited";
    case KeyTrouble::kNone:
      break;
  }
  return "ok";
}

Percentiles RoundedTo(const Sketch::Figures& figures, double unit) {
  Percentiles rounded;
  for (size_t i = 0; i < kPercentileCount; ++i) {
    rounded.at[i] = static_cast<uint32_t>(std::lround(figures.at[i] / unit));
  }
  return rounded;
}

}  // namespace

std::string_view NameOf(Skip skip) {
  switch (skip) {
    case Skip::kTried:
      return "tried";
    case Skip::kDeadKey:
      return "dead_key";
    case Skip::kEjected:
      return "ejected";
    case Skip::kOutUntil:
      return "out_until";
    case Skip::kLimited:
    case Skip::kAtRate:
    case Skip::kFull:
      return "upstream_limit";
    case Skip::kOverLimit:
      return "over_limit";
    case Skip::kBudget:
      return "budget";
    case Skip::kModelLimit:
      return "limited";
    case Skip::kRetryBudget:
      return "retry_budget";
    case Skip::kAttemptCap:
      return "attempt_cap";
    case Skip::kGone:
      return "provider_gone";
    case Skip::kNone:
      break;
  }
  return "";
}

std::string_view SentenceOf(Skip skip) {
  switch (skip) {
    case Skip::kDeadKey:
      return "refused the gateway's own key, or has no credit for it";
    case Skip::kEjected:
      return "failed just now";
    case Skip::kOutUntil:
      return "asked to be left alone";
    case Skip::kLimited:
      return "limits the pace";
    case Skip::kAtRate:
    case Skip::kFull:
      return "is at its own limit";
    case Skip::kOverLimit:
      return "is never asked for as many tokens";
    case Skip::kModelLimit:
      return "has a model at its limit";
    case Skip::kBudget:
      return "may cost more than this request can pay";
    case Skip::kRetryBudget:
      return "is asked again often enough";
    case Skip::kAttemptCap:
      return "was not asked: the request had made routing.max_attempts calls";
    case Skip::kGone:
      return "has left the configuration";
    case Skip::kTried:
    case Skip::kNone:
      break;
  }
  return "was asked";
}

uint64_t HealthHash(std::string_view text) {
  uint64_t hash = 1469598103934665603U;
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 1099511628211U;
  return hash | 1;  // 0 is nobody
}

uint64_t FingerprintOf(const Secret& secret) {
  const Mac digest = Sha256(secret.Reveal());
  uint64_t value = 0;
  for (size_t i = 0; i < sizeof(value); ++i) value = value << 8 | digest[i];
  return value | 1;
}

uint64_t KeyIdOf(const Provider& provider, size_t key) {
  return HealthHash(provider.keys.empty() ? std::string_view() : provider.keys[key].id);
}

size_t ProviderEntry::SlotOf(uint64_t key_id) const {
  for (size_t i = 0; i < key_ids.size(); ++i) {
    if (key_ids[i].load(std::memory_order_relaxed) == key_id) return i;
  }
  return Provider::kMostKeys;
}

void EndpointEntry::Fill(HealthRow* row, TimePoint now) const {
  row->uptime_5m = Ratio(health.Uptime5Minutes(now));
  row->uptime_30m = Ratio(health.Uptime30Minutes(now));
  row->uptime_1d = Ratio(health.Uptime1Day(now));
  row->ttft_ms_30m =
      RoundedTo(health.first_content().Over30Minutes(now, {0.5, 0.75, 0.9, 0.99}), 1);
  row->tokens_per_second_30m =
      RoundedTo(health.tokens_per_second().Over30Minutes(now, {0.5, 0.25, 0.1, 0.01}), 10);
  row->ejections = ejections;
  row->probes = probes;
  const OutcomeCounts day = health.LastDay(now);
  row->judged_1d = uint64_t{day.judged()} + day.limited;
}

void EndpointEntry::Publish(const HealthRules& rules, bool last_resort, TimePoint now) {
  ejected_until_ns.store(health.ejected() ? health.ejected_until().ns : 0,
                         std::memory_order_relaxed);
  const bool pairs_plain =
      std::ranges::all_of(pairs, [now](const PairHealth& pair) { return pair.plain(now); });
  plain.store(health.plain(rules, now) && pairs_plain, std::memory_order_relaxed);
  view.Put(health.View(last_resort, rules, now));
  viewed_ns.store(now.ns, std::memory_order_relaxed);
}

std::shared_ptr<const Secret> ProviderEntry::SecretOf(const Provider& of, size_t key,
                                                      size_t slot) const {
  if (newest.load(std::memory_order_acquire) == &of) {
    return {std::shared_ptr<const Secret>(), &of.authorization(key)};
  }
  if (slot == Provider::kMostKeys) return nullptr;
  MutexLock lock(&mu);
  const bool same = key_ids[slot].load(std::memory_order_relaxed) == KeyIdOf(of, key);
  return same ? secrets[slot] : nullptr;
}

ProviderEntry* HealthTable::LearnProvider(const Provider& provider) {
  ProviderEntry* const entry = providers_->FindOrMake(HealthHash(provider.id));
  if (entry == nullptr) return nullptr;
  std::array<bool, Provider::kMostKeys> fresh{};
  {
    MutexLock lock(&entry->mu);
    entry->name = provider.id;
    std::array<std::shared_ptr<const Secret>, Provider::kMostKeys> secrets;
    const auto list = [&](size_t key, size_t slot) SR_REQUIRES(entry->mu) {
      secrets[slot] = std::make_shared<const Secret>(provider.authorization(key));
      entry->key_names[slot] = provider.keys.empty() ? "" : provider.keys[key].id;
      fresh[slot] = entry->keys[slot].Use(FingerprintOf(*secrets[slot]));
    };
    for (size_t i = 0; i < provider.key_count(); ++i) {
      const size_t slot = entry->SlotOf(KeyIdOf(provider, i));
      if (slot < Provider::kMostKeys) list(i, slot);
    }
    for (size_t i = 0; i < provider.key_count(); ++i) {
      const uint64_t key_id = KeyIdOf(provider, i);
      if (entry->SlotOf(key_id) < Provider::kMostKeys) continue;
      // In the place of none, or of one that has gone.
      const auto slot = static_cast<size_t>(std::ranges::find(secrets, nullptr) - secrets.begin());
      if (slot == Provider::kMostKeys) continue;
      entry->keys[slot] = KeyHealth();
      entry->key_ids[slot].store(key_id, std::memory_order_relaxed);
      list(i, slot);
    }
    entry->secrets = std::move(secrets);
    const bool plain = std::ranges::all_of(
        entry->keys, [](const KeyHealth& key) { return key.trouble() == KeyTrouble::kNone; });
    if (!plain) entry->plain.store(false, std::memory_order_relaxed);
  }
  entry->newest.store(&provider, std::memory_order_release);
  // A new secret is alive at once, everywhere.
  for (const auto& endpoint : endpoints_->all()) {
    if (endpoint->provider.load(std::memory_order_relaxed) != entry) continue;
    MutexLock lock(&endpoint->mu);
    for (size_t i = 0; i < fresh.size(); ++i) {
      if (fresh[i]) endpoint->pairs[i].Reset();
    }
  }
  return entry;
}

void HealthTable::Learn(const Snapshot& snapshot, TimePoint now) {
  MutexLock learning(&learning_);
  std::vector<ProviderEntry*> providers;
  for (const Provider& provider : snapshot.providers) {
    providers.push_back(LearnProvider(provider));
  }
  for (const auto& each : providers_->all()) {
    ProviderEntry* const entry = each.get();
    if (std::ranges::find(providers, entry) != providers.end()) continue;
    entry->newest.store(nullptr, std::memory_order_release);
    MutexLock lock(&entry->mu);
    entry->secrets.fill(nullptr);
  }
  for (const auto& each : endpoints_->all()) {
    EndpointEntry* const entry = each.get();
    MutexLock lock(&entry->mu);
    if (entry->listed) entry->gone_at = now;
    entry->listed = false;
  }
  std::unordered_set<const EndpointEntry*> grouped;
  for (const Model& model : snapshot.catalog.models()) {
    auto group = std::make_shared<EndpointGroup>();
    for (const Endpoint& endpoint : model.endpoints) {
      EndpointEntry* const entry = endpoints_->FindOrMake(endpoint.id);
      if (entry != nullptr && std::ranges::find(*group, entry) == group->end()) {
        group->push_back(entry);
      }
    }
    for (const Endpoint& endpoint : model.endpoints) {
      EndpointEntry* const entry = endpoints_->Find(endpoint.id);
      if (entry == nullptr) continue;
      MutexLock lock(&entry->mu);
      if (!entry->listed && entry->provider.load(std::memory_order_relaxed) != nullptr &&
          now - entry->gone_at > kKeptFor) {
        entry->health = EndpointHealth();
        entry->pairs.fill({});
      }
      entry->listed = true;
      entry->upstream_model = endpoint.upstream_model;
      entry->tag = endpoint.tag;
      entry->provider_name = snapshot.providers[endpoint.provider].id;
      const bool is_first = grouped.insert(entry).second;
      if (is_first) entry->model = model.id;
      if (is_first || group->size() < entry->group->size()) entry->group = group;
      if (is_first || group->size() > entry->peers->size()) entry->peers = group;
      entry->provider.store(providers[endpoint.provider], std::memory_order_release);
      entry->Publish(rules_, false, now);
    }
  }
}

// Of an endpoint none of whose keys may be used: what is so of each of them here, else that no key
// works.
std::string_view HealthTable::WordOfDeadKeys(EndpointEntry* entry, TimePoint now) const {
  ProviderEntry* const provider = entry->provider.load(std::memory_order_acquire);
  KeyTrouble all = KeyTrouble::kNone;
  for (size_t i = 0; provider != nullptr && i < Provider::kMostKeys; ++i) {
    {
      MutexLock lock(&provider->mu);
      if (!provider->Lists(i)) continue;
      if (!provider->keys[i].Look(now).open) return NameOf(Skip::kDeadKey);
    }
    MutexLock lock(&entry->mu);
    const KeyTrouble here = entry->pairs[i].Look(0, now).why;
    if (all != KeyTrouble::kNone && here != all) return NameOf(Skip::kDeadKey);
    all = here;
  }
  const bool of_pairs = all == KeyTrouble::kForbidden || all == KeyTrouble::kNoModel;
  return of_pairs ? WordOf(all) : NameOf(Skip::kDeadKey);
}

std::vector<HealthRow> HealthTable::Rows(TimePoint now) const {
  MutexLock learning(&learning_);
  std::vector<HealthRow> rows;
  for (const auto& each : endpoints_->all()) {
    EndpointEntry* const entry = each.get();
    const HealthView view = ViewOf(entry->id, now);
    const std::string_view dead = view.has_live_key ? "" : WordOfDeadKeys(entry, now);
    MutexLock lock(&entry->mu);
    if (!entry->listed) continue;
    HealthRow& row = rows.emplace_back();
    row.provider = entry->provider_name;
    row.model = entry->model;
    row.upstream_model = entry->upstream_model;
    row.tag = entry->tag;
    row.id = entry->id;
    row.lacks = dead;
    if (!view.has_room) row.lacks = NameOf(Skip::kLimited);
    row.state = NameOf(view.state);
    row.last_resort = view.last_resort;
    row.retry_in = std::max(view.retry_at - now, Duration{});
    for (const auto& running : entry->in_flight) {
      row.in_flight += running.load(std::memory_order_relaxed);
    }
    row.ttft_ms = view.ttft_ms;
    row.tokens_per_second = view.tokens_per_second;
    entry->Fill(&row, now);
  }
  for (const auto& each : providers_->all()) {
    ProviderEntry* const entry = each.get();
    MutexLock lock(&entry->mu);
    for (size_t i = 0; i < entry->keys.size(); ++i) {
      if (!entry->Lists(i)) continue;
      const KeyGate gate = entry->keys[i].Look(now);
      HealthRow& row = rows.emplace_back();
      row.provider = entry->name;
      row.key = entry->key_names[i];
      row.is_key = true;
      const KeyTrouble trouble = entry->keys[i].trouble();
      row.state = WordOf(trouble != KeyTrouble::kNone ? trouble : gate.why);
      if (!gate.open) row.retry_in = std::max(gate.retry_at - now, Duration{});
    }
  }
  return rows;
}

size_t HealthTable::Reset(std::string_view name, TimePoint now) {
  MutexLock learning(&learning_);
  revision_.fetch_add(1, std::memory_order_relaxed);
  size_t reset = 0;
  const size_t slash = name.find('/'), hash = name.find('#');
  for (const auto& each : endpoints_->all()) {
    EndpointEntry* const entry = each.get();
    MutexLock lock(&entry->mu);
    if (!entry->listed) continue;
    const bool all = entry->provider_name == name;
    const bool own =
        slash != std::string_view::npos && entry->provider_name == name.substr(0, slash) &&
        (entry->upstream_model == name.substr(slash + 1) || entry->model == name.substr(slash + 1));
    if (!all && !own && entry->tag != name) continue;
    entry->health.Reset();
    entry->pairs.fill({});
    entry->Publish(rules_, false, now);
    ++reset;
  }
  for (const auto& each : providers_->all()) {
    ProviderEntry* const entry = each.get();
    MutexLock lock(&entry->mu);
    for (size_t i = 0; i < entry->keys.size(); ++i) {
      if (!entry->Lists(i)) continue;
      const bool own = hash != std::string_view::npos && entry->name == name.substr(0, hash) &&
                       entry->key_names[i] == name.substr(hash + 1);
      if (entry->name != name && !own) continue;
      entry->keys[i].Reset();
      ++reset;
    }
  }
  return reset;
}

}  // namespace seekroute
