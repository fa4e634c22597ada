// Errors on the wire: OpenAI's envelope in the profile's words, and what may be told of an
// upstream's own error text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/secret.h"
#include "wire/profile.h"

namespace seekroute {

// Where an error body is going.
struct ErrorPlace {
  std::string_view request_id;
  bool api_v1 = false;        // under /api/v1
  std::string_view provider;  // named in metadata.provider_name; may be empty
  std::string_view routing;   // a whole JSON member put behind "error"; may be empty
};

// {"error":{"message","type","param","code","metadata":{...}}} in the profile's words and fields.
std::string WriteErrorBody(const Error& error, const Profile& profile, const ErrorPlace& place);

// One `data:` event with the same error at top level, `choices` with finish_reason "error"
// (OpenRouter's shape, which chat clients parse), blank line included. No [DONE] follows it.
std::string WriteErrorEvent(const Error& error, const Profile& profile, const ErrorPlace& place,
                            std::string_view id, std::string_view model, int64_t created);

// The sentence inside an upstream's error body ({"error":{"message"}}, {"error":"..."},
// {"message"}, {"detail"}), sanitised; empty when there is none.
std::string UpstreamMessage(std::string_view body, const std::vector<const Secret*>& secrets);

// At most 500 bytes of `text` in one line, with the given secrets, key-shaped words (sk-..., Bearer
// ..., long random tokens), URLs, host names with ports and IP addresses replaced by [redacted].
std::string SanitizeUpstreamText(std::string_view text, const std::vector<const Secret*>& secrets);

// What an upstream's answer with a status other than 2xx means here: 400/422 ->
// kUpstreamInvalidRequest, 413 -> kUpstreamRequestTooLarge, 401/402/403 -> kUpstreamAuthError,
// 404 -> kUpstreamModelNotFound, 408/504 -> kUpstreamTimeout, 429 -> kUpstreamRateLimited,
// 503/529 -> kUpstreamUnavailable, anything else -> kUpstreamError.
ErrorCode CodeOfUpstreamStatus(int status);

}  // namespace seekroute
