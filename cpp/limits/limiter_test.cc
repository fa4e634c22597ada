#include "limits/limiter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>
#include <span>
#include <thread>
#include <vector>

namespace seekroute {
namespace {

constexpr int64_t kMidnight = 1'800'000'000 / 86'400 * 86'400;

LimitTime At(Duration after) {
  return {TimePoint{1'000'000'000} + after, {kMidnight * 1000 + after.ns / 1'000'000}};
}
LimitTime At(int64_t seconds) { return At(Duration::Seconds(seconds)); }

std::shared_ptr<const LimitSet> Set(const LimitSet& limits) {
  return std::make_shared<const LimitSet>(limits);
}

class LimiterTest : public ::testing::Test {
 protected:
  LimitSubject Who(const LimitSet* key_limits = nullptr) const {
    return {.org = "o",
            .app = "a",
            .key = "k",
            .model = "m",
            .key_limits = key_limits,
            .key_version = 1};
  }

  Limiter limiter_;
};

TEST_F(LimiterTest, LimitsNothingThatNobodyLimits) {
  EXPECT_TRUE(limiter_.IsFree(Who()));
  Limiter::Answer answer = limiter_.Reserve(Who(), {}, At(0));
  EXPECT_FALSE(answer.refusal);
  EXPECT_FALSE(answer.reservation.holds());
  EXPECT_FALSE(answer.left.requests);
}

// Of the model that was asked for, beside the key's own.
TEST_F(LimiterTest, AKeyHasLimitsForOneModel) {
  const LimitSet four{.requests_per_minute = 4}, two{.requests_per_minute = 2};
  LimitSubject who = Who(&four);
  who.key_model_limits = &two;
  std::vector<Limiter::Answer> taken;
  for (int i = 0; i < 2; ++i) taken.push_back(limiter_.Reserve(who, {}, At(0)));
  const Limiter::Answer refused = limiter_.Reserve(who, {}, At(0));
  ASSERT_TRUE(refused.refusal);
  EXPECT_EQ(refused.refusal->scope, LimitScope::kKeyModel);
  EXPECT_EQ(refused.refusal->wait.ns, Duration::Seconds(30).ns);
  LimitSubject other = Who(&four);
  other.model = "n";
  other.key_model_limits = &two;
  for (int i = 0; i < 2; ++i) taken.push_back(limiter_.Reserve(other, {}, At(0)));
  EXPECT_EQ(limiter_.Reserve(other, {}, At(0)).refusal->scope, LimitScope::kKeyModel);
  EXPECT_EQ(limiter_.keys(), 3u);
  for (Limiter::Answer& each : taken) {
    EXPECT_FALSE(each.refusal);
    EXPECT_TRUE(each.of_model.holds());
    each.reservation.Settle({1}, At(0));
    each.of_model.Settle({1}, At(0));
  }
}

TEST_F(LimiterTest, ADayGoesOnFromWhatWasUsedOfIt) {
  const LimitSet day{.requests_per_day = 3, .tokens_per_day = 100};
  limiter_.Set(LimitScope::kOrg, "o", Set({.requests_per_day = 10}), At(0));
  limiter_.RaiseToday(LimitScope::kOrg, "o", "o", 9, 500, At(0));
  limiter_.RaiseToday(LimitScope::kKey, "o", "k", 1, 60, At(0));
  limiter_.RaiseToday(LimitScope::kOrg, "nobody", "nobody", 5, 5, At(0));
  limiter_.RaiseToday(LimitScope::kKey, "o", "k", 0, 59, At(0));  // known already
  const LimitsLeft left = limiter_.Look(Who(&day), At(0));
  EXPECT_EQ(left.requests->remaining, 1);
  EXPECT_EQ(left.requests->scope, LimitScope::kOrg);
  EXPECT_EQ(left.tokens->remaining, 40);
  Limiter::Answer last = limiter_.Reserve(Who(&day), {.prompt = 1, .tokens = 40}, At(0));
  EXPECT_FALSE(last.refusal);
  last.reservation.Settle({40}, At(0));
  EXPECT_TRUE(limiter_.Reserve(Who(&day), {}, At(0)).refusal);
}

TEST_F(LimiterTest, ADayThatIsKnownLateIsKept) {
  LimitSubject who = Who(nullptr);
  who.app = "a";
  limiter_.Set(LimitScope::kApp, "a", Set({.requests_per_day = 5}), At(0));
  Limiter::Answer running = limiter_.Reserve(who, {}, At(0));
  const uint64_t before = limiter_.revision();
  limiter_.RaiseToday(LimitScope::kApp, "o", "a", 4, 0, At(0));
  EXPECT_GT(limiter_.revision(), before);
  EXPECT_EQ(limiter_.Look(who, At(0)).requests->remaining, 1);
  running.reservation.Settle({1}, At(0));
  EXPECT_EQ(limiter_.Look(who, At(0)).requests->remaining, 1);
}

// The limits of a model come with a request whose key is new as well.
TEST_F(LimiterTest, AKeyThatIsNewIsNotForgottenForItsModel) {
  const LimitSet limits{.concurrent = 1};
  std::deque<std::string> names;
  std::vector<Limiter::Answer> running;
  for (int i = 0; i < 2000; ++i) {
    LimitSubject who = Who(&limits);
    who.key = names.emplace_back("k" + std::to_string(i));
    who.key_model_limits = &limits;
    running.push_back(limiter_.Reserve(who, {}, At(0)));
    ASSERT_EQ(limiter_.running(LimitScope::kKey, "o", who.key), 1) << i;
    who.key_model_limits = nullptr;
    who.key = names.emplace_back("l" + std::to_string(i));
    if (i % 2 == 0) running.push_back(limiter_.Reserve(who, {}, At(0)));
  }
}

TEST_F(LimiterTest, AsksEveryScope) {
  const LimitSet two{.requests_per_minute = 2};
  for (const auto& [scope, id] : {std::pair{LimitScope::kOrg, "o"},
                                  {LimitScope::kApp, "a"},
                                  {LimitScope::kModel, "m"},
                                  {LimitScope::kGateway, ""}}) {
    SCOPED_TRACE(NameOf(scope));
    limiter_.Set(scope, id, Set(two), At(0));
    EXPECT_FALSE(limiter_.Reserve(Who(), {}, At(0)).refusal);
    Limiter::Answer last = limiter_.Reserve(Who(), {}, At(0));
    EXPECT_FALSE(last.refusal);
    limiter_.Reserve(Who(), {}, At(0));
    last.reservation.Settle({1}, At(0));
    Limiter::Answer third = limiter_.Reserve(Who(), {}, At(0));
    EXPECT_FALSE(third.refusal);
    third.reservation.Settle({1}, At(0));
    const auto refusal = limiter_.Reserve(Who(), {}, At(0)).refusal;
    ASSERT_TRUE(refusal);
    EXPECT_EQ(refusal->scope, scope);
    EXPECT_EQ(refusal->wait, Duration::Seconds(30));
    LimitSubject other{.org = "p", .app = "b", .key = "l", .model = "n"};
    EXPECT_EQ(limiter_.Reserve(other, {}, At(0)).refusal.has_value(),
              scope == LimitScope::kGateway);
    limiter_.Set(scope, id, nullptr, At(0));
    EXPECT_TRUE(limiter_.IsFree(Who()));
  }
}

// A request that the last limit refuses has taken nothing of the first ones.
TEST_F(LimiterTest, TakesOfAllOrOfNone) {
  const LimitSet key{.requests_per_minute = 5, .tokens_per_minute = 100, .requests_per_day = 5};
  limiter_.Set(LimitScope::kOrg, "o", Set({.tokens_per_minute = 1000}), At(0));
  limiter_.Set(LimitScope::kModel, "m", Set({.concurrent = 1}), At(0));
  const Limiter::Answer first = limiter_.Reserve(Who(&key), {.prompt = 1, .tokens = 10}, At(0));
  ASSERT_FALSE(first.refusal);
  for (int i = 0; i < 10; ++i) {
    const Limiter::Answer refused = limiter_.Reserve(Who(&key), {.prompt = 1, .tokens = 10}, At(0));
    ASSERT_TRUE(refused.refusal);
    EXPECT_EQ(refused.refusal->scope, LimitScope::kModel);
    EXPECT_EQ(refused.refusal->kind, RefusalKind::kBusy);
    EXPECT_EQ(refused.left.requests->remaining, 4);
    EXPECT_EQ(refused.left.tokens->remaining, 90);
    EXPECT_EQ(limiter_.running(LimitScope::kKey, "o", "k"), 1);
  }
}

TEST_F(LimiterTest, NamesTheLimitThatRefusesLongest) {
  const LimitSet key{.requests_per_minute = 60, .burst_requests = 1};
  limiter_.Set(LimitScope::kOrg, "o", Set({.requests_per_minute = 30, .burst_requests = 1}), At(0));
  limiter_.Set(LimitScope::kModel, "m", Set({.requests_per_minute = 30, .burst_requests = 1}),
               At(0));
  Limiter::Answer first = limiter_.Reserve(Who(&key), {}, At(0));
  first.reservation.Settle({1}, At(0));
  const auto refusal = limiter_.Reserve(Who(&key), {}, At(0)).refusal;
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->wait, Duration::Seconds(2));
  EXPECT_EQ(refusal->scope, LimitScope::kOrg);  // the first of two
  EXPECT_TRUE(refusal->exact);
  const auto figures = limiter_.figures();
  EXPECT_EQ(figures.refused[static_cast<size_t>(LimitScope::kOrg)][0], 1u);
}

TEST_F(LimiterTest, ShowsTheLimitThatLeavesTheSmallestPart) {
  const LimitSet key{.requests_per_minute = 10};
  limiter_.Set(LimitScope::kOrg, "o", Set({.requests_per_minute = 3}), At(0));
  const Limiter::Answer answer = limiter_.Reserve(Who(&key), {}, At(0));
  EXPECT_EQ(answer.left.requests->scope, LimitScope::kOrg);
  EXPECT_EQ(answer.left.requests->limit, 3);
  EXPECT_EQ(answer.left.requests->remaining, 2);
  EXPECT_EQ(answer.left.requests->reset, Duration::Seconds(20));
}

TEST_F(LimiterTest, ADroppedReservationGivesEverythingBack) {
  const LimitSet key{.requests_per_minute = 1,
                     .tokens_per_minute = 10,
                     .requests_per_day = 1,
                     .tokens_per_day = 10,
                     .concurrent = 1};
  for (int i = 0; i < 5; ++i) {
    EXPECT_FALSE(limiter_.Reserve(Who(&key), {.prompt = 1, .tokens = 10}, At(0)).refusal);
  }
  EXPECT_EQ(limiter_.running(LimitScope::kKey, "o", "k"), 0);
}

TEST_F(LimiterTest, ASettledReservationCountsAndKeepsItsSlot) {
  const LimitSet key{.requests_per_minute = 2, .tokens_per_minute = 10, .concurrent = 1};
  Limiter::Answer first = limiter_.Reserve(Who(&key), {.prompt = 1, .tokens = 10}, At(0));
  first.reservation.Settle({4}, At(0));
  EXPECT_EQ(limiter_.Reserve(Who(&key), {}, At(0)).refusal->kind, RefusalKind::kBusy);
  first.reservation = {};
  const Limiter::Answer second = limiter_.Reserve(Who(&key), {}, At(0));
  ASSERT_FALSE(second.refusal);
  EXPECT_EQ(second.left.requests->remaining, 0);
  EXPECT_EQ(second.left.tokens->remaining, 5);
}

TEST_F(LimiterTest, APeekTakesNothing) {
  const LimitSet key{.requests_per_minute = 1};
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(limiter_.Peek(Who(&key), At(0)));
  Limiter::Answer first = limiter_.Reserve(Who(&key), {}, At(0));
  ASSERT_FALSE(first.refusal);
  first.reservation.Settle({0}, At(0));
  const auto refusal = limiter_.Peek(Who(&key), At(0));
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->wait, Duration::Seconds(60));
  EXPECT_FALSE(limiter_.Peek(Who(&key), At(60)));
}

// What a peek tells is the true wait, as far as it can be known without the body.
TEST_F(LimiterTest, APeekTellsTheLongestThatIsKnown) {
  const LimitSet key{.requests_per_minute = 60, .burst_requests = 1};
  const LimitSet tokens{.requests_per_minute = 60, .tokens_per_minute = 1000, .burst_requests = 1};
  limiter_.Set(LimitScope::kOrg, "o", Set({.requests_per_minute = 6, .burst_requests = 1}), At(0));
  Limiter::Answer first = limiter_.Reserve(Who(&key), {}, At(0));
  first.reservation.Settle({1}, At(0));
  const auto refusal = limiter_.Peek(Who(&key), At(0));
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->scope, LimitScope::kOrg);
  EXPECT_EQ(refusal->wait, Duration::Seconds(10));
  EXPECT_TRUE(refusal->exact);
  EXPECT_EQ(limiter_.Reserve(Who(&key), {}, At(0)).refusal->wait, refusal->wait);
  LimitSubject counts = Who(&tokens);
  counts.key_version = 2;
  EXPECT_FALSE(limiter_.Peek(counts, At(0))->exact);
  counts = Who(&key);
  counts.key_version = 3;
  EXPECT_TRUE(limiter_.Peek(counts, At(0))->exact);
  limiter_.Set(LimitScope::kModel, "n", Set({.requests_per_minute = 6}), At(0));
  EXPECT_FALSE(limiter_.Peek(counts, At(0))->exact);
  EXPECT_FALSE(limiter_.Peek(counts, At(1)));  // another limit than the key's own is told later
  EXPECT_EQ(limiter_.running(LimitScope::kKey, "o", "k"), 1);
}

TEST_F(LimiterTest, ANewerLimitOfAKeyKeepsWhatWasUsedAndAnOlderOneIsNotTaken) {
  const LimitSet ten{.requests_per_minute = 10}, two{.requests_per_minute = 2};
  LimitSubject who = Who(&ten);
  std::vector<Limiter::Answer> all;
  for (int i = 0; i < 2; ++i) all.push_back(limiter_.Reserve(who, {}, At(0)));
  LimitSubject newer = who;
  newer.key_limits = &two;
  newer.key_version = 2;
  EXPECT_TRUE(limiter_.Reserve(newer, {}, At(0)).refusal);
  EXPECT_TRUE(limiter_.Reserve(who, {}, At(0)).refusal);  // an engine that has not heard of it
  who.key_version = 3;
  EXPECT_FALSE(limiter_.Reserve(who, {}, At(0)).refusal);
}

TEST_F(LimiterTest, AClockThatGoesBackCostsNobodyAnything) {
  const LimitSet key{.requests_per_minute = 60, .burst_requests = 1};
  Limiter::Answer first = limiter_.Reserve(Who(&key), {}, At(7200));
  first.reservation.Settle({0}, At(7200));
  EXPECT_EQ(limiter_.Reserve(Who(&key), {}, At(0)).refusal->wait, Duration::Seconds(1));
  EXPECT_FALSE(limiter_.Reserve(Who(&key), {}, At(1)).refusal);
}

// Two engines read the clock and come in the other order: no time is made of that.
TEST_F(LimiterTest, ThreadsThatRaceDoNotMakeTimeGoFaster) {
  const LimitSet key{.requests_per_minute = 60'000, .burst_requests = 1};
  int64_t passed = 0;
  constexpr int64_t kMs = 1'000'000;
  for (int64_t i = 0; i < 10'000; ++i) {
    for (const int64_t ns : {i * kMs + kMs / 2, i * kMs}) {
      Limiter::Answer answer = limiter_.Reserve(Who(&key), {}, At(Duration{ns}));
      if (answer.refusal) continue;
      ++passed;
      answer.reservation.Settle({0}, At(Duration{ns}));
    }
  }
  EXPECT_LE(passed, 10'001);
  EXPECT_GE(passed, 9'999);
}

TEST_F(LimiterTest, ForgetsKeysThatRest) {
  const LimitSet limits{.requests_per_minute = 60};
  for (int i = 0; i < 300'000; ++i) {
    const std::string id = "k" + std::to_string(i);
    LimitSubject who = Who(&limits);
    who.key = id;
    Limiter::Answer answer = limiter_.Reserve(who, {}, At(Duration::Milliseconds(10 * i)));
    ASSERT_FALSE(answer.refusal);
    answer.reservation.Settle({0}, At(Duration::Milliseconds(10 * i)));
  }
  EXPECT_LE(limiter_.keys(), 2048u);
}

TEST_F(LimiterTest, CountsTheTokensThatItForgives) {
  const LimitSet key{.tokens_per_minute = 60, .burst_tokens = 10};
  Limiter::Answer answer = limiter_.Reserve(Who(&key), {.prompt = 1, .tokens = 10}, At(0));
  answer.reservation.Settle({1000}, At(0));
  EXPECT_EQ(limiter_.figures().forgiven, 900u);
}

// One request against another, in steps that nobody orders.
class RandomSchedule {
 public:
  explicit RandomSchedule(uint32_t seed) : random_(seed) {
    for (LimitSet& key : keys_) key = Draw();
    limiter_.Set(LimitScope::kOrg, "o", Set(org_ = Draw()), Now());
    limiter_.Set(LimitScope::kGateway, "", Set(gateway_ = Draw()), Now());
    limiter_.Set(LimitScope::kModel, "m", Set(model_ = Draw()), Now());
    limiter_.Set(LimitScope::kApp, "a", Set(app_ = Draw()), Now());
    Change(&meters_[0], keys_[0]);
    Change(&meters_[1], keys_[1]);
    Change(&meters_[2], app_);
    Change(&meters_[3], org_);
    Change(&meters_[4], gateway_);
    Change(&meters_[5], model_);
  }

  void Step() {
    static constexpr int64_t kSteps[] = {0, 1, 1'000, 1'000'000, 1'000'000'000, 20'000'000'000};
    at_.ns += kSteps[Below(6)] * (1 + Below(3));
    if (!live_.empty() && Below(2) == 0) return End();
    Ask();
  }

  void ExpectNothingRuns() {
    while (!live_.empty()) End();
    for (const Meter& meter : meters_) EXPECT_EQ(meter.running(), 0);
    EXPECT_EQ(limiter_.running(LimitScope::kGateway, "", ""), 0);
    limiter_.Census();
    EXPECT_EQ(limiter_.figures().leaks, 0u);
  }

 private:
  struct Live {
    Limiter::Answer answer;
    size_t key;
    std::vector<std::pair<Meter*, Meter::Taken>> taken;
  };

  int64_t Below(int64_t n) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(n)); }
  LimitTime Now() const { return At(at_); }
  void Change(Meter* meter, const LimitSet& limits) { meter->Change(limits, Now().now); }

  LimitSet Draw() {
    LimitSet limits;
    const auto draw = [this](std::optional<int64_t>* to, int64_t most) {
      if (Below(3) == 0) *to = Below(20) == 0 ? 0 : 1 + Below(most);
    };
    draw(&limits.requests_per_minute, 30);
    draw(&limits.tokens_per_minute, 1000);
    draw(&limits.requests_per_day, 200);
    draw(&limits.tokens_per_day, 10'000);
    draw(&limits.concurrent, 6);
    if (limits.requests_per_minute && Below(2) == 0) limits.burst_requests = 1 + Below(10);
    if (limits.tokens_per_minute && Below(2) == 0) limits.burst_tokens = 1 + Below(500);
    return limits;
  }

  void Ask() {
    const auto key = static_cast<size_t>(Below(2));
    const std::string id = "k" + std::to_string(key);
    const LimitSubject who{.org = "o",
                           .app = "a",
                           .key = id,
                           .model = "m",
                           .key_limits = &keys_[key],
                           .key_version = 1};
    LimitCost cost{.prompt = 1 + Below(200), .tokens = 0};
    cost.tokens = cost.prompt + Below(400);
    // Each by itself, in the order of the scopes.
    static constexpr LimitScope kAsked[] = {LimitScope::kKey, LimitScope::kApp, LimitScope::kOrg,
                                            LimitScope::kGateway, LimitScope::kModel};
    Meter* const asked[] = {&meters_[key], &meters_[2], &meters_[3], &meters_[4], &meters_[5]};
    std::optional<LimitRefusal> meant;
    bool busy = false;
    for (size_t i = 0; i < std::size(asked); ++i) {
      const auto refusal = asked[i]->Judge(kAsked[i], cost, Now());
      if (!refusal) continue;
      busy = busy || refusal->kind == RefusalKind::kBusy;
      if (!meant || refusal->Outlasts(*meant)) meant = refusal;
    }
    Limiter::Answer answer = limiter_.Reserve(who, cost, Now());
    latest_ = Now();
    ASSERT_EQ(answer.refusal.has_value(), meant.has_value());
    if (meant) {
      EXPECT_EQ(answer.refusal->kind, meant->kind);
      EXPECT_EQ(answer.refusal->wait, meant->wait);
      EXPECT_EQ(answer.refusal->scope, meant->scope);
      EXPECT_EQ(answer.refusal->dimension, meant->dimension);
      if (answer.refusal->kind == RefusalKind::kWait && answer.refusal->exact) {
        Retry(who, cost, *answer.refusal, asked);
      }
      return;
    }
    Live live{std::move(answer), key, {}};
    for (Meter* meter : asked) live.taken.emplace_back(meter, meter->Take(cost, Now()));
    live_.push_back(std::move(live));
  }

  // The wait is what it takes, and not less.
  void Retry(const LimitSubject& who, const LimitCost& cost, const LimitRefusal& refusal,
             std::span<Meter* const> asked) {
    const bool by_calendar = refusal.window_s > 60;
    const Duration least = by_calendar ? Duration::Milliseconds(1) : Duration{1};
    at_ = at_ + refusal.wait - least;
    ASSERT_TRUE(limiter_.Reserve(who, cost, Now()).refusal);
    at_ = at_ + least;
    ASSERT_FALSE(limiter_.Reserve(who, cost, Now()).refusal);  // and is given back
    for (Meter* meter : asked) {
      meter->GiveBack(meter->Take(cost, Now()), Now());
      meter->Leave();
    }
    latest_ = Now();
  }

  void End() {
    const auto which = static_cast<ptrdiff_t>(Below(static_cast<int64_t>(live_.size())));
    Live live = std::move(live_[static_cast<size_t>(which)]);
    live_.erase(live_.begin() + which);
    const bool dropped = Below(4) == 0;
    const int64_t tokens = Below(700);
    if (!dropped) {
      live.answer.reservation.Settle({tokens}, Now());
      live.answer.of_model.Settle({tokens}, Now());
    }
    for (auto& [meter, taken] : live.taken) {
      dropped ? meter->GiveBack(taken, latest_) : (void)meter->Settle(taken, {tokens}, Now());
      meter->Leave();
    }
    if (!dropped) latest_ = Now();
  }

  std::mt19937 random_;
  Duration at_{Duration::Seconds(86'400 - 600)};
  LimitTime latest_ = Now();
  Limiter limiter_;
  LimitSet keys_[2], app_, org_, gateway_, model_;
  Meter meters_[6];
  std::deque<Live> live_;
};

TEST(LimiterScheduleTest, DecidesAsEachLimitByItselfDoes) {
  for (uint32_t seed = 0; seed < 3'000; ++seed) {
    SCOPED_TRACE(seed);
    RandomSchedule schedule(seed);
    for (int step = 0; step < 100; ++step) {
      schedule.Step();
      ASSERT_FALSE(::testing::Test::HasFailure());
    }
    schedule.ExpectNothingRuns();
  }
}

TEST(LimiterThreadsTest, ManyThreadsNeverRunMoreThanTheirSlots) {
  constexpr int kThreads = 4, kSlots = 3;
  Limiter limiter;
  const LimitSet key{.concurrent = kSlots};
  limiter.Set(LimitScope::kModel, "m", Set({.concurrent = kSlots}), At(0));
  std::atomic<int> running{0}, most{0}, passed{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      const std::string org = "o" + std::to_string(t % 2);
      const LimitSubject who{
          .org = org, .app = {}, .key = org, .model = "m", .key_limits = &key, .key_version = 1};
      for (int64_t i = 0; i < 20'000; ++i) {
        Limiter::Answer answer = limiter.Reserve(who, {}, At(Duration{i}));
        if (answer.refusal) continue;
        const int now = running.fetch_add(1) + 1;
        for (int seen = most.load(); seen < now && !most.compare_exchange_weak(seen, now);) {
        }
        passed.fetch_add(1);
        running.fetch_sub(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(most.load(), kSlots);
  EXPECT_GT(passed.load(), 20'000);
  EXPECT_EQ(limiter.running(LimitScope::kModel, "", "m"), 0);
  limiter.Census();
  EXPECT_EQ(limiter.figures().leaks, 0u);
}

}  // namespace
}  // namespace seekroute
