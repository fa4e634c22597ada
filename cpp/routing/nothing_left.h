// What a client is told that nobody can serve. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "routing/filters.h"
#include "routing/route.h"

namespace seekroute {

// So many endpoints are told of by name.
inline constexpr size_t kMostTold = 32;

// "3 do not offer tools, 1 costs more than provider.max_price": of the endpoints that the plan left
// out; empty where there are none.
std::string CountLeftOut(const Route& route);

// Of a model none of whose endpoints can do what the request needs.
Error Unserved(Need need, const Model& model, const ParsedRequest& request);

// Of a route without candidates, of whose endpoints one at least was looked at: how many were left
// out by what, the one change that would bring most of them back, and `availability`.
// `name`: what they are the endpoints of.
Error NothingLeft(const FilterInputs& inputs, const Route& route, const std::string& name);

// A candidate that was passed over at its turn, for something that passes. A view.
struct OutAtPresent {
  const Candidate* candidate = nullptr;
  std::string_view word;
  std::string_view detail;     // behind the endpoint's name
  int64_t retry_after_ms = 0;  // 0: nobody knows
};

// `availability` of a route all of whose candidates were passed over. `name`: what they are the
// endpoints of. `paced`: for their rates alone. `retry_after_ms`: as the error has it.
std::string Unavailable(const Route& route, std::string_view name,
                        std::span<const OutAtPresent> out, bool paced, int64_t retry_after_ms);

}  // namespace seekroute
