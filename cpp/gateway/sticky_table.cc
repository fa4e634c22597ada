#include "gateway/sticky_table.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>

#include "base/digest.h"
#include "routing/filters.h"

namespace seekroute {
namespace {

// Of a message: how a prompt goes on behind it tells nobody apart.
constexpr size_t kMostOfMessage = size_t{16} << 10;

std::string_view BeginningOf(ByteRange range, std::string_view body) {
  return range.In(body).substr(0, kMostOfMessage);
}

// One place less is its organization's; who has none is not counted.
void GiveUpPlace(uint64_t org, std::unordered_map<uint64_t, size_t>* of_org) {
  const auto own = of_org->find(org);
  if (own != of_org->end() && --own->second == 0) of_org->erase(own);
}

}  // namespace

bool HasCachePrice(const Endpoint& endpoint) {
  if (endpoint.price == nullptr) return false;
  const Rates& rates = RatesAt(endpoint, 0, {});
  return rates[PriceClass::kCacheRead].pico < rates[PriceClass::kInput].pico;
}

StickyKey StickyKeyOf(const Secret& salt, std::string_view org, std::string_view name,
                      const Ask& ask, std::string_view session, std::string_view body) {
  StickyKey key;
  std::string_view value;
  char source = 's';
  Mac beginning;
  if (ask.route != nullptr && !ask.route->session_id.empty()) {
    value = ask.route->session_id;
  } else if (!session.empty()) {
    value = session;
  } else if (!ask.affinity.cache_key.empty()) {
    value = ask.affinity.cache_key;
    source = 'k';
  } else {
    const std::string_view first = BeginningOf(ask.affinity.first_turn, body);
    if (first.empty()) return key;
    std::string text(BeginningOf(ask.affinity.system, body));
    text += '\0';
    text += first;
    beginning = Sha256(text);
    value = {reinterpret_cast<const char*>(beginning.data()), beginning.size()};
    source = 'h';
  }
  key.named = source != 'h';
  std::string said;
  said.reserve(org.size() + name.size() + value.size() + 3);
  said.append(org).append(1, '\0').append(name).append(1, '\0').append(1, source);
  said.append(value);
  const Mac mac = HmacSha256(salt, said);
  std::memcpy(&key.high, mac.data(), sizeof key.high);
  std::memcpy(&key.low, mac.data() + sizeof key.high, sizeof key.low);
  key.org = std::hash<std::string_view>{}(org);
  return key;
}

StickyTable::StickyTable(const StickyRules& rules)
    : rules_(rules),
      buckets_(std::max<size_t>(1, rules.entries / kShards / kWays)),
      shards_(std::make_unique<std::array<Shard, kShards>>()) {}

StickyTable::~StickyTable() = default;

uint64_t StickyTable::Find(const StickyKey& key, TimePoint now, TimePoint* at) const {
  const Shard& shard = (*shards_)[key.low % kShards];
  MutexLock lock(&shard.mu);
  if (shard.entries.empty()) return 0;
  const size_t bucket = BucketOf(key);
  for (size_t i = bucket; i < bucket + kWays; ++i) {
    const Entry& entry = shard.entries[i];
    if (entry.high != key.high || entry.low != key.low || IsOver(entry, now)) continue;
    if (at != nullptr) *at = entry.used;
    return entry.endpoint;
  }
  return 0;
}

// Its own, else a free one, else the one used longest ago: of its organization, where that has all
// that it may have. Null: that has none here.
StickyTable::Entry* StickyTable::PlaceFor(const StickyKey& key, Shard* shard, TimePoint now) const {
  const size_t bucket = BucketOf(key);
  Entry* free = nullptr;
  Entry* oldest = nullptr;
  Entry* oldest_own = nullptr;
  const auto older = [](const Entry* than, const Entry& each) {
    return than == nullptr || each.used < than->used;
  };
  for (size_t i = bucket; i < bucket + kWays; ++i) {
    Entry& entry = shard->entries[i];
    if (entry.endpoint != 0 && entry.high == key.high && entry.low == key.low) return &entry;
    if (entry.endpoint != 0 && IsOver(entry, now)) {
      GiveUpPlace(entry.org, &shard->of_org);
      entry = {};
    }
    if (entry.endpoint == 0) {
      free = &entry;
      continue;
    }
    if (older(oldest, entry)) oldest = &entry;
    if (entry.org == key.org && older(oldest_own, entry)) oldest_own = &entry;
  }
  const auto own = shard->of_org.find(key.org);
  const size_t most = std::max<size_t>(1, buckets_ * kWays / kOrgShare);
  if (own != shard->of_org.end() && own->second >= most) return oldest_own;
  return free != nullptr ? free : oldest;
}

void StickyTable::Put(const StickyKey& key, uint64_t endpoint, TimePoint now) {
  if (rules_.entries == 0 || !key.valid() || endpoint == 0) return;
  Shard& shard = (*shards_)[key.low % kShards];
  MutexLock lock(&shard.mu);
  if (shard.entries.empty()) shard.entries.resize(buckets_ * kWays);
  Entry* const place = PlaceFor(key, &shard, now);
  if (place == nullptr) return;
  if (place->endpoint != 0) GiveUpPlace(place->org, &shard.of_org);
  *place = {key.high, key.low, key.org, endpoint, now};
  ++shard.of_org[key.org];
}

size_t StickyTable::size() const {
  size_t size = 0;
  for (const Shard& shard : *shards_) {
    MutexLock lock(&shard.mu);
    for (const Entry& each : shard.entries) size += each.endpoint != 0 ? 1 : 0;
  }
  return size;
}

}  // namespace seekroute
