#include "gateway/system.h"

#include <chrono>

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

}  // namespace seekroute
