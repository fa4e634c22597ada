#include "gateway/shadow.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "testing/shadow_fixture.h"

namespace seekroute::testing {
namespace {

TEST_F(ShadowTest, AsksASecondModelWhatTheFirstWasAsked) {
  OpenPool();
  const ExchangeId id = AskUntilDrawn(R"(,"temperature":0.5)");
  ASSERT_NE(id, 0u);
  const std::vector<ShadowPair> pairs = pairs_->Take();
  ASSERT_EQ(pairs.size(), 1u);
  const ShadowPair& pair = pairs.front();
  EXPECT_EQ(pair.generation_id, seen_[id].row->generation_id);
  EXPECT_EQ(pair.first, "a/best");
  EXPECT_TRUE(pair.second == "a/good" || pair.second == "a/fair") << pair.second;
  EXPECT_EQ(pair.body, Body(R"(,"temperature":0.5)"));
  EXPECT_EQ(pair.first_answer, seen_[id].body);
  EXPECT_NE(pair.second_answer.find("hello"), std::string::npos);
  EXPECT_EQ(pair.status, 200);
  EXPECT_DOUBLE_EQ(pair.propensity, 0.1);  // a fifth, one of two
  // As it was asked, but for the model and the longest answer.
  const std::string& sent = transport_->seen().back().body;
  EXPECT_NE(sent.find("up-" + pair.second.substr(2)), std::string::npos) << sent;
  EXPECT_NE(sent.find(R"("temperature":0.5)"), std::string::npos) << sent;
  EXPECT_TRUE(pairs_->Take().empty());
  EXPECT_EQ(Figure("seekroute_shadow_sent_total"), 1);
}

// The first is whole at its client before the second begins, whatever becomes of that.
TEST_F(ShadowTest, BeginsWhenTheClientHasItsEnd) {
  OpenPool();
  bool early = false;
  director_ = [&](const TransportRequest& sent) {
    const bool second = sent.body.find("up-best") == std::string::npos;
    early = early || (second && !seen_[last_].row.has_value());
    UpstreamScript script = script_;
    script.connects = !second;
    return script;
  };
  const ExchangeId id = AskUntilDrawn();
  ASSERT_NE(id, 0u);
  EXPECT_FALSE(early);
  EXPECT_EQ(seen_[id].status, 200);
  EXPECT_TRUE(seen_[id].row->error.empty());
  EXPECT_EQ(transport_->seen().back().url.find("https://best"), std::string::npos);
}

TEST_F(ShadowTest, LeavesOneRowOfTheOperatorsAtWhatTheProviderCharges) {
  OpenPool();
  const ExchangeId id = AskUntilDrawn();
  ASSERT_NE(id, 0u);
  const CreditStore::Booking* const first = store_->Find(id);
  const CreditStore::Booking* const second = store_->Find(ShadowOf(id));
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(first->row.org_id, "o");
  EXPECT_EQ(first->row.routing.find("shadow_of"), std::string::npos);
  EXPECT_EQ(second->settles, 1);
  EXPECT_EQ(second->row.org_id, "operator");
  EXPECT_EQ(second->row.key_id, "");
  EXPECT_EQ(second->asked.line, kUnlimitedLine);
  EXPECT_FALSE(second->asked.key_limit.has_value());
  EXPECT_NE(second->row.routing.find(R"("shadow_of":")" + first->row.generation_id + '"'),
            std::string::npos)
      << second->row.routing;
  EXPECT_EQ(second->row.requested_model, second->row.model);
  EXPECT_EQ(second->row.upstream_cost.nano, 3 * kInputNano + 5 * kOutputNano);
  EXPECT_EQ(second->charge, second->row.upstream_cost);
  EXPECT_GT(first->charge, first->row.upstream_cost);
  EXPECT_DOUBLE_EQ(Figure("seekroute_shadow_cost_usd_total"), 13'000 / 1e9);
}

TEST_F(ShadowTest, DrawsAShareAndEachOtherModelAsOften) {
  OpenPool();
  std::map<std::string, int> seconds;
  for (int i = 0; i < 1000; ++i) {
    SubmitBody(Body());
    Rest();
    for (const ShadowPair& pair : pairs_->Take()) ++seconds[pair.second];
  }
  EXPECT_EQ(seconds.size(), 2u);
  EXPECT_NEAR(seconds["a/good"], 100, 30);
  EXPECT_NEAR(seconds["a/fair"], 100, 30);
}

TEST_F(ShadowTest, IsOffWithoutAShare) {
  OpenPool(0);
  EXPECT_EQ(AskUntilDrawn(), 0u);
  pairs_->SetRules({.share = 0.2, .per_day = kPerDay});  // as a reload does
  EXPECT_NE(AskUntilDrawn(), 0u);
}

TEST_F(ShadowTest, DrawsNothingOfWhatItMayNotKeepOrCompare) {
  OpenPool();
  EXPECT_EQ(AskUntilDrawn(R"(,"provider":{"zdr":true})"), 0u);
  EXPECT_EQ(AskUntilDrawn(R"(,"zdr":true)"), 0u);
  EXPECT_EQ(AskUntilDrawn(R"(,"provider":{"data_collection":"deny"})"), 0u);
  EXPECT_EQ(AskUntilDrawn(R"(,"max_cost":0.5)"), 0u);
  EXPECT_EQ(AskUntilDrawn(R"(,"plugins":[{"id":"auto-router","allowed_models":["a/best"]}])"), 0u);
  with_key_ = false;  // of the program that has the gateway in it
  EXPECT_EQ(AskUntilDrawn(), 0u);
  with_key_ = true;
  EXPECT_NE(AskUntilDrawn(), 0u);
}

// Its hold would not bound what it costs.
TEST_F(ShadowTest, AsksNobodyThatIsSoldBelowCost) {
  good_markup_bps_ = -1;
  OpenPool();
  for (int i = 0; i < 10; ++i) {
    ASSERT_NE(AskUntilDrawn(), 0u);
    for (const ShadowPair& pair : pairs_->Take()) EXPECT_EQ(pair.second, "a/fair");
  }
}

// What leaves models out for the first request, leaves them out for the second.
TEST_F(ShadowTest, AsksNobodyThatTheRequestOrItsKeyLeavesOut) {
  OpenPool();
  for (int i = 0; i < 10; ++i) {
    ASSERT_NE(AskUntilDrawn(R"(,"plugins":[{"id":"auto-router","excluded_models":["*/good"]}])"),
              0u);
    for (const ShadowPair& pair : pairs_->Take()) EXPECT_EQ(pair.second, "a/fair");
  }
  ApiKey key{.key_id = "k", .org_id = "o"};
  key.models = std::make_shared<std::vector<std::string>>(
      std::vector<std::string>{"a/best", "a/good", "a/spare"});
  keys_.Put(HmacSha256(Secret("pepper"), "good"), std::move(key));
  for (int i = 0; i < 10; ++i) {
    ASSERT_NE(AskUntilDrawn(), 0u);
    for (const ShadowPair& pair : pairs_->Take()) EXPECT_EQ(pair.second, "a/good");
  }
}

// A second request has one model and one call.
TEST_F(ShadowTest, FallsBackToNobody) {
  OpenPool();
  director_ = [&](const TransportRequest& sent) {
    UpstreamScript script = script_;
    if (sent.body.find("up-best") == std::string::npos) script.head.status = 503;
    return script;
  };
  const ExchangeId id = AskUntilDrawn();
  ASSERT_NE(id, 0u);
  const std::vector<ShadowPair> pairs = pairs_->Take();
  ASSERT_EQ(pairs.size(), 1u);
  EXPECT_GE(pairs.front().status, 500);
  EXPECT_EQ(store_->Find(ShadowOf(id))->row.attempts, 1);
  for (const SeenTransfer& each : transport_->seen()) {
    EXPECT_EQ(each.url.find("spare"), std::string::npos);
  }
}

constexpr std::string_view kGoodAlone =
    R"(,"plugins":[{"id":"auto-router","excluded_models":["*/fair"]}])";

// It is asked after others by whoever is waited for, and by nobody else.
TEST_F(ShadowTest, LeavesAloneWhoIsLessThanWell) {
  HealthTable table{{}, {}};
  health_ = &table;
  OpenPool();
  table.Learn(*snapshot_, clock_.Now());
  const HealthQuestion question{.provider = &snapshot_->providers[1],
                                .endpoint = snapshot_->catalog.Find("a/good")->endpoints.data()};
  const auto report = [&](Outcome outcome) {
    HealthAnswer let = table.Ask(question, clock_.Now());
    ASSERT_EQ(let.skip, Skip::kNone);
    table.Report(std::move(let.permit), {outcome, {}, {}}, {}, {}, 0, clock_.Now());
  };
  report(Outcome::kFault);
  ASSERT_EQ(table.ViewOf(2, clock_.Now()).state, HealthState::kDegraded);
  const ExchangeId id = AskUntilDrawn(std::string(kGoodAlone));
  ASSERT_NE(id, 0u);
  EXPECT_EQ(Dropped("unavailable"), 1);
  EXPECT_EQ(Figure("seekroute_shadow_sent_total"), 0);
  EXPECT_EQ(transport_->seen().back().url.find("https://best"), 0u);
  EXPECT_EQ(store_->Find(ShadowOf(id))->charge, Money{});
  clock_.MoveTo(clock_.Now() + Duration::Seconds(60));
  ASSERT_NE(AskUntilDrawn(std::string(kGoodAlone)), 0u);
  EXPECT_EQ(Figure("seekroute_shadow_sent_total"), 1);
}

TEST_F(ShadowTest, WaitsForNoRoomAtAProvider) {
  OpenPool();
  const LimitTime now{clock_.Now(), clock_.WallTime()};
  upstream_limiter_.Set(LimitScope::kProvider, "good",
                        std::make_shared<const LimitSet>(LimitSet{.concurrent = 0}), now);
  ASSERT_NE(AskUntilDrawn(std::string(kGoodAlone)), 0u);
  EXPECT_EQ(Dropped("unavailable"), 1);
  upstream_limiter_.Set(LimitScope::kProvider, "good",
                        std::make_shared<const LimitSet>(LimitSet{.concurrent = 1}), now);
  ASSERT_NE(AskUntilDrawn(std::string(kGoodAlone)), 0u);
  EXPECT_EQ(Figure("seekroute_shadow_sent_total"), 1);
  EXPECT_EQ(upstream_limiter_.running(LimitScope::kProvider, "", "good"), 0);
}

// What it takes of its client's limits is what the first request has taken.
TEST_F(ShadowTest, TakesNothingOfTheLimitsOfItsClient) {
  key_limits_.concurrent = 1;
  key_limits_.requests_per_day = 1000;
  OpenPool();
  int asked = 0;
  while (Figure("seekroute_shadow_sent_total") < 5) {
    ASSERT_LT(++asked, 500);
    SubmitBody(Body());
    Rest();
    EXPECT_EQ(seen_[last_].headers["x-ratelimit-remaining-requests"], std::to_string(1000 - asked));
  }
}

TEST_F(ShadowTest, AsksForAWholeAnswerWhereTheFirstStreams) {
  OpenPool();
  director_ = [&](const TransportRequest& sent) {
    UpstreamScript script = script_;
    if (sent.body.find(R"("stream":true)") == std::string::npos) return script;
    script.head.content_type = "text/event-stream";
    script.pieces = {{{}, std::string(kStart)},
                     {{}, std::string(kContent)},
                     {{},
                      "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":"
                      "\"stop\"}]}\n\ndata: [DONE]\n\n"}};
    return script;
  };
  const ExchangeId id = AskUntilDrawn(R"(,"stream":true,"stream_options":{"include_usage":true})");
  ASSERT_NE(id, 0u);
  const std::vector<ShadowPair> pairs = pairs_->Take();
  ASSERT_EQ(pairs.size(), 1u);
  EXPECT_EQ(pairs.front().first_answer, seen_[id].body);
  EXPECT_NE(pairs.front().first_answer.find("[DONE]"), std::string::npos);
  EXPECT_EQ(pairs.front().second_answer.front(), '{');
  EXPECT_EQ(transport_->seen().back().body.find("stream"), std::string::npos);
}

TEST_F(ShadowTest, DropsAPairWhoseFirstAnswerIsNotWhole) {
  OpenPool();
  script_.head.status = 400;
  EXPECT_NE(AskUntilDrawn(), 0u);
  EXPECT_EQ(Dropped("unanswered"), 1);
  EXPECT_EQ(Figure("seekroute_shadow_under_way"), 0);
  EXPECT_EQ(Figure("seekroute_shadow_sent_total"), 0);
}

TEST_F(ShadowTest, DropsAPairWhoseSecondModelHasAnsweredInsteadOfTheFirst) {
  OpenPool();
  director_ = [&](const TransportRequest& sent) {
    UpstreamScript script = script_;
    if (sent.body.find("up-best") != std::string::npos) script.head.status = 503;
    return script;
  };
  for (int i = 0; i < 10; ++i) ASSERT_NE(AskUntilDrawn(), 0u);
  EXPECT_GT(Dropped("same_model"), 0);
  for (const ShadowPair& pair : pairs_->Take()) EXPECT_NE(pair.first, pair.second);
}

TEST_F(ShadowTest, DropsWhatIsTooLarge) {
  OpenPool();
  EXPECT_NE(AskUntilDrawn(R"(,"user":")" + std::string(ShadowPairs::kMostBody, 'u') + '"'), 0u);
  EXPECT_EQ(Dropped("too_large"), 1);
  EXPECT_EQ(Figure("seekroute_shadow_under_way"), 0);

  const std::string answer(kAnswer);
  const size_t at = answer.find("hello");
  const auto answer_of = [&](size_t size) {
    std::string text = answer;
    return text.replace(at, 5, std::string(size, 'h'));
  };
  script_.pieces = {{{}, answer_of(ShadowPairs::kMostAnswer)}};
  EXPECT_NE(AskUntilDrawn(), 0u);
  EXPECT_EQ(Dropped("too_large"), 2);
  EXPECT_TRUE(pairs_->Take().empty());
  EXPECT_EQ(Figure("seekroute_shadow_sent_total"), 0);
}

// What the second may cost at worst is there when it is sent, and no more is spent than that.
TEST_F(ShadowTest, SendsNothingThatMightExceedTheBoundOfTheDay) {
  // An answer of a thousand tokens, and a prompt of a token a byte, with the markup.
  OpenPool(0.2, {1000 * kOutputNano});
  EXPECT_NE(AskUntilDrawn(), 0u);
  EXPECT_EQ(Dropped("budget"), 1);
  EXPECT_EQ(Figure("seekroute_shadow_sent_total"), 0);
  pairs_->SetRules({.share = 0.2, .per_day = {2 * 1000 * kOutputNano}});
  EXPECT_NE(AskUntilDrawn(), 0u);
  EXPECT_EQ(Figure("seekroute_shadow_sent_total"), 1);
  // It has cost much less than was set aside: the next one has room.
  EXPECT_NE(AskUntilDrawn(), 0u);
  EXPECT_EQ(Figure("seekroute_shadow_sent_total"), 2);
  // By the ledger more was spent today.
  pairs_->RaiseSpent({1000 * kOutputNano}, clock_.WallTime().seconds());
  EXPECT_NE(AskUntilDrawn(), 0u);
  EXPECT_EQ(Dropped("budget"), 2);
  // Until midnight.
  clock_.MoveTo(clock_.Now() + Duration::Seconds(86'400));
  EXPECT_NE(AskUntilDrawn(), 0u);
  EXPECT_EQ(Figure("seekroute_shadow_sent_total"), 3);
}

TEST_F(ShadowTest, HasNoMoreUnderWayThanMayBe) {
  OpenPool(0.2, {1'000'000'000'000});
  script_.head_delay = Duration::Seconds(10);
  for (int i = 0; i < 400; ++i) SubmitBody(Body());
  EXPECT_EQ(Figure("seekroute_shadow_under_way"), ShadowPairs::kMostUnderWay);
  EXPECT_GT(Dropped("busy"), 0);
  Rest();
  EXPECT_EQ(Figure("seekroute_shadow_under_way"), 0);
  EXPECT_EQ(pairs_->Take().size(), ShadowPairs::kMostUnderWay);
}

TEST_F(ShadowTest, DropsTheOldestThatNobodyTakes) {
  ShadowPair pair;
  pair.body = std::string(ShadowPairs::kMostBytes / 4, 'b');
  for (const std::string id : {"1", "2", "3", "4", "5"}) {
    pair.generation_id = id;
    pairs_->Keep(pair);
  }
  EXPECT_EQ(Dropped("untaken"), 1);
  std::string ids;
  for (const ShadowPair& each : pairs_->Take()) ids += each.generation_id;
  EXPECT_EQ(ids, "2345");
  pair.body.clear();
  for (size_t i = 0; i <= ShadowPairs::kMostUntaken; ++i) pairs_->Keep(pair);
  EXPECT_EQ(pairs_->Take().size(), ShadowPairs::kMostUntaken);
}

// The drain of a gateway does not wait for them.
TEST_F(ShadowTest, EndsThemWhenTheGatewayIsToStop) {
  OpenPool();
  UpstreamScript slow = script_;
  slow.head_delay = Duration::Seconds(10);
  director_ = [&](const TransportRequest& sent) {
    return sent.body.find("up-best") == std::string::npos ? slow : script_;
  };
  ExchangeId id = 0;
  for (int i = 0; i < 100 && Figure("seekroute_shadow_under_way") == 0; ++i) {
    id = SubmitBody(Body());
    while (seen_[id].row == std::nullopt) Step();
  }
  while (transport_->live() == 0) Step();  // the second runs
  engine_->StopWaiting();
  engine_->Advance();
  EXPECT_EQ(engine_->size(), 0u);
  EXPECT_EQ(Dropped("stopped"), 1);
  EXPECT_EQ(store_->Find(ShadowOf(id))->settles, 1);
  Rest();
  EXPECT_TRUE(pairs_->Take().empty());
  EXPECT_EQ(AskUntilDrawn(), 0u);
}

TEST_F(ShadowTest, DropsThoseThatWereToFollowWhenTheGatewayStops) {
  OpenPool();
  while (Figure("seekroute_shadow_under_way") == 0) {
    const ExchangeId id = SubmitBody(Body());
    while (seen_[id].row == std::nullopt) Step();
  }
  engine_->Stop();
  engine_->Advance();
  engine_->Advance();
  EXPECT_EQ(Figure("seekroute_shadow_under_way"), 0);
  EXPECT_EQ(Dropped("stopped"), 1);
}

}  // namespace
}  // namespace seekroute::testing
