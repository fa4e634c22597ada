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

// One that came from another queue with an older ticket than the first here is let pass: else two
// could send one another back and forth for ever.
int64_t LimitQueue::UnitsBefore(const LimitWaiter* waiter, const Share& share) {
  const Place* const first = First();
  const Place* const place = waiter != nullptr ? waiter->place_.get() : nullptr;
  if (first == nullptr || first == place) return 0;
  if (place == nullptr) {
    return everybodys_ ? fair_.CostBefore(share.flow, share.cost, share.weight) : units_;
  }
  if (place->queue == this) return units_ - place->units;
  return first->waiter->ticket_ < waiter->ticket_ ? units_ : 0;
}

void LimitQueue::Pass(const Share& share, LimitWakes* wakes) {
  if (!everybodys_) return;
  fair_.Pass(share.flow, share.cost, share.weight);
  TellFirst(nullptr, wakes);
}

}  // namespace seekroute
