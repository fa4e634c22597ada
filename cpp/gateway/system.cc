#include "gateway/system.h"

#include <unistd.h>

#include <chrono>
#include <random>

namespace seekroute {

TimePoint SystemClock::Now() const {
  return {std::chrono::duration_cast<std::chrono::nanoseconds>(
              std::chrono::steady_clock::now().time_since_epoch())
              .count()};
}

UnixSeconds SystemClock::WallTime() const {
  return {std::chrono::duration_cast<std::chrono::seconds>(
              std::chrono::system_clock::now().time_since_epoch())
              .count()};
}

uint64_t SystemRng::Next() {
  if (left_ == 0) {
    // Not std::random_device for each word: behind it is RDSEED, some 20 microseconds a word.
    if (getentropy(pool_.data(), sizeof pool_) != 0) {
      std::random_device device;
      for (uint64_t& word : pool_) word = (static_cast<uint64_t>(device()) << 32) | device();
    }
    left_ = pool_.size();
  }
  return pool_[--left_];
}

}  // namespace seekroute
