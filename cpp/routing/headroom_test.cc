#include "routing/headroom.h"

#include <gtest/gtest.h>

namespace seekroute {
namespace {

using enum ToldDimension;

constexpr TimePoint kNow{1'000'000'000'000};

TimePoint After(int64_t seconds) { return kNow + Duration::Seconds(seconds); }

ToldLimits Told(ToldDimension dimension, int64_t limit, int64_t remaining, int64_t reset_s) {
  ToldLimits told;
  told.of[static_cast<size_t>(dimension)] = {limit, remaining, Duration::Seconds(reset_s)};
  return told;
}

Headroom Left(const ToldLimits& told) {
  Headroom left;
  left.Tell(told, kNow);
  return left;
}

float HeadOf(const std::initializer_list<Headroom>& keys, TimePoint now = kNow) {
  Headroom::Sum sum;
  for (const Headroom& each : keys) sum.Add(each, now);
  return sum.head();
}

TEST(Headroom, OfWhatIsNotToldThereIsRoom) {
  EXPECT_EQ(Headroom().RoomAt({1000, 1000}, kNow), kNow);
  EXPECT_TRUE(Headroom().ample(kNow));
  EXPECT_EQ(HeadOf({Headroom()}), 1);
  EXPECT_EQ(HeadOf({}), 1);
}

TEST(Headroom, WithoutARequestLeftThereIsNoneUntilTheReset) {
  const Headroom left = Left(Told(kRequests, 10, 0, 7));
  EXPECT_EQ(left.RoomAt({}, kNow), After(7));
  EXPECT_EQ(left.RoomAt({}, After(6)), After(7));
  EXPECT_EQ(left.RoomAt({}, After(7)), After(7));
  EXPECT_EQ(left.RoomAt({}, After(8)), After(8));
  EXPECT_EQ(Left(Told(kRequests, 10, 1, 7)).RoomAt({1'000'000, 1}, kNow), kNow);
}

TEST(Headroom, NobodyIsOutForLongerThanAMinute) {
  const Headroom left = Left(Told(kRequests, 10, 0, 3600));
  EXPECT_EQ(left.RoomAt({}, kNow), After(60));
  EXPECT_EQ(left.RoomAt({}, After(61)), After(61));
  EXPECT_EQ(HeadOf({left}, After(61)), 0) << "it is known all the same";
}

TEST(Headroom, TokensAreComparedWithWhatAnAskTakes) {
  const Headroom both = Left(Told(kTokens, 1000, 300, 20));
  EXPECT_EQ(both.RoomAt({200, 100}, kNow), kNow);
  EXPECT_EQ(both.RoomAt({200, 101}, kNow), After(20));
  EXPECT_EQ(Left(Told(kInputTokens, 1000, 300, 20)).RoomAt({300, 9999}, kNow), kNow);
  EXPECT_EQ(Left(Told(kInputTokens, 1000, 300, 20)).RoomAt({301, 0}, kNow), After(20));
  EXPECT_EQ(Left(Told(kOutputTokens, 1000, 300, 20)).RoomAt({9999, 300}, kNow), kNow);
  EXPECT_EQ(Left(Told(kOutputTokens, 1000, 300, 20)).RoomAt({0, 301}, kNow), After(20));
  EXPECT_EQ(Left(Told(kTokens, 1000, 0, 20)).RoomAt({}, kNow), After(20));
}

// Nobody can be told to wait for what never comes.
TEST(Headroom, WhatExceedsALimitNeedsAllOfIt) {
  EXPECT_EQ(Left(Told(kTokens, 1000, 999, 20)).RoomAt({5000, 1}, kNow), After(20));
  EXPECT_EQ(Left(Told(kTokens, 1000, 1000, 20)).RoomAt({5000, 1}, kNow), kNow);
}

TEST(Headroom, WhatWasToldLastCounts) {
  Headroom left = Left(Told(kRequests, 10, 0, 30));
  left.Tell({}, After(1));
  EXPECT_EQ(left.RoomAt({}, After(1)), After(30));
  left.Tell(Told(kRequests, 10, 3, 30), After(2));
  EXPECT_EQ(left.RoomAt({}, After(2)), After(2));
  left.Tell(Told(kTokens, 10, 3, 30), After(3));
  EXPECT_EQ(HeadOf({left}, After(3)), 1) << "3 of 10";
}

TEST(Headroom, IsAmpleWhereNoAskCanLackIt) {
  EXPECT_TRUE(Left(Told(kRequests, 10, 2, 30)).ample(kNow));
  EXPECT_FALSE(Left(Told(kRequests, 11, 2, 30)).ample(kNow));
  EXPECT_FALSE(Left(Told(kRequests, 0, 0, 30)).ample(kNow));
  EXPECT_FALSE(Left(Told(kTokens, 1'000'000, 1'000'000, 30)).ample(kNow));
  EXPECT_TRUE(Left(Told(kTokens, 2'000'000, 2'000'000, 30)).ample(kNow));
  EXPECT_TRUE(Left(Told(kRequests, 11, 0, 30)).ample(After(30)));
}

TEST(Headroom, TheHeadIsFiveTimesTheSmallestPartThatIsLeft) {
  EXPECT_FLOAT_EQ(HeadOf({Left(Told(kRequests, 100, 10, 30))}), .5F);
  EXPECT_FLOAT_EQ(HeadOf({Left(Told(kRequests, 100, 20, 30))}), 1);
  EXPECT_FLOAT_EQ(HeadOf({Left(Told(kRequests, 100, 90, 30))}), 1);
  ToldLimits two = Told(kRequests, 100, 10, 30);
  two.of[static_cast<size_t>(kTokens)] = {1000, 40, Duration::Seconds(9)};
  EXPECT_FLOAT_EQ(HeadOf({Left(two)}), .2F);
  EXPECT_FLOAT_EQ(HeadOf({Left(two)}, After(9)), .5F) << "the tokens' reset has passed";
  EXPECT_FLOAT_EQ(HeadOf({Left(two)}, After(30)), 1);
  EXPECT_FLOAT_EQ(HeadOf({Left(Told(kRequests, 0, 1, 30))}), 1) << "of an unknown limit";
}

TEST(Headroom, OfSeveralKeysTheHeadIsOfAllTogether) {
  const Headroom low = Left(Told(kRequests, 100, 4, 30));
  EXPECT_FLOAT_EQ(HeadOf({low, Left(Told(kRequests, 100, 16, 30))}), .5F);
  EXPECT_FLOAT_EQ(HeadOf({low, Left(Told(kRequests, 300, 4, 30))}), .1F);
  EXPECT_FLOAT_EQ(HeadOf({low, Headroom()}), 1) << "the other may have all";
}

}  // namespace
}  // namespace seekroute
