// Credits on an engine in a virtual world: what is held, sent and charged, request by request.
#include "testing/credit_prompt.h"
#include "testing/credits_fixture.h"

namespace seekroute::testing {
namespace {

TEST_F(CreditsTest, HoldsTheWorstCaseAndChargesTheUse) {
  Open({10'000'000});
  const Seen& seen = Ask(R"(,"max_tokens":100)");
  EXPECT_EQ(seen.status, 200);
  EXPECT_EQ(seen.row->settlement, Settlement::kExact);
  EXPECT_EQ(seen.row->held.nano, PromptNano(options_) + 100 * kOutputNano);
  EXPECT_EQ(seen.row->cost.nano, 3 * kInputNano + 5 * kOutputNano);
  EXPECT_EQ(store_->balance().nano, 10'000'000 - seen.row->cost.nano);
  EXPECT_NE(Sent(0).find(R"("max_tokens":100)"), std::string::npos);
}

// Overspend is impossible: a balance that covers k requests serves exactly k of 500.
TEST_F(CreditsTest, ABalanceForSevenServesSevenOfFiveHundred) {
  options_.strict_bound = true;
  const int64_t hold = PromptNano(options_) + 100 * kOutputNano;
  Open({7 * hold + hold - 1});
  std::string answer(kAnswer);  // all that was held is used, so that nothing comes back
  const std::string usage = "\"prompt_tokens\":" + std::to_string(PromptNano(options_) / 1000) +
                            ",\"completion_tokens\":100";
  answer.replace(answer.find("\"prompt_tokens\""), std::string::npos, usage + "}}");
  script_.pieces = {{Duration::Seconds(1), answer}};
  for (int i = 0; i < 500; ++i) Submit(R"(,"max_tokens":100)");
  Rest();
  int served = 0;
  for (const auto& [id, seen] : seen_) {
    if (seen.status == 200) ++served;
    EXPECT_TRUE(seen.status == 200 || seen.status == 402);
  }
  EXPECT_EQ(served, 7);
  EXPECT_EQ(transport_->seen().size(), 7u);
  EXPECT_EQ(store_->balance().nano, hold - 1);
}

TEST_F(CreditsTest, AnAnswerOfNoStatedLengthGetsWhatTheBalanceAffords) {
  Open({2 * (PromptNano(options_) + 300 * kOutputNano + 1999)});  // of which it takes half
  const Seen& seen = Ask();
  EXPECT_EQ(seen.status, 200);
  EXPECT_NE(Sent(0).find(R"("max_tokens":300)"), std::string::npos) << Sent(0);
}

TEST_F(CreditsTest, BelowTheLeastUsefulLengthItIsRefused) {
  Open({PromptNano(options_) + 255 * kOutputNano});
  const Seen& seen = Ask();
  EXPECT_EQ(seen.status, 402);
  EXPECT_EQ(seen.headers.at("x-should-retry"), "false");
  EXPECT_NE(seen.body.find(R"("affordable_max_tokens":255)"), std::string::npos) << seen.body;
  EXPECT_NE(
      seen.body.find("\"needed\":" + FormatUsd(Money{PromptNano(options_) + 256 * kOutputNano})),
      std::string::npos);
  EXPECT_TRUE(transport_->seen().empty());
}

TEST_F(CreditsTest, AStatedLengthIsServedWholeOrRefused) {
  Open({PromptNano(options_) + 99 * kOutputNano});
  EXPECT_EQ(Ask(R"(,"max_tokens":100)").status, 402);
  EXPECT_EQ(Ask(R"(,"max_tokens":99)").status, 200);
}

TEST_F(CreditsTest, TheProvidersNameForTheCapIsUsed) {
  cap_field_ = "max_completion_tokens";
  Open({10'000'000});
  Ask();
  EXPECT_NE(Sent(0).find(R"("max_completion_tokens":1000)"), std::string::npos);
  EXPECT_EQ(Sent(0).find("\"max_tokens\""), std::string::npos);
}

TEST_F(CreditsTest, WhatNothingLimitsGoesAsItCame) {
  credit_line_ = kUnlimitedLine;
  Open({});
  Ask();
  EXPECT_EQ(Sent(0).find("max_tokens"), std::string::npos) << Sent(0);
  EXPECT_GT(store_->Find(1)->held, Money{});
  Ask(R"(,"max_cost":0.01)");
  EXPECT_NE(Sent(1).find("max_tokens"), std::string::npos) << Sent(1);
}

TEST_F(CreditsTest, TheLimitOfAKeyIsBelowTheBalance) {
  Open({10'000'000}, {}, 1000, Money{2 * (PromptNano(options_) + 400 * kOutputNano)});
  EXPECT_EQ(Ask().status, 200);
  EXPECT_NE(Sent(0).find(R"("max_tokens":400)"), std::string::npos);
  const Seen& seen = Ask(R"(,"max_tokens":900)");
  EXPECT_EQ(seen.status, 402);
  EXPECT_NE(seen.body.find("the limit of this API key"), std::string::npos);
}

TEST_F(CreditsTest, ALimitThatIsResetSaysWhen) {
  limit_reset_ = Window::kMonthly;
  Open({10'000'000}, {}, 1000, Money{1});
  const Seen& seen = Ask();
  EXPECT_EQ(seen.status, 402);
  EXPECT_NE(seen.body.find("the limit does not cover even the prompt"), std::string::npos);
  EXPECT_EQ(seen.body.find("balance"), std::string::npos) << seen.body;
  // The virtual world's clock begins on 2027-01-15.
  EXPECT_EQ(FormatUtc(store_->Find(1)->asked.key_limit->since), "2027-01-01T00:00:00Z");
  EXPECT_NE(seen.body.find(R"("resets_at":1801440000)"), std::string::npos) << seen.body;
  EXPECT_NE(seen.body.find("raise the limit, or wait until 2027-02-01T00:00:00Z"),
            std::string::npos);
  limit_reset_ = Window::kNever;
  Open({10'000'000}, {}, 1000, Money{1});
  const Seen& never = Ask();
  EXPECT_EQ(store_->Find(2)->asked.key_limit->since.s, 0);
  EXPECT_EQ(never.body.find("resets_at"), std::string::npos);
  EXPECT_NE(never.body.find("raise the limit"), std::string::npos);
}

TEST_F(CreditsTest, ACreditLineIsHeldBeyondTheBalance) {
  const int64_t hold = PromptNano(options_) + 100 * kOutputNano;
  credit_line_ = {hold};
  Open({0});
  const Seen& first = Ask(R"(,"max_tokens":100)");
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(first.row->held.nano, hold);
  EXPECT_EQ(store_->balance().nano, -first.row->cost.nano);
  const Seen& refused = Ask(R"(,"max_tokens":100)");
  EXPECT_EQ(refused.status, 402);
  const Money left{hold - first.row->cost.nano};
  EXPECT_NE(refused.body.find("\"available\":" + FormatUsd(left)), std::string::npos)
      << refused.body;
  EXPECT_EQ(Ask(R"(,"max_tokens":90)").status, 200);
}

TEST_F(CreditsTest, AnUnlimitedLineNeverRefuses) {
  credit_line_ = kUnlimitedLine;
  Open({0});
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Ask().status, 200);
  EXPECT_LT(store_->balance().nano, 0);
}

TEST_F(CreditsTest, WhatComesWithoutAKeyIsTheOperatorsOwn) {
  with_key_ = false;
  options_.local_org = "operator";
  Open({0});
  const Seen& booked = Ask();
  EXPECT_EQ(booked.status, 200);
  EXPECT_EQ(booked.row->org_id, "operator");
  EXPECT_GT(booked.row->cost.nano, 0);
  EXPECT_EQ(store_->Find(1)->asked.line, kUnlimitedLine);
  EXPECT_EQ(store_->balance().nano, -booked.row->cost.nano);
  options_.local_org = "";
  const Seen& free = Ask();
  EXPECT_EQ(free.status, 200);
  EXPECT_TRUE(store_->Find(2)->never_held);
  EXPECT_EQ(free.row->org_id, "");
}

TEST_F(CreditsTest, MoreUseThanWasHeldIsTheOperatorsLoss) {
  Open({10'000'000});
  std::string answer(kAnswer);
  answer.replace(answer.find(":5}"), 2, ":500");
  script_.pieces = {{{}, answer}};
  const Seen& seen = Ask(R"(,"max_tokens":1)");
  EXPECT_EQ(seen.row->settlement, Settlement::kExact);
  EXPECT_EQ(seen.row->cost, seen.row->held);
  EXPECT_EQ(seen.headers.at("x-seekroute-cost"), FormatUsd(seen.row->held));
  EXPECT_NE(seen.body.find("\"cost\":" + FormatUsd(seen.row->held)), std::string::npos);
  EXPECT_EQ(store_->Find(1)->overrun.nano,
            3 * kInputNano + 500 * kOutputNano - seen.row->held.nano);
}

TEST_F(CreditsTest, AnAnswerWithoutUsageIsEstimatedWithinTheHold) {
  Open({10'000'000});
  std::string answer(kAnswer);
  answer.replace(answer.find(",\"usage\""), std::string::npos, "}");
  script_.pieces = {{{}, answer}};
  const Seen& seen = Ask(R"(,"max_tokens":1)");
  EXPECT_EQ(seen.row->settlement, Settlement::kEstimated);
  EXPECT_TRUE(seen.row->estimated);
  EXPECT_GT(seen.row->cost.nano, 0);
  EXPECT_LE(seen.row->cost, seen.row->held);
  EXPECT_EQ(store_->Find(1)->overrun.nano, 0);
}

TEST_F(CreditsTest, AGuessIsFreeIfTheOperatorSaysSo) {
  options_.on_missing_usage = ChargePolicy::kFree;
  Open({10'000'000});
  std::string answer(kAnswer);
  answer.replace(answer.find(",\"usage\""), std::string::npos, "}");
  script_.pieces = {{{}, answer}};
  const Seen& seen = Ask();
  EXPECT_EQ(seen.status, 200);
  EXPECT_EQ(seen.row->settlement, Settlement::kFree);
  EXPECT_TRUE(seen.row->estimated);
  EXPECT_EQ(seen.row->cost.nano, 0);
  EXPECT_GT(seen.row->upstream_cost.nano, 0);
  EXPECT_EQ(store_->balance().nano, 10'000'000);
}

TEST_F(CreditsTest, AnAnswerOfNothingIsFreeAndAFailureToo) {
  Open({10'000'000});
  script_.pieces = {{{},
                     R"({"choices":[{"index":0,"message":{"content":""},"finish_reason":null}],)"
                     R"("usage":{"prompt_tokens":3,"completion_tokens":0}})"}};
  EXPECT_EQ(Ask().row->settlement, Settlement::kFree);
  script_.head.status = 500;
  EXPECT_EQ(Ask().row->settlement, Settlement::kFailed);
  EXPECT_EQ(store_->balance().nano, 10'000'000);
}

TEST_F(CreditsTest, MaxCostShortensTheAnswerAlsoWithoutALedger) {
  options_.credits = false;
  Open({0});
  const auto usd = [](int64_t nano) { return ",\"max_cost\":" + FormatUsd(Money{nano}); };
  const int64_t prompt = PromptNano(options_);
  EXPECT_EQ(Ask(usd(prompt + 300 * kOutputNano)).status, 200);
  EXPECT_NE(Sent(0).find(R"("max_tokens":300)"), std::string::npos);
  EXPECT_EQ(Sent(0).find("max_cost"), std::string::npos);
  EXPECT_EQ(Ask(usd(prompt + 300 * kOutputNano) + R"(,"max_tokens":100)").status, 200);
  EXPECT_NE(Sent(1).find(R"("max_tokens":100)"), std::string::npos);
  const Seen& refused = Ask(usd(prompt + 255 * kOutputNano));
  EXPECT_EQ(refused.status, 402);
  EXPECT_NE(refused.body.find("max_cost_exceeded"), std::string::npos);
  EXPECT_EQ(Ask(usd(prompt + 50 * kOutputNano) + R"(,"max_tokens":50)").status, 200);
  EXPECT_EQ(transport_->seen().size(), 3u);
}

TEST_F(CreditsTest, ASlowStoreIsA503AndWhatItHoldsLaterComesBack) {
  options_.hold_timeout = Duration::Milliseconds(1);
  Open({100'000'000}, {.slow = true});
  int refused = 0;
  for (int i = 0; i < 60; ++i) {
    const Seen& seen = Ask();
    if (seen.status == 200) continue;
    ++refused;
    EXPECT_EQ(seen.status, 503);
    EXPECT_EQ(seen.headers.at("retry-after"), "1");
    EXPECT_NE(seen.body.find("store_unavailable"), std::string::npos);
    EXPECT_EQ(seen.row->cost.nano, 0);
  }
  EXPECT_GT(refused, 5);
}

TEST_F(CreditsTest, AnIdempotencyKeyIsSentOnce) {
  Open({10'000'000});
  script_.head_delay = Duration::Seconds(1);
  const ExchangeId first = Submit("", "order-1");
  const ExchangeId second = Submit("", "order-1");
  Rest();
  EXPECT_EQ(seen_[first].status, 200);
  EXPECT_EQ(seen_[second].status, 409);
  EXPECT_EQ(seen_[second].headers.at("x-should-retry"), "true");
  const Seen& done = Ask("", "order-1");
  EXPECT_EQ(done.status, 409);
  EXPECT_EQ(done.headers.at("x-should-retry"), "false");
  EXPECT_NE(done.body.find("\"generation_id\":\"" + seen_[first].row->generation_id + "\""),
            std::string::npos);
  EXPECT_EQ(Ask(R"(,"seed":1)", "order-1").status, 422);
  EXPECT_EQ(Ask("", "caf\xc3\xa9").status, 400);
  EXPECT_EQ(transport_->seen().size(), 1u);
}

TEST_F(CreditsTest, ARefusedRequestFreesItsIdempotencyKey) {
  Open({1});
  EXPECT_EQ(Ask("", "order-1").status, 402);
  EXPECT_EQ(Ask("", "order-1").status, 402);
  EXPECT_EQ(idempotency_.size(), 0u);
}

// An answer that waits to be read is not late, however long our own turn took.
TEST_F(CreditsTest, ALateTurnIsNotTheStoresLateness) {
  Open({10'000'000}, {.hold_takes = Duration::Seconds(1)});
  const TimePoint looked = clock_.Now();
  const ExchangeId id = Submit();
  clock_.MoveTo(looked + options_.hold_timeout + Duration::Seconds(10));
  engine_->Advance(looked);
  agenda_.RunNext();  // what was waiting to be read
  Rest();
  EXPECT_EQ(seen_[id].status, 200);
}

TEST_F(CreditsTest, AGatewayThatIsClosedEndsItsHolds) {
  Open({10'000'000});
  script_.head_delay = Duration::Seconds(5);
  const ExchangeId id = Submit();
  engine_.reset();
  EXPECT_EQ(store_->Find(id)->state, CreditStore::State::kSettled);
  EXPECT_EQ(store_->Find(id)->row.error, "shutting_down");
  EXPECT_EQ(store_->balance().nano, 10'000'000);
}

// Nobody can draw from nothing: told before any money is set aside.
TEST_F(CreditsTest, NothingIsHeldForWhatNoEndpointCanDo) {
  dialect_ = DialectId::kOpenAiImages;
  Open({10'000'000'000});
  const ExchangeId id = SubmitBody(R"({"model":"m","messages":[{"role":"user","content":" "}]})");
  Rest();
  EXPECT_EQ(seen_[id].status, 400);
  EXPECT_NE(seen_[id].body.find("text in the last user message"), std::string::npos);
  EXPECT_EQ(seen_[id].row->held, Money{});
  EXPECT_EQ(seen_[id].row->attempts, 0);
  EXPECT_EQ(store_->Find(id), nullptr);
}

TEST_F(CreditsTest, NothingIsHeldForHalfACharacterThatNobodyDraws) {
  dialect_ = DialectId::kOpenAiImages;
  Open({10'000'000'000});
  const ExchangeId id =
      SubmitBody(R"({"model":"m","messages":[{"role":"user","content":"a \ud83d"}]})");
  Rest();
  EXPECT_EQ(seen_[id].status, 400);
  EXPECT_NE(seen_[id].body.find(R"("code":"invalid_unicode")"), std::string::npos)
      << seen_[id].body;
  EXPECT_NE(seen_[id].body.find(R"("param":"messages")"), std::string::npos);
  EXPECT_EQ(seen_[id].row->held, Money{});
  EXPECT_EQ(store_->Find(id), nullptr);
}

}  // namespace
}  // namespace seekroute::testing
