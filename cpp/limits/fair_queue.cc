#include "limits/fair_queue.h"

#include <algorithm>

namespace seekroute {
namespace {

// At most half of all: sums of two do not overflow.
int64_t Times(int64_t a, int64_t b) {
  int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) return INT64_MAX / 2;
  return std::min(product, INT64_MAX / 2);
}

// How many shares make up so much, of which less than nothing may be lacking.
int64_t RoundsFor(int64_t lacking, int64_t share) {
  return lacking > 0 ? (lacking - 1) / share + 1 : 0;
}

}  // namespace

FairQueue::Waiter::~Waiter() {
  if (queue_ != nullptr) queue_->Remove(this);
}

FairQueue::~FairQueue() {
  for (auto& [id, flow] : flows_) {
    for (Waiter* each = flow.first; each != nullptr; each = each->after_) each->queue_ = nullptr;
  }
}

int64_t FairQueue::Share(int64_t weight) const {
  return Times(quantum_, std::clamp<int64_t>(weight, 1, kMostWeight));
}

int64_t FairQueue::LeftOf(const Flow& flow) const {
  return flow.deficit + Times(round_ - flow.round, Share(flow.weight));
}

int64_t FairQueue::LeftOf(FlowId flow, int64_t weight) const {
  const auto found = spent_.find(flow);
  return found != spent_.end() ? found->second : Share(weight);
}

int64_t FairQueue::RoundsTo(const Flow& flow) const {
  return RoundsFor(flow.first->cost_ - LeftOf(flow), Share(flow.weight));
}

void FairQueue::GoOn(int64_t rounds) {
  if (rounds == 0) return;
  round_ += rounds;
  spent_.clear();
}

// Who does not wait saves nothing up. Where too many have spent, the round is over for all.
void FairQueue::KeepLeft(FlowId flow, int64_t left, int64_t weight) {
  if (left >= Share(weight)) return;
  if (spent_.size() >= kMostSpent) GoOn(1);
  spent_[flow] = left;
}

// A new one comes last in the round.
FairQueue::Flow* FairQueue::FlowOf(const Waiter& waiter) {
  const auto [at, is_new] = flows_.try_emplace(waiter.flow_id_);
  Flow* const flow = &at->second;
  if (!is_new) return flow;
  flow->id = waiter.flow_id_;
  flow->weight = std::clamp<int64_t>(waiter.weight_, 1, kMostWeight);
  flow->deficit = LeftOf(flow->id, flow->weight);
  flow->round = round_;
  spent_.erase(flow->id);
  if (turn_ == nullptr) {
    flow->before = flow->after = flow;
    turn_ = flow;
  } else {
    flow->after = turn_;
    flow->before = turn_->before;
    turn_->before->after = flow;
    turn_->before = flow;
  }
  return flow;
}

void FairQueue::Add(Waiter* waiter) {
  Flow* const flow = FlowOf(*waiter);
  Waiter* before = flow->last;
  while (before != nullptr && before->ticket_ > waiter->ticket_) before = before->before_;
  Waiter* const after = before != nullptr ? before->after_ : flow->first;
  waiter->queue_ = this;
  waiter->flow_ = flow;
  waiter->before_ = before;
  waiter->after_ = after;
  (before != nullptr ? before->after_ : flow->first) = waiter;
  (after != nullptr ? after->before_ : flow->last) = waiter;
  ++flow->waiters;
  flow->cost += waiter->cost_;
  ++waiters_;
  cost_ += waiter->cost_;
  next_ = nullptr;
}

void FairQueue::Remove(Waiter* waiter) {
  if (waiter->queue_ != this) return;
  Flow* const flow = waiter->flow_;
  Waiter* const before = waiter->before_;
  Waiter* const after = waiter->after_;
  (before != nullptr ? before->after_ : flow->first) = after;
  (after != nullptr ? after->before_ : flow->last) = before;
  waiter->queue_ = nullptr;
  waiter->flow_ = nullptr;
  waiter->before_ = waiter->after_ = nullptr;
  --flow->waiters;
  flow->cost -= waiter->cost_;
  --waiters_;
  cost_ -= waiter->cost_;
  next_ = nullptr;
  if (flow->first == nullptr) EndFlow(flow);
}

void FairQueue::EndFlow(Flow* flow) {
  if (turn_ == flow) turn_ = flow->after != flow ? flow->after : nullptr;
  flow->before->after = flow->after;
  flow->after->before = flow->before;
  KeepLeft(flow->id, LeftOf(*flow), flow->weight);
  flows_.erase(flow->id);
  if (flows_.empty()) spent_.clear();
}

FairQueue::Waiter* FairQueue::Next() {
  if (turn_ == nullptr) return nullptr;
  if (next_ == nullptr) {
    next_ = turn_;
    int64_t fewest = RoundsTo(*turn_);
    for (Flow* flow = turn_->after; flow != turn_ && fewest > 0; flow = flow->after) {
      const int64_t rounds = RoundsTo(*flow);
      if (rounds >= fewest) continue;
      next_ = flow;
      fewest = rounds;
    }
  }
  return next_->first;
}

void FairQueue::Serve() {
  Waiter* const served = Next();
  if (served == nullptr) return;
  Flow* const flow = next_;
  GoOn(RoundsTo(*flow));
  flow->deficit = LeftOf(*flow) - served->cost_;
  flow->round = round_;
  turn_ = flow;
  const bool ends = flow->waiters == 1;
  Remove(served);
  if (!ends && RoundsTo(*flow) > 0) turn_ = flow->after;  // its turn is over
}

int64_t FairQueue::CostBefore(FlowId flow, int64_t cost, int64_t weight, uint64_t ticket) const {
  const auto found = flows_.find(flow);
  const bool waits = found != flows_.end();
  int64_t before = waits && found->second.first->ticket_ < ticket ? found->second.cost : 0;
  const int64_t left = waits ? LeftOf(found->second) : LeftOf(flow, weight);
  const int64_t rounds =
      RoundsFor(before + cost - left, Share(waits ? found->second.weight : weight));
  for (const auto& [id, other] : flows_) {
    if (id == flow) continue;
    const int64_t spends = LeftOf(other) + Times(rounds, Share(other.weight));
    if (other.first->cost_ <= spends) before += std::min(other.cost, spends);
  }
  return before;
}

void FairQueue::Pass(FlowId flow, int64_t cost, int64_t weight) {
  if (flows_.empty() || flows_.contains(flow)) return;
  const int64_t share = Share(weight);
  const int64_t left = LeftOf(flow, weight);
  const int64_t rounds = RoundsFor(cost - left, share);
  GoOn(rounds);
  KeepLeft(flow, left + Times(rounds, share) - cost, weight);
  next_ = nullptr;
}

// It is the nth of its flow. So of the flows before it in the ring n are served first, if there are
// as many, and of those after it n - 1.
size_t FairQueue::PositionOf(const Waiter& waiter) const {
  size_t nth = 1;
  for (const Waiter* each = waiter.before_; each != nullptr; each = each->before_) ++nth;
  size_t position = nth;
  size_t rounds = nth;
  const Flow* flow = turn_;
  for (size_t i = 0; i < flows_.size(); ++i, flow = flow->after) {
    if (flow == waiter.flow_) {
      rounds = nth - 1;
    } else {
      position += std::min(flow->waiters, rounds);
    }
  }
  return position;
}

size_t FairQueue::WaitersOf(FlowId flow) const {
  const auto found = flows_.find(flow);
  return found != flows_.end() ? found->second.waiters : 0;
}

}  // namespace seekroute
