// What follows, from a provider's headers on, of what it tells of its own limits.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "gateway/health_table.h"
#include "gateway/tries.h"
#include "testing/tries_fixture.h"

namespace seekroute {
namespace {

using testing::TriesHealthTest;
using testing::UpstreamScript;
using testing::Words;

class ToldLimitsTest : public TriesHealthTest {
 protected:
  ToldLimitsTest() {
    for (const char* name : {"a", "b", "c"}) {
      scripts_[std::string("https://") + name] = Stream(100, name);
    }
  }

  static std::vector<HeaderField> Requests(const std::string& limit, const std::string& remaining,
                                           const std::string& reset) {
    return {{"x-ratelimit-limit-requests", limit},
            {"x-ratelimit-remaining-requests", remaining},
            {"x-ratelimit-reset-requests", reset}};
  }
  static std::vector<HeaderField> Tokens(const std::string& limit, const std::string& remaining,
                                         const std::string& reset) {
    return {{"x-ratelimit-limit-tokens", limit},
            {"x-ratelimit-remaining-tokens", remaining},
            {"x-ratelimit-reset-tokens", reset}};
  }
  TransportHead& HeadOfA() { return scripts_["https://a"].head; }

  // Who answers a request now.
  std::string Answers() {
    if (!learned_) Learn(&snapshot_);
    learned_ = true;
    Begin(true);
    Run();
    return tries_->records().empty() ? "nobody" : tries_->records().back().provider;
  }
  void Pass(int64_t ms) { clock_.MoveTo(clock_.Now() + Duration::Milliseconds(ms)); }

  bool learned_ = false;
};

TEST_F(ToldLimitsTest, WhoHasNoRequestLeftIsLeftAloneUntilItsReset) {
  HeadOfA().wanted = Requests("60", "0", "6s");
  EXPECT_EQ(Answers(), "a");
  HeadOfA().wanted.clear();
  const HealthView view = health_.ViewOf(1, clock_.Now());
  EXPECT_FALSE(view.has_room);
  // Told with the head, which came 150 ms before the end.
  EXPECT_EQ(view.retry_at - clock_.Now(), Duration::Milliseconds(5850));
  EXPECT_EQ(Answers(), "b");
  EXPECT_EQ(tries_->sent(), 1);
  EXPECT_EQ(tries_->skipped(), (std::vector{Skip::kLimited, Skip::kNone, Skip::kNone}));
  Pass(5700);
  EXPECT_EQ(Answers(), "a");
}

// What is told at the head counts while the answer goes on.
TEST_F(ToldLimitsTest, ItCountsBeforeTheAnswerIsOver) {
  HeadOfA().wanted = Requests("60", "0", "20s");
  Learn(&snapshot_);
  Begin(true);
  while (health_.ViewOf(1, clock_.Now()).has_room) agenda_.RunNext();
  EXPECT_TRUE(tries_->running());
  Run();
  EXPECT_EQ(answered_, 1);
}

TEST_F(ToldLimitsTest, NobodyIsLeftAloneForMoreThanAMinute) {
  HeadOfA().wanted = Requests("60", "0", "6m0s");
  EXPECT_EQ(Answers(), "a");
  Pass(59'800);
  EXPECT_EQ(Answers(), "b");
  Pass(200);
  HeadOfA().wanted.clear();
  EXPECT_EQ(Answers(), "a");
}

TEST_F(ToldLimitsTest, OddFiguresAreNotObeyed) {
  for (const auto& headers :
       {Requests("-1", "-1", "60s"), Requests("0", "0", "60s"), Requests("60", "0", "0s"),
        Requests("60", "0", "-5s"), Requests("60", "0", "999999999999999s"),
        Requests("60", "-1", "20s"), Requests("99999999999999999999", "0", "20s"),
        std::vector<HeaderField>{{"anthropic-ratelimit-requests-limit", "50"},
                                 {"anthropic-ratelimit-requests-remaining", "0"},
                                 {"anthropic-ratelimit-requests-reset", "2001-01-01T00:00:00Z"}}}) {
    HeadOfA().wanted = headers;
    EXPECT_EQ(Answers(), "a") << headers[0].second << ' ' << headers[2].second;
    EXPECT_EQ(Answers(), "a") << headers[0].second << ' ' << headers[2].second;
  }
}

// An instant is measured from the provider's own date, whatever our clock says.
TEST_F(ToldLimitsTest, AnInstantIsMeasuredByTheProvidersClock) {
  HeadOfA().wanted = {{"anthropic-ratelimit-requests-remaining", "0"},
                      {"anthropic-ratelimit-requests-reset", "2001-01-01T00:00:30Z"}};
  HeadOfA().date = {978'307'200};  // 2001-01-01T00:00:00Z
  EXPECT_EQ(Answers(), "a");
  EXPECT_EQ(Answers(), "b");
  Pass(30'000);
  EXPECT_EQ(Answers(), "a");
}

TEST_F(ToldLimitsTest, ALargeRequestGivesWayWhereASmallOneStillFits) {
  const auto ask = [this](const std::string& prompt) {
    content_of_prompt_ = prompt;
    return Answers();
  };
  options_.expected_output = 100;
  HeadOfA().wanted = Tokens("10000", "300", "20s");
  EXPECT_EQ(ask("Hi"), "a");
  EXPECT_EQ(ask(std::string(4000, 'w')), "b");  // about a thousand tokens
  EXPECT_EQ(ask("Hi"), "a");
  model_.endpoints.resize(1);
  learned_ = false;
  // How many it takes is a guess: where nobody else is left, the provider says it itself.
  EXPECT_EQ(ask(std::string(4000, 'w')), "a");
  HeadOfA().wanted = Tokens("10000", "0", "20s");
  EXPECT_EQ(ask("Hi"), "a");
  EXPECT_EQ(ask("Hi"), "nobody");
  EXPECT_EQ(failures_, Words{"upstream_rate_limited"});
}

// Google says in the words of a refusal when to come back.
TEST_F(ToldLimitsTest, TheWaitInARefusalsWordsIsObeyed) {
  UpstreamScript refusal = Refusal(100, 429);
  refusal.pieces = {
      {{},
       R"([{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"Slow down.","details":[)"
       R"({"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.07s"}]}}])"}};
  scripts_["https://a"] = refusal;
  EXPECT_EQ(Answers(), "b");
  const HealthView view = health_.ViewOf(1, clock_.Now());
  EXPECT_FALSE(view.has_room);
  EXPECT_EQ((view.retry_at - clock_.Now()).ms(), 34'070 - 150);
  refusal.head.status = 503;
  scripts_["https://b"] = refusal;
  EXPECT_EQ(Answers(), "c");
  EXPECT_EQ(health_.ViewOf(2, clock_.Now()).state, HealthState::kOut);
}

// A tenth of its limit is left: half of its weight.
TEST_F(ToldLimitsTest, WhoHasLittleLeftIsDrawnLess) {
  model_.endpoints.resize(2);
  HeadOfA().wanted = Requests("100", "10", "20s");
  EXPECT_EQ(Answers(), "a");
  std::vector<PlannedModel> models = {{&model_}};
  PlanInputs inputs;
  inputs.models = models;
  inputs.request = admission_.request.get();
  inputs.rules = {.balance = Balance::kInverseSquare, .explore = 0};
  inputs.health = &health_;
  inputs.now = clock_.Now();
  const auto share = [&inputs] {
    constexpr int kDraws = 100'000;
    int first = 0;
    for (inputs.seed = 1; inputs.seed <= kDraws; ++inputs.seed) {
      first += PlanRoute(inputs)->candidates[0].endpoint->id == 1 ? 1 : 0;
    }
    return first / static_cast<double>(kDraws);
  };
  EXPECT_NEAR(share(), 1.0 / 3, .005);
  inputs.now = clock_.Now() + Duration::Seconds(20);
  EXPECT_NEAR(share(), .5, .005);
}

TEST_F(ToldLimitsTest, AnAnswerWithoutThemChangesNothing) {
  HeadOfA().wanted = Requests("60", "0", "6s");
  EXPECT_EQ(Answers(), "a");
  scripts_["https://b"].head.wanted = {{"x-ratelimit-limit", "7"}};
  EXPECT_EQ(Answers(), "b");
  EXPECT_EQ(Answers(), "b");
}

}  // namespace
}  // namespace seekroute
