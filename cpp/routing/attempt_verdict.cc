#include "routing/attempt_verdict.h"

namespace seekroute {

AttemptVerdict VerdictOn(const FailedAttempt& failed) {
  using Key = AttemptVerdict::Key;
  if (failed.of_client) return {};
  FailedAttempt whole = failed;
  whole.content_relayed = false;
  const Duration retry_after = Duration::Milliseconds(failed.error.retry_after_ms);
  const FailureClass failure = ClassOf(whole);
  if (failed.error.of_request) {
    // A firewall that goes on refusing one body after the other is the endpoint's fault.
    return {failure == FailureClass::kForbidden ? Outcome::kFault : Outcome::kNeutral,
            Key::kNothing,
            {}};
  }
  switch (failure) {
    case FailureClass::kNotSent:
      return {Outcome::kOriginFault, Key::kNothing, {}};
    case FailureClass::kServer:
    case FailureClass::kTimeout:
    case FailureClass::kDied:
    case FailureClass::kErrorInAnswer:
      return {Outcome::kFault, Key::kNothing, {}};
    case FailureClass::kOverloaded:
      // Who says when to come back is in order.
      if (retry_after.ns > 0) return {Outcome::kNeutral, Key::kNothing, retry_after};
      return {Outcome::kFault, Key::kNothing, {}};
    case FailureClass::kRateLimited:
      return {Outcome::kLimited, Key::kLimited, retry_after};
    case FailureClass::kNoCredit:
      return {Outcome::kNeutral, Key::kNoCredit, {}};
    case FailureClass::kBadKey:
      return {Outcome::kNeutral, Key::kBad, {}};
    case FailureClass::kForbidden:
      return {Outcome::kNeutral, Key::kForbidden, {}};
    case FailureClass::kNoModel:
      return {Outcome::kNeutral, Key::kNoModel, {}};
    // The request's, or ours. The endpoint has said so in order.
    case FailureClass::kContext:
    case FailureClass::kPolicy:
    case FailureClass::kRefused:
    case FailureClass::kAfterContent:
    case FailureClass::kOurs:
      break;
  }
  return {};
}

}  // namespace seekroute
