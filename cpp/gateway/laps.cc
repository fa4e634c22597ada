#include "gateway/laps.h"

#include <algorithm>
#include <cstdint>

namespace seekroute {

std::string FormatMilliseconds(Duration d) {
  const int64_t us = (d.ns + 500) / 1000;
  std::string text = std::to_string(us / 1000);
  const std::string after = std::to_string(1000 + us % 1000);  // keeps its zeros
  text += '.';
  text += std::string_view(after).substr(1);
  return text;
}

void Laps::End(std::string_view step) {
  if (!on()) return;
  const TimePoint now = clock_->Now();
  const Duration took = std::max(now - last_, Duration{});
  last_ = now;
  for (size_t i = 0; i < count_; ++i) {
    if (laps_[i].step != step) continue;
    laps_[i].took = laps_[i].took + took;
    return;
  }
  if (count_ < kMost) laps_[count_++] = {step, took};
}

std::string Laps::Header() const {
  std::string text;
  for (size_t i = 0; i < count_; ++i) {
    if (i > 0) text += ", ";
    text += laps_[i].step;
    text += ";dur=";
    text += FormatMilliseconds(laps_[i].took);
  }
  return text;
}

}  // namespace seekroute
