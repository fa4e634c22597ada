// Who waits for room in one cell of a limit, and whose turn it is: deficit round robin. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>

namespace seekroute {

// Waiters are grouped into flows: the keys of an organization where the cell is its own, the
// organizations where the cell is everybody's. Within a flow the oldest ticket comes first. The
// flows take turns, in rounds: in each a flow may spend `quantum` times its weight more, and what
// it could not spend is kept for the next round while it has waiters. So over any time in which two
// flows wait, what each is served, divided by its weight, differs by at most a quantum and the
// dearest waiter of either.
//
// A round begins no sooner than somebody is served in it. So whoever comes while a dear one waits
// for rounds to come is served before it, as long as that has a share of this round left: also who
// does not wait at all, but passes.
//
// Where requests count and not their costs, all cost 1 and the quantum is 1: plain round robin.
//
// Owns no waiter. Not thread-safe.
class FairQueue {
 private:
  struct Flow;

 public:
  using FlowId = uint64_t;

  static constexpr int64_t kMostWeight = 100;

  // One that waits: kept by whoever waits, at one place in memory, until it has been served or
  // removed. It may wait again, also in another queue.
  class Waiter {
   public:
    // `ticket`: when it came first, among all that ever wait; `cost`: at least 1.
    Waiter(uint64_t ticket, FlowId flow, int64_t cost, int64_t weight = 1)
        : ticket_(ticket), flow_id_(flow), cost_(cost), weight_(weight) {}
    ~Waiter();
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;

    bool waits() const { return queue_ != nullptr; }
    int64_t cost() const { return cost_; }

   private:
    friend class FairQueue;
    const uint64_t ticket_;
    const FlowId flow_id_;
    const int64_t cost_;
    const int64_t weight_;  // of its flow: 1 to kMostWeight
    FairQueue* queue_ = nullptr;
    Flow* flow_ = nullptr;
    Waiter* before_ = nullptr;
    Waiter* after_ = nullptr;
  };

  // Flows of which is known what they have spent in a round without waiting in it.
  static constexpr size_t kMostSpent = 4096;

  // `quantum`: at least 1.
  explicit FairQueue(int64_t quantum) : quantum_(quantum) {}
  ~FairQueue();
  FairQueue(const FairQueue&) = delete;
  FairQueue& operator=(const FairQueue&) = delete;

  // It waits here, behind the older ones of its flow; nowhere before. A step for each younger one.
  void Add(Waiter* waiter);

  // It does not wait any longer; nothing where it did not. In constant time.
  void Remove(Waiter* waiter);

  // Whose turn it is: the same until it is served or removed, or one comes that may be served in an
  // earlier round. Null: nobody waits. A step for each flow, where anything has changed.
  Waiter* Next();

  // Next() has got what it waited for: it is removed, and its flow has spent its cost.
  void Serve();

  bool empty() const { return waiters_ == 0; }
  size_t size() const { return waiters_; }
  // Of all that wait.
  int64_t cost() const { return cost_; }

  // What is served before one that comes now, exact where all cost the same, else more by less than
  // a waiter of each flow; 0: it would be Next(). A step for each flow.
  // `ticket`: of one that has waited elsewhere; before the first of its flow it goes at its turn.
  int64_t CostBefore(FlowId flow, int64_t cost, int64_t weight, uint64_t ticket = UINT64_MAX) const;
  // One that would be Next() is served without waiting.
  void Pass(FlowId flow, int64_t cost, int64_t weight);
  // The number of its turn, the first being 1: exact where each costs a quantum and all weigh the
  // same, else about. A step for each older one of its flow, and for each flow. It waits here.
  size_t PositionOf(const Waiter& waiter) const;
  // How many of a flow wait.
  size_t WaitersOf(FlowId flow) const;

 private:
  struct Flow {
    FlowId id;
    int64_t weight;
    int64_t deficit = 0;  // what it may spend in round `round`
    int64_t round = 0;
    size_t waiters = 0;
    int64_t cost = 0;  // of all of them
    Waiter* first = nullptr;
    Waiter* last = nullptr;
    Flow* before = nullptr;  // the ring of those that have waiters
    Flow* after = nullptr;
  };

  Flow* FlowOf(const Waiter& waiter);
  void EndFlow(Flow* flow);
  // Of a round, to a flow of that weight.
  int64_t Share(int64_t weight) const;
  // What a flow may still spend in this round.
  int64_t LeftOf(const Flow& flow) const;
  int64_t LeftOf(FlowId flow, int64_t weight) const;
  // How many more rounds pass before `flow` may serve its first.
  int64_t RoundsTo(const Flow& flow) const;
  void GoOn(int64_t rounds);
  void KeepLeft(FlowId flow, int64_t left, int64_t weight);

  const int64_t quantum_;
  std::unordered_map<FlowId, Flow> flows_;     // those that have waiters
  std::unordered_map<FlowId, int64_t> spent_;  // others that have spent: what is left of this round
  int64_t round_ = 0;
  Flow* turn_ = nullptr;  // of those that may be served in the same round it is the first
  Flow* next_ = nullptr;  // as Next() has found it; null: it is to be looked for
  size_t waiters_ = 0;
  int64_t cost_ = 0;
};

}  // namespace seekroute
