// How the operator wants requests to be spread over endpoints.
#pragma once

#include <cstdint>

namespace seekroute {

enum class Balance : uint8_t {
  kInverseSquare,  // drawn by weight over the square of the price
  kListed,         // in the catalog's order
};

// Of a snapshot. What is not said leaves nothing to chance: what a gateway does by default is its
// configuration's to say. Value type.
struct RoutingRules {
  Balance balance = Balance::kListed;
  // An endpoint that nobody named may cost so many times what the cheapest does; 0: anything.
  double max_price_jump = 0;
  double explore = 0;  // of requests whose first place goes to an endpoint without samples
};

}  // namespace seekroute
