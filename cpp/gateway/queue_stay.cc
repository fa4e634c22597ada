#include "gateway/queue_stay.h"

#include <algorithm>

namespace seekroute {

LimitPatience PatienceOf(const HeaderOptions& asked, const GatewayOptions& options, TimePoint since,
                         TimePoint deadline) {
  return {.asked = asked.queue,
          .usual = options.queue_wait,
          .most = std::min(Duration::Milliseconds(LimitSet::kMostQueueMs),
                           deadline - since - QueueStay::kLeastForAnswer),
          .since = since};
}

LimitPatience QueueStay::Patience(TimePoint deadline) {
  if (!since_) since_ = world_.clock->Now();
  return PatienceOf(in_.options, *world_.options, *since_, deadline);
}

LimitWaiter* QueueStay::Waiter(size_t body_bytes) {
  if (world_.waker == nullptr) return nullptr;
  if (!waiter_) waiter_.emplace(world_.waker, in_.id, body_bytes);
  return &*waiter_;
}

void QueueStay::Learn(const Limiter::Answer& answer) {
  if (!answer.waits) return End();
  has_waited_ = true;
  again_ = answer.again;
  until_ = answer.until;
  const TimePoint now = world_.clock->Now();
  if (tick_ <= now) tick_ = now + kTick;
}

TimePoint QueueStay::NextDeadline() const { return std::min({again_, until_, tick_}); }

Duration QueueStay::Waited() const {
  if (!has_waited_) return {};
  return waited_.value_or(world_.clock->Now() - *since_);
}

Status QueueStay::CheckKey() {
  if (!admission_.key) return {};
  auto found = world_.keys->Find(admission_.key_mac, world_.clock->WallTime().seconds());
  if (!found) return std::move(found.error());
  key_ = std::move(*found);
  return KeyRing::CheckUsable(*key_);
}

void QueueStay::End() {
  if (waiter_) waiter_->Leave();
  if (!has_waited_ || waited_) return;
  waited_ = Waited();
  world_.stats->CountQueueWait(*waited_);
}

}  // namespace seekroute
