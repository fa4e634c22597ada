// Money over a route of two endpoints, the dear one first: who is asked, for how long an answer,
// and what is held.
#include "testing/credit_prompt.h"
#include "testing/credits_fixture.h"

namespace seekroute::testing {
namespace {

constexpr int64_t kDearNano = 9000;  // a token of the answer

class RouteMoneyTest : public CreditsTest {
 protected:
  void OpenRoute(Money balance) {
    Open(balance);
    snapshot_ = SnapshotAt({{.provider = "dear", .output_nano = kDearNano}, {.provider = "cheap"}});
  }

  int64_t Costs(int64_t tokens, int64_t nano) const { return PromptNano(options_) + tokens * nano; }
};

TEST_F(RouteMoneyTest, EnoughForTheDearestIsHeldWhole) {
  OpenRoute({2 * Costs(1000, kDearNano)});
  const Seen& seen = Ask();
  EXPECT_EQ(seen.row->provider, "dear");
  EXPECT_EQ(seen.row->held.nano, Costs(1000, kDearNano));
}

// The balance pays for a short answer of the cheap one, not of the dear one.
TEST_F(RouteMoneyTest, AnEndpointThatTheBalanceDoesNotPayIsNotAsked) {
  OpenRoute({Costs(256, kOutputNano)});
  const Seen& seen = Ask();
  ASSERT_EQ(seen.status, 200) << seen.body;
  EXPECT_EQ(seen.row->provider, "cheap");
  EXPECT_EQ(transport_->seen().size(), 1u);
  EXPECT_NE(Sent(0).find("\"max_tokens\":256"), std::string::npos) << Sent(0);
  EXPECT_LE(seen.row->cost, seen.row->held);
}

TEST_F(RouteMoneyTest, ABalanceBelowTheCheapestIsNotEnough) {
  OpenRoute({Costs(256, kOutputNano) - 1});
  const Seen& seen = Ask();
  EXPECT_EQ(seen.status, 402);
  EXPECT_NE(seen.body.find(FormatUsd(Money{Costs(256, kOutputNano)})), std::string::npos)
      << seen.body;
  EXPECT_TRUE(transport_->seen().empty());
}

// A length that was named is given whole, by whoever can for the money.
TEST_F(RouteMoneyTest, ANamedLengthGoesToWhoeverGivesItWhole) {
  OpenRoute({Costs(900, kOutputNano)});
  const Seen& seen = Ask(R"(,"max_tokens":900)");
  ASSERT_EQ(seen.status, 200) << seen.body;
  EXPECT_EQ(seen.row->provider, "cheap");
  EXPECT_NE(Sent(0).find("\"max_tokens\":900"), std::string::npos) << Sent(0);
}

TEST_F(RouteMoneyTest, MaxCostLeavesOutWhoIsTooDear) {
  OpenRoute({2 * Costs(1000, kDearNano)});
  const auto ask = [&](int64_t nano) -> const Seen& {
    return Ask(R"(,"max_cost":)" + FormatUsd(Money{nano}));
  };
  const Seen& both = ask(Costs(256, kDearNano));
  EXPECT_EQ(both.row->provider, "dear");
  EXPECT_NE(Sent(0).find("\"max_tokens\":256"), std::string::npos) << Sent(0);
  const Seen& one = ask(Costs(256, kDearNano) - 1);
  EXPECT_EQ(one.row->provider, "cheap");
  EXPECT_EQ(one.row->held.nano, Costs(1000, kOutputNano));
  EXPECT_EQ(ask(Costs(256, kOutputNano) - 1).status, 402);
}

// The hold is that of the dearest; each is told what it pays for there.
TEST_F(RouteMoneyTest, ATryElsewhereIsWithinTheSameHold) {
  OpenRoute({2 * Costs(500, kDearNano)});
  script_.head.status = 500;
  director_ = [this](const TransportRequest& sent) {
    UpstreamScript script = script_;
    if (sent.upstream->base_url == "https://cheap") script.head.status = 200;
    return script;
  };
  const Seen& seen = Ask();
  ASSERT_EQ(seen.status, 200) << seen.body;
  EXPECT_EQ(seen.row->provider, "cheap");
  EXPECT_EQ(seen.row->held.nano, Costs(500, kDearNano));
  EXPECT_NE(Sent(0).find("\"max_tokens\":500"), std::string::npos) << Sent(0);
  EXPECT_NE(Sent(1).find("\"max_tokens\":1000"), std::string::npos) << Sent(1);
  EXPECT_EQ(seen.row->cost.nano, 3 * kInputNano + 5 * kOutputNano);  // as kAnswer tells
}

}  // namespace
}  // namespace seekroute::testing
