// Weights of `auto` for tests: small, and of every member.
#pragma once

#include <cstdint>
#include <memory>

#include "routing/auto/auto_weights.h"

namespace seekroute::testing {

// Of any seed: weights that CheckAutoWeights() accepts, of two models and more.
AutoWeights SomeAutoWeights(uint64_t seed, size_t models = 2);

// A table of a few words.
std::shared_ptr<const StaticVectors> SomeVectors();

}  // namespace seekroute::testing
