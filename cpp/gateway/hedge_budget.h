// How many second calls may run beside slow ones. Thread-safe.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "base/time.h"

namespace seekroute {

// By the operator.
struct HedgeRules {
  bool enabled = false;  // where neither a key nor its organization says it
  int percent = 2;       // of first calls
  // No call is slow before.
  Duration min_delay = Duration::Milliseconds(300);
};

// A bucket of ten that each first call fills by a small part: over any time there are at most ten
// hedges and so many percent of the first calls. Shared by all engines.
class HedgeBudget {
 public:
  static constexpr int64_t kMost = 10;
  static constexpr Duration kLongestDelay = Duration::Seconds(30);

  explicit HedgeBudget(const HedgeRules& rules) : rules_(rules) {}

  bool enabled() const { return rules_.enabled; }

  // Of one that may be hedged.
  void NoteFirstCall() {
    int64_t before = hundredths_.load(std::memory_order_relaxed);
    while (!hundredths_.compare_exchange_weak(
        before, std::min(before + rules_.percent, kMost * 100), std::memory_order_relaxed)) {
    }
  }
  // False: none is left.
  bool Take() {
    int64_t before = hundredths_.load(std::memory_order_relaxed);
    do {
      if (before < 100) return false;
    } while (!hundredths_.compare_exchange_weak(before, before - 100, std::memory_order_relaxed));
    return true;
  }
  // The hedge was not made.
  void GiveBack() { hundredths_.fetch_add(100, std::memory_order_relaxed); }

  // When a call without content is slow, where one of twenty takes longer than `p95`.
  Duration DelayFor(Duration p95) const {
    return std::clamp(p95, std::min(rules_.min_delay, kLongestDelay), kLongestDelay);
  }

 private:
  const HedgeRules rules_;
  std::atomic<int64_t> hundredths_{kMost * 100};
};

}  // namespace seekroute
