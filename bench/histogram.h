// Latencies in bounded memory.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace seekroute::bench {

// Counts durations in nanoseconds in buckets of at most 0.8 % width, so a run of any length takes
// the same memory. Not thread-safe.
class Histogram {
 public:
  void Record(int64_t ns) {
    const auto value = static_cast<uint64_t>(std::max<int64_t>(ns, 0));
    ++counts_[Bucket(value)];
    ++total_;
    max_ = std::max(max_, value);
  }

  uint64_t total() const { return total_; }
  double max_us() const { return static_cast<double>(max_) / 1000.0; }

  // The value in microseconds below which the share of all records lies (0.99 for the 99th
  // percentile).
  double PercentileUs(double share) const {
    if (total_ == 0) return 0;
    const auto rank = static_cast<uint64_t>(share * static_cast<double>(total_ - 1)) + 1;
    uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen >= rank) return std::min(MiddleUs(i), max_us());
    }
    return max_us();
  }

 private:
  static constexpr unsigned kFineBits = 7;
  static constexpr uint64_t kFine = uint64_t{1} << kFineBits;

  // Below kFine every value has its own bucket; above, each power of two is cut in kFine parts.
  static std::size_t Bucket(uint64_t value) {
    if (value < kFine) return static_cast<std::size_t>(value);
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - kFineBits - 1;
    return static_cast<std::size_t>((shift + 1) * kFine + ((value >> shift) - kFine));
  }

  static double MiddleUs(std::size_t bucket) {
    const auto index = static_cast<uint64_t>(bucket);
    if (index < kFine) return static_cast<double>(index) / 1000.0;
    const uint64_t shift = index / kFine - 1;
    const uint64_t low = (index % kFine + kFine) << shift;
    return (static_cast<double>(low) + static_cast<double>(uint64_t{1} << shift) / 2) / 1000.0;
  }

  std::array<uint64_t, (64 - kFineBits + 1) * kFine> counts_{};
  uint64_t total_ = 0;
  uint64_t max_ = 0;
};

}  // namespace seekroute::bench
