// Limits that change while requests run.
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "limits/limiter.h"

namespace seekroute {
namespace {

constexpr LimitTime kNow{TimePoint{1'000'000'000}, {1'800'000'000'000}};
constexpr LimitCost kLarge{.prompt = 10, .tokens = 50'000};

// Tokens a minute, first under one limit and then under others; nothing: without one.
using Limits = std::vector<std::optional<int64_t>>;

std::shared_ptr<const LimitSet> Of(std::optional<int64_t> tokens) {
  return std::make_shared<const LimitSet>(LimitSet{.tokens_per_minute = tokens});
}

// What is left where a request has taken 50,000 of the first limit, and 20 were enough in the end.
int64_t LeftOfTheGateway(const Limits& limits) {
  Limiter limiter;
  limiter.Set(LimitScope::kGateway, {}, Of(limits.front()), kNow);
  const LimitSubject who{.org = "org", .key = "key"};
  Limiter::Answer running = limiter.Reserve(who, kLarge, kNow);
  EXPECT_FALSE(running.refusal);
  for (size_t i = 1; i < limits.size(); ++i) {
    limiter.Set(LimitScope::kGateway, {}, Of(limits[i]), kNow);
  }
  running.reservation.Settle({20, 0}, kNow);
  return limiter.Look(who, kNow).tokens->remaining;
}

int64_t LeftOfTheKey(const Limits& limits) {
  Limiter limiter;
  LimitSubject who{.org = "org", .key = "key"};
  std::vector<std::shared_ptr<const LimitSet>> sets;
  const auto under = [&](std::optional<int64_t> tokens) {
    sets.push_back(Of(tokens));
    who.key_limits = sets.back().get();
    ++who.key_version;
  };
  under(limits.front());
  Limiter::Answer running = limiter.Reserve(who, kLarge, kNow);
  EXPECT_FALSE(running.refusal);
  for (size_t i = 1; i < limits.size(); ++i) {
    under(limits[i]);
    (void)limiter.Look(who, kNow);
  }
  running.reservation.Settle({20, 0}, kNow);
  return limiter.Look(who, kNow).tokens->remaining;
}

TEST(LimitChangeTest, WhatARunningRequestDoesNotNeedComesBack) {
  for (const Limits& limits : {Limits{60'000},
                               {60'000, 6'000},
                               {60'000, 120'000},
                               {60'000, 6'000, 60'000},
                               {60'000, std::nullopt, 60'000},
                               {60'000, std::nullopt, 6'000}}) {
    EXPECT_EQ(LeftOfTheGateway(limits), *limits.back() - 20);
    EXPECT_EQ(LeftOfTheKey(limits), *limits.back() - 20);
  }
}

// Also where it was not settled at all.
TEST(LimitChangeTest, ARequestThatWasNoneGivesBackAllOfIt) {
  Limiter limiter;
  limiter.Set(LimitScope::kOrg, "org", Of(60'000), kNow);
  const LimitSubject who{.org = "org", .key = "key"};
  Limiter::Answer running = limiter.Reserve(who, kLarge, kNow);
  Limiter::Answer other = limiter.Reserve(who, {.prompt = 10, .tokens = 100}, kNow);
  limiter.Set(LimitScope::kOrg, "org", Of(6'000), kNow);
  running = {};
  EXPECT_EQ(limiter.Look(who, kNow).tokens->remaining, 5'900);
}

}  // namespace
}  // namespace seekroute
