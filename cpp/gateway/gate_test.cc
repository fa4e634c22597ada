// Requests that limits hold back, and what their clients are told.
#include "gateway/gate.h"

#include <gtest/gtest.h>

#include "testing/credits_fixture.h"

namespace seekroute::testing {
namespace {

constexpr std::string_view kEnd =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],"
    "\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}\n\ndata: [DONE]\n\n";

constexpr Money kPlenty{10'000'000'000};

class GateTest : public CreditsTest {
 protected:
  void Stream(Duration pause) {
    script_.head.content_type = "text/event-stream";
    script_.pieces = {
        {pause, std::string(kStart)}, {pause, std::string(kContent)}, {pause, std::string(kEnd)}};
  }

  // At this very moment: old timers do not fire.
  const Seen& Ask(const std::string& members = "", const std::string& idempotency_key = "") {
    return Await(Submit(members, idempotency_key));
  }
  const Seen& Await(ExchangeId id) {
    engine_->Advance();
    Deliver();
    while (!seen_[id].row) Step();
    return seen_[id];
  }

  int64_t running() { return limiter_.running(LimitScope::kKey, "o", "k"); }

  static std::string Header(const Seen& seen, const std::string& name) {
    const auto found = seen.headers.find(name);
    return found != seen.headers.end() ? found->second : "none";
  }
};

TEST_F(GateTest, RefusesTheSixtyFirstOfSixtyWithTheExactWait) {
  key_limits_ = {.requests_per_minute = 60};
  Open(kPlenty);
  for (int i = 0; i < 60; ++i) {
    const Seen& seen = Ask();
    ASSERT_EQ(seen.status, 200);
    EXPECT_EQ(Header(seen, "x-ratelimit-limit-requests"), "60");
    EXPECT_EQ(Header(seen, "x-ratelimit-remaining-requests"), std::to_string(59 - i));
    EXPECT_EQ(Header(seen, "x-ratelimit-reset-requests"),
              i < 59 ? std::to_string(i + 1) + "s" : "1m0s");
    EXPECT_EQ(Header(seen, "x-ratelimit-limit-tokens"), "none");
    EXPECT_EQ(Header(seen, "ratelimit"), "none");
  }
  const Seen& refused = Ask();
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(Header(refused, "retry-after-ms"), "1000");
  EXPECT_EQ(Header(refused, "retry-after"), "1");
  EXPECT_EQ(Header(refused, "x-should-retry"), "none");
  EXPECT_EQ(Header(refused, "x-ratelimit-remaining-requests"), "0");
  EXPECT_EQ(refused.row->limit, R"({"scope":"key","dimension":"requests_per_minute","limit":60,)"
                                R"("remaining":0,"window":60,"exact":true})");
  EXPECT_EQ(Header(refused, "x-ratelimit-reset-requests"), "1m0s");
  EXPECT_NE(refused.body.find("\"rate_limit_exceeded\""), std::string::npos) << refused.body;
  EXPECT_NE(refused.body.find(R"("limit":{"scope":"key","dimension":"requests_per_minute",)"
                              R"("limit":60,"remaining":0,"window":60,"exact":true})"),
            std::string::npos)
      << refused.body;
  EXPECT_EQ(transport_->seen().size(), 60u);
  clock_.MoveTo(clock_.Now() + Duration::Milliseconds(999));
  EXPECT_EQ(Ask().status, 429);
  clock_.MoveTo(clock_.Now() + Duration::Milliseconds(1));
  EXPECT_EQ(Ask().status, 200);
}

TEST_F(GateTest, ReadsNoBodyOfAKeyAtItsLimit) {
  key_limits_ = {.requests_per_minute = 1};
  Open(kPlenty);
  for (int i = 0; i < 3; ++i) {
    const Seen& broken = Await(SubmitBody("{"));
    EXPECT_EQ(broken.status, 400);  // which takes nothing
    EXPECT_EQ(Header(broken, "x-ratelimit-remaining-requests"), "1");
  }
  EXPECT_EQ(Ask().status, 200);
  EXPECT_EQ(Await(SubmitBody("{")).status, 429);
}

// Or the engine would read a large body, where time has made room since.
TEST_F(GateTest, ReadsNoBodyThatWasLeftUnread) {
  key_limits_ = {.requests_per_minute = 60};
  Open(kPlenty);
  unread_ = LimitRefusal{.kind = RefusalKind::kWait,
                         .dimension = LimitDimension::kRequestsPerMinute,
                         .limit = 60,
                         .window_s = 60,
                         .wait = Duration::Milliseconds(7),
                         .exact = true};
  const Seen& refused = Await(SubmitBody("{"));
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(Header(refused, "retry-after-ms"), "7");
  EXPECT_EQ(Header(refused, "x-ratelimit-limit-requests"), "60");
}

TEST_F(GateTest, ALimitOfZeroIsNotTriedAgain) {
  key_limits_ = {.tokens_per_day = 0};
  Open(kPlenty);
  const Seen& refused = Ask();
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(Header(refused, "x-should-retry"), "false");
  EXPECT_EQ(Header(refused, "retry-after"), "none");
  EXPECT_EQ(Header(refused, "retry-after-ms"), "none");
}

// Reserved is what is expected, and counted what was used.
TEST_F(GateTest, CountsTheTokensThatWereUsed) {
  options_.credits = false;
  options_.expected_output = 100;
  key_limits_ = {.tokens_per_minute = 60, .burst_tokens = 200};
  Open(kPlenty);
  const Seen& first = Ask(R"(,"max_tokens":50)");
  ASSERT_EQ(first.status, 200);
  const int64_t reserved = 200 - std::stoll(Header(first, "x-ratelimit-remaining-tokens"));
  EXPECT_GT(reserved, 50);
  EXPECT_LT(reserved, 70);
  const Seen& second = Ask();  // of a length that nobody named; 8 were used
  const int64_t more = 192 - std::stoll(Header(second, "x-ratelimit-remaining-tokens"));
  EXPECT_EQ(more, reserved + 50);
  EXPECT_EQ(Header(Ask(R"(,"max_tokens":1)"), "x-ratelimit-remaining-tokens"),
            std::to_string(184 - (reserved - 49)));
}

TEST_F(GateTest, APromptAboveTheBurstIsTooLargeForGood) {
  key_limits_ = {.tokens_per_minute = 60, .burst_tokens = 3};
  Open(kPlenty);
  const Seen& refused = Ask();
  EXPECT_EQ(refused.status, 400);
  EXPECT_NE(refused.body.find("request_too_large_for_limit"), std::string::npos);
  EXPECT_NE(refused.body.find("\"burst\":3,\"needed\":"), std::string::npos) << refused.body;
  EXPECT_EQ(Header(refused, "retry-after"), "none");
}

TEST_F(GateTest, WithoutCreditsTheTokensComeBackAndTheRequestCounts) {
  key_limits_ = {.requests_per_minute = 10, .tokens_per_minute = 10'000, .concurrent = 1};
  Open({0});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Ask().status, 402);
  const Seen& last = Ask();
  EXPECT_EQ(Header(last, "x-ratelimit-remaining-requests"), "6");
  EXPECT_EQ(Header(last, "x-generation-id"), "none");
  const int64_t left = std::stoll(Header(last, "x-ratelimit-remaining-tokens"));
  EXPECT_GT(left, 10'000 - 1100);  // its own reservation alone
  EXPECT_EQ(running(), 0);
}

TEST_F(GateTest, AFailureThatIsNotChargedGivesItsTokensBack) {
  key_limits_ = {.requests_per_minute = 10, .tokens_per_minute = 10'000};
  Open(kPlenty);
  script_.head.status = 500;
  const Seen first = Ask();
  EXPECT_EQ(first.status, 502);
  EXPECT_EQ(Header(first, "x-ratelimit-remaining-requests"), "9");
  const Seen again = Ask();
  EXPECT_EQ(Header(again, "x-ratelimit-remaining-requests"), "8");
  EXPECT_EQ(Header(again, "x-ratelimit-remaining-tokens"),
            Header(first, "x-ratelimit-remaining-tokens"));
}

TEST_F(GateTest, AReplayTakesNothing) {
  store_answers_ = true;
  key_limits_ = {.requests_per_minute = 3, .tokens_per_minute = 3000};
  Open(kPlenty);
  const Seen first = Ask("", "order-1");
  EXPECT_EQ(Header(first, "x-ratelimit-remaining-requests"), "2");
  for (int i = 0; i < 5; ++i) {
    const Seen& again = Ask("", "order-1");
    EXPECT_EQ(again.status, 200);
    EXPECT_EQ(Header(again, "x-ratelimit-remaining-requests"), "2");
    EXPECT_EQ(Header(again, "x-ratelimit-remaining-tokens"), "2992");
  }
}

TEST_F(GateTest, ASlotIsTakenUntilTheEndOfTheAnswer) {
  key_limits_ = {.concurrent = 2};
  Open(kPlenty);
  Stream(Duration::Seconds(1));
  const ExchangeId first = Submit(R"(,"stream":true)");
  const ExchangeId second = Submit(R"(,"stream":true)");
  const ExchangeId third = Submit(R"(,"stream":true)");
  Deliver();
  EXPECT_EQ(seen_[third].status, 429);
  EXPECT_EQ(Header(seen_[third], "retry-after-ms"), "1000");
  EXPECT_NE(seen_[third].body.find("\"window\":null,\"exact\":false"), std::string::npos);
  EXPECT_EQ(Header(seen_[third], "x-ratelimit-limit-concurrent"), "2");
  EXPECT_EQ(Header(seen_[third], "x-ratelimit-remaining-concurrent"), "0");
  Rest();
  EXPECT_EQ(seen_[first].status, 200);
  EXPECT_EQ(Header(seen_[first], "x-ratelimit-remaining-concurrent"), "1");
  EXPECT_EQ(seen_[second].status, 200);
  EXPECT_EQ(running(), 0);
  EXPECT_EQ(Ask(R"(,"stream":true)").status, 200);
}

TEST_F(GateTest, ASlotIsTakenWhileAnAnswerIsReadOutForNobody) {
  on_abort_ = OnAbort::kReadOut;
  key_limits_ = {.concurrent = 1};
  Open(kPlenty);
  Stream(Duration::Seconds(1));
  const ExchangeId first = Submit(R"(,"stream":true)");
  while (seen_[first].body.empty()) Step();
  engine_->Cancel(first);
  engine_->Advance();
  EXPECT_EQ(transport_->live(), 1u);
  EXPECT_EQ(running(), 1);
  while (transport_->live() > 0) {
    EXPECT_EQ(running(), 1);
    Step();
  }
  EXPECT_EQ(running(), 0);
}

TEST_F(GateTest, AClientThatLeavesFreesItsSlotAtOnce) {
  key_limits_ = {.concurrent = 1};
  Open(kPlenty);
  Stream(Duration::Seconds(1));
  const ExchangeId first = Submit(R"(,"stream":true)");
  while (seen_[first].body.empty()) Step();
  EXPECT_EQ(running(), 1);
  engine_->Cancel(first);
  Rest();
  EXPECT_EQ(running(), 0);
}

TEST_F(GateTest, TheModelsLimitIsOfTheModelThatIsAskedFor) {
  limiter_.Set(LimitScope::kModel, "a/m",
               std::make_shared<const LimitSet>(LimitSet{.requests_per_minute = 1}),
               {clock_.Now(), clock_.WallTime()});
  with_key_ = false;
  options_.credits = false;
  Open(kPlenty);
  EXPECT_EQ(Ask().status, 200);
  const Seen& refused = Ask();
  EXPECT_EQ(refused.status, 429);
  EXPECT_NE(refused.body.find("\"scope\":\"model\""), std::string::npos);
}

std::string HeaderOf(const ResponseHead& head, std::string_view name) {
  for (const auto& [each, value] : head.headers) {
    if (each == name) return value;
  }
  return "none";
}

TEST(LimitWordsTest, WritesDurationsAsGoDoes) {
  const std::pair<int64_t, const char*> cases[] = {
      {0, "0s"},
      {1, "1ms"},
      {11'000'001, "12ms"},
      {999'000'000, "999ms"},
      {999'000'001, "1s"},
      {1'500'000'000, "1.5s"},
      {8'571'428'572, "8.572s"},
      {59'999'999'999, "1m0s"},
      {360'000'000'000, "6m0s"},
      {3'600'250'000'000, "1h0m0.25s"},
      {86'400'000'000'000, "24h0m0s"},
  };
  for (const auto& [ns, written] : cases) {
    LimitsLeft left;
    left.requests = LimitLeft{.limit = 1, .remaining = 0, .window_s = 60, .reset = {ns}};
    ResponseHead head;
    AddLimitHeaders(left, false, &head);
    EXPECT_EQ(HeaderOf(head, "x-ratelimit-reset-requests"), written);
  }
}

TEST(LimitWordsTest, WritesTheDraftsFieldsOnDemand) {
  LimitsLeft left;
  left.requests = LimitLeft{.scope = LimitScope::kKey,
                            .limit = 60,
                            .remaining = 57,
                            .rate = 60,
                            .window_s = 60,
                            .reset = {2'000'000'001}};
  left.tokens = LimitLeft{.scope = LimitScope::kOrg,
                          .limit = 90'000,
                          .remaining = 1,
                          .rate = 90'000,
                          .window_s = 86'400,
                          .reset = Duration::Seconds(5)};
  ResponseHead head;
  AddLimitHeaders(left, true, &head);
  EXPECT_EQ(HeaderOf(head, "ratelimit-policy"),
            "\"key-requests\";q=60;w=60, \"org-tokens-day\";q=90000;w=86400");
  EXPECT_EQ(HeaderOf(head, "ratelimit"), "\"key-requests\";r=57;t=3, \"org-tokens-day\";r=1;t=5");
  EXPECT_EQ(HeaderOf(head, "x-ratelimit-remaining-requests"), "57");
}

// Whoever paces itself by the quota and its window meets the rate.
TEST(LimitWordsTest, AQuotaComesBackInItsWindow) {
  constexpr int64_t kMost = int64_t{1} << 40;
  const struct {
    int64_t rate, burst;
    std::string_view written;
  } cases[] = {
      {60, 60, "q=60;w=60"},    {60, 1, "q=1;w=1"},
      {600, 20, "q=20;w=2"},    {6, 1, "q=1;w=10"},
      {60, 120, "q=120;w=120"}, {600, 1, "q=600;w=60"},  // a tenth of a second
      {7, 10, "q=7;w=60"},      {1, kMost, "q=1099511627776;w=65970697666560"},
      {0, 0, "q=0;w=60"},
  };
  for (const auto& [rate, burst, written] : cases) {
    Meter meter;
    meter.Change({.requests_per_minute = rate,
                  .burst_requests = burst == rate ? std::nullopt : std::optional(burst)},
                 TimePoint());
    LimitsLeft left;
    meter.TellMinutes(LimitScope::kKey, TimePoint(), &left);
    ResponseHead head;
    AddLimitHeaders(left, true, &head);
    EXPECT_EQ(HeaderOf(head, "ratelimit-policy"), "\"key-requests\";" + std::string(written));
    EXPECT_EQ(HeaderOf(head, "ratelimit"), "\"key-requests\";r=" + std::to_string(burst) + ";t=0");
  }
}

TEST(LimitWordsTest, OneIsSingular) {
  using enum LimitDimension;
  const struct {
    LimitRefusal refusal;
    std::string_view said;
  } cases[] = {
      {{.kind = RefusalKind::kWait, .dimension = kRequestsPerMinute, .limit = 1, .burst = 1},
       "may use 1 request a minute:"},
      {{.kind = RefusalKind::kWait, .dimension = kTokensPerMinute, .limit = 600, .burst = 20},
       "may use 20 tokens at once, 600 a minute:"},
      {{.kind = RefusalKind::kWait, .scope = LimitScope::kModel, .limit = 2, .burst = 2},
       "the model 'a/m' may use"},
      {{.kind = RefusalKind::kBusy, .scope = LimitScope::kKeyModel, .limit = 2},
       "this API key, for 'a/m', may run 2 requests"},
      {{.kind = RefusalKind::kWait, .dimension = kRequestsPerDay, .limit = 2},
       "may use 2 requests a day (UTC):"},
      {{.kind = RefusalKind::kBusy, .limit = 1},
       "may run 1 request at once, and it runs: wait until it has ended"},
      {{.kind = RefusalKind::kBusy, .limit = 2},
       "may run 2 requests at once, and they run: wait until one has ended"},
      {{.kind = RefusalKind::kNever, .dimension = kTokensPerDay}, "limited to 0 tokens a day"},
      {{.kind = RefusalKind::kTooLarge,
        .dimension = kTokensPerMinute,
        .limit = 1,
        .burst = 1,
        .needed = 2},
       "takes about 2 tokens, and this API key may use 1 at once, of 1 token a minute:"},
  };
  for (const auto& [refusal, said] : cases) {
    const std::string message = RefusedByLimit(refusal, "a/m").message;
    EXPECT_NE(message.find(said), std::string::npos) << message;
  }
}

TEST(LimitWordsTest, RoundsAWaitUp) {
  const Error error = RefusedByLimit(
      {.kind = RefusalKind::kWait, .limit = 7, .wait = Duration{8'571'428'572}, .exact = true}, "");
  EXPECT_EQ(error.retry_after_ms, 8572);
}

}  // namespace
}  // namespace seekroute::testing
