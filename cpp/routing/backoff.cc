#include "routing/backoff.h"

#include <algorithm>

namespace seekroute {
namespace {

constexpr Duration kFirst = Duration::Milliseconds(100);
constexpr Duration kLongest = Duration::Seconds(2);
// Whoever was told the same instant does not come at the same instant: a tenth later at most.
constexpr int64_t kSpread = 10;
// A wait takes no more than this part of the time that is left.
constexpr int64_t kPartOfLeft = 4;

// Of 0 up to `most`, both included.
Duration Draw(Duration most, uint64_t random) {
  if (most.ns <= 0) return {};
  return {static_cast<int64_t>(random % (static_cast<uint64_t>(most.ns) + 1))};
}

}  // namespace

Duration BackOff(int visits, uint64_t random) {
  Duration most = kFirst;
  for (int i = 1; i < visits && most < kLongest; ++i) most = most + most;
  return Draw(std::min(most, kLongest), random);
}

std::optional<Duration> WaitAlone(Duration told, int visits, Duration left, uint64_t random) {
  Duration wait = BackOff(visits, random);
  if (told.ns >= 0) {
    if (told > std::min(kLongest, Duration{left.ns / kPartOfLeft})) return std::nullopt;
    wait = told + Draw({told.ns / kSpread}, random);
  }
  if (!FitsWait(wait, left)) return std::nullopt;
  return wait;
}

}  // namespace seekroute
