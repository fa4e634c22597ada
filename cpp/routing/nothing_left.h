// What a client is told that nobody can serve. Pure.
#pragma once

#include "base/error.h"
#include "routing/filters.h"
#include "routing/route.h"

namespace seekroute {

// So many endpoints are told of by name.
inline constexpr size_t kMostTold = 32;

// Of a route without candidates, of whose endpoints one at least was looked at: how many were left
// out by what, the one change that would bring most of them back, and `availability`.
Error NothingLeft(const FilterInputs& inputs, const Route& route);

}  // namespace seekroute
