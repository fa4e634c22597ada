#include "routing/sketch.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

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
  clock.Visit(now, kSlices, [&](size_t place, Duration) {
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

std::vector<Sketch::KeptSlice> Sketch::Window::Keep(TimePoint now) const {
  std::vector<KeptSlice> kept;
  clock.Visit(now, kSlices, [&](size_t place, Duration age) {
    KeptSlice slice{.age = age, .buckets = {}};
    for (size_t i = 0; i < slices[place].size(); ++i) {
      const uint16_t count = slices[place][i];
      if (count > 0) slice.buckets.emplace_back(static_cast<uint8_t>(i), count);
    }
    if (!slice.buckets.empty()) kept.push_back(std::move(slice));
  });
  return kept;
}

void Sketch::Window::Restore(const std::vector<KeptSlice>& kept, TimePoint now) {
  for (const KeptSlice& each : kept) {
    const TimePoint began{now.ns - each.age.ns};
    Slice& slice = slices[clock.Advance(began, [this](size_t place) { slices[place].fill(0); })];
    for (const auto& [bucket, count] : each.buckets) {
      if (bucket < slice.size()) slice[bucket] = count;
    }
  }
}

Sketch::Kept Sketch::Keep(TimePoint now) const {
  if (!windows_) return {};
  return {windows_->five.Keep(now), windows_->thirty.Keep(now)};
}

void Sketch::Restore(const Kept& kept, TimePoint now) {
  if (kept.five.empty() && kept.thirty.empty()) return;
  if (!windows_) windows_ = std::make_unique<Windows>();
  windows_->five.Restore(kept.five, now);
  windows_->thirty.Restore(kept.thirty, now);
}

}  // namespace seekroute
