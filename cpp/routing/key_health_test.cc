#include "routing/key_health.h"

#include <gtest/gtest.h>

namespace seekroute {
namespace {

constexpr TimePoint kNow{1'000'000'000'000};

TimePoint After(int64_t seconds) { return kNow + Duration::Seconds(seconds); }

TEST(KeyHealthTest, ABadKeyIsDeadAtOnceAndProbedByOne) {
  KeyHealth key;
  key.Die(1, KeyTrouble::kBadKey, kNow);
  EXPECT_FALSE(key.Look(After(599)).open);
  EXPECT_EQ(key.Look(After(599)).why, KeyTrouble::kBadKey);
  EXPECT_EQ(key.Look(kNow).retry_at, After(600));
  EXPECT_TRUE(key.Ask(2, After(600)).probe);
  EXPECT_FALSE(key.Ask(3, After(600)).open);
  key.Worked(9);  // of before it died
  EXPECT_FALSE(key.Ask(3, After(601)).open);
  key.Worked(2);
  EXPECT_TRUE(key.plain(After(601)));
}

TEST(KeyHealthTest, EachDeathLastsTwiceAsLong) {
  KeyHealth key;
  int64_t at = 0;
  for (const int64_t wait : {300, 600, 1200, 2400, 3600, 3600}) {
    key.Die(7, KeyTrouble::kNoCredit, After(at));
    EXPECT_EQ(key.Look(After(at)).retry_at, After(at + wait));
    at += wait;
    ASSERT_TRUE(key.Ask(7, After(at)).probe);
  }
  key.Worked(7);
  key.Die(8, KeyTrouble::kNoCredit, After(at));
  EXPECT_EQ(key.Look(After(at)).retry_at, After(at + 300));
}

TEST(KeyHealthTest, ANewSecretIsAliveAtOnce) {
  KeyHealth key;
  EXPECT_TRUE(key.Use(11));
  key.Die(1, KeyTrouble::kBadKey, kNow);
  EXPECT_FALSE(key.Use(11));
  EXPECT_FALSE(key.Look(kNow).open);
  EXPECT_TRUE(key.Use(12));
  EXPECT_TRUE(key.Look(kNow).open);
}

TEST(KeyHealthTest, ARefusalAtOneEndpointKillsNoKey) {
  KeyHealth key;
  for (uint64_t i = 0; i < 10; ++i) EXPECT_FALSE(key.Forbid(i + 1, 1, kNow));
  EXPECT_FALSE(key.Forbid(20, 2, kNow));
  EXPECT_TRUE(key.Look(kNow).open);
  EXPECT_TRUE(key.Forbid(21, 3, kNow));
  EXPECT_EQ(key.Look(kNow).why, KeyTrouble::kForbidden);
}

TEST(KeyHealthTest, AnAnswerBetweenThemForgetsRefusals) {
  KeyHealth key;
  key.Forbid(1, 1, kNow);
  key.Forbid(2, 2, kNow);
  key.Worked(3);
  EXPECT_FALSE(key.Forbid(4, 3, kNow));
  EXPECT_FALSE(key.Forbid(5, 4, After(601)));
  EXPECT_FALSE(key.Forbid(6, 5, After(602)));  // the first is too old
  EXPECT_TRUE(key.Forbid(7, 6, After(603)));
}

TEST(KeyHealthTest, ASharedPaceIsTheKeys) {
  KeyHealth key;
  key.Limit(1, After(30), kNow);
  key.Limit(1, After(30), After(1));
  EXPECT_TRUE(key.Look(After(1)).open);
  key.Limit(2, After(40), After(5));
  EXPECT_EQ(key.Look(After(39)).why, KeyTrouble::kLimited);
  EXPECT_TRUE(key.Look(After(40)).open);
  key.Limit(1, After(90), After(60));  // much later
  EXPECT_TRUE(key.Look(After(60)).open);
}

TEST(PairHealthTest, IsOutForAsLongAsIsSaid) {
  PairHealth pair;
  EXPECT_EQ(pair.Limit(Duration::Seconds(17), 1, 0, kNow), After(17));
  EXPECT_FALSE(pair.Look(0, After(16)).open);
  EXPECT_TRUE(pair.Look(0, After(17)).open);
}

TEST(PairHealthTest, UnsaidThePauseDoublesToAMinute) {
  PairHealth pair;
  const uint64_t most = ~uint64_t{0};
  for (const int64_t seconds : {1, 2, 4, 8, 16, 32, 60, 60}) {
    PairHealth copy = pair;
    const TimePoint until = copy.Limit({}, 1, most, kNow);
    EXPECT_GT(until, After(seconds) + Duration::Milliseconds(-2));
    EXPECT_LE(until, After(seconds));
    pair.Limit({}, 1, 0, TimePoint{});  // drawn short
  }
  pair.Worked(kNow);
  EXPECT_LE(pair.Limit({}, 1, most, kNow), After(1));
}

TEST(PairHealthTest, WhatWasToldOfItsLimitsHoldsBesideItsOwnRefusals) {
  ToldLimits told;
  told.of[0] = {10, 0, Duration::Seconds(30)};
  PairHealth pair;
  pair.Tell(told, kNow);
  EXPECT_FALSE(pair.plain(kNow));
  EXPECT_EQ(pair.Look(0, kNow).why, KeyTrouble::kLimited);
  EXPECT_EQ(pair.Look(0, kNow).retry_at, After(30));
  pair.Limit(Duration::Seconds(20), 1, 0, kNow);
  EXPECT_EQ(pair.Look(0, kNow).retry_at, After(30));
  pair.Worked(After(1));
  EXPECT_FALSE(pair.Look(0, After(29)).open);
  PairHealth again;
  again.Restore(pair.Keep(After(10)), kNow);
  EXPECT_EQ(again.Look(0, kNow).retry_at, After(20));
  pair.NoModel(After(29));
  EXPECT_EQ(pair.Look(0, After(29)).why, KeyTrouble::kNoModel);
  told.of[0].remaining = 10;
  PairHealth ample;
  ample.Tell(told, kNow);
  EXPECT_TRUE(ample.plain(kNow));
}

TEST(PairHealthTest, LearnsHowManyAreTakenAtOnce) {
  PairHealth pair;
  EXPECT_TRUE(pair.Look(1000, kNow).open);
  pair.Limit(Duration::Seconds(1), 10, 0, kNow);
  EXPECT_EQ(pair.cap(), 7);
  pair.Limit(Duration::Seconds(1), 10, 0, kNow);  // one cut a second
  EXPECT_EQ(pair.cap(), 7);
  EXPECT_TRUE(pair.Look(6, After(2)).open);
  EXPECT_EQ(pair.Look(7, After(2)).why, KeyTrouble::kLimited);
  for (int i = 0; i < 7; ++i) pair.Worked(After(3));
  EXPECT_EQ(pair.cap(), 8);
  for (int i = 0; i < 8; ++i) pair.Limit(Duration::Seconds(1), 1, 0, After(4 + i));
  EXPECT_EQ(pair.cap(), 1);
  EXPECT_TRUE(pair.Look(1000, After(20 + 600)).open);  // long ago
  pair.Worked(After(20 + 600));
  EXPECT_EQ(pair.cap(), 0);
}

}  // namespace
}  // namespace seekroute
