// What an exchange has to do by itself, and when.
#include <algorithm>

#include "gateway/exchange.h"

namespace seekroute {

TimePoint Exchange::NextDeadline() const {
  if (state_ == State::kSettling) return purse_.NextDeadline();
  if (state_ == State::kQueued) return gate_.queue().NextDeadline();
  if (state_ == State::kHolding) return std::min(purse_.NextDeadline(), Deadline());
  const TimePoint next = tries_.NextDeadline();
  if (state_ == State::kDone) return next;
  if (state_ != State::kRelaying) return std::min(next, Deadline());
  return std::min({next, Deadline(), outbox_.NextKeepAlive(), purse_.NextNote()});
}

Error Exchange::TimeIsUp() const {
  return MakeError(ErrorCode::kUpstreamTimeout,
                   Hurried() ? "the request took longer than its x-seekroute-timeout-ms"
                             : "the request took longer than this gateway allows");
}

void Exchange::OnTimer(TimePoint now) {
  switch (state_) {
    case State::kSettling:
      if (now >= NextDeadline()) Fire(Event::kSettleLate);
      return;
    case State::kQueued:
      return PassGate();
    case State::kHolding:
      if (now < NextDeadline()) return;
      if (now >= Deadline()) return End(Event::kHoldLate, Ending::kFailed, TimeIsUp());
      return End(Event::kHoldLate, Ending::kFailed,
                 MakeError(ErrorCode::kStoreUnavailable,
                           "the credits could not be looked up in time: send the request again"));
    case State::kDone:
      return tries_.OnTimer(now);
    default:
      break;
  }
  if (now >= Deadline()) {
    // An answer of which nothing but the mark of its end is missing is complete, whatever ends it.
    if (tries_.EndWhole()) return;
    return End(Event::kDeadline, EndingOf(false), TimeIsUp());
  }
  tries_.OnTimer(now);
  if (state_ != State::kRelaying) return;
  // What the client would pay if it left now, should this process die.
  if (now >= purse_.NextNote()) {
    Compose(BillNow(Ending::kClientLeft));
    purse_.Note(record_);
  }
  outbox_.KeepAlive(now);
}

}  // namespace seekroute
