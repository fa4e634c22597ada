// How long the steps of one request took, for the header Server-Timing.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/time.h"

namespace seekroute {

// Each lap ends where the next begins. Value type; without a clock it does nothing.
class Laps {
 public:
  Laps() = default;
  // The clock is not owned, and outlives this.
  explicit Laps(const Clock* clock) : clock_(clock) {}

  bool on() const { return clock_ != nullptr; }
  // The first lap begins.
  void Begin() {
    if (on()) last_ = clock_->Now();
  }
  // What has passed since the last lap, or since Begin(), was `step`: a literal. The same step
  // twice is one lap. Beyond kMost of them nothing is kept.
  void End(std::string_view step);

  // The value of the header: "auth;dur=0.004, parse;dur=0.041", in milliseconds as the W3C wants
  // them; empty: nothing was timed.
  std::string Header() const;

 private:
  static constexpr size_t kMost = 8;
  struct Lap {
    std::string_view step;
    Duration took;
  };

  const Clock* clock_ = nullptr;
  TimePoint last_;
  std::array<Lap, kMost> laps_ = {};
  size_t count_ = 0;
};

// To the microsecond: "0.041". `d` is not negative.
std::string FormatMilliseconds(Duration d);

}  // namespace seekroute
