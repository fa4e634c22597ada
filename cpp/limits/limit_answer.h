// What limits say of a request: why it may not go on, and how much is left.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/time.h"
#include "limits/limit_set.h"

namespace seekroute {

// Both clocks, of one moment: minutes are counted by the monotonic one, days by the other.
struct LimitTime {
  TimePoint now;
  UnixMillis wall;
};

// What those that wait for room in each limit of one holder take of it before a request that comes
// now; 0: nobody waits.
using UnitsAhead = std::array<int64_t, kLimitDimensions>;

// What one request takes of every limit.
struct LimitCost {
  int64_t prompt = 1;          // tokens that are expected of its prompt, at least 1
  int64_t tokens = 1;          // with those of its answer
  bool counts_request = true;  // as one; false: it has been counted before
};

// What it has used in the end.
struct TokensUsed {
  int64_t all = 0;
  int64_t cached = 0;  // of those: read from a provider's cache
};

enum class RefusalKind : uint8_t {
  kBusy,      // as many run as may: nobody knows when one ends
  kWait,      // it may pass after `wait`
  kNever,     // the limit is 0
  kTooLarge,  // its prompt is more than the limit ever gives at once
};

// The limit that refuses a request for the longest time.
struct LimitRefusal {
  RefusalKind kind = RefusalKind::kBusy;
  LimitScope scope = LimitScope::kKey;
  LimitDimension dimension = LimitDimension::kConcurrent;
  int64_t limit = 0;      // a window, or at once
  int64_t burst = 0;      // of kWait and kTooLarge: what it gives at once
  int64_t remaining = 0;  // of that
  int64_t window_s = 0;   // 60, 86400; 0: of those that run at once
  Duration wait = {};     // of kWait, and not a nanosecond less would do, where `exact`
  bool exact = false;
  int64_t needed = 0;  // of kTooLarge: the tokens of its prompt

  // The one that holds longer, and the other where they hold as long.
  bool Outlasts(const LimitRefusal& other) const {
    return kind != other.kind ? kind > other.kind : wait > other.wait;
  }
};

// How much is left of one limit.
struct LimitLeft {
  LimitScope scope = LimitScope::kKey;
  int64_t limit = 0;  // at once: the burst
  int64_t remaining = 0;
  int64_t rate = 0;  // a window, of one of a minute or a day
  int64_t window_s = 0;
  Duration reset = {};  // until it is as if nothing had been taken
};

// What headers show: of each kind the limit that leaves the smallest part of itself; one of a day
// only where its number is smaller.
struct LimitsLeft {
  std::optional<LimitLeft> requests, tokens, concurrent;

  // Minutes of all scopes come first, then days.
  using Kind = std::optional<LimitLeft> LimitsLeft::*;
  void AddMinute(Kind kind, const LimitLeft& left);
  void AddDay(Kind kind, const LimitLeft& left);
};

}  // namespace seekroute
