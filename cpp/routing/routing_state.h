// What routing knows that outlives a restart, as values and as bytes.
#pragma once

#include <cstdint>
#include <vector>

#include "base/time.h"
#include "base/varint.h"
#include "routing/endpoint_health.h"
#include "routing/key_health.h"

namespace seekroute {

// Ids are those of the health table. Value type.
struct RoutingState {
  struct Key {
    uint64_t id = 0;
    uint64_t fingerprint = 0;  // the first bytes of the SHA-256 of its secret
    KeyHealth::Kept health;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Provider {
    uint64_t id = 0;
    std::vector<Key> keys;
    friend bool operator==(const Provider&, const Provider&) = default;
  };
  struct Pair {
    uint64_t key = 0;
    PairHealth::Kept health;
    friend bool operator==(const Pair&, const Pair&) = default;
  };
  struct Endpoint {
    uint64_t id = 0;
    uint64_t provider = 0;
    EndpointHealth::Kept health;
    std::vector<Pair> pairs;
    friend bool operator==(const Endpoint&, const Endpoint&) = default;
  };

  std::vector<Provider> providers;
  std::vector<Endpoint> endpoints;
  friend bool operator==(const RoutingState&, const RoutingState&) = default;

  // As it would have been kept `passed` later, were nothing asked meanwhile: what lasts ends by so
  // much sooner, and what was counted is so much older. `passed`: not negative, and a day at most.
  void Age(Duration passed);
};

void WriteRoutingState(const RoutingState& state, VarintWriter* out);

// Of bytes that are something else `in` is not ok() any more. Figures are within their bounds,
// whatever the bytes are. Linear.
RoutingState ReadRoutingState(VarintReader* in);

}  // namespace seekroute
