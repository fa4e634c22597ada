// What can go wrong, and the one table that says what each failure means on the wire.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace seekroute {

// Every failure the core can name. The order is free; the table in error.cc is checked against it.
enum class ErrorCode : uint8_t {
  // The client's bytes.
  kInvalidJson,
  kJsonTooDeep,
  kDuplicateKey,
  kInvalidValue,
  kInvalidType,
  kMissingRequiredParameter,
  kUnknownParameter,
  kInvalidUnicode,
  kContextLengthExceeded,
  kInvalidHost,
  kInvalidRequest,
  kRequestTooLarge,
  kUnsupportedContentEncoding,
  kUnsupportedMediaType,
  kHeadersTooLarge,
  kUriTooLong,
  kMethodNotAllowed,
  kNotFound,
  kRequestTimeout,
  kInvalidIdempotencyKey,
  kIdempotencyInProgress,
  kIdempotencyCompleted,
  kIdempotencyMismatch,
  kConflict,
  kPreconditionFailed,
  // Who the client is and what it may do.
  kMissingApiKey,
  kInvalidApiKey,
  kPermissionDenied,
  kAppNotApproved,
  kNotSignedIn,       // in the console
  kCsrfFailed,        // so it was not a page of ours that asked
  kReauthentication,  // signed in, too long ago for this
  kModelNotFound,
  kNoMatchingEndpoint,  // the model is known, and nothing here serves it
  kInsufficientCredits,
  kCreditsHeld,  // the same, and what running requests hold would do
  kMaxCostExceeded,
  kRateLimitExceeded,
  kRateLimitClosed,  // the same, and no time helps: the limit is 0
  kRequestTooLargeForLimit,
  // Our own parts. Never 401, 402, 403, 404 or 429.
  kStoreUnavailable,
  kStorageFull,
  kStorageCorrupt,
  kShuttingDown,
  kOverloaded,
  kNoUpstream,
  kConsoleUnavailable,
  kInternal,
  // The upstream.
  kUpstreamError,
  kUpstreamTls,
  kBadUpstreamResponse,
  kAnswerTooLarge,  // to be held whole: it would be again
  kUpstreamTruncated,
  kUpstreamAuthError,
  kUpstreamNoCredit,
  kUpstreamForbidden,
  kUpstreamModelNotFound,
  kUpstreamTimeout,
  kUpstreamIdleTimeout,
  kUpstreamRateLimited,
  kUpstreamUnavailable,
  kUpstreamInvalidRequest,
  kUpstreamRequestTooLarge,
  kContentPolicyViolation,
  // The client went away before the answer was complete; recorded, never sent.
  kClientClosed,
};
inline constexpr int kErrorCodeCount = static_cast<int>(ErrorCode::kClientClosed) + 1;

// Whose fault a failure is; the first part of the `error_type` metrics label.
enum class Fault : uint8_t { kCaller, kPolicy, kProvider, kGateway };

// What the answer tells an SDK that would retry by itself (`x-should-retry`).
enum class ClientRetry : uint8_t { kUnsaid, kYes, kNo };

// One row of the table.
struct ErrorTraits {
  ErrorCode code;
  std::string_view name;        // wire `error.code`, and the metrics label
  int status;                   // HTTP status while headers can still be sent
  std::string_view type;        // OpenAI's `error.type`
  std::string_view error_type;  // OpenRouter's closed vocabulary, sent as metadata.error_type
  Fault fault;
  ClientRetry client_retry;
  int64_t retry_after_ms;  // what passes by itself may be tried again then; 0: it does not
  std::string_view hint;   // what whoever reads it may do: the rest of a sentence, no full stop
};

// Returns the row of `code`. Never fails. Thread-safe.
const ErrorTraits& TraitsOf(ErrorCode code);

// Returns the code whose wire name is `name`, or nothing.
std::optional<ErrorCode> ErrorCodeNamed(std::string_view name);

// A figure or a name that a client can act on without reading the sentence.
struct ErrorFact {
  std::string_view name;  // a literal
  std::string value;
  bool quoted = false;  // a JSON string; else `value` is a JSON number as it stands
};

// A failure with the sentence the client reads. `message` says what was wrong, where, and what to
// do; it never holds a secret, a prompt, or more than 64 bytes of input. Value type.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
  std::string param;           // path of the offending field, "messages[2].role"; may be empty
  int64_t retry_after_ms = 0;  // > 0: sent as Retry-After and retry-after-ms; first the table's
  int upstream_status = 0;     // the provider's HTTP status, when it answered, or the one it named
  // Sent as members of error.metadata, where the profile has one. A handful at most.
  std::vector<ErrorFact> facts;
  // A JSON object, sent as error.availability where the profile has metadata: which endpoints there
  // are and why none of them serves. May be empty.
  std::string availability;
  // The provider's own code, sent in the place of the table's. May be empty.
  std::string shown_code;
  std::string words;              // the provider's, sanitised: for the operator, not for the client
  bool said_by_upstream = false;  // it refused in so many words, or by a status
  // It refused what was asked, and not who asks: it says nothing of the next request.
  bool of_request = false;

  std::string_view name() const { return TraitsOf(code).name; }
  int status() const { return TraitsOf(code).status; }
};

// Whoever knows better than the table when to try again sets `retry_after_ms` afterwards.
inline Error MakeError(ErrorCode code, std::string message, std::string param = {}) {
  Error error;
  error.code = code;
  error.retry_after_ms = TraitsOf(code).retry_after_ms;
  error.message = std::move(message);
  error.param = std::move(param);
  return error;
}

}  // namespace seekroute
