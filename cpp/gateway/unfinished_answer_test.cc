// Answers that nobody got to the end of: who left, what failed, what is read out, who pays.
#include "testing/credits_fixture.h"

namespace seekroute::testing {
namespace {

constexpr std::string_view kMore =
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\" four five six\"}}]}\n\n";
constexpr std::string_view kEnd =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":60}}\n\n"
    "data: [DONE]\n\n";
constexpr std::string_view kEndWithoutUsage =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
    "data: [DONE]\n\n";

class UnfinishedAnswerTest : public CreditsTest {
 protected:
  // Content at the first second, more at the tenth, `end` at the twentieth.
  void PlayStream(std::string_view end) {
    script_ = {};
    script_.head.content_type = "text/event-stream";
    script_.pieces = {{Duration::Seconds(1), std::string(kStart) + std::string(kContent)},
                      {Duration::Seconds(9), std::string(kMore)},
                      {Duration::Seconds(10), std::string(end)}};
  }

  // The row of a streamed request whose client leaves after that long.
  const ExchangeRecord& LeaveAfter(Duration time, const std::string& idempotency_key = "") {
    const ExchangeId id = Submit(R"(,"stream":true)", idempotency_key);
    agenda_.After(time, [this, id] { engine_->Cancel(id); });
    Rest();
    EXPECT_EQ(seen_[id].row->error, "client_closed");
    return *seen_[id].row;
  }

  // What "one two three" costs, that the provider was asked 7 tokens for.
  static int64_t Delivered() {
    return 7 * kInputNano + EstimateTokens("one two three").tokens * kOutputNano;
  }
  // The prompt as it is suspected to be charged.
  static int64_t Prompt() {
    const std::string body = R"({"model":"m","messages":[{"role":"user","content":"hi"}]})";
    return EstimateChatPrompt(body).tokens * kInputNano;
  }
};

TEST_F(UnfinishedAnswerTest, WhoLeavesBeforeContentPaysForTheInputThatTheProviderCounted) {
  Open({10'000'000});
  script_.head.content_type = "text/event-stream";
  script_.pieces = {{{}, std::string(kStart)}, {Duration::Seconds(5), std::string(kContent)}};
  const ExchangeId told = Submit(R"(,"stream":true)");
  agenda_.After(Duration::Seconds(1), [&] { engine_->Cancel(told); });
  Rest();
  EXPECT_EQ(seen_[told].row->settlement, Settlement::kCancelled);
  EXPECT_EQ(seen_[told].row->cost.nano, 7 * kInputNano);
  script_.pieces.erase(script_.pieces.begin());
  const ExchangeId untold = Submit(R"(,"stream":true)");
  agenda_.After(Duration::Seconds(1), [&] { engine_->Cancel(untold); });
  Rest();
  EXPECT_EQ(seen_[untold].row->settlement, Settlement::kCancelled);
  EXPECT_EQ(seen_[untold].row->cost.nano, 0);
}

TEST_F(UnfinishedAnswerTest, WhoLeavesInTheMiddlePaysForWhatWasDelivered) {
  Open({10'000'000});
  script_.head.content_type = "text/event-stream";
  script_.pieces = {{{}, std::string(kStart)},
                    {Duration::Seconds(1), std::string(kContent)},
                    {Duration::Seconds(20), std::string(kContent)}};
  const ExchangeId id = Submit(R"(,"stream":true)");
  agenda_.After(Duration::Seconds(2), [&] { engine_->Cancel(id); });
  Rest();
  const ExchangeRecord& row = *seen_[id].row;
  EXPECT_EQ(row.settlement, Settlement::kPartial);
  EXPECT_EQ(row.prompt_tokens, 7);
  EXPECT_EQ(row.completion_tokens, EstimateTokens("one two three").tokens);
  EXPECT_EQ(row.cost.nano, 7 * kInputNano + row.completion_tokens * kOutputNano);
  EXPECT_TRUE(transport_->seen()[0].cancelled);
}

TEST_F(UnfinishedAnswerTest, WithoutALedgerThePartIsNamedAndNotCharged) {
  options_.credits = false;
  Open({0});
  script_.head.content_type = "text/event-stream";
  script_.pieces = {{{}, std::string(kContent)}, {Duration::Seconds(20), std::string(kContent)}};
  const ExchangeId id = Submit(R"(,"stream":true)");
  agenda_.After(Duration::Seconds(2), [&] { engine_->Cancel(id); });
  Rest();
  EXPECT_EQ(seen_[id].row->settlement, Settlement::kPartial);
  EXPECT_EQ(seen_[id].row->cost.nano, 0);
  EXPECT_EQ(Sent(0).find("max_tokens"), std::string::npos);
}

TEST_F(UnfinishedAnswerTest, LeavingIsFreeIfTheOperatorSaysSo) {
  options_.on_client_abort = ChargePolicy::kFree;
  on_abort_ = OnAbort::kReadOut;  // nothing is read out for what is not charged
  Open({10'000'000});
  PlayStream(kEnd);
  const ExchangeRecord& row = LeaveAfter(Duration::Seconds(5));
  EXPECT_EQ(row.settlement, Settlement::kFree);
  EXPECT_EQ(row.cost.nano, 0);
  EXPECT_EQ(row.upstream_cost.nano, Delivered());
  EXPECT_EQ(row.Suspected().nano, 0);
  EXPECT_TRUE(transport_->seen()[0].cancelled);
  EXPECT_EQ(store_->balance().nano, 10'000'000);
}

TEST_F(UnfinishedAnswerTest, AFailureInTheMiddleIsChargedIfTheOperatorSaysSo) {
  Open({10'000'000});
  PlayStream("data: not json\n\n");
  const Seen free = Ask(R"(,"stream":true)");
  EXPECT_EQ(free.row->settlement, Settlement::kFailed);
  EXPECT_EQ(free.row->cost.nano, 0);
  EXPECT_EQ(free.row->Suspected().nano,
            Prompt() + EstimateTokens("one two three four five six").tokens * kOutputNano);
  options_.on_upstream_failure = ChargePolicy::kCharge;
  const Seen charged = Ask(R"(,"stream":true)");
  EXPECT_EQ(charged.row->settlement, Settlement::kPartial);
  EXPECT_EQ(charged.row->error, "bad_upstream_response");
  EXPECT_EQ(charged.row->cost.nano,
            7 * kInputNano + EstimateTokens("one two three four five six").tokens * kOutputNano);
  EXPECT_EQ(charged.row->upstream_cost, charged.row->cost);
  EXPECT_EQ(charged.row->Suspected().nano, 0);
  EXPECT_NE(charged.body.find("\"error\":"), std::string::npos);
}

TEST_F(UnfinishedAnswerTest, AFailureBeforeContentIsNeverCharged) {
  options_.on_upstream_failure = ChargePolicy::kCharge;
  Open({10'000'000});
  script_.head.content_type = "text/event-stream";
  script_.pieces = {{{}, std::string(kStart)}, {{}, "data: not json\n\n"}};
  const Seen& seen = Ask(R"(,"stream":true)");
  EXPECT_EQ(seen.row->settlement, Settlement::kFailed);
  EXPECT_EQ(seen.row->cost.nano, 0);
  EXPECT_GT(seen.row->Suspected().nano, 0);
}

TEST_F(UnfinishedAnswerTest, TheGatewaysOwnDeadlineIsAFailureToo) {
  options_.on_upstream_failure = ChargePolicy::kCharge;
  options_.total_timeout = Duration::Seconds(5);
  Open({10'000'000});
  PlayStream(kEnd);
  const Seen& seen = Ask(R"(,"stream":true)");
  EXPECT_EQ(seen.row->settlement, Settlement::kPartial);
  EXPECT_EQ(seen.row->error, "upstream_timeout");
  EXPECT_EQ(seen.row->cost.nano, Delivered());
}

TEST_F(UnfinishedAnswerTest, AnAnswerReadOutIsChargedByItsUsage) {
  on_abort_ = OnAbort::kReadOut;
  Open({10'000'000});
  PlayStream(kEnd);
  const ExchangeId id = Submit(R"(,"stream":true)", "order-1");
  std::string received;
  agenda_.After(Duration::Seconds(5), [&] {
    received = seen_[id].body;
    engine_->Cancel(id);
    engine_->Cancel(id);
  });
  ExchangeId repeated = 0;
  agenda_.After(Duration::Seconds(8), [&] {
    EXPECT_EQ(read_outs_->taken(), 1);
    repeated = Submit(R"(,"stream":true)", "order-1");
  });
  Rest();
  const ExchangeRecord& row = *seen_[id].row;
  EXPECT_EQ(row.settlement, Settlement::kExact);
  EXPECT_EQ(row.error, "client_closed");
  EXPECT_FALSE(row.estimated);
  EXPECT_EQ(row.completion_tokens, 60);
  EXPECT_EQ(row.cost.nano, 7 * kInputNano + 60 * kOutputNano);
  EXPECT_FALSE(transport_->seen()[0].cancelled);
  EXPECT_EQ(seen_[id].body, received);
  EXPECT_NE(received.find("three"), std::string::npos);
  EXPECT_NE(seen_[repeated].body.find("idempotency_in_progress"), std::string::npos);
  EXPECT_EQ(Ask(R"(,"stream":true)", "order-1").headers.at("x-should-retry"), "false");
  EXPECT_EQ(transport_->seen().size(), 1u);
  EXPECT_EQ(read_outs_->taken(), 0);
}

// All that was to come is [DONE]: the provider's own count is there, and nothing is a part.
TEST_F(UnfinishedAnswerTest, WhoLeavesAfterTheEndOfTheAnswerPaysForAllOfIt) {
  const std::string stop =
      "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
  const std::string usage =
      "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":60}}\n\n";
  const std::string both =
      "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],"
      "\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":60}}\n\n";
  const std::string odd =
      "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":-3}}\n\n";
  const std::string more = std::string(kContent);
  const struct {
    std::string end;
    bool whole;
  } cases[] = {
      {stop + usage, true}, {both, true},         {usage, true},         {stop, false},
      {stop + odd, false},  {both + more, false}, {usage + more, false}, {more, false},
  };
  for (const auto& c : cases) {
    for (const bool credits : {true, false}) {
      for (const OnAbort on_abort : {OnAbort::kCancel, OnAbort::kReadOut}) {
        SCOPED_TRACE(c.end);
        options_.credits = credits;
        on_abort_ = on_abort;
        Open({10'000'000});
        PlayStream("data: [DONE]\n\n");
        script_.pieces[1].bytes = c.end;
        const ExchangeRecord& row = LeaveAfter(Duration::Seconds(12));
        const bool exact = row.settlement == Settlement::kExact;
        // What is read out gets to its end, if it has one that counts.
        if (c.whole || on_abort == OnAbort::kCancel || !credits) {
          EXPECT_EQ(exact, c.whole);
        }
        if (!c.whole) continue;
        EXPECT_EQ(row.completion_tokens, 60);
        EXPECT_FALSE(row.estimated);
        EXPECT_EQ(row.finish_reason, c.end == usage ? "" : "stop");
        EXPECT_EQ(row.cost.nano, 7 * kInputNano + 60 * kOutputNano);
        EXPECT_EQ(row.Suspected().nano, 0);
        EXPECT_TRUE(transport_->seen()[0].cancelled) << "there is nothing left to read";
      }
    }
  }
  options_.credits = true;
  options_.on_client_abort = ChargePolicy::kFree;
  Open({10'000'000});
  PlayStream("data: [DONE]\n\n");
  script_.pieces[1].bytes = both;
  EXPECT_EQ(LeaveAfter(Duration::Seconds(12)).settlement, Settlement::kFree);
}

TEST_F(UnfinishedAnswerTest, AnAnswerThatIsNotStreamedIsReadOutToo) {
  on_abort_ = OnAbort::kReadOut;
  Open({10'000'000});
  script_.pieces = {{Duration::Seconds(9), std::string(kAnswer)}};
  const ExchangeId id = Submit();
  agenda_.After(Duration::Seconds(1), [&] { engine_->Cancel(id); });
  Rest();
  EXPECT_EQ(seen_[id].row->settlement, Settlement::kExact);
  EXPECT_EQ(seen_[id].row->cost.nano, 3 * kInputNano + 5 * kOutputNano);
  EXPECT_EQ(seen_[id].body, "");
}

TEST_F(UnfinishedAnswerTest, ReadingOutNothingIsFree) {
  on_abort_ = OnAbort::kReadOut;
  Open({10'000'000});
  script_.pieces = {{Duration::Seconds(9),
                     R"({"choices":[{"index":0,"message":{"content":""},"finish_reason":null}],)"
                     R"("usage":{"prompt_tokens":3,"completion_tokens":0}})"}};
  const ExchangeId id = Submit();
  agenda_.After(Duration::Seconds(1), [&] { engine_->Cancel(id); });
  Rest();
  EXPECT_EQ(seen_[id].row->settlement, Settlement::kFree);
  EXPECT_EQ(seen_[id].row->cost.nano, 0);
}

TEST_F(UnfinishedAnswerTest, ReadingOutGoesPastAWindowThatWasFull) {
  on_abort_ = OnAbort::kReadOut;
  window_ = 10;
  Open({10'000'000});
  PlayStream(kEnd);
  EXPECT_EQ(LeaveAfter(Duration::Seconds(15)).settlement, Settlement::kExact);
}

TEST_F(UnfinishedAnswerTest, AReadOutThatFailsFallsBackToWhatWasDelivered) {
  on_abort_ = OnAbort::kReadOut;
  Open({10'000'000});
  PlayStream("data: not json\n\n");
  const ExchangeRecord broken = LeaveAfter(Duration::Seconds(5));
  EXPECT_EQ(broken.settlement, Settlement::kPartial);
  EXPECT_EQ(broken.cost.nano, Delivered());
  EXPECT_TRUE(broken.estimated);
  EXPECT_EQ(broken.Suspected().nano, 0);
  PlayStream(kEndWithoutUsage);
  script_.pieces[0].bytes = kContent;
  const ExchangeRecord untold = LeaveAfter(Duration::Seconds(5));
  EXPECT_EQ(untold.settlement, Settlement::kPartial);
  EXPECT_EQ(untold.cost.nano, Delivered() - 7 * kInputNano + Prompt());
  PlayStream(kEnd);
  script_.pieces.pop_back();
  script_.ending = UpstreamScript::Ending::kHang;
  options_.total_timeout = Duration::Seconds(15);
  EXPECT_EQ(LeaveAfter(Duration::Seconds(5)).cost.nano, Delivered());
  EXPECT_TRUE(transport_->seen()[2].cancelled);  // the deadline holds for reading out
  // Before content there is nothing to fall back to, and no other provider is asked.
  script_.pieces.clear();
  const ExchangeRecord& nothing = LeaveAfter(Duration::Seconds(5));
  EXPECT_EQ(nothing.settlement, Settlement::kCancelled);
  EXPECT_EQ(nothing.cost.nano, 0);
  EXPECT_EQ(nothing.Suspected().nano, Prompt());
}

TEST_F(UnfinishedAnswerTest, ReadOutsAreBounded) {
  on_abort_ = OnAbort::kReadOut;
  options_.max_read_outs = 2;
  Open({100'000'000});
  PlayStream(kEnd);
  std::vector<ExchangeId> all;
  for (int i = 0; i < 5; ++i) all.push_back(Submit(R"(,"stream":true)"));
  agenda_.After(Duration::Seconds(5), [&] {
    for (const ExchangeId id : all) engine_->Cancel(id);
    EXPECT_EQ(read_outs_->taken(), 2);
  });
  Rest();
  int read_out = 0;
  for (const ExchangeId id : all) read_out += seen_[id].row->settlement == Settlement::kExact;
  EXPECT_EQ(read_out, 2);
  EXPECT_EQ(read_outs_->taken(), 0);
}

TEST_F(UnfinishedAnswerTest, AGatewayThatIsClosedChargesAReadOutForWhatWasDelivered) {
  on_abort_ = OnAbort::kReadOut;
  Open({10'000'000});
  PlayStream(kEnd);
  const ExchangeId id = Submit(R"(,"stream":true)");
  const ExchangeId stays = Submit(R"(,"stream":true)");
  agenda_.After(Duration::Seconds(5), [&] { engine_->Cancel(id); });
  while (read_outs_->taken() == 0) Step();
  engine_.reset();
  EXPECT_EQ(read_outs_->taken(), 0);
  const CreditStore::Booking* booking = store_->Find(id);
  EXPECT_EQ(booking->state, CreditStore::State::kSettled);
  EXPECT_EQ(booking->row.error, "client_closed");
  EXPECT_EQ(booking->row.settlement, Settlement::kPartial);
  EXPECT_EQ(booking->charge.nano, Delivered());
  EXPECT_EQ(store_->Find(stays)->row.error, "shutting_down");
  EXPECT_EQ(store_->Find(stays)->row.tried.size(), 1u);
  EXPECT_EQ(store_->Find(stays)->charge.nano, 0);
}

TEST_F(UnfinishedAnswerTest, AFailureThatTheProviderMayChargeForIsSuspected) {
  options_.retry.max_attempts = 1;
  Open({10'000'000});
  const auto suspected = [this](int status, const std::string& body) {
    script_ = {};
    script_.head.status = status;
    if (!body.empty()) script_.pieces = {{{}, body}};
    return Ask().row->Suspected().nano;
  };
  for (const int status : {400, 401, 404, 408, 413, 429}) {
    EXPECT_EQ(suspected(status, "no"), 0) << status;
    EXPECT_EQ(suspected(status, ""), 0) << status;
  }
  EXPECT_EQ(suspected(503, "overloaded"), 0);
  EXPECT_EQ(suspected(529, "overloaded"), 0);
  EXPECT_EQ(suspected(503, ""), Prompt());
  EXPECT_EQ(suspected(500, "boom"), Prompt());
  EXPECT_EQ(suspected(502, ""), Prompt());
  EXPECT_EQ(suspected(200, "<html>"), Prompt());
  script_.connects = false;
  EXPECT_EQ(Ask().row->Suspected().nano, 0);
  script_ = {};
  script_.sends_head = false;
  script_.ending = UpstreamScript::Ending::kHang;
  const Seen& silent = Ask();
  EXPECT_EQ(silent.row->error, "upstream_timeout");
  EXPECT_EQ(silent.row->cost.nano, 0);
  EXPECT_EQ(store_->balance().nano, 10'000'000);
}

TEST_F(UnfinishedAnswerTest, AnAnswerThatWasNotWaitedForIsSuspectedInTheUsualLength) {
  Open({10'000'000});
  script_.sends_head = false;
  script_.ending = UpstreamScript::Ending::kHang;
  const auto suspected = [this](const std::string& fields) {
    const Seen& seen = Ask(fields);
    EXPECT_EQ(seen.row->error, "upstream_timeout");
    EXPECT_EQ(seen.row->cost.nano, 0);
    return seen.row->Suspected().nano;
  };
  EXPECT_EQ(suspected(""), Prompt() + 400 * kOutputNano);
  EXPECT_EQ(suspected(R"(,"n":2)"), Prompt() + 800 * kOutputNano);
  EXPECT_EQ(suspected(R"(,"max_tokens":10)"), Prompt() + 10 * kOutputNano);
  // A stream would have come by then: its provider sees that nobody reads on.
  EXPECT_EQ(suspected(R"(,"stream":true)"), Prompt());
  const ExchangeId left = Submit("");
  agenda_.After(Duration::Seconds(1), [this, left] { engine_->Cancel(left); });
  Rest();
  EXPECT_EQ(seen_[left].row->error, "client_closed");
  EXPECT_EQ(seen_[left].row->Suspected().nano, Prompt() + 400 * kOutputNano);
}

}  // namespace
}  // namespace seekroute::testing
