#include "base/error.h"

#include <array>

namespace seekroute {
namespace {

using enum ErrorCode;
using enum Fault;

constexpr std::string_view kBad = "invalid_request_error";
constexpr std::string_view kServer = "server_error";
constexpr std::string_view kUpstream = "upstream_error";
constexpr auto kUnsaid = ClientRetry::kUnsaid;
constexpr auto kYes = ClientRetry::kYes;
constexpr auto kNo = ClientRetry::kNo;

// Milliseconds. A burst, or a disk that was full, may be over by then; a restart takes a few tries.
constexpr int64_t kSoonMs = 1000;
// What passes when other requests end, which take their time.
constexpr int64_t kHeldMs = 5000;

// What several rows advise.
constexpr std::string_view kField = "correct the request; `param` names the field";
constexpr std::string_view kWait = "try again later";
constexpr std::string_view kSlower = "wait `retry_after` seconds, or send fewer requests at once";
constexpr std::string_view kTell = "tell whoever runs the gateway, with the request id";
constexpr std::string_view kOther = "try again, or ask another model";
constexpr std::string_view kKey = "check the API key: api_key=, or the variable SEEKROUTE_API_KEY";

// clang-format off
// One row a line, in the order of the enum; TraitsOf() indexes by code.
constexpr std::array<ErrorTraits, kErrorCodeCount> kTable = {{
  // code                      name                          status type                     error_type                 fault      retry     after   hint
  {kInvalidJson,               "invalid_json",                 400, kBad,                    "invalid_request",         kCaller,   kUnsaid,  0,       "send one JSON object in UTF-8"},
  {kJsonTooDeep,               "json_too_deep",                400, kBad,                    "invalid_request",         kCaller,   kUnsaid,  0,       "nest the request less deeply"},
  {kDuplicateKey,              "duplicate_key",                400, kBad,                    "invalid_request",         kCaller,   kUnsaid,  0,       "give each field once"},
  {kInvalidValue,              "invalid_value",                400, kBad,                    "invalid_request",         kCaller,   kUnsaid,  0,       kField},
  {kInvalidType,               "invalid_type",                 400, kBad,                    "invalid_request",         kCaller,   kUnsaid,  0,       kField},
  {kMissingRequiredParameter,  "missing_required_parameter",   400, kBad,                    "invalid_request",         kCaller,   kUnsaid,  0,       kField},
  {kUnknownParameter,          "unknown_parameter",            400, kBad,                    "invalid_request",         kCaller,   kUnsaid,  0,       "leave the field out; where a request goes is the gateway's to say"},
  {kInvalidUnicode,            "invalid_unicode",              400, kBad,                    "invalid_request",         kCaller,   kUnsaid,  0,       "send whole characters: a half of a surrogate pair is none"},
  {kContextLengthExceeded,     "context_length_exceeded",      400, kBad,                    "context_length_exceeded", kCaller,   kNo,      0,       "shorten the prompt, or ask a model with a longer context"},
  {kInvalidHost,               "invalid_host",                 400, kBad,                    "invalid_request",         kCaller,   kUnsaid,  0,       "check base_url"},
  {kInvalidRequest,            "invalid_request",              400, kBad,                    "invalid_request",         kCaller,   kUnsaid,  0,       kField},
  {kRequestTooLarge,           "request_too_large",            413, kBad,                    "payload_too_large",       kCaller,   kUnsaid,  0,       "send less, or raise limits.max_body_bytes of the gateway"},
  {kUnsupportedContentEncoding,"unsupported_content_encoding", 415, kBad,                    "invalid_request",         kCaller,   kUnsaid,  0,       "send the body uncompressed"},
  {kUnsupportedMediaType,      "unsupported_media_type",       415, kBad,                    "invalid_request",         kCaller,   kUnsaid,  0,       "send the body as application/json"},
  {kHeadersTooLarge,           "headers_too_large",            431, kBad,                    "invalid_request",         kCaller,   kUnsaid,  0,       "send fewer or shorter headers"},
  {kUriTooLong,                "uri_too_long",                 414, kBad,                    "invalid_request",         kCaller,   kUnsaid,  0,       "send a shorter query"},
  {kMethodNotAllowed,          "method_not_allowed",           405, kBad,                    "invalid_request",         kCaller,   kUnsaid,  0,       "check base_url and the path"},
  {kNotFound,                  "not_found",                    404, kBad,                    "not_found",               kCaller,   kUnsaid,  0,       "check the id that was asked for, and base_url: it ends with /v1"},
  {kRequestTimeout,            "request_timeout",              408, kBad,                    "timeout",                 kCaller,   kUnsaid,  0,       "try again on a better connection"},
  {kInvalidIdempotencyKey,     "idempotency_key_invalid",      400, kBad,                    "invalid_request",         kCaller,   kUnsaid,  0,       "send 1 to 255 printable ASCII characters"},
  {kIdempotencyInProgress,     "idempotency_in_progress",      409, kBad,                    "invalid_request",         kCaller,   kYes,     kSoonMs, "wait for the request that runs under this Idempotency-Key"},
  {kIdempotencyCompleted,      "idempotency_completed",        409, kBad,                    "invalid_request",         kCaller,   kNo,      0,       "look the request up by its generation id, or use a new key"},
  {kIdempotencyMismatch,       "idempotency_mismatch",         422, kBad,                    "invalid_request",         kCaller,   kNo,      0,       "use a new Idempotency-Key for a new request"},
  {kConflict,                  "conflict",                     409, kBad,                    "invalid_request",         kCaller,   kNo,      0,       "look at what there is, then ask for something else"},
  {kPreconditionFailed,        "precondition_failed",          412, kBad,                    "invalid_request",         kCaller,   kNo,      0,       "read it again, and make the change to what it is now"},
  {kMissingApiKey,             "missing_api_key",              401, "authentication_error",  "authentication",          kCaller,   kUnsaid,  0,       kKey},
  {kInvalidApiKey,             "invalid_api_key",              401, "authentication_error",  "authentication",          kCaller,   kUnsaid,  0,       kKey},
  {kPermissionDenied,          "permission_denied",            403, "permission_error",      "permission_denied",       kPolicy,   kUnsaid,  0,       "ask whoever runs the gateway for access"},
  {kAppNotApproved,            "app_not_approved",             403, "permission_error",      "permission_denied",       kPolicy,   kUnsaid,  0,       "ask whoever runs the gateway to approve the app"},
  {kNotSignedIn,               "not_signed_in",                401, "authentication_error",  "authentication",          kCaller,   kNo,      0,       "sign in"},
  {kCsrfFailed,                "csrf_failed",                  403, "permission_error",      "permission_denied",       kCaller,   kNo,      0,       "reload the page"},
  {kReauthentication,          "reauthentication_required",    403, "permission_error",      "permission_denied",       kCaller,   kNo,      0,       "give the password once more"},
  {kModelNotFound,             "model_not_found",              404, kBad,                    "not_found",               kCaller,   kUnsaid,  0,       "see client.models.list() for the models there are"},
  {kNoMatchingEndpoint,        "no_matching_endpoint",         404, kBad,                    "not_found",               kPolicy,   kNo,      0,       "see client.models.list() for the models that are served, or set the key of a provider that serves this one"},
  {kInsufficientCredits,       "insufficient_credits",         402, "billing_error",         "payment_required",        kPolicy,   kNo,      0,       "top up the balance, or ask a cheaper model"},
  {kCreditsHeld,               "insufficient_credits",         402, "billing_error",         "payment_required",        kPolicy,   kYes,     kHeldMs, "wait until requests that run have ended, or top up the balance"},
  {kMaxCostExceeded,           "max_cost_exceeded",            402, "billing_error",         "payment_required",        kCaller,   kNo,      0,       "raise `max_cost`, shorten the prompt, or ask a cheaper model"},
  {kRateLimitExceeded,         "rate_limit_exceeded",          429, "rate_limit_error",      "rate_limit_exceeded",     kPolicy,   kUnsaid,  kSoonMs, kSlower},
  {kRateLimitClosed,           "rate_limit_exceeded",          429, "rate_limit_error",      "rate_limit_exceeded",     kPolicy,   kNo,      0,       "ask whoever runs the gateway to raise the limit"},
  {kRequestTooLargeForLimit,   "request_too_large_for_limit",  400, kBad,                    "token_limit_exceeded",    kPolicy,   kUnsaid,  0,       "ask for fewer tokens: the request is over a limit of the key or of every provider"},
  {kStoreUnavailable,          "store_unavailable",            503, kServer,                 "server",                  kGateway,  kUnsaid,  kSoonMs, kWait},
  {kStorageFull,               "storage_full",                 503, kServer,                 "server",                  kGateway,  kUnsaid,  kSoonMs, "tell whoever runs the gateway that the ledger's disk is full"},
  {kStorageCorrupt,            "storage_corrupt",              503, kServer,                 "server",                  kGateway,  kUnsaid,  kSoonMs, "tell whoever runs the gateway that the ledger is damaged"},
  {kShuttingDown,              "shutting_down",                503, kServer,                 "server",                  kGateway,  kUnsaid,  kSoonMs, kWait},
  {kOverloaded,                "overloaded",                   503, kServer,                 "server",                  kGateway,  kUnsaid,  kSoonMs, kSlower},
  {kNoUpstream,                "no_upstream",                  503, kServer,                 "provider_overloaded",     kGateway,  kUnsaid,  0,       kOther},
  {kConsoleUnavailable,        "console_unavailable",          503, kServer,                 "server",                  kGateway,  kUnsaid,  kSoonMs, "try again in a moment; API requests are not affected"},
  {kInternal,                  "internal_error",               500, kServer,                 "server",                  kGateway,  kUnsaid,  0,       kTell},
  {kUpstreamError,             "upstream_error",               502, kUpstream,               "provider_unavailable",    kProvider, kUnsaid,  0,       kOther},
  {kUpstreamTls,               "upstream_tls",                 502, kUpstream,               "provider_unavailable",    kProvider, kUnsaid,  0,       kTell},
  {kBadUpstreamResponse,       "bad_upstream_response",        502, kUpstream,               "provider_unavailable",    kProvider, kUnsaid,  0,       kOther},
  {kAnswerTooLarge,            "answer_too_large",             502, kUpstream,               "provider_unavailable",    kProvider, kNo,      0,       "ask for less at once, or raise limits.max_answer_bytes of the gateway"},
  {kUpstreamTruncated,         "upstream_truncated",           502, kUpstream,               "provider_unavailable",    kProvider, kUnsaid,  0,       kOther},
  {kUpstreamAuthError,         "upstream_auth_error",          502, kUpstream,               "provider_unavailable",    kProvider, kNo,      0,       "check the provider's key in the gateway's configuration"},
  {kUpstreamNoCredit,          "upstream_no_credit",           502, kUpstream,               "provider_unavailable",    kProvider, kNo,      0,       "top up the account at the provider, or ask another model"},
  {kUpstreamForbidden,         "upstream_forbidden",           502, kUpstream,               "provider_unavailable",    kProvider, kNo,      0,       "check what the account at the provider may do, and from where"},
  {kUpstreamModelNotFound,     "upstream_model_not_found",     502, kUpstream,               "provider_unavailable",    kProvider, kNo,      0,       "check the model's name at the provider in the configuration"},
  {kUpstreamTimeout,           "upstream_timeout",             504, kUpstream,               "timeout",                 kProvider, kNo,      0,       "give it longer: timeouts.total_timeout_ms of the gateway (in Python Client(timeouts={...})), or ask for a stream; the provider may charge for what it was asked"},
  {kUpstreamIdleTimeout,       "upstream_idle_timeout",        504, kUpstream,               "timeout",                 kProvider, kNo,      0,       "give it longer: timeouts.idle_timeout_ms of the gateway (in Python Client(timeouts={...}))"},
  {kUpstreamRateLimited,       "upstream_rate_limited",        429, "rate_limit_error",      "rate_limit_exceeded",     kProvider, kUnsaid,  0,       "wait `retry_after` seconds, or ask another model"},
  {kUpstreamUnavailable,       "upstream_unavailable",         503, kUpstream,               "provider_overloaded",     kProvider, kUnsaid,  0,       kOther},
  {kUpstreamInvalidRequest,    "upstream_invalid_request",     400, kBad,                    "invalid_request",         kCaller,   kUnsaid,  0,       "correct the request: the provider says what is wrong"},
  {kUpstreamRequestTooLarge,   "upstream_invalid_request",     413, kBad,                    "payload_too_large",       kCaller,   kUnsaid,  0,       "send less"},
  {kContentPolicyViolation,    "content_policy_violation",     400, kBad,                    "content_policy_violation",kCaller,   kNo,      0,       "change what is asked: the provider refuses this content"},
  {kClientClosed,              "client_closed",                499, kBad,                    "invalid_request",         kCaller,   kUnsaid,  0,       "the request was cancelled on this side"},
}};
// clang-format on

constexpr bool RowsMatchEnum() {
  for (int i = 0; i < kErrorCodeCount; ++i) {
    if (static_cast<int>(kTable[static_cast<size_t>(i)].code) != i) return false;
  }
  return true;
}
static_assert(RowsMatchEnum(), "the error table must follow the order of ErrorCode");

}  // namespace

const ErrorTraits& TraitsOf(ErrorCode code) { return kTable[static_cast<size_t>(code)]; }

std::optional<ErrorCode> ErrorCodeNamed(std::string_view name) {
  for (const ErrorTraits& row : kTable) {
    if (row.name == name) return row.code;
  }
  return std::nullopt;
}

}  // namespace seekroute
