#include "routing/sketch.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace seekroute {
namespace {

constexpr double kGrowth = 1.1;

}  // namespace

size_t LogBuckets::Of(double units) {
  static const double kLogGrowth = std::log(kGrowth);
  if (!(units > 1)) return 0;
  const double at = std::ceil(std::log(units) / kLogGrowth);
  return at < static_cast<double>(kCount - 1) ? static_cast<size_t>(at) : kCount - 1;
}

double LogBuckets::ValueOf(size_t bucket) {
  return 2 * std::pow(kGrowth, static_cast<double>(bucket)) / (kGrowth + 1);
}

void Sketch::Add(double units, TimePoint now) {
  if (!windows_) windows_ = std::make_unique<Windows>();
  const size_t bucket = LogBuckets::Of(units);
  windows_->five.Add(bucket, now);
  windows_->thirty.Add(bucket, now);
}

void Sketch::Window::Add(size_t bucket, TimePoint now) {
  Slice& slice = slices[clock.Advance(now, [this](size_t place) { slices[place].fill(0); })];
  // A slice that is full keeps its shape.
  if (slice[bucket] == std::numeric_limits<uint16_t>::max()) {
    for (uint16_t& count : slice) count = static_cast<uint16_t>(count / 2);
  }
  ++slice[bucket];
}

Sketch::Figures Sketch::Window::Read(TimePoint now, const std::array<double, 4>& quantiles) const {
  std::array<uint32_t, LogBuckets::kCount> sums{};
  Figures figures;
  clock.Visit(now, kSlices, [&](size_t place) {
    for (size_t i = 0; i < sums.size(); ++i) sums[i] += slices[place][i];
  });
  for (const uint32_t count : sums) figures.samples += count;
  if (figures.samples < kLeastSamples) return figures;
  for (size_t k = 0; k < quantiles.size(); ++k) {
    const auto rank = static_cast<uint32_t>(std::ceil(quantiles[k] * figures.samples));
    uint32_t below = 0;
    size_t bucket = 0;
    while (bucket + 1 < sums.size() && below + sums[bucket] < rank) below += sums[bucket++];
    figures.at[k] = LogBuckets::ValueOf(bucket);
  }
  return figures;
}

Sketch::Figures Sketch::Over5Minutes(TimePoint now, const std::array<double, 4>& quantiles) const {
  return windows_ ? windows_->five.Read(now, quantiles) : Figures{};
}

Sketch::Figures Sketch::Over30Minutes(TimePoint now, const std::array<double, 4>& quantiles) const {
  return windows_ ? windows_->thirty.Read(now, quantiles) : Figures{};
}

}  // namespace seekroute
