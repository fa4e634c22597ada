// The world's randomness, replaced by a seeded one in the simulator.
#pragma once

#include <cstddef>
#include <cstdint>

namespace seekroute {

// Implementations state their own thread rule; the gateway uses one per engine thread.
class Rng {
 public:
  virtual ~Rng() = default;
  virtual uint64_t Next() = 0;
};

}  // namespace seekroute
