// Instants and spans as distinct types. Below gateway/ nobody reads a clock: `now` is a parameter.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>

namespace seekroute {

// A span of time in nanoseconds. Value type.
struct Duration {
  int64_t ns = 0;

  static constexpr Duration Milliseconds(int64_t ms) { return {ms * 1'000'000}; }
  static constexpr Duration Seconds(int64_t s) { return {s * 1'000'000'000}; }
  constexpr double ms() const { return static_cast<double>(ns) / 1e6; }
  friend constexpr auto operator<=>(Duration, Duration) = default;
  friend constexpr Duration operator+(Duration a, Duration b) { return {a.ns + b.ns}; }
  friend constexpr Duration operator-(Duration a, Duration b) { return {a.ns - b.ns}; }
};

// A point on the monotonic clock. Value type.
struct TimePoint {
  int64_t ns = 0;

  static constexpr TimePoint Never() { return {std::numeric_limits<int64_t>::max()}; }
  friend constexpr auto operator<=>(TimePoint, TimePoint) = default;
  friend constexpr TimePoint operator+(TimePoint t, Duration d) { return {t.ns + d.ns}; }
  friend constexpr Duration operator-(TimePoint a, TimePoint b) { return {a.ns - b.ns}; }
};

// Seconds since the Unix epoch, for `created` and key expiry only; never for a timeout.
struct UnixSeconds {
  int64_t s = 0;
  friend constexpr auto operator<=>(UnixSeconds, UnixSeconds) = default;
};

// The same in milliseconds, for ids that sort by age.
struct UnixMillis {
  int64_t ms = 0;
  constexpr UnixSeconds seconds() const { return {ms / 1000}; }
};

// The world's time. The gateway asks it; tests replace it. Implementations are thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint Now() const = 0;
  virtual UnixMillis WallTime() const = 0;
};

}  // namespace seekroute
