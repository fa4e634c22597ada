// Where requests that share the beginning of a prompt were answered last: its provider has that in
// its cache.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "base/secret.h"
#include "base/time.h"
#include "catalog/catalog.h"
#include "wire/ask.h"

namespace seekroute {

// By the operator.
struct StickyRules {
  Duration ttl = Duration::Seconds(600);  // since the last answer
  size_t entries = 65'536;                // 48 bytes each; 0: nothing is remembered
};

// Who belongs together, of one organization and one name of models. A digest: nothing of a prompt
// or of a session's name can be read from it. Value type.
struct StickyKey {
  uint64_t high = 0, low = 0;
  uint64_t org = 0;
  bool named = false;  // by the client; else by how the prompt begins

  bool valid() const { return (high | low) != 0; }
};

// The key of a request for `name`, which may stand for several models: by `session` (of a header;
// may be empty) behind the body's own, then `prompt_cache_key`, then the contents of the first
// system message and of the first other one, each cut at 16 KiB. Invalid where there is none of
// them. `salt`: of the gateway.
StickyKey StickyKeyOf(const Secret& salt, std::string_view org, std::string_view name,
                      const Ask& ask, std::string_view session, std::string_view body);

// Prompts that its cache knows are cheaper there, of that length.
bool HasCachePrice(const Endpoint& endpoint);

// Thread-safe: a lock for each sixteenth of the keys. An organization has a sixteenth of all places
// at most, so that none can drive out the others'.
class StickyTable {
 public:
  explicit StickyTable(const StickyRules& rules);
  ~StickyTable();
  StickyTable(const StickyTable&) = delete;
  StickyTable& operator=(const StickyTable&) = delete;

  // The endpoint that answered last, and when (`at`; null: nobody asks); 0: none did lately.
  uint64_t Find(const StickyKey& key, TimePoint now, TimePoint* at = nullptr) const;
  // It has answered now.
  void Put(const StickyKey& key, uint64_t endpoint, TimePoint now);

  size_t size() const;

 private:
  static constexpr size_t kShards = 16;
  static constexpr size_t kWays = 8;  // places that a key may have
  static constexpr size_t kOrgShare = 16;

  struct Entry {
    uint64_t high = 0, low = 0;
    uint64_t org = 0;
    uint64_t endpoint = 0;  // 0: free
    TimePoint used;
  };
  struct Shard {
    mutable Mutex mu;
    std::vector<Entry> entries SR_GUARDED_BY(mu);  // none before the first is put
    std::unordered_map<uint64_t, size_t> of_org SR_GUARDED_BY(mu);
  };

  bool IsOver(const Entry& entry, TimePoint now) const { return now - entry.used > rules_.ttl; }
  Entry* PlaceFor(const StickyKey& key, Shard* shard, TimePoint now) const SR_REQUIRES(shard->mu);
  size_t BucketOf(const StickyKey& key) const { return key.low / kShards % buckets_ * kWays; }

  const StickyRules rules_;
  const size_t buckets_;  // of each shard
  const std::unique_ptr<std::array<Shard, kShards>> shards_;
};

}  // namespace seekroute
