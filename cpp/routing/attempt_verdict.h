// What the end of an attempt says of the endpoint and the key that it was made with. Pure.
#pragma once

#include "base/error.h"
#include "base/time.h"
#include "routing/endpoint_health.h"
#include "routing/key_health.h"
#include "routing/retry_table.h"

namespace seekroute {

struct AttemptVerdict {
  Outcome outcome = Outcome::kNeutral;  // of the endpoint
  enum class Key : uint8_t {
    kNothing,
    kWorked,
    kLimited,
    kBad,
    kNoCredit,
    kForbidden,  // at this endpoint
    kNoModel,    // likewise: there is no such model for it
  } key = Key::kNothing;
  // The endpoint, or the key where that is what is limited, is not to be asked for so long; 0: not
  // said.
  Duration retry_after;
};

// An answer that came whole.
inline AttemptVerdict Answered() { return {Outcome::kOk, AttemptVerdict::Key::kWorked, {}}; }

// A failure, whatever had reached the client by then: content_relayed is not looked at.
AttemptVerdict VerdictOn(const FailedAttempt& failed);

}  // namespace seekroute
