// Rings of slices of time: what was counted lately, without keeping when.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "base/time.h"

namespace seekroute {

// The place in the ring of `now`, with all cleared that lies between it and the newest slice. An
// instant before the newest slice belongs to that: a clock that goes back clears nothing. Instants
// may be negative: what was counted before a restart may lie before the clock's own beginning.
template <size_t N>
class SliceClock {
 public:
  explicit constexpr SliceClock(Duration width) : width_(width) {}

  template <typename Clear>
  size_t Advance(TimePoint now, const Clear& clear) {
    const int64_t index = IndexOf(now);
    if (newest_ == kNone) {
      newest_ = index;  // all is clear
    } else if (index > newest_) {
      for (int64_t i = std::max(newest_ + 1, index - int64_t{N} + 1); i <= index; ++i) {
        clear(PlaceOf(i));
      }
      newest_ = index;
    }
    return PlaceOf(newest_);
  }

  // Of the last `slices`, the running one included, those that hold anything, the oldest first:
  // `visit(place, age)`, where `age` is how long ago the slice began.
  template <typename Visitor>
  void Visit(TimePoint now, size_t slices, const Visitor& visit) const {
    if (newest_ == kNone) return;
    const int64_t running = std::max(newest_, IndexOf(now));
    const auto most = static_cast<int64_t>(std::min(slices, N));
    for (int64_t i = std::max(running - most + 1, newest_ - int64_t{N} + 1); i <= newest_; ++i) {
      visit(PlaceOf(i), Duration{std::max<int64_t>(now.ns - i * width_.ns, 0)});
    }
  }

 private:
  static constexpr int64_t kNone = std::numeric_limits<int64_t>::min();

  // Rounded down, also of what is negative.
  int64_t IndexOf(TimePoint now) const {
    return now.ns / width_.ns - (now.ns % width_.ns < 0 ? 1 : 0);
  }
  static size_t PlaceOf(int64_t index) {
    const int64_t place = index % int64_t{N};
    return static_cast<size_t>(place < 0 ? place + int64_t{N} : place);
  }

  Duration width_;
  int64_t newest_ = kNone;
};

// What attempts came to.
struct OutcomeCounts {
  uint32_t ok = 0;
  uint32_t fault = 0;
  uint32_t limited = 0;  // refused for their pace: neither

  uint32_t judged() const { return ok + fault; }
  friend bool operator==(const OutcomeCounts&, const OutcomeCounts&) = default;
  friend OutcomeCounts operator+(OutcomeCounts a, OutcomeCounts b) {
    return {a.ok + b.ok, a.fault + b.fault, a.limited + b.limited};
  }
};

// What outlives a restart of one slice.
struct KeptCounts {
  Duration age;  // since it began
  OutcomeCounts counts;
  friend bool operator==(const KeptCounts&, const KeptCounts&) = default;
};

template <size_t N>
class OutcomeSlices {
 public:
  explicit constexpr OutcomeSlices(Duration width) : clock_(width) {}

  OutcomeCounts& At(TimePoint now) {
    return slices_[clock_.Advance(now, [this](size_t place) { slices_[place] = {}; })];
  }
  OutcomeCounts Sum(TimePoint now, size_t slices) const {
    OutcomeCounts sum;
    clock_.Visit(now, slices, [&](size_t place, Duration) { sum = sum + slices_[place]; });
    return sum;
  }

  // Those that hold anything, the oldest first.
  std::vector<KeptCounts> Keep(TimePoint now) const {
    std::vector<KeptCounts> kept;
    clock_.Visit(now, N, [&](size_t place, Duration age) {
      if (slices_[place] != OutcomeCounts()) kept.push_back({age, slices_[place]});
    });
    return kept;
  }
  // Into slices that hold nothing; `kept` is as Keep() gives it.
  void Restore(const std::vector<KeptCounts>& kept, TimePoint now) {
    for (const KeptCounts& each : kept) {
      OutcomeCounts& counts = At({now.ns - each.age.ns});
      counts = counts + each.counts;
    }
  }

 private:
  SliceClock<N> clock_;
  std::array<OutcomeCounts, N> slices_ = {};
};

}  // namespace seekroute
