// Identifiers the gateway gives out. 128 bits each: reuse across restarts does not happen.
#pragma once

#include <string>
#include <string_view>

#include "base/rng.h"
#include "base/time.h"

namespace seekroute {

// prefix + 26 characters of Crockford base 32: milliseconds, then randomness, so ids sort by age.
std::string NewGenerationId(std::string_view prefix, UnixMillis now, Rng* rng);

// A UUID version 7.
std::string NewRequestId(UnixMillis now, Rng* rng);

// True when a client's own x-request-id may be echoed, and written down: 1 to 128 of
// [A-Za-z0-9._:-], and nothing in it that looks like an API key.
bool IsAcceptableRequestId(std::string_view offered);

}  // namespace seekroute
