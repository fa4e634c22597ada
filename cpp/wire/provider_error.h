// Internal to wire/: errors as providers put them into JSON.
#pragma once

#include <optional>
#include <string_view>

#include "base/error.h"

namespace seekroute {

// The error in `body`: kUpstreamRateLimited or kUpstreamUnavailable where its code or type leave no
// doubt, else kUpstreamError; the provider's sentence is sanitised. For a body that has none: a
// kUpstreamError without a sentence.
Error ReadProviderError(std::string_view body);

// The same, or nothing when `body` is not JSON or names no `error`.
std::optional<Error> FindProviderError(std::string_view body);

}  // namespace seekroute
