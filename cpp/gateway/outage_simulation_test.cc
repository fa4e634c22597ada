#include <gtest/gtest.h>

#include <string>

#include "testing/outage_simulation.h"

namespace seekroute {
namespace {

using testing::OutageSimulation;

TEST(OutageSimulationTest, ProvidersFailAndThePromisesHold) {
  size_t ejections = 0, unserved = 0, answered = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    OutageSimulation run(seed);
    for (const std::string& promise : run.Run())
      ADD_FAILURE() << "seed " << seed << ": " << promise;
    if (HasFailure()) return;
    ejections += run.ejections();
    unserved += run.unserved();
    answered += run.answered();
  }
  // It has all happened.
  EXPECT_GT(ejections, 100u);
  EXPECT_GT(unserved, 100u);
  EXPECT_GT(answered, 10'000u);
}

}  // namespace
}  // namespace seekroute
