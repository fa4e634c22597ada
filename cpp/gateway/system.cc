#include "gateway/system.h"

#include <sys/random.h>

#include <chrono>

namespace seekroute {

TimePoint SystemClock::Now() const {
  return {std::chrono::duration_cast<std::chrono::nanoseconds>(
              std::chrono::steady_clock::now().time_since_epoch())
              .count()};
}

UnixMillis SystemClock::WallTime() const {
  return {std::chrono::duration_cast<std::chrono::milliseconds>(
              std::chrono::system_clock::now().time_since_epoch())
              .count()};
}

uint64_t SystemRng::Next() {
  if (used_ == block_.size()) {
    // A read of at most 256 bytes is never short and never interrupted once the kernel is seeded
    // (getrandom(2)); before that it waits, so a short one is simply asked for again.
    while (getrandom(block_.data(), sizeof block_, 0) != static_cast<ssize_t>(sizeof block_)) {
    }
    used_ = 0;
  }
  return block_[used_++];
}

}  // namespace seekroute
