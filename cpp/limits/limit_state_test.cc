// What is used of limits, over a restart.
#include "limits/limit_state.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "limits/limiter.h"

namespace seekroute {
namespace {

using enum LimitScope;

constexpr int64_t kNoonMs = (int64_t{1'800'000'000} / 86'400 * 86'400 + 43'200) * 1000;

LimitTime At(Duration after) {
  return {TimePoint{1'000'000'000} + after, {kNoonMs + after.ns / 1'000'000}};
}
LimitTime At(int64_t seconds) { return At(Duration::Seconds(seconds)); }
// The same moment for a process that was started at it, by a clock that begins anew.
LimitTime Anew(const LimitTime& time) { return {TimePoint{5'000}, time.wall}; }

std::shared_ptr<const LimitSet> Set(const LimitSet& limits) {
  return std::make_shared<const LimitSet>(limits);
}

LimitSubject Who(const LimitSet* key_limits = nullptr) {
  return {
      .org = "o", .app = "a", .key = "k", .model = "m", .key_limits = key_limits, .key_version = 1};
}

std::string BytesOf(const LimitState& state) {
  VarintWriter out;
  WriteLimitState(state, &out);
  return std::move(out.bytes);
}

// Of a limiter that was closed at `then` and is opened at `now`.
void Restart(Limiter* before, const LimitTime& then, Limiter* after, const LimitTime& now) {
  const std::string bytes = BytesOf(before->Keep(then));
  VarintReader in(bytes);
  LimitState state = ReadLimitState(&in);
  ASSERT_TRUE(in.ok() && in.done());
  state.Age(Duration::Milliseconds(now.wall.ms - then.wall.ms));
  after->Restore(state, now);
}

bool Passes(Limiter* limiter, const LimitSubject& who, const LimitTime& time) {
  Limiter::Answer answer = limiter->Reserve(who, {}, time);
  if (!answer.refusal) answer.reservation.Settle({1}, time);
  if (!answer.refusal) answer.of_model.Settle({1}, time);
  return !answer.refusal;
}

TEST(LimitStateTest, AMinuteGoesOnAsIfNobodyHadAskedMeanwhile) {
  const LimitSet two{.requests_per_minute = 2};
  Limiter before, after;
  EXPECT_TRUE(Passes(&before, Who(&two), At(0)));
  EXPECT_TRUE(Passes(&before, Who(&two), At(0)));
  Restart(&before, At(3), &after, Anew(At(13)));
  const LimitTime now = Anew(At(13));
  const auto refusal = after.Reserve(Who(&two), {}, now).refusal;
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->wait, Duration::Seconds(17));
  EXPECT_TRUE(Passes(&after, Who(&two), {now.now + refusal->wait, now.wall}));
}

// Also of a limit that has changed meanwhile, as it would have at run time.
TEST(LimitStateTest, WhatIsUsedStaysUsedUnderAnotherLimit) {
  const LimitSet ten{.requests_per_minute = 10}, four{.requests_per_minute = 4};
  Limiter before, after;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Passes(&before, Who(&ten), At(0)));
  Restart(&before, At(0), &after, Anew(At(0)));
  EXPECT_EQ(after.Look(Who(&four), Anew(At(0))).requests->remaining, 1);
}

TEST(LimitStateTest, DaysOfAllButKeysGoOnToo) {
  const std::vector<std::pair<LimitScope, std::string>> holders = {
      {kOrg, "o"}, {kApp, "a"}, {kModel, "m"}, {kGateway, ""}};
  for (const auto& [scope, id] : holders) {
    SCOPED_TRACE(NameOf(scope));
    const auto limits = Set({.requests_per_day = 3, .tokens_per_day = 100});
    Limiter before, after;
    before.Set(scope, id, limits, At(0));
    for (int i = 0; i < 2; ++i) EXPECT_TRUE(Passes(&before, Who(), At(i)));
    Restart(&before, At(2), &after, Anew(At(600)));
    after.Set(scope, id, limits, Anew(At(600)));
    after.RaiseToday(LimitScope::kOrg, "o", "o", 1, 1, Anew(At(600)));  // of which more is known
    EXPECT_EQ(after.Look(Who(), Anew(At(600))).tokens->remaining, 98);
    EXPECT_TRUE(Passes(&after, Who(), Anew(At(600))));
    EXPECT_FALSE(Passes(&after, Who(), Anew(At(600))));
    Limiter next_day;
    Restart(&before, At(2), &next_day, Anew(At(43'300)));
    next_day.Set(scope, id, limits, Anew(At(43'300)));
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(Passes(&next_day, Who(), Anew(At(43'300))));
  }
}

TEST(LimitStateTest, UpstreamsAndModelsOfKeysGoOnToo) {
  const LimitSet one{.requests_per_minute = 1};
  LimitSubject who = Who();
  who.key_model_limits = &one;
  Limiter before, after;
  EXPECT_TRUE(Passes(&before, who, At(0)));
  const UpstreamSubject whom{.provider = "p", .key = "p#a", .endpoint = "17"};
  for (const auto& [scope, id] :
       {std::pair{kProvider, "p"}, {kProviderKey, "p#a"}, {kEndpoint, "17"}}) {
    before.Set(scope, id, Set(one), At(0));
    after.Set(scope, id, Set(one), Anew(At(0)));
  }
  Limiter::Answer asked = before.ReserveUpstream(whom, {}, At(0));
  asked.reservation.Settle({1}, At(0));
  Restart(&before, At(0), &after, Anew(At(0)));
  EXPECT_FALSE(Passes(&after, who, Anew(At(0))));
  for (const UpstreamSubject& each : {UpstreamSubject{.provider = "p"},
                                      {.provider = "", .key = "p#a"},
                                      {.provider = "", .key = "", .endpoint = "17"}}) {
    EXPECT_TRUE(after.JudgeUpstream(each, {}, Anew(At(0))));
  }
}

TEST(LimitStateTest, OnlyWhatIsInUseIsKept) {
  const LimitSet limits{.requests_per_minute = 60, .concurrent = 1};
  Limiter limiter;
  for (int i = 0; i < 500; ++i) {
    LimitSubject who = Who(&limits);
    const std::string key = "k" + std::to_string(i);
    who.key = key;
    EXPECT_TRUE(Passes(&limiter, who, At(i < 493 ? 0 : 10)));
  }
  EXPECT_EQ(limiter.Keep(At(10)).holders.size(), 7U);
  EXPECT_TRUE(limiter.Keep(At(11)).holders.empty());
  LimitState state = limiter.Keep(At(10));
  state.Age(Duration::Seconds(2));
  EXPECT_TRUE(state.holders.empty());
}

TEST(LimitStateTest, ItsSizeIsBounded) {
  const LimitSet limits{.requests_per_minute = 60};
  Limiter limiter;
  limiter.Set(kGateway, "", Set({.requests_per_minute = 1'000'000}), At(0));
  const size_t most = LimitState::kMostBytes / LimitState::kMostIdBytes;
  for (size_t i = 0; i < most + 1000; ++i) {
    std::string key = std::to_string(i);
    key.resize(LimitState::kMostIdBytes, 'x');
    LimitSubject who = Who(&limits);
    who.key = key;
    ASSERT_TRUE(Passes(&limiter, who, At(0)));
  }
  const LimitState state = limiter.Keep(At(0));
  EXPECT_LT(state.holders.size(), most);
  EXPECT_LE(BytesOf(state).size(), LimitState::kMostBytes + 2 * LimitState::kMostIdBytes);
  EXPECT_EQ(state.holders.back().scope, kGateway);  // which come first
}

TEST(LimitStateTest, ARevisionIsNewWhereMoreIsUsed) {
  const LimitSet limits{.requests_per_minute = 60};
  Limiter limiter;
  const uint64_t first = limiter.revision();
  limiter.Look(Who(&limits), At(0));
  EXPECT_EQ(limiter.revision(), first);
  EXPECT_TRUE(Passes(&limiter, Who(&limits), At(0)));
  EXPECT_NE(limiter.revision(), first);
}

// Kept, restored and kept again it is the same, whatever was asked.
TEST(LimitStateTest, KeptAndRestoredIsTheSame) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    std::mt19937_64 random(seed);
    const auto below = [&random](int64_t most) {
      return static_cast<int64_t>(random() % static_cast<uint64_t>(most));
    };
    const auto draw = [&] {
      LimitSet limits;
      if (below(4) > 0) limits.requests_per_minute = 1 + below(100);
      if (below(2) > 0) limits.tokens_per_minute = 1 + below(100'000);
      if (limits.tokens_per_minute && below(2) > 0) limits.burst_tokens = 1 + below(1000);
      if (below(2) > 0) limits.requests_per_day = 1 + below(100);
      if (below(2) > 0) limits.tokens_per_day = 1 + below(100'000);
      return limits;
    };
    std::map<std::string, LimitSet> keys;
    for (const char* const key : {"k", "l", "m"}) keys[key] = draw();
    Limiter before, after;
    LimitTime time = At(0);
    std::map<std::pair<LimitScope, std::string>, LimitSet> others;
    for (const auto& [scope, id] : {std::pair{kOrg, "o"}, {kApp, "a"}, {kModel, "m"}}) {
      others[{scope, id}] = draw();
      before.Set(scope, id, Set(others[{scope, id}]), time);
    }
    for (int i = 0; i < 60; ++i) {
      const Duration step = Duration::Milliseconds(below(2000));
      time = {time.now + step, {time.wall.ms + step.ns / 1'000'000}};
      const auto& [key, limits] = *std::next(keys.begin(), below(3));
      LimitSubject who = Who(&limits);
      who.key = key;
      if (below(3) == 0) who.key_model_limits = &keys["k"];
      const LimitCost cost{.prompt = 1, .tokens = 1 + below(900)};
      Limiter::Answer answer = before.Reserve(who, cost, time);
      if (!answer.refusal && below(3) > 0) {
        answer.reservation.Settle({below(2000)}, time);
        answer.of_model.Settle({below(2000)}, time);
      }
    }
    Restart(&before, time, &after, Anew(time));
    EXPECT_EQ(after.Keep(Anew(time)), before.Keep(time)) << seed;
    for (const auto& [holder, limits] : others) {
      after.Set(holder.first, holder.second, Set(limits), Anew(time));
    }
    for (const auto& [key, limits] : keys) {
      LimitSubject who = Who(&limits);
      who.key = key;
      const LimitsLeft was = before.Look(who, time), is = after.Look(who, Anew(time));
      for (const LimitsLeft::Kind kind : {&LimitsLeft::requests, &LimitsLeft::tokens}) {
        ASSERT_EQ((is.*kind).has_value(), (was.*kind).has_value());
        if (!(was.*kind)) continue;
        EXPECT_EQ((is.*kind)->remaining, (was.*kind)->remaining) << seed;
        EXPECT_EQ((is.*kind)->reset, (was.*kind)->reset) << seed;
      }
    }
  }
}

// Of a file that was made to harm.
TEST(LimitStateTest, FiguresOutOfTheirBoundsAreRefused) {
  LimitState state;
  state.holders.push_back({.scope = kKey, .shard = 63, .id = "k", .used = {}});
  Meter::Kept& used = state.holders[0].used;
  used.requests = {RateLimit{7, Duration::Seconds(60), 9}, ExactTime{5, 6}};
  used.day = {20'000, Duration::Seconds(60), 3, 4};
  const auto reads = [](const std::string& bytes) {
    VarintReader in(bytes);
    (void)ReadLimitState(&in);
    return in.ok() && in.done();
  };
  const std::string bytes = BytesOf(state);
  EXPECT_TRUE(reads(bytes));
  for (size_t i = 0; i < bytes.size(); ++i) EXPECT_FALSE(reads(bytes.substr(0, i))) << i;
  const auto with = [&](auto change) {
    LimitState changed = state;
    change(&changed.holders[0]);
    return reads(BytesOf(changed));
  };
  using Holder = LimitState::Holder;
  EXPECT_FALSE(with([](Holder* to) { to->shard = 64; }));
  EXPECT_FALSE(with([](Holder* to) { to->scope = static_cast<LimitScope>(kLimitScopes); }));
  EXPECT_FALSE(with([](Holder* to) { to->used.requests->limit.units = 0; }));
  EXPECT_FALSE(with([](Holder* to) { to->used.requests->limit.burst = 0; }));
  EXPECT_FALSE(with([](Holder* to) { to->used.requests->used.part = 7; }));
  EXPECT_TRUE(with([](Holder* to) { to->used.day->number = int64_t{1} << 40; }));  // left out
  EXPECT_FALSE(reads("\xff\xff\xff\xff\x7f"));
}

}  // namespace
}  // namespace seekroute
