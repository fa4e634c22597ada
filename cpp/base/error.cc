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

// clang-format off
// One row a line, in the order of the enum; TraitsOf() indexes by code.
constexpr std::array<ErrorTraits, kErrorCodeCount> kTable = {{
  // code                      name                          status type                     error_type                 fault      retry     try_next
  {kInvalidJson,               "invalid_json",                 400, kBad,                    "invalid_request",         kCaller,   kUnsaid,  false},
  {kJsonTooDeep,               "json_too_deep",                400, kBad,                    "invalid_request",         kCaller,   kUnsaid,  false},
  {kDuplicateKey,              "duplicate_key",                400, kBad,                    "invalid_request",         kCaller,   kUnsaid,  false},
  {kInvalidValue,              "invalid_value",                400, kBad,                    "invalid_request",         kCaller,   kUnsaid,  false},
  {kInvalidType,               "invalid_type",                 400, kBad,                    "invalid_request",         kCaller,   kUnsaid,  false},
  {kMissingRequiredParameter,  "missing_required_parameter",   400, kBad,                    "invalid_request",         kCaller,   kUnsaid,  false},
  {kUnknownParameter,          "unknown_parameter",            400, kBad,                    "invalid_request",         kCaller,   kUnsaid,  false},
  {kInvalidUnicode,            "invalid_unicode",              400, kBad,                    "invalid_request",         kCaller,   kUnsaid,  false},
  {kContextLengthExceeded,     "context_length_exceeded",      400, kBad,                    "context_length_exceeded", kCaller,   kNo,      false},
  {kInvalidHost,               "invalid_host",                 400, kBad,                    "invalid_request",         kCaller,   kUnsaid,  false},
  {kInvalidRequest,            "invalid_request",              400, kBad,                    "invalid_request",         kCaller,   kUnsaid,  false},
  {kRequestTooLarge,           "request_too_large",            413, kBad,                    "payload_too_large",       kCaller,   kUnsaid,  false},
  {kUnsupportedContentEncoding,"unsupported_content_encoding", 415, kBad,                    "invalid_request",         kCaller,   kUnsaid,  false},
  {kUnsupportedMediaType,      "unsupported_media_type",       415, kBad,                    "invalid_request",         kCaller,   kUnsaid,  false},
  {kHeadersTooLarge,           "headers_too_large",            431, kBad,                    "invalid_request",         kCaller,   kUnsaid,  false},
  {kUriTooLong,                "uri_too_long",                 414, kBad,                    "invalid_request",         kCaller,   kUnsaid,  false},
  {kMethodNotAllowed,          "method_not_allowed",           405, kBad,                    "invalid_request",         kCaller,   kUnsaid,  false},
  {kNotFound,                  "not_found",                    404, kBad,                    "not_found",               kCaller,   kUnsaid,  false},
  {kRequestTimeout,            "request_timeout",              408, kBad,                    "timeout",                 kCaller,   kUnsaid,  false},
  {kInvalidIdempotencyKey,     "idempotency_key_invalid",      400, kBad,                    "invalid_request",         kCaller,   kUnsaid,  false},
  {kIdempotencyInProgress,     "idempotency_in_progress",      409, kBad,                    "invalid_request",         kCaller,   kYes,     false},
  {kIdempotencyCompleted,      "idempotency_completed",        409, kBad,                    "invalid_request",         kCaller,   kNo,      false},
  {kIdempotencyMismatch,       "idempotency_mismatch",         422, kBad,                    "invalid_request",         kCaller,   kNo,      false},
  {kMissingApiKey,             "missing_api_key",              401, "authentication_error",  "authentication",          kCaller,   kUnsaid,  false},
  {kInvalidApiKey,             "invalid_api_key",              401, "authentication_error",  "authentication",          kCaller,   kUnsaid,  false},
  {kPermissionDenied,          "permission_denied",            403, "permission_error",      "permission_denied",       kPolicy,   kUnsaid,  false},
  {kAppNotApproved,            "app_not_approved",             403, "permission_error",      "permission_denied",       kPolicy,   kUnsaid,  false},
  {kModelNotFound,             "model_not_found",              404, kBad,                    "not_found",               kCaller,   kUnsaid,  false},
  {kNoMatchingEndpoint,        "no_matching_endpoint",         404, kBad,                    "not_found",               kPolicy,   kNo,      false},
  {kInsufficientCredits,       "insufficient_credits",         402, "billing_error",         "payment_required",        kPolicy,   kNo,      false},
  {kCreditsHeld,               "insufficient_credits",         402, "billing_error",         "payment_required",        kPolicy,   kYes,     false},
  {kMaxCostExceeded,           "max_cost_exceeded",            402, "billing_error",         "payment_required",        kCaller,   kNo,      false},
  {kRateLimitExceeded,         "rate_limit_exceeded",          429, "rate_limit_error",      "rate_limit_exceeded",     kPolicy,   kUnsaid,  false},
  {kRequestTooLargeForLimit,   "request_too_large_for_limit",  400, kBad,                    "token_limit_exceeded",    kPolicy,   kUnsaid,  false},
  {kStoreUnavailable,          "store_unavailable",            503, kServer,                 "server",                  kGateway,  kUnsaid,  false},
  {kStorageFull,               "storage_full",                 503, kServer,                 "server",                  kGateway,  kUnsaid,  false},
  {kStorageCorrupt,            "storage_corrupt",              503, kServer,                 "server",                  kGateway,  kUnsaid,  false},
  {kShuttingDown,              "shutting_down",                503, kServer,                 "server",                  kGateway,  kUnsaid,  false},
  {kOverloaded,                "overloaded",                   503, kServer,                 "server",                  kGateway,  kUnsaid,  false},
  {kNoUpstream,                "no_upstream",                  503, kServer,                 "provider_overloaded",     kGateway,  kUnsaid,  false},
  {kInternal,                  "internal_error",               500, kServer,                 "server",                  kGateway,  kUnsaid,  false},
  {kUpstreamError,             "upstream_error",               502, kUpstream,               "provider_unavailable",    kProvider, kUnsaid,  true},
  {kUpstreamTls,               "upstream_tls",                 502, kUpstream,               "provider_unavailable",    kProvider, kUnsaid,  true},
  {kBadUpstreamResponse,       "bad_upstream_response",        502, kUpstream,               "provider_unavailable",    kProvider, kUnsaid,  true},
  {kUpstreamTruncated,         "upstream_truncated",           502, kUpstream,               "provider_unavailable",    kProvider, kUnsaid,  true},
  {kUpstreamAuthError,         "upstream_auth_error",          502, kUpstream,               "provider_unavailable",    kProvider, kNo,      true},
  {kUpstreamNoCredit,          "upstream_no_credit",           502, kUpstream,               "provider_unavailable",    kProvider, kNo,      true},
  {kUpstreamForbidden,         "upstream_forbidden",           502, kUpstream,               "provider_unavailable",    kProvider, kNo,      true},
  {kUpstreamModelNotFound,     "upstream_model_not_found",     502, kUpstream,               "provider_unavailable",    kProvider, kNo,      true},
  {kUpstreamTimeout,           "upstream_timeout",             504, kUpstream,               "timeout",                 kProvider, kNo,      true},
  {kUpstreamIdleTimeout,       "upstream_idle_timeout",        504, kUpstream,               "timeout",                 kProvider, kNo,      true},
  {kUpstreamRateLimited,       "upstream_rate_limited",        429, "rate_limit_error",      "rate_limit_exceeded",     kProvider, kUnsaid,  true},
  {kUpstreamUnavailable,       "upstream_unavailable",         503, kUpstream,               "provider_overloaded",     kProvider, kUnsaid,  true},
  {kUpstreamInvalidRequest,    "upstream_invalid_request",     400, kBad,                    "invalid_request",         kCaller,   kUnsaid,  false},
  {kUpstreamRequestTooLarge,   "upstream_invalid_request",     413, kBad,                    "payload_too_large",       kCaller,   kUnsaid,  false},
  {kContentFilter,             "content_filter",               400, kBad,                    "content_policy_violation",kCaller,   kNo,      false},
  {kClientClosed,              "client_closed",                499, kBad,                    "invalid_request",         kCaller,   kUnsaid,  false},
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
