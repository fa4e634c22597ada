#include "testing/ledger_simulation.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace seekroute::testing {
namespace {

// SEEKROUTE_LEDGER_SEEDS=first:count plays others, for hunting or for replaying one.
std::pair<uint64_t, uint64_t> Seeds() {
  const char* const chosen = std::getenv("SEEKROUTE_LEDGER_SEEDS");
  if (chosen == nullptr) return {1, 10'000};
  char* rest = nullptr;
  const uint64_t first = std::strtoull(chosen, &rest, 10);
  return {first, *rest == ':' ? std::strtoull(rest + 1, nullptr, 10) : 1};
}

bool Play(uint64_t seed, DiskFault fault, int nth, int* charged, int* crashes, int* owing = nullptr,
          int* shadowed = nullptr) {
  LedgerSimulation simulation(seed, fault, nth);
  for (const std::string& promise : simulation.Run()) {
    ADD_FAILURE() << "seed " << seed << ", fault " << static_cast<int>(fault) << " at " << nth
                  << ": " << promise;
  }
  *charged += simulation.charged();
  *crashes += simulation.crashes();
  if (owing != nullptr) *owing += simulation.owing();
  if (shadowed != nullptr) *shadowed += simulation.shadowed();
  return simulation.fault_happened();
}

TEST(LedgerSimulationTest, KeepsItsPromisesUnderEverySeed) {
  const auto [first, count] = Seeds();
  constexpr DiskFault kFaults[] = {DiskFault::kNone, DiskFault::kFull, DiskFault::kIoError,
                                   DiskFault::kTorn, DiskFault::kBusy};
  int charged = 0;
  int crashes = 0;
  int owing = 0;
  int shadowed = 0;
  uint64_t faults = 0;
  for (uint64_t seed = first; seed < first + count && !::testing::Test::HasFailure(); ++seed) {
    SeededRng draw(seed ^ 0x5eed);
    const DiskFault fault = kFaults[draw.Below(std::size(kFaults))];
    const int nth = 1 + static_cast<int>(draw.Below(40));
    if (Play(seed, fault, nth, &charged, &crashes, &owing, &shadowed)) ++faults;
  }
  // All of it must be common, or the promises were kept by not being tried.
  if (count >= 100) {
    EXPECT_GT(charged, static_cast<int>(count));
    EXPECT_GT(crashes, static_cast<int>(count / 4));
    EXPECT_GT(faults, count / 8);
  }
  if (count >= 1000) {  // among few seeds it is missed by chance
    EXPECT_GT(owing, static_cast<int>(count / 20));
    EXPECT_GT(shadowed, static_cast<int>(count / 10));
  }
}

// One run, and the disk fails at its first, second, third, ... operation, until it is over before
// the fault comes.
TEST(LedgerSimulationTest, KeepsItsPromisesWhicheverOperationFails) {
  for (const DiskFault fault :
       {DiskFault::kFull, DiskFault::kIoError, DiskFault::kTorn, DiskFault::kBusy}) {
    for (uint64_t seed = 1; seed <= 3; ++seed) {
      int nth = 0;
      int charged = 0;
      int crashes = 0;
      while (Play(seed, fault, ++nth, &charged, &crashes) && !::testing::Test::HasFailure()) {
      }
      EXPECT_GT(nth, 3) << "seed " << seed << ", fault " << static_cast<int>(fault);
    }
  }
}

}  // namespace
}  // namespace seekroute::testing
