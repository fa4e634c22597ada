#include "routing/headroom.h"

#include <algorithm>

namespace seekroute {
namespace {

// A fifth of a limit is as good as all of it.
constexpr float kScale = 5;

}  // namespace

void Headroom::Tell(const ToldLimits& told, TimePoint now) {
  if (told.empty()) return;
  told_at_ = now;
  for (size_t i = 0; i < kToldDimensions; ++i) {
    const ToldLimit& each = told.of[i];
    left_[i] = {};
    if (!each.told()) continue;
    const Duration reset = std::min(each.reset, ToldLimit::kLongestReset);
    left_[i] = {static_cast<float>(each.limit), static_cast<float>(each.remaining),
                static_cast<uint32_t>((reset.ns + 999'999) / 1'000'000)};
  }
}

TimePoint Headroom::RoomAt(const TokensNeeded& needed, TimePoint now) const {
  const std::array<int64_t, kToldDimensions> takes = {1, needed.prompt + needed.answer,
                                                      needed.prompt, needed.answer};
  TimePoint room_at = now;
  for (size_t i = 0; i < kToldDimensions; ++i) {
    const Left& left = left_[i];
    if (!Knows(left, now)) continue;
    float least = static_cast<float>(std::max<int64_t>(takes[i], 1));
    if (left.limit > 0) least = std::min(least, left.limit);
    if (left.remaining >= least) continue;
    const Duration out = std::min(Duration::Milliseconds(left.reset_ms), kLongestOut);
    room_at = std::max(room_at, told_at_ + out);
  }
  return room_at;
}

bool Headroom::ample(TimePoint now) const {
  for (size_t i = 0; i < kToldDimensions; ++i) {
    const Left& left = left_[i];
    if (!Knows(left, now)) continue;
    const bool is_requests = i == static_cast<size_t>(ToldDimension::kRequests);
    const float least = is_requests ? 1 : static_cast<float>(kAmpleTokens);
    if (left.remaining < least || kScale * left.remaining < left.limit) return false;
  }
  return true;
}

bool Headroom::plentiful(TimePoint now) const {
  bool told = false;
  for (const Left& left : left_) {
    if (!Knows(left, now)) continue;
    if (left.limit <= 0 || kScale * left.remaining < left.limit) return false;
    told = true;
  }
  return told;
}

void Headroom::Sum::Add(const Headroom& of, TimePoint now) {
  for (size_t i = 0; i < kToldDimensions; ++i) {
    const Headroom::Left& told = of.left_[i];
    if (!of.Knows(told, now) || told.limit <= 0) {
      left_[i].unknown = true;
      continue;
    }
    left_[i].remaining += static_cast<double>(told.remaining);
    left_[i].limit += static_cast<double>(told.limit);
  }
}

float Headroom::Sum::head() const {
  double head = 1;
  for (const Left& each : left_) {
    if (each.unknown || each.limit <= 0) continue;
    head = std::min(head, static_cast<double>(kScale) * each.remaining / each.limit);
  }
  return static_cast<float>(head);
}

}  // namespace seekroute
