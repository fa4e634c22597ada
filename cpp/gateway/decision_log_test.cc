#include "gateway/decision_log.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace seekroute {
namespace {

TEST(DecisionLog, GivesEachDecisionOnceInOrder) {
  DecisionLog log;
  for (const char* const id : {"a", "b"}) log.Put({.generation_id = id});
  const auto taken = log.TakeAll();
  ASSERT_EQ(taken.size(), 2U);
  EXPECT_EQ(taken[0].generation_id, "a");
  EXPECT_EQ(taken[1].generation_id, "b");
  EXPECT_TRUE(log.TakeAll().empty());
}

TEST(DecisionLog, ForgetsTheOldestWhereNobodyTakesThem) {
  DecisionLog log;
  for (size_t i = 0; i < DecisionLog::kMost + 3; ++i) {
    log.Put({.generation_id = std::to_string(i)});
  }
  EXPECT_EQ(log.dropped(), 3U);
  const auto taken = log.TakeAll();
  ASSERT_EQ(taken.size(), DecisionLog::kMost);
  EXPECT_EQ(taken.front().generation_id, "3");
}

}  // namespace
}  // namespace seekroute
