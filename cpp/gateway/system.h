// The real world's clock and randomness.
#pragma once

#include <random>

#include "base/rng.h"
#include "base/time.h"

namespace seekroute {

// Thread-safe.
class SystemClock : public Clock {
 public:
  TimePoint Now() const override;
  UnixSeconds WallTime() const override;
};

// Randomness of the operating system, fit for identifiers. Not thread-safe: one a thread.
class SystemRng : public Rng {
 public:
  uint64_t Next() override { return (static_cast<uint64_t>(device_()) << 32) | device_(); }

 private:
  std::random_device device_;
};

}  // namespace seekroute
