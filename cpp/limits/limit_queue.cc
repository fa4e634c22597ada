#include "limits/limit_queue.h"

namespace seekroute {

LimitQueue::Place* LimitQueue::First() {
  FairQueue::Waiter* const next = fair_.Next();
  return next != nullptr ? static_cast<Place::Turn*>(next)->whose : nullptr;
}

void LimitQueue::Wake(Place* place, LimitWakes* wakes) {
  if (std::exchange(place->woken, true)) return;
  wakes->Add(place->waiter->waker_, place->waiter->id_);
}

void LimitQueue::WakeFirst(LimitWakes* wakes) {
  first_ = First();
  if (first_ != nullptr) Wake(first_, wakes);
}

// Somebody else than before, who does not know it yet.
void LimitQueue::TellFirst(const Place* knows, LimitWakes* wakes) {
  Place* const first = First();
  if (std::exchange(first_, first) == first || first == nullptr || first == knows) return;
  Wake(first, wakes);
}

void LimitQueue::Join(Place* place, const Share& share, LimitWakes* wakes) {
  place->queue = this;
  place->units = share.units;
  place->turn.emplace(place, place->waiter->ticket_, share.flow, share.cost, share.weight);
  fair_.Add(&*place->turn);
  units_ += share.units;
  TellFirst(place, wakes);
}

void LimitQueue::Leave(Place* place, bool served, LimitWakes* wakes) {
  if (served && IsFirst(*place)) {
    fair_.Serve();
  } else {
    fair_.Remove(&*place->turn);
  }
  units_ -= place->units;
  place->turn.reset();
  place->queue = nullptr;
  TellFirst(nullptr, wakes);
}

// One that waits in a queue of no smaller reach, with an older ticket than the first here, is let
// pass. Else two could send one another back and forth for ever: so by turns a request goes to
// queues of greater reach alone, and there the oldest of an organization never leaves its place.
int64_t LimitQueue::UnitsBefore(const LimitWaiter* waiter, const Share& share) {
  const Place* const first = First();
  const Place* const place = waiter != nullptr ? waiter->place_.get() : nullptr;
  if (first == nullptr || first == place) return 0;
  if (place != nullptr && place->queue == this) return units_ - place->units;
  if (is_everybodys() && (place == nullptr || place->queue->reach_ < reach_)) {
    const uint64_t ticket = place != nullptr ? waiter->ticket_ : UINT64_MAX;
    return fair_.CostBefore(share.flow, share.cost, share.weight, ticket);
  }
  if (place == nullptr) return units_;
  return first->waiter->ticket_ < waiter->ticket_ ? units_ : 0;
}

void LimitQueue::Pass(const Share& share, LimitWakes* wakes) {
  if (!is_everybodys()) return;
  fair_.Pass(share.flow, share.cost, share.weight);
  TellFirst(nullptr, wakes);
}

}  // namespace seekroute
