// Those that wait for room in one limit of one holder. For Limiter, under its locks.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "limits/fair_queue.h"
#include "limits/limit_set.h"
#include "limits/limit_waiter.h"
#include "limits/limiter.h"

namespace seekroute {

// Who is woken at its end: to be made before the locks are taken, as that is after they are free.
// At most one a queue that has changed.
class LimitWakes {
 public:
  LimitWakes() = default;
  ~LimitWakes() {
    for (const auto& [waker, id] : due_) waker->Wake(id);
  }
  LimitWakes(const LimitWakes&) = delete;
  LimitWakes& operator=(const LimitWakes&) = delete;

  void Add(LimitWaker* waker, uint64_t id) { due_.emplace_back(waker, id); }

 private:
  std::vector<std::pair<LimitWaker*, uint64_t>> due_;
};

class LimitQueue;

// Where a waiter stands. Its queue and domain change in Reserve() and Leave() of its own thread
// alone; all else under the lock of that domain.
struct LimitWaiter::Place {
  // As the queue sees it: made anew for each, as a cost is one of a cell.
  struct Turn : FairQueue::Waiter {
    Turn(Place* place, uint64_t ticket, FairQueue::FlowId flow, int64_t cost, int64_t weight)
        : Waiter(ticket, flow, cost, weight), whose(place) {}
    Place* const whose;
  };

  Limiter* limiter = nullptr;
  Limiter::Domain* own = nullptr;     // of its organization, which counts it
  Limiter::Domain* domain = nullptr;  // of the holder in whose queue it stands
  Limiter::Holder* holder = nullptr;
  LimitDimension dimension = LimitDimension::kConcurrent;
  LimitQueue* queue = nullptr;
  const LimitWaiter* waiter = nullptr;
  std::string org;
  std::optional<Turn> turn;
  int64_t units = 0;   // of what the cell counts
  bool woken = false;  // and has not reserved since
};

// Whoever is first is woken, and nobody else: it takes what it needs, and the next one is first.
class LimitQueue {
 public:
  using Place = LimitWaiter::Place;

  // `reach`: 0 of a queue at what one organization or app has to itself: nobody overtakes who
  // waits. What is everybody's has more, no two queues of one request the same: who does not wait
  // yet, or waits where the reach is smaller, is let pass as the turns of flows have it.
  LimitQueue(int reach, int64_t quantum) : reach_(reach), fair_(quantum) {}

  // What a request takes there, and beside whom it waits.
  struct Share {
    FairQueue::FlowId flow = 0;
    int64_t cost = 1;  // of its turn
    int64_t weight = 1;
    int64_t units = 1;  // of the limit
  };
  // After Join() whoever is first is woken, but for `place`; after Leave() likewise. `served`: it
  // got what it waited for.
  void Join(Place* place, const Share& share, LimitWakes* wakes);
  void Leave(Place* place, bool served, LimitWakes* wakes);

  bool empty() const { return fair_.empty(); }
  bool IsFirst(const Place& place) { return First() == &place; }
  // What is taken before `waiter`, in units of the limit; 0: it overtakes nobody. Null, and
  // whoever waits nowhere: one that comes now, with that share.
  int64_t UnitsBefore(const LimitWaiter* waiter, const Share& share);
  // One that does not wait here has taken its share.
  void Pass(const Share& share, LimitWakes* wakes);
  size_t PositionOf(const Place& place) { return fair_.PositionOf(*place.turn); }
  // There may be room.
  void WakeFirst(LimitWakes* wakes);

 private:
  Place* First();
  static void Wake(Place* place, LimitWakes* wakes);
  void TellFirst(const Place* knows, LimitWakes* wakes);

  bool is_everybodys() const { return reach_ > 0; }

  const int reach_;
  FairQueue fair_;
  Place* first_ = nullptr;  // who was it last, and knows
  int64_t units_ = 0;       // that all take of the limit
};

// Of one holder. Most have none.
struct LimitQueues {
  std::array<std::unique_ptr<LimitQueue>, kLimitDimensions> all;

  bool empty() const {
    for (const auto& each : all) {
      if (each != nullptr) return false;
    }
    return true;
  }
  void WakeFirst(LimitWakes* wakes) {
    for (const auto& each : all) {
      if (each != nullptr) each->WakeFirst(wakes);
    }
  }
  // By dimension.
  using Shares = std::array<LimitQueue::Share, kLimitDimensions>;
  UnitsAhead UnitsBefore(const LimitWaiter* waiter, const Shares& shares) const {
    UnitsAhead ahead{};
    for (size_t i = 0; i < kLimitDimensions; ++i) {
      if (all[i] != nullptr) ahead[i] = all[i]->UnitsBefore(waiter, shares[i]);
    }
    return ahead;
  }
  // `served`: the queue in which it had its turn; null: in none.
  void Pass(const Shares& shares, const LimitQueue* served, LimitWakes* wakes) {
    for (size_t i = 0; i < kLimitDimensions; ++i) {
      const bool passes = all[i] != nullptr && all[i].get() != served && shares[i].units > 0;
      if (passes) all[i]->Pass(shares[i], wakes);
    }
  }
};

}  // namespace seekroute
