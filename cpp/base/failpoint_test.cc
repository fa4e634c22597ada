#include "base/failpoint.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>

namespace seekroute {
namespace {

// In a process of its own, because the environment is read once.
[[noreturn]] void Hit(const char* set, int times) {
  setenv("SEEKROUTE_FAILPOINT", set, 1);  // NOLINT(concurrency-mt-unsafe)
  for (int i = 0; i < times; ++i) SR_FAILPOINT("in_order");
  std::exit(0);  // NOLINT(concurrency-mt-unsafe)
}

#ifdef SEEKROUTE_FAILPOINTS
const auto kKilled = ::testing::KilledBySignal(SIGKILL);
#else
const auto kKilled = ::testing::ExitedWithCode(0);  // the places are not there
#endif
const auto kAlive = ::testing::ExitedWithCode(0);

TEST(FailpointDeathTest, KillsAtTheHitThatIsNamed) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(Hit("in_order:abort", 1), kKilled, "");
  EXPECT_EXIT(Hit("in_order:abort@3", 3), kKilled, "");
  EXPECT_EXIT(Hit("in_order:abort@3", 2), kAlive, "");
  EXPECT_EXIT(Hit("in_prune:abort", 5), kAlive, "");
  EXPECT_EXIT(Hit("", 5), kAlive, "");
}

TEST(FailpointDeathTest, AMisspelledPlaceDoesNotLetATestPass) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  for (const char* set : {"in_ordr:abort", "in_order", "in_order:exit", "in_order:abort@0",
                          "in_order:abort@x", "in_order:abort@"}) {
    EXPECT_EXIT(Hit(set, 1), kKilled, "") << set;
  }
}

}  // namespace
}  // namespace seekroute
