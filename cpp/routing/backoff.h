// How long an attempt waits before it asks a provider that the request has been at. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.h"

namespace seekroute {

// A request with less time left asks nobody else: no provider answers in it.
inline constexpr Duration kLeastLeft = Duration::Seconds(1);

// Drawn by `random` from all of a pause that doubles: up to 100 ms before the second visit, 2 s at
// most. So whoever failed together does not come back together. `visits`: attempts that the request
// has made at the provider, 1 or more.
Duration BackOff(int visits, uint64_t random);

// The wait before the only endpoint there is gets the same request once more. `told`: for how long
// its provider asked to be left alone; negative: it did not say. Nothing: that is too long for
// whoever waits, who is told of it instead.
std::optional<Duration> WaitAlone(Duration told, int visits, Duration left, uint64_t random);

// After it there is still time for an answer.
constexpr bool FitsWait(Duration wait, Duration left) { return left >= wait + kLeastLeft; }

}  // namespace seekroute
