// The real world's clock and randomness.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/rng.h"
#include "base/time.h"

namespace seekroute {

// Thread-safe.
class SystemClock : public Clock {
 public:
  TimePoint Now() const override;
  UnixMillis WallTime() const override;
};

// The kernel's randomness, fit for identifiers, fetched a block at a time (one std::random_device
// call costs tens of microseconds where the processor's generator is virtualised). Not thread-safe:
// one a thread.
class SystemRng : public Rng {
 public:
  uint64_t Next() override;

 private:
  std::array<uint64_t, 32> block_{};
  size_t used_ = block_.size();
};

}  // namespace seekroute
