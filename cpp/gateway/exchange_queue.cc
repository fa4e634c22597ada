// An exchange at its limits: it passes them, waits for its turn, or is refused.
#include <string>
#include <utility>

#include "gateway/answer_head.h"
#include "gateway/exchange.h"
#include "gateway/shadow.h"

namespace seekroute {

void Exchange::PassGate() {
  if (state_ != State::kAdmitting && state_ != State::kQueued) return;
  Status passed = gate_.Enter(in_.body, Deadline());
  laps_.End(state_ == State::kQueued ? "queue" : "limit");
  if (passed.ok() && gate_.waits()) return Fire(Event::kWaits);
  // Its money is held by what holds for the key now.
  if (gate_.queue().newest() != nullptr) admission_.key = gate_.queue().newest();
  if (passed.ok()) passed = purse_.Bound(Pays(), record_.created);
  if (!passed.ok()) {
    error_ = std::move(passed.error());
    return Fire(Event::kRefused);
  }
  DrawShadow(in_, admission_, world_, &outbox_);
  Fire(Pays() ? Event::kPays : Event::kFree);
}

void Exchange::Wait() {
  const TimePoint now = world_.clock->Now();
  const bool told = in_.options.queue_progress && ask().stream;
  if (told && now >= next_progress_) TellProgress();
  if (told && (next_progress_ == TimePoint::Never() || now >= next_progress_)) {
    next_progress_ = now + QueueStay::kTick;
  }
  world_.host->OnDeadline(in_.id, NextDeadline());
}

// The first of these says 200: what fails after it is an event of the stream.
void Exchange::TellProgress() {
  if (!outbox_.head_sent()) {
    Compose({});
    PutHead(StreamHead(record_, *admission_.profile, {}));
  }
  outbox_.Comment(": queue position=" + std::to_string(gate_.queue().Position()) +
                  " waited_ms=" + std::to_string(gate_.queue().Waited().ns / 1'000'000) + "\n");
}

}  // namespace seekroute
