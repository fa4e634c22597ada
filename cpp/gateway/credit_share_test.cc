// A request that names no length leaves money to the next one, and who finds none is told whose it
// is.
#include "testing/credit_prompt.h"
#include "testing/credits_fixture.h"

namespace seekroute::testing {
namespace {

class CreditShareTest : public CreditsTest {
 protected:
  // What a request without a length needs at least.
  Money Least() const { return {PromptNano(options_) + 256 * kOutputNano}; }
};

TEST_F(CreditShareTest, TwoAtOnceAreBothServedFromASmallBalance) {
  Open({2 * Least().nano});
  script_.head_delay = Duration::Seconds(5);
  const ExchangeId first = Submit();
  const ExchangeId second = Submit();
  Rest();
  EXPECT_EQ(seen_[first].status, 200) << seen_[first].body;
  EXPECT_EQ(seen_[second].status, 200) << seen_[second].body;
}

TEST_F(CreditShareTest, HalfOfWhatIsLeftIsTaken) {
  const Money balance{3'000'000};
  Open(balance, {}, 100'000);
  script_.head_delay = Duration::Seconds(5);
  for (int i = 0; i < 4; ++i) Submit();
  Rest();
  int64_t left = balance.nano;
  int served = 0;
  for (const auto& [id, seen] : seen_) {
    const CreditStore::Booking& booking = *store_->Find(id);
    if (seen.status != 200) continue;
    ++served;
    EXPECT_EQ(booking.held.nano, std::max(left / 2, Least().nano));
    left -= booking.held.nano;
  }
  EXPECT_EQ(served, 3);
}

// Enough for everything: everything is held.
TEST_F(CreditShareTest, AnAmountBelowHalfIsHeldWhole) {
  const int64_t whole = PromptNano(options_) + 1000 * kOutputNano;
  Open({2 * whole});
  EXPECT_EQ(Ask().row->held.nano, whole);
}

TEST_F(CreditShareTest, ANamedLengthTakesWhatItTakes) {
  const int64_t whole = PromptNano(options_) + 1000 * kOutputNano;
  Open({whole});
  EXPECT_EQ(Ask(R"(,"max_tokens":1000)").row->held.nano, whole);
}

TEST_F(CreditShareTest, TheLimitOfAKeyIsSharedToo) {
  Open({100'000'000}, {}, 1000, Money{2 * Least().nano});
  script_.head_delay = Duration::Seconds(5);
  const ExchangeId first = Submit();
  const ExchangeId second = Submit();
  Rest();
  EXPECT_EQ(seen_[first].status, 200);
  EXPECT_EQ(seen_[second].status, 200);
}

TEST_F(CreditShareTest, WhatOthersHoldIsNamedAndPasses) {
  Open({2 * Least().nano});
  script_.head_delay = Duration::Seconds(5);
  Submit();
  Submit();
  const ExchangeId third = Submit();
  const ExchangeId named = Submit(R"(,"max_tokens":900)");
  Rest();
  const Seen& seen = seen_[third];
  EXPECT_EQ(seen.status, 402);
  EXPECT_EQ(seen.headers.at("x-should-retry"), "true");
  EXPECT_EQ(seen.headers.at("retry-after"), "5");
  EXPECT_NE(seen.body.find("\"code\":\"insufficient_credits\""), std::string::npos) << seen.body;
  EXPECT_NE(seen.body.find("running requests hold " + FormatUsd(Money{2 * Least().nano})),
            std::string::npos)
      << seen.body;
  EXPECT_NE(seen.body.find("wait until those have ended"), std::string::npos) << seen.body;
  EXPECT_NE(seen.body.find("\"held\":" + FormatUsd(Money{2 * Least().nano})), std::string::npos);
  // All of it would not be enough for this one.
  const Seen& never = seen_[named];
  EXPECT_EQ(never.status, 402);
  EXPECT_EQ(never.headers.at("x-should-retry"), "false");
  EXPECT_EQ(never.headers.count("retry-after"), 0u);
  EXPECT_EQ(never.body.find("wait until"), std::string::npos) << never.body;
  EXPECT_NE(never.body.find("\"held\":"), std::string::npos);
  // And now they have ended.
  EXPECT_EQ(Ask().status, 200);
}

TEST_F(CreditShareTest, WithoutOthersThereIsNothingToWaitFor) {
  Open({1});
  const Seen& seen = Ask();
  EXPECT_EQ(seen.status, 402);
  EXPECT_EQ(seen.headers.at("x-should-retry"), "false");
  EXPECT_EQ(seen.body.find("held"), std::string::npos) << seen.body;
}

// What running requests hold is not enough where more is spent than a limit allows that was
// lowered.
TEST_F(CreditShareTest, ALoweredLimitIsNothingToWaitFor) {
  Open({100'000'000});
  Ask();  // spends some
  const Money spent{100'000'000 - store_->balance().nano};
  ASSERT_GT(spent, Money{});
  script_.head_delay = Duration::Seconds(5);
  const ExchangeId running = Submit(R"(,"max_tokens":1)");
  engine_->Advance();
  ApiKey lowered;
  lowered.key_id = "k";
  lowered.org_id = "o";
  lowered.limit = Money{1};
  keys_.Put(HmacSha256(Secret("pepper"), "good"), lowered);
  const ExchangeId refused = Submit(R"(,"max_tokens":1)");
  Rest();
  EXPECT_EQ(seen_[running].status, 200);
  EXPECT_EQ(seen_[refused].status, 402);
  EXPECT_EQ(seen_[refused].headers.at("x-should-retry"), "false") << seen_[refused].body;
  EXPECT_NE(seen_[refused].body.find("\"available\":0"), std::string::npos);
}

}  // namespace
}  // namespace seekroute::testing
