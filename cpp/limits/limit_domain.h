// What a limiter keeps under one lock. Its own alone.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "limits/limit_queue.h"
#include "limits/limiter.h"

namespace seekroute {

// Two threads may have read the clock in another order than they come in, and one may have been
// stopped for a while between the two.
inline constexpr Duration kLimitRace = Duration::Seconds(60);

// Holders of a domain after which those at rest are looked for, at first.
inline constexpr size_t kFirstLimitSweep = 1024;

inline constexpr LimitScope kLimitsOfKeys[] = {LimitScope::kKey, LimitScope::kKeyModel};

constexpr bool IsOfKey(LimitScope scope) { return scope <= LimitScope::kKeyModel; }

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
  size_t sweep_at SR_GUARDED_BY(mu) = kFirstLimitSweep;
  Part* live = nullptr;  // likewise under mu, which is not seen through a Pick
  uint64_t changes = 0;  // of what is used; likewise
  // What of an organization waits, wherever.
  struct Waiting {
    int64_t requests = 0;
    int64_t bytes = 0;
  };
  std::unordered_map<std::string, Waiting, Hash, std::equal_to<>> waiting;  // likewise

  LimitTime TimeOf(const LimitTime& time) SR_REQUIRES(mu) {
    const bool race = time.now < told && told - time.now < kLimitRace;
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

  // There may be more room in what it has.
  static void WakeFirst(const Holder& holder, LimitWakes* wakes) {
    if (holder.queues != nullptr) holder.queues->WakeFirst(wakes);
  }

  Holder* FindKey(const LimitSubject& who, const LimitTime& time, LimitWakes* wakes)
      SR_REQUIRES(mu) {
    return FindKey(LimitScope::kKey, who.key, *who.key_limits, who.key_version, time, wakes);
  }

  // That of a key, with its newest limits.
  Holder* FindKey(LimitScope scope, std::string_view id, const LimitSet& limits, uint64_t version,
                  const LimitTime& time, LimitWakes* wakes) SR_REQUIRES(mu) {
    Holder* holder = Find(scope, id);
    if (holder == nullptr) {
      holder = &holders[static_cast<size_t>(scope)][std::string(id)];
    }
    if (holder->next_version <= version) {
      holder->meter.Change(limits, time.now, LiveOf(*holder));
      holder->next_version = version + 1;
      WakeFirst(*holder, wakes);
    }
    return holder;
  }

  // As often as the number of keys doubles. Before any of them is looked for.
  void Sweep(const LimitTime& time) SR_REQUIRES(mu) {
    const auto count = [this]() SR_REQUIRES(mu) {
      size_t keys = 0;
      for (const LimitScope scope : kLimitsOfKeys)
        keys += holders[static_cast<size_t>(scope)].size();
      return keys;
    };
    if (count() < sweep_at) return;
    for (Holders& all : holders) {
      std::erase_if(all, [&time](const auto& each) {
        const Holder& holder = each.second;
        return !holder.limits && holder.queues == nullptr && holder.meter.AtRest(time);
      });
    }
    sweep_at = std::max(kFirstLimitSweep, 2 * count());
  }

  // What requests that run have taken of it. A step for each of those of the domain.
  std::vector<Meter::Taken*> LiveOf(const Holder& holder) const {
    std::vector<Meter::Taken*> found;
    for (Part* part = live; part != nullptr; part = part->after)
      if (part->holder == &holder) found.push_back(&part->taken);
    return found;
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
  uint64_t Census(LimitWakes* wakes) SR_REQUIRES(mu) {
    for (Part* part = live; part != nullptr; part = part->after) ++part->holder->counted;
    uint64_t leaks = 0;
    for (Holders& all : holders) {
      for (auto& [id, holder] : all) {
        const int64_t counted = std::exchange(holder.counted, 0);
        const int64_t off = holder.meter.running() - counted;
        leaks += static_cast<uint64_t>(off < 0 ? -off : off);
        holder.meter.Correct(counted);
        if (off != 0) WakeFirst(holder, wakes);
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
  std::string_view org, key;  // whose request it is
  int64_t weight = 1;         // of the organization, in queues

  void Add(LimitScope scope, Holder* holder, Domain* domain, const LimitTime& time) {
    if (holder != nullptr) all[static_cast<size_t>(scope)] = {holder, domain, time};
  }

  // Null: none, or of a key.
  const LimitSet* LimitsOf(LimitScope scope) const {
    const Holder* const holder = all[static_cast<size_t>(scope)].holder;
    return holder != nullptr ? holder->limits.get() : nullptr;
  }

  // Another model is to answer: the limits of all others stay out of it.
  void KeepModelAlone();

  LimitsLeft Left() const;
  // Of the queues of that holder, a request of that cost.
  LimitQueue::Share ShareOf(LimitScope scope, LimitDimension dimension,
                            const LimitCost& cost) const;
  // The same of each; of what it does not take, no units.
  LimitQueues::Shares SharesOf(LimitScope scope, const LimitCost& cost) const;
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

}  // namespace seekroute
