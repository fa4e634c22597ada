// What routing knows that outlives a restart, as values and as the bytes of a file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "routing/endpoint_health.h"
#include "routing/key_health.h"

namespace seekroute {

// Ids are those of the health table. Value type.
struct RoutingState {
  // Older ones say nothing of who is well now.
  static constexpr Duration kLongestAge = Duration::Seconds(86'400);

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

  int64_t wall_ms = 0;  // when it was kept, by the wall clock
  std::vector<Provider> providers;
  std::vector<Endpoint> endpoints;
  friend bool operator==(const RoutingState&, const RoutingState&) = default;

  // As it would have been kept `passed` later, were nothing asked meanwhile: what lasts ends by so
  // much sooner, and what was counted is so much older. At most kLongestAge.
  void Age(Duration passed);
};

std::string WriteRoutingState(const RoutingState& state);

// Fails with kInvalidValue, and a sentence for the operator's log, where the bytes are damaged or
// of another version. Figures are within their bounds, whatever the bytes are. Linear.
Result<RoutingState> ReadRoutingState(std::string_view bytes);

}  // namespace seekroute
