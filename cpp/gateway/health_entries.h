// Internal to the health table: what it keeps of an endpoint and of a provider, and finds by id
// without a lock.
#pragma once

#include <array>
#include <atomic>
#include <cstring>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "base/mutex.h"
#include "gateway/health_table.h"

namespace seekroute {

// Ids of what snapshots name. Never 0.
uint64_t HealthHash(std::string_view text);
uint64_t KeyIdOf(const Provider& provider, size_t key);
// Tells secrets apart, and nothing of them.
uint64_t FingerprintOf(const Secret& secret);

// A value that one writer at a time replaces, and that readers copy without a lock.
template <typename T>
class SeqCell {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) % sizeof(uint64_t) == 0);

 public:
  // By whoever holds the writers' lock.
  void Put(const T& value) {
    std::array<uint64_t, kWords> words;
    std::memcpy(words.data(), &value, sizeof(T));
    const uint32_t turn = turn_.load(std::memory_order_relaxed);
    turn_.store(turn + 1, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
    for (size_t i = 0; i < kWords; ++i) words_[i].store(words[i], std::memory_order_relaxed);
    turn_.store(turn + 2, std::memory_order_release);
  }
  // False: it was being written; the reader takes the lock.
  bool Get(T* value) const {
    const uint32_t turn = turn_.load(std::memory_order_acquire);
    if (turn % 2 != 0) return false;
    std::array<uint64_t, kWords> words;
    for (size_t i = 0; i < kWords; ++i) words[i] = words_[i].load(std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_acquire);
    if (turn_.load(std::memory_order_relaxed) != turn) return false;
    std::memcpy(static_cast<void*>(value), words.data(), sizeof(T));
    return true;
  }

 private:
  static constexpr size_t kWords = sizeof(T) / sizeof(uint64_t);
  std::atomic<uint32_t> turn_{0};
  std::array<std::atomic<uint64_t>, kWords> words_ = {};
};

struct EndpointEntry;

// Of one model: what a share rule and success rates are taken over.
using EndpointGroup = std::vector<EndpointEntry*>;

struct ProviderEntry {
  uint64_t id = 0;
  std::string name;
  std::atomic<bool> plain{true};  // of each of its keys there is nothing to be known
  std::atomic<int> in_flight{0};
  std::atomic<int> repeats{0};                                          // of them
  std::array<std::atomic<uint64_t>, Provider::kMostKeys> key_ids = {};  // by slot; 0: free
  // As the newest snapshot has it; null: it has no such provider. To be compared, not followed.
  std::atomic<const Provider*> newest{nullptr};

  size_t SlotOf(uint64_t key_id) const;  // kMostKeys: none
  // Of that key of `of`, which may be of an older snapshot, as the newest one has it; null: that
  // has it no more. Without a lock where `of` is the newest; it points into that then.
  std::shared_ptr<const Secret> SecretOf(const Provider& of, size_t key, size_t slot) const;

  mutable Mutex mu;
  std::array<KeyHealth, Provider::kMostKeys> keys SR_GUARDED_BY(mu);
  std::array<std::string, Provider::kMostKeys> key_names SR_GUARDED_BY(mu);
  // By slot; null: the newest snapshot has no such key.
  std::array<std::shared_ptr<const Secret>, Provider::kMostKeys> secrets SR_GUARDED_BY(mu);
  bool Lists(size_t slot) const SR_REQUIRES(mu) { return secrets[slot] != nullptr; }
};

struct EndpointEntry {
  uint64_t id = 0;
  std::string provider_name;
  std::string model;  // the catalog's id; where several list it, of the first
  std::string upstream_model;
  std::string tag;
  std::atomic<ProviderEntry*> provider{nullptr};
  // Nothing of it, nor of a key here, is in anybody's way.
  std::atomic<bool> plain{true};
  std::atomic<int64_t> ejected_until_ns{0};                          // 0: it is not
  std::array<std::atomic<int>, Provider::kMostKeys> in_flight = {};  // by slot of the key
  SeqCell<HealthView> view;
  std::atomic<int64_t> viewed_ns{0};

  mutable Mutex mu;
  EndpointHealth health SR_GUARDED_BY(mu);
  std::array<PairHealth, Provider::kMostKeys> pairs SR_GUARDED_BY(mu);
  // Of an endpoint of several models: of the smallest, which can spare the least; and of the
  // largest, to be compared with.
  std::shared_ptr<const EndpointGroup> group SR_GUARDED_BY(mu);
  std::shared_ptr<const EndpointGroup> peers SR_GUARDED_BY(mu);
  bool listed SR_GUARDED_BY(mu) = false;
  TimePoint gone_at SR_GUARDED_BY(mu);
  std::array<uint64_t, kEjectedForCount> ejections SR_GUARDED_BY(mu) = {};
  std::array<uint64_t, 3> probes SR_GUARDED_BY(mu) = {};

  // The figures of a row.
  void Fill(HealthRow* row, TimePoint now) const SR_REQUIRES(mu);
  // What is read without the lock.
  void Publish(const HealthRules& rules, bool last_resort, TimePoint now) SR_REQUIRES(mu);
};

// Entries by id; what is in it stays. Readers take no lock; one writer at a time.
template <typename Entry>
class HealthTable::Index {
 public:
  Entry* Find(uint64_t id) const {
    if (id == 0) return nullptr;
    for (size_t i = 0; i < kPlaces; ++i) {
      Entry* const entry = places_[(id + i) % kPlaces].load(std::memory_order_acquire);
      if (entry == nullptr || entry->id == id) return entry;
    }
    return nullptr;
  }
  // Null: there are kMost already.
  Entry* FindOrMake(uint64_t id) {
    if (Entry* const entry = Find(id)) return entry;
    if (id == 0 || owned_.size() >= kMost) return nullptr;
    Entry* const entry = owned_.emplace_back(std::make_unique<Entry>()).get();
    entry->id = id;
    size_t place = id % kPlaces;
    while (places_[place].load(std::memory_order_relaxed) != nullptr) place = (place + 1) % kPlaces;
    places_[place].store(entry, std::memory_order_release);
    return entry;
  }
  // By the writer alone.
  const std::vector<std::unique_ptr<Entry>>& all() const { return owned_; }

 private:
  static constexpr size_t kPlaces = 2 * kMost;
  std::vector<std::unique_ptr<Entry>> owned_;
  std::array<std::atomic<Entry*>, kPlaces> places_ = {};
};

}  // namespace seekroute
