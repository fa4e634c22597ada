// What may be done after a failed attempt: the one table of the classes of failure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/error.h"

namespace seekroute {

// The kinds of failure that are followed differently. The order is that of the table.
enum class FailureClass : uint8_t {
  kNotSent,        // DNS, connect, TLS: no byte of the request can have left
  kRateLimited,    // the provider's pace
  kNoCredit,       // the operator's account there is used up
  kBadKey,         // the operator's key there is none
  kForbidden,      // the operator's account may not do this there
  kNoModel,        // the provider does not know the model
  kServer,         // a fault of the provider's, said by a status
  kOverloaded,     // the provider says that it is
  kTimeout,        // nothing came in time
  kDied,           // the connection did, or what came is no answer
  kErrorInAnswer,  // an answer that says before its content that it is none
  kContext,        // the prompt is too long for the model
  kPolicy,         // the provider refuses the content
  kRefused,        // the provider refuses the request
  kAfterContent,   // whatever it was: the client has a part of the answer
  kOurs,           // not the provider's at all
};
inline constexpr size_t kFailureClassCount = static_cast<size_t>(FailureClass::kOurs) + 1;

// Its label in metrics.
std::string_view NameOf(FailureClass failure);

// Where a further attempt goes, seen from the failed one.
enum class Step : uint8_t {
  kSameEndpoint,   // with the same key
  kOtherKey,       // of the provider, at the same endpoint
  kOtherEndpoint,  // of the same model, at this provider
  kOtherProvider,  // of the same model
  kOtherModel,
};
inline constexpr size_t kStepCount = static_cast<size_t>(Step::kOtherModel) + 1;

// On what condition it may go there.
enum class May : uint8_t {
  kNever,
  kAtOnce,
  kIfStale,          // once, where a connection of the pool turned out to be dead
  kIfAlone,          // once, where nobody else can be asked; after a wait
  kIfAmbiguous,      // where the operator lets work be done, and billed, twice
  kIfLonger,         // where the endpoint has a longer context
  kIfSaidOtherwise,  // where the operator has a client's error asked of other models
};

// By the operator. Immutable; thread-safe.
struct RetryPolicy {
  int max_attempts = 3;
  // Ask again although the first provider may have done (and billed) the work: timeouts and
  // connections that died after the request was sent.
  bool retry_ambiguous = false;
  // A request that one model refuses is asked of the others that it names.
  bool fallback_on_400 = false;
};

// What is known of a failed attempt.
struct FailedAttempt {
  const Error& error;
  bool dispatched = false;       // some byte of the request may have reached the provider
  bool content_relayed = false;  // a byte of the answer has reached the client
  bool in_answer = false;        // said behind a status of 2xx
  // The limit that it ran into is the endpoint's own: whoever sets one wants the next to be asked.
  bool own_limit = false;
  // Its client has asked for less time than there was, or took nothing of the answer: it says
  // nothing of the provider.
  bool of_client = false;
};

// Pure and total.
FailureClass ClassOf(const FailedAttempt& failed);

// Pure.
May MayFollow(FailureClass failure, Step step);

// What a condition may hang on.
struct Circumstances {
  bool own_limit = false;  // of FailedAttempt
  bool longer = false;     // the other endpoint has a longer context, as far as that is known
};

// The condition holds. kIfStale and kIfAlone are for whoever knows of connections and of the route:
// false.
bool Holds(May may, const RetryPolicy& policy, const Circumstances& at);

}  // namespace seekroute
