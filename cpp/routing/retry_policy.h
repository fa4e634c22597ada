// Whether another candidate may be asked after a failure.
#pragma once

#include "base/error.h"

namespace seekroute {

// What is known of a failed attempt.
struct FailedAttempt {
  const Error& error;
  int attempts_made = 0;         // this one included
  bool dispatched = false;       // some byte of the request may have reached the provider
  bool content_relayed = false;  // a byte of the answer has reached the client
};

// Immutable; thread-safe.
struct RetryPolicy {
  int max_attempts = 3;
  // Ask again although the first provider may have done (and billed) the work: timeouts and
  // connections that died after the request was sent.
  bool retry_ambiguous = false;

  // True when asking the next candidate cannot repeat output, and repeats cost only where the
  // operator allowed it.
  bool MayTryNext(const FailedAttempt& failed) const {
    if (failed.content_relayed || failed.attempts_made >= max_attempts) return false;
    if (!TraitsOf(failed.error.code).try_next) return false;
    // A definite answer, by its status or in words: nothing more comes of that attempt.
    const bool refused = failed.error.said_by_upstream || failed.error.upstream_status >= 400;
    return refused || !failed.dispatched || retry_ambiguous;
  }
};

}  // namespace seekroute
