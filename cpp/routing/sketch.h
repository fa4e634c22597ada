// Percentiles of what was measured lately, in buckets that grow by a tenth.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/time.h"
#include "routing/time_slices.h"

namespace seekroute {

// Sizes from 1 to about 620,000 units: milliseconds, or tenths of a token a second. A value is told
// with an error of 4.77 % at most; what lies outside counts as the nearest that is inside.
class LogBuckets {
 public:
  static constexpr size_t kCount = 141;

  static size_t Of(double units);
  static double ValueOf(size_t bucket);
};

// Two windows: of 5 minutes, in slices of one, and of 30, in slices of five; each as long and what
// has passed of the running slice. Not thread-safe; 3.4 KB once something was added.
class Sketch {
 public:
  // Fewer say nothing.
  static constexpr uint32_t kLeastSamples = 20;

  void Add(double units, TimePoint now);

  struct Figures {
    uint32_t samples = 0;
    // By the quantiles that were asked for; 0: too few samples.
    std::array<double, 4> at = {};
  };
  // The smallest value that so large a part of the samples does not exceed, for each of four parts
  // in (0, 1].
  Figures Over5Minutes(TimePoint now, const std::array<double, 4>& quantiles) const;
  Figures Over30Minutes(TimePoint now, const std::array<double, 4>& quantiles) const;

  void Clear() { windows_.reset(); }

  // What outlives a restart.
  struct KeptSlice {
    Duration age;                                       // since it began
    std::vector<std::pair<uint8_t, uint16_t>> buckets;  // those with samples, and how many
    friend bool operator==(const KeptSlice&, const KeptSlice&) = default;
  };
  struct Kept {
    std::vector<KeptSlice> five, thirty;  // at most kSlices each, the oldest first
    friend bool operator==(const Kept&, const Kept&) = default;
  };
  Kept Keep(TimePoint now) const;
  // Into one that holds nothing; `kept` is as Keep() gives it.
  void Restore(const Kept& kept, TimePoint now);

  static constexpr size_t kSlices = 6;

 private:
  using Slice = std::array<uint16_t, LogBuckets::kCount>;
  struct Window {
    explicit Window(Duration width) : clock(width) {}
    void Add(size_t bucket, TimePoint now);
    Figures Read(TimePoint now, const std::array<double, 4>& quantiles) const;
    std::vector<KeptSlice> Keep(TimePoint now) const;
    void Restore(const std::vector<KeptSlice>& kept, TimePoint now);

    SliceClock<kSlices> clock;
    std::array<Slice, kSlices> slices = {};
  };
  struct Windows {
    Window five{Duration::Seconds(60)};
    Window thirty{Duration::Seconds(300)};
  };
  std::unique_ptr<Windows> windows_;
};

}  // namespace seekroute
