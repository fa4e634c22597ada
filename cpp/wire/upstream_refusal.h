// What an upstream's error means: the one table of the spellings of providers, and the error of
// ours that it becomes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/secret.h"
#include "wire/provider_error.h"

namespace seekroute {

// Who has to do something before the same request can succeed.
enum class Trouble : uint8_t {
  kCaller,    // the request itself: it is refused anywhere, and the client reads why
  kOperator,  // the operator's key, money, rights or names at this provider
  kProvider,  // the provider: its pace, its load, its faults
};

// Value type.
struct Refusal {
  ErrorCode code = ErrorCode::kUpstreamError;
  std::string shown_code;  // the provider's own, where it says more than `code`; else empty
  std::string param;       // the field of the client's that it is about; else empty
  Trouble trouble = Trouble::kProvider;
  int64_t retry_after_ms = -1;  // as its words say; -1: unsaid
  bool of_request = false;      // of this one alone: it says nothing of the next
};

// Pure and total: whatever a provider says, its answer has a meaning here. `status`: of HTTP, or 0
// or 2xx where that says nothing and the words decide. Never an error of ours that the client
// would take for its own key's or its own money's (401, 402, 403).
Refusal ClassifyRefusal(int status, const ProviderError& said);

// By the status alone: 400/422 -> kUpstreamInvalidRequest, 413 -> kUpstreamRequestTooLarge,
// 402 -> kUpstreamNoCredit, 401/403 -> kUpstreamAuthError, 404 -> kUpstreamModelNotFound,
// 408/504 -> kUpstreamTimeout, 429 -> kUpstreamRateLimited, 503/529 -> kUpstreamUnavailable,
// anything else -> kUpstreamError.
ErrorCode CodeOfUpstreamStatus(int status);

// The error for an answer with `status`, which is not 2xx, and this body. Its message has the
// provider's words only where the trouble is not the operator's; `words` always has them. Both are
// sanitised, also of `secrets`.
Error ReadRefusal(int status, std::string_view body, const std::vector<const Secret*>& secrets);

// The same for an error in an answer that began with status 2xx: `text` is JSON, or a plain
// sentence. `status`: what is known of it otherwise, or 0.
Error ReadErrorInAnswer(std::string_view text, int status = 0);

// The same, or nothing where `text` is not JSON that says by itself that it is an error.
std::optional<Error> FindErrorInAnswer(std::string_view text);

// A refusal of the request, with this `param` and these `words` of ReadRefusal(), is of the field
// that asks for the usage of a stream: `param` is that field, or there is none and the words say of
// it that it is unknown, not supported or the like. A mere quotation is none.
bool RefusesStreamOptions(std::string_view param, std::string_view words);

}  // namespace seekroute
