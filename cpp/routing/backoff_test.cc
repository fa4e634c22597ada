#include "routing/backoff.h"

#include <gtest/gtest.h>

#include "testing/virtual_world.h"

namespace seekroute {
namespace {

using testing::SeededRng;

constexpr Duration kLong = Duration::Seconds(600);

TEST(BackOffTest, DoublesUpToTwoSecondsAndIsDrawnFromAllOfIt) {
  SeededRng rng(7);
  for (const auto& [visits, most_ms] :
       {std::pair{1, 100}, {2, 200}, {3, 400}, {5, 1600}, {6, 2000}, {100, 2000}}) {
    Duration least = kLong;
    Duration longest;
    for (int i = 0; i < 10'000; ++i) {
      const Duration drawn = BackOff(visits, rng.Next());
      least = std::min(least, drawn);
      longest = std::max(longest, drawn);
    }
    EXPECT_LE(longest, Duration::Milliseconds(most_ms)) << visits;
    EXPECT_GE(longest.ns, most_ms * 990'000) << visits;
    EXPECT_LE(least.ns, most_ms * 10'000) << visits;
  }
}

TEST(BackOffTest, AWaitThatWasNamedIsKeptUpToATenthMore) {
  SeededRng rng(8);
  for (int i = 0; i < 10'000; ++i) {
    const auto wait = WaitAlone(Duration::Milliseconds(1500), 1, kLong, rng.Next());
    ASSERT_TRUE(wait);
    EXPECT_GE(*wait, Duration::Milliseconds(1500));
    EXPECT_LE(*wait, Duration::Milliseconds(1650));
  }
}

TEST(BackOffTest, WhatIsTooLongToWaitForIsToldInstead) {
  EXPECT_TRUE(WaitAlone(Duration::Seconds(2), 1, kLong, 0));
  EXPECT_FALSE(WaitAlone(Duration::Milliseconds(2001), 1, kLong, 0));
  // A quarter of what is left.
  EXPECT_TRUE(WaitAlone(Duration::Seconds(1), 1, Duration::Seconds(4), 0));
  EXPECT_FALSE(WaitAlone(Duration::Milliseconds(1001), 1, Duration::Seconds(4), 0));
}

TEST(BackOffTest, NoWaitLeavesLessThanASecond) {
  EXPECT_TRUE(WaitAlone(Duration{-1}, 1, Duration::Seconds(1), 0));
  EXPECT_FALSE(WaitAlone(Duration{-1}, 1, Duration::Milliseconds(999), 0));
  EXPECT_FALSE(WaitAlone(Duration{-1}, 1, Duration::Milliseconds(1050), 99'999'999));
}

}  // namespace
}  // namespace seekroute
