// A rate beside a model of it that was written apart: what that has decided is read from a file.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "limits/gcra.h"

namespace seekroute {
namespace {

// A line begins with a letter, and all numbers are whole:
//   L units period_ns burst          a new cell
//   C now_ns cost wait_ns            it is asked: -1 never, 0 taken, else the wait
//   S now_ns which actual forgiven   the reservation, of those taken since L, is settled
//   K told_ns now_ns                 a clock that may jump, and what is made of it; L begins it
//   anew
// Behind C and S stand two more: how much is used then, in ns, and the part of one.
TEST(GcraStreamTest, DecidesAsTheModelDoes) {
  const char* const named = std::getenv("SEEKROUTE_GCRA_STREAM");
  if (named == nullptr) {
    GTEST_SKIP() << "SEEKROUTE_GCRA_STREAM names no file: tests/codebase/test_gcra_model.py does";
  }
  std::ifstream in(named);
  RateLimit limit;
  GcraCell cell;
  SteadyTime steady;
  std::vector<GcraCell::Taken> taken;
  int64_t decisions = 0, line = 0;
  const auto number = [&in] {
    int64_t value = 0;
    in >> value;
    return value;
  };
  const auto expect_used = [&](TimePoint now) {
    const int64_t ns = number();
    const ExactTime used{ns, static_cast<uint32_t>(number())};
    ASSERT_EQ(cell.Used(limit, now), used) << "line " << line;
  };
  for (char what = 0; in >> what && !HasFatalFailure();) {
    ++line;
    if (what == 'L') {
      const int64_t units = number(), period = number();
      limit = {units, {period}, number()};
      cell = {};
      steady = {};
      taken.clear();
      continue;
    }
    const TimePoint now{number()};
    if (what == 'K') {
      ASSERT_EQ(steady.At(now).ns, number()) << "line " << line;
    } else if (what == 'C') {
      const int64_t cost = number(), wait = number();
      ASSERT_EQ(cell.Wait(limit, now, cost).value_or(Duration{-1}).ns, wait) << "line " << line;
      if (wait == 0) taken.push_back(cell.Take(limit, now, cost));
      ++decisions;
      expect_used(now);
    } else {
      ASSERT_EQ(what, 'S') << "line " << line;
      const auto which = static_cast<size_t>(number());
      const int64_t actual = number(), forgiven = number();
      ASSERT_EQ(cell.Settle(limit, now, taken.at(which), actual), forgiven) << "line " << line;
      expect_used(now);
    }
  }
  EXPECT_TRUE(in.eof());
  EXPECT_GT(decisions, 0);
  RecordProperty("decisions", std::to_string(decisions));
}

}  // namespace
}  // namespace seekroute
