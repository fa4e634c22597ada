#include "testing/simulation.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace seekroute::testing {
namespace {

// SEEKROUTE_SEEDS=first:count plays others, for hunting or for replaying one.
std::pair<uint64_t, uint64_t> Seeds() {
  const char* const chosen = std::getenv("SEEKROUTE_SEEDS");
  if (chosen == nullptr) return {1, 20'000};
  char* rest = nullptr;
  const uint64_t first = std::strtoull(chosen, &rest, 10);
  return {first, *rest == ':' ? std::strtoull(rest + 1, nullptr, 10) : 1};
}

TEST(SimulationTest, KeepsItsPromisesUnderEverySeed) {
  const auto [first, count] = Seeds();
  size_t answered = 0;
  size_t failed = 0;
  size_t read_out = 0;
  size_t owed = 0;
  size_t limited = 0;
  size_t queued = 0;
  size_t chosen = 0;
  size_t shadowed = 0;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    Simulation simulation(seed);
    for (const std::string& promise : simulation.Run()) {
      ADD_FAILURE() << "seed " << seed << ", " << promise;
    }
    answered += simulation.answered();
    failed += simulation.failed();
    read_out += simulation.read_out();
    owed += simulation.owed();
    limited += simulation.limited();
    queued += simulation.queued();
    chosen += simulation.chosen();
    shadowed += simulation.shadowed();
    if (::testing::Test::HasFailure()) break;
  }
  // All kinds must be common, or the promises were kept by not being tried.
  if (count >= 100) {
    EXPECT_GT(answered, count * 2);
    EXPECT_GT(failed, count * 2);
    EXPECT_GT(limited, count / 4);
    EXPECT_GT(chosen, count / 4);
  }
  // What a seed in ten or fewer shows is missed among few of them by chance.
  if (count >= 1000) {
    EXPECT_GT(read_out, count / 50);
    EXPECT_GT(owed, count / 50);
    EXPECT_GT(queued, count / 50);
    EXPECT_GT(shadowed, count / 100);
  }
}

// Whoever asks gets the same bytes at the same instants for the same money.
TEST(SimulationTest, SecondRequestsChangeNothingForClients) {
  size_t shadowed = 0;
  for (uint64_t seed = 1; seed <= 3000 && !::testing::Test::HasFailure(); ++seed) {
    Simulation with(seed);
    if (!with.apart()) continue;
    with.Run();
    if (with.shadowed() == 0) continue;
    ++shadowed;
    Simulation without(seed);
    without.WithoutShadows();
    without.Run();
    EXPECT_EQ(without.shadowed(), 0u);
    EXPECT_EQ(with.fingerprint(), without.fingerprint()) << "seed " << seed;
    EXPECT_EQ(with.store().balance(), without.store().balance()) << "seed " << seed;
    EXPECT_EQ(with.store().bookings().size(), without.store().bookings().size()) << "seed " << seed;
  }
  EXPECT_GT(shadowed, 20u);
}

// Clients that leave at whatever moment: holds end, nothing is sent again, nobody pays twice.
TEST(SimulationTest, KeepsItsPromisesWhenEverybodyLeavesAtAnyEvent) {
  size_t runs = 0;
  for (uint64_t seed = 1; runs < 3000 && !::testing::Test::HasFailure(); ++seed) {
    Simulation whole(seed);
    if (!whole.credits()) continue;
    whole.Run();
    for (size_t event = 1; event <= whole.events(); ++event, ++runs) {
      Simulation simulation(seed);
      simulation.AbortEverybodyAt(event);
      for (const std::string& promise : simulation.Run()) {
        ADD_FAILURE() << "seed " << seed << ", event " << event << ", " << promise;
      }
    }
  }
}

// A stop at whatever moment: nobody is charged for it, and everybody is told.
TEST(SimulationTest, KeepsItsPromisesWhenTheGatewayStopsAtAnyEvent) {
  size_t runs = 0;
  size_t stopped = 0;
  for (uint64_t seed = 1; runs < 3000 && !::testing::Test::HasFailure(); ++seed) {
    Simulation whole(seed);
    whole.Run();
    for (size_t event = 1; event <= whole.events(); ++event, ++runs) {
      Simulation simulation(seed);
      simulation.StopAt(event);
      for (const std::string& promise : simulation.Run()) {
        ADD_FAILURE() << "seed " << seed << ", event " << event << ", " << promise;
      }
      stopped += simulation.stopped();
    }
  }
  EXPECT_GT(stopped, runs);
}

TEST(SimulationTest, OneSeedIsOneRun) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Simulation first(seed);
    Simulation again(seed);
    first.Run();
    again.Run();
    EXPECT_EQ(first.fingerprint(), again.fingerprint()) << "seed " << seed;
  }
  Simulation one(1);
  Simulation two(2);
  one.Run();
  two.Run();
  EXPECT_NE(one.fingerprint(), two.fingerprint());
}

}  // namespace
}  // namespace seekroute::testing
