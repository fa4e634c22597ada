#include "limits/fair_queue.h"

#include <algorithm>

namespace seekroute {

FairQueue::Waiter::~Waiter() {
  if (queue_ != nullptr) queue_->Remove(this);
}

FairQueue::~FairQueue() {
  for (auto& [id, flow] : flows_) {
    for (Waiter* each = flow.first; each != nullptr; each = each->after_) each->queue_ = nullptr;
  }
}

int64_t FairQueue::Share(const Flow& flow) const {
  int64_t share = 0;
  if (__builtin_mul_overflow(quantum_, flow.weight, &share)) return INT64_MAX / 2;
  return share;
}

// A new one comes last in the round, and may spend its share when its turn comes.
FairQueue::Flow* FairQueue::FlowOf(const Waiter& waiter) {
  const auto [at, is_new] = flows_.try_emplace(waiter.flow_id_);
  Flow* const flow = &at->second;
  if (!is_new) return flow;
  flow->id = waiter.flow_id_;
  flow->weight = std::clamp<int64_t>(waiter.weight_, 1, kMostWeight);
  if (turn_ == nullptr) {
    flow->before = flow->after = flow;
    turn_ = flow;
    flow->deficit = Share(*flow);
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
  ++waiters_;
  cost_ += waiter->cost_;
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
  --waiters_;
  cost_ -= waiter->cost_;
  if (flow->first == nullptr) EndFlow(flow);
}

// What it could not spend ends with it: who does not wait saves nothing up.
void FairQueue::EndFlow(Flow* flow) {
  if (turn_ == flow) {
    turn_ = flow->after != flow ? flow->after : nullptr;
    if (turn_ != nullptr) turn_->deficit += Share(*turn_);
  }
  flow->before->after = flow->after;
  flow->after->before = flow->before;
  flows_.erase(flow->id);
}

FairQueue::Waiter* FairQueue::Next() {
  if (turn_ == nullptr) return nullptr;
  while (turn_->first->cost_ > turn_->deficit) {
    turn_ = turn_->after;
    turn_->deficit += Share(*turn_);
  }
  return turn_->first;
}

void FairQueue::Serve() {
  Waiter* const served = Next();
  if (served == nullptr) return;
  turn_->deficit -= served->cost_;
  Remove(served);
}

// It is the nth of its flow. So of the flows before it in the ring n are served first, if there are
// as many, and of those after it n - 1.
size_t FairQueue::PositionOf(const Waiter& waiter) const {
  size_t nth = 1;
  for (const Waiter* each = waiter.before_; each != nullptr; each = each->before_) ++nth;
  const bool turn_is_over = turn_->first->cost_ > turn_->deficit;
  size_t position = nth;
  size_t rounds = nth;
  const Flow* flow = turn_is_over ? turn_->after : turn_;
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
