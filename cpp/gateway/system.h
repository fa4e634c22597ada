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
  UnixSeconds WallTime() const override;
};

// Randomness of the operating system, fit for identifiers. Not thread-safe: one a thread.
class SystemRng : public Rng {
 public:
  uint64_t Next() override;

 private:
  std::array<uint64_t, 32> pool_{};  // 256 bytes: the most that one call of the kernel gives
  size_t left_ = 0;
};

}  // namespace seekroute
