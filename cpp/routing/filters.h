// Whether an endpoint may serve a request: all that speaks against it. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "catalog/price.h"
#include "routing/exclusion.h"
#include "routing/planner.h"

namespace seekroute {

// What is the same for every endpoint of a request.
struct FilterInputs {
  const Ask* ask = nullptr;
  const Preferences* preferences = nullptr;
  int64_t prompt = 0;  // tokens that are expected
  UnixSeconds created = {};
  bool free_only = false;
};

// All that holds of the candidate but a price jump and what passes by itself.
ExcludedSet ExcludedBy(const FilterInputs& inputs, const Candidate& candidate);

// The rates in force of an endpoint for a prompt of that length.
const Rates& RatesAt(const Endpoint& endpoint, int64_t prompt, UnixSeconds created);

// The highest of them by class, where the answer may come at a service tier: the one that is asked
// for, or the usual one, as the provider likes.
Rates HighestRatesAt(const Endpoint& endpoint, const FilterInputs& inputs);

// What a token of the answer may be charged at: as output, or as reasoning.
Rate CompletionRate(const Rates& rates);

// Whether a rate with its markup is above a ceiling. Ceilings are in 10^-12 USD for `units`.
bool IsAbove(Rate rate, int32_t markup_bps, std::optional<int64_t> ceiling, int64_t units);

// The traits of the kinds of one exclusion.
TraitSet TraitsBehind(Excluded why);

}  // namespace seekroute
