#include "limits/meter.h"

#include <gtest/gtest.h>

namespace seekroute {
namespace {

constexpr auto kKey = LimitScope::kKey;
constexpr int64_t kMidnight = 1'800'000'000 / 86'400 * 86'400;  // in seconds

// So many seconds after the midnight, by both clocks.
LimitTime At(int64_t seconds) {
  return {TimePoint{1'000'000'000} + Duration::Seconds(seconds), {(kMidnight + seconds) * 1000}};
}

LimitTime Later(LimitTime time, Duration by) {
  return {time.now + by, {time.wall.ms + by.ns / 1'000'000}};
}

Meter Of(const LimitSet& limits) {
  Meter meter;
  meter.Change(limits, At(0).now);
  return meter;
}

std::optional<LimitRefusal> Ask(Meter* meter, const LimitTime& time, LimitCost cost = {}) {
  auto refusal = meter->Judge(kKey, cost, time);
  if (!refusal) meter->Take(cost, time);
  return refusal;
}

TEST(MeterTest, RefusesTheSixtyFirstOfSixtyForASecond) {
  Meter meter = Of({.requests_per_minute = 60});
  for (int i = 0; i < 60; ++i) ASSERT_FALSE(Ask(&meter, At(0)));
  const auto refusal = Ask(&meter, At(0));
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->kind, RefusalKind::kWait);
  EXPECT_EQ(refusal->dimension, LimitDimension::kRequestsPerMinute);
  EXPECT_EQ(refusal->wait, Duration::Seconds(1));
  EXPECT_EQ(refusal->limit, 60);
  EXPECT_EQ(refusal->remaining, 0);
  EXPECT_EQ(refusal->window_s, 60);
  EXPECT_TRUE(refusal->exact);
  EXPECT_TRUE(Ask(&meter, Later(At(0), Duration{999'999'999})));
  EXPECT_FALSE(Ask(&meter, At(1)));
}

TEST(MeterTest, WaitsForPartsOfANanosecond) {
  Meter meter = Of({.requests_per_minute = 7});
  for (int i = 0; i < 7; ++i) ASSERT_FALSE(Ask(&meter, At(0)));
  EXPECT_EQ(Ask(&meter, At(0))->wait, Duration{8'571'428'572});
}

TEST(MeterTest, CountsTheTokensOfPromptAndAnswer) {
  Meter meter = Of({.tokens_per_minute = 60, .burst_tokens = 10});
  EXPECT_FALSE(Ask(&meter, At(0), {.prompt = 2, .tokens = 10}));
  const auto refusal = Ask(&meter, At(0), {.prompt = 1, .tokens = 3});
  EXPECT_EQ(refusal->wait, Duration::Seconds(3));
  EXPECT_EQ(refusal->dimension, LimitDimension::kTokensPerMinute);
}

// What an answer may take beyond the burst becomes a debt when it was taken.
TEST(MeterTest, RefusesForGoodOnlyAPromptAboveTheBurst) {
  Meter meter = Of({.requests_per_minute = 1, .tokens_per_minute = 60, .burst_tokens = 10});
  const LimitCost cost{.prompt = 10, .tokens = 5000};
  ASSERT_FALSE(meter.Judge(kKey, cost, At(0)));
  const Meter::Taken taken = meter.Take(cost, At(0));
  EXPECT_EQ(taken.tokens.cost, 10);
  EXPECT_EQ(meter.Settle(taken, {40}, At(0)), 0);
  EXPECT_EQ(meter.Judge(kKey, {}, At(0))->wait, Duration::Seconds(60));  // of requests
  EXPECT_EQ(meter.Judge(kKey, {}, At(60)), std::nullopt);
  const auto refusal = meter.Judge(kKey, {.prompt = 11, .tokens = 12}, At(0));
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->kind, RefusalKind::kTooLarge);
  EXPECT_EQ(refusal->burst, 10);
  EXPECT_EQ(refusal->limit, 60);
  EXPECT_EQ(refusal->needed, 11);
}

TEST(MeterTest, ZeroIsNever) {
  for (const LimitSet& limits : {LimitSet{.requests_per_minute = 0},
                                 LimitSet{.tokens_per_minute = 0}, LimitSet{.requests_per_day = 0},
                                 LimitSet{.tokens_per_day = 0}, LimitSet{.concurrent = 0}}) {
    Meter meter = Of(limits);
    const auto refusal = Ask(&meter, At(0));
    ASSERT_TRUE(refusal);
    EXPECT_EQ(refusal->kind, RefusalKind::kNever);
    LimitsLeft left;
    meter.TellMinutes(kKey, At(0).now, &left);
    meter.TellDays(kKey, At(0), &left);
  }
}

TEST(MeterTest, SlotsAreFreeAgain) {
  Meter meter = Of({.concurrent = 2});
  EXPECT_FALSE(Ask(&meter, At(0)));
  EXPECT_FALSE(Ask(&meter, At(0)));
  const auto refusal = Ask(&meter, At(0));
  EXPECT_EQ(refusal->kind, RefusalKind::kBusy);
  EXPECT_FALSE(refusal->exact);
  meter.Leave();
  EXPECT_FALSE(Ask(&meter, At(0)));
}

// Nobody knows when a slot is free: the wait of the other limit may not do.
TEST(MeterTest, AWaitBesideFullSlotsIsNotExact) {
  Meter meter = Of({.requests_per_minute = 1, .concurrent = 1});
  EXPECT_FALSE(Ask(&meter, At(0)));
  const auto refusal = Ask(&meter, At(0));
  EXPECT_EQ(refusal->kind, RefusalKind::kWait);
  EXPECT_FALSE(refusal->exact);
}

TEST(MeterTest, ADayEndsAtMidnight) {
  Meter meter = Of({.requests_per_day = 2, .tokens_per_day = 100});
  const LimitTime evening = At(86'400 - 90);
  EXPECT_FALSE(Ask(&meter, evening, {.prompt = 1, .tokens = 50}));
  EXPECT_FALSE(Ask(&meter, evening, {.prompt = 1, .tokens = 50}));
  const auto refusal = Ask(&meter, evening);
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->wait, Duration::Seconds(90));
  EXPECT_EQ(refusal->dimension, LimitDimension::kRequestsPerDay);
  EXPECT_EQ(refusal->window_s, 86'400);
  EXPECT_TRUE(Ask(&meter, Later(evening, Duration::Milliseconds(89'999))));
  EXPECT_FALSE(Ask(&meter, At(86'400)));
}

TEST(MeterTest, ARequestCountsOnTheDayThatItWasTakenOn) {
  Meter meter = Of({.tokens_per_day = 100});
  const LimitCost cost{.prompt = 1, .tokens = 60};
  const Meter::Taken yesterday = meter.Take(cost, At(86'400 - 10));
  meter.Take(cost, At(86'400 + 10));
  meter.Settle(yesterday, {1}, At(86'400 + 20));
  EXPECT_EQ(meter.Judge(kKey, {.prompt = 1, .tokens = 41}, At(86'400 + 20))->remaining, 40);
}

TEST(MeterTest, AClockThatJumpsOverMidnightGivesNothingTwice) {
  Meter meter = Of({.requests_per_day = 1});
  const auto at = [](int64_t seconds, int64_t wall) {
    return LimitTime{At(seconds).now, At(wall).wall};
  };
  ASSERT_FALSE(Ask(&meter, at(0, 86'400 - 60)));
  ASSERT_FALSE(Ask(&meter, at(60, 86'400)));           // the day turns
  EXPECT_TRUE(Ask(&meter, at(61, 86'400 - 3600)));     // and is put back
  EXPECT_TRUE(Ask(&meter, at(3600, 2 * 86'400 - 1)));  // forth
  EXPECT_TRUE(Ask(&meter, at(3601, 2 * 86'400)));      // too soon for another turn
  const auto refusal = Ask(&meter, at(3601, 2 * 86'400));
  EXPECT_EQ(refusal->wait, Duration::Seconds(59));
  EXPECT_TRUE(refusal->exact);
  EXPECT_FALSE(Ask(&meter, at(3660, 2 * 86'400 + 59)));
}

TEST(MeterTest, NoWaitIsLongerThanADay) {
  Meter meter = Of({.requests_per_day = 1});
  ASSERT_FALSE(Ask(&meter, At(86'400)));
  const auto refusal = Ask(&meter, {At(86'401).now, At(-86'400).wall});
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->wait, Duration::Seconds(86'400));
  EXPECT_FALSE(refusal->exact);
}

TEST(MeterTest, GivesEverythingBackOfWhatWasNoRequest) {
  Meter meter = Of({.requests_per_minute = 1,
                    .tokens_per_minute = 100,
                    .requests_per_day = 1,
                    .tokens_per_day = 100,
                    .concurrent = 1});
  const LimitCost cost{.prompt = 1, .tokens = 100};
  for (int i = 0; i < 3; ++i) {
    ASSERT_FALSE(meter.Judge(kKey, cost, At(0)));
    meter.GiveBack(meter.Take(cost, At(0)), At(0));
    meter.Leave();
  }
  EXPECT_TRUE(meter.AtRest(At(0)));
}

TEST(MeterTest, AChangedLimitKeepsWhatWasUsed) {
  Meter meter = Of({.requests_per_minute = 60, .burst_requests = 10});
  for (int i = 0; i < 4; ++i) ASSERT_FALSE(Ask(&meter, At(0)));
  meter.Change({.requests_per_minute = 6, .burst_requests = 5}, At(0).now);
  EXPECT_FALSE(Ask(&meter, At(0)));
  EXPECT_EQ(Ask(&meter, At(0))->wait, Duration::Seconds(10));
}

TEST(MeterTest, ALimitThatGoesAndComesKeepsWhatWasUsed) {
  Meter meter = Of({.requests_per_minute = 60});
  for (int i = 0; i < 60; ++i) ASSERT_FALSE(Ask(&meter, At(0)));
  meter.Change({}, At(0).now);
  EXPECT_FALSE(Ask(&meter, At(0)));
  meter.Change({.requests_per_minute = 60}, At(10).now);
  EXPECT_EQ(meter.Judge(kKey, {}, At(10)), std::nullopt);
  for (int i = 0; i < 10; ++i) ASSERT_FALSE(Ask(&meter, At(10)));
  EXPECT_TRUE(Ask(&meter, At(10)));
}

TEST(MeterTest, LessThanWhatRunsKillsNobody) {
  Meter meter = Of({.concurrent = 3});
  for (int i = 0; i < 3; ++i) ASSERT_FALSE(Ask(&meter, At(0)));
  meter.Change({.concurrent = 1}, At(0).now);
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(Ask(&meter, At(0)));
    meter.Leave();
  }
  EXPECT_TRUE(Ask(&meter, At(0)));
  meter.Leave();
  EXPECT_FALSE(Ask(&meter, At(0)));
}

LimitsLeft LeftOf(const Meter& meter, const LimitTime& time) {
  LimitsLeft left;
  meter.TellMinutes(kKey, time.now, &left);
  meter.TellDays(kKey, time, &left);
  for (const LimitsLeft::Kind kind : {&LimitsLeft::requests, &LimitsLeft::tokens}) {
    if (left.*kind) meter.TellReset(kind, time, &left);
  }
  return left;
}

TEST(MeterTest, TellsOfADayOnlyWhereItsNumberIsSmaller) {
  Meter meter = Of({.requests_per_minute = 60, .requests_per_day = 61});
  ASSERT_FALSE(Ask(&meter, At(0)));
  LimitsLeft left = LeftOf(meter, At(0));
  EXPECT_EQ(left.requests->window_s, 60);
  EXPECT_EQ(left.requests->limit, 60);
  EXPECT_EQ(left.requests->remaining, 59);
  EXPECT_EQ(left.requests->reset, Duration::Seconds(1));
  EXPECT_FALSE(left.tokens);
  EXPECT_FALSE(left.concurrent);
  ASSERT_FALSE(Ask(&meter, At(60)));
  ASSERT_FALSE(Ask(&meter, At(60)));
  left = LeftOf(meter, At(60));
  EXPECT_EQ(left.requests->remaining, 58);
  EXPECT_EQ(left.requests->window_s, 60);
  left = LeftOf(meter, At(120));  // 60 a minute, 58 for the rest of the day
  EXPECT_EQ(left.requests->window_s, 86'400);
  EXPECT_EQ(left.requests->limit, 61);
  EXPECT_EQ(left.requests->remaining, 58);
  EXPECT_EQ(left.requests->reset, Duration::Seconds(86'400 - 120));
}

// "Until it is as in the beginning", which is later than the next admission.
TEST(MeterTest, TheResetIsThatOfTheWholeLimit) {
  Meter meter = Of({.requests_per_minute = 60, .burst_requests = 10});
  for (int i = 0; i < 10; ++i) ASSERT_FALSE(Ask(&meter, At(0)));
  EXPECT_EQ(Ask(&meter, At(0))->wait, Duration::Seconds(1));
  const LimitsLeft left = LeftOf(meter, At(0));
  EXPECT_EQ(left.requests->limit, 10);
  EXPECT_EQ(left.requests->reset, Duration::Seconds(10));
}

}  // namespace
}  // namespace seekroute
