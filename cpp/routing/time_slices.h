// Rings of slices of time: what was counted lately, without keeping when.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace seekroute {

// The place in the ring of `now`, with all cleared that lies between it and the newest slice. An
// instant before the newest slice belongs to that: a clock that goes back clears nothing.
template <size_t N>
class SliceClock {
 public:
  explicit constexpr SliceClock(Duration width) : width_(width) {}

  template <typename Clear>
  size_t Advance(TimePoint now, const Clear& clear) {
    const int64_t index = std::max<int64_t>(now.ns, 0) / width_.ns;
    if (index > newest_) {
      const int64_t first = std::max(newest_ + 1, index - int64_t{N} + 1);
      for (int64_t i = std::max<int64_t>(first, 0); i <= index; ++i) {
        clear(static_cast<size_t>(i % int64_t{N}));
      }
      newest_ = index;
    }
    return static_cast<size_t>(newest_ % int64_t{N});
  }

  // Of the last `slices`, the running one included, those that hold anything: `visit(place)`.
  template <typename Visitor>
  void Visit(TimePoint now, size_t slices, const Visitor& visit) const {
    const int64_t running = std::max(newest_, now.ns / width_.ns);
    const auto most = static_cast<int64_t>(std::min(slices, N));
    const int64_t oldest = std::max<int64_t>({running - most + 1, newest_ - int64_t{N} + 1, 0});
    for (int64_t i = oldest; i <= newest_; ++i) visit(static_cast<size_t>(i % int64_t{N}));
  }

 private:
  Duration width_;
  int64_t newest_ = -1;
};

// What attempts came to.
struct OutcomeCounts {
  uint32_t ok = 0;
  uint32_t fault = 0;
  uint32_t limited = 0;  // refused for their pace: neither

  uint32_t judged() const { return ok + fault; }
  friend OutcomeCounts operator+(OutcomeCounts a, OutcomeCounts b) {
    return {a.ok + b.ok, a.fault + b.fault, a.limited + b.limited};
  }
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
    clock_.Visit(now, slices, [&](size_t place) { sum = sum + slices_[place]; });
    return sum;
  }

 private:
  SliceClock<N> clock_;
  std::array<OutcomeCounts, N> slices_ = {};
};

}  // namespace seekroute
