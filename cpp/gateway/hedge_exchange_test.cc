// What a client pays, and what its limits count, where two providers were asked at once.
#include "gateway/health_table.h"
#include "gateway/hedge_budget.h"
#include "testing/credits_fixture.h"

namespace seekroute::testing {
namespace {

class HedgeExchangeTest : public CreditsTest {
 protected:
  // The first provider has had content in 400 ms so far, and now takes 5 s.
  void OpenSlow() {
    health_ = &table_;
    hedges_ = &budget_;
    Open({1'000'000'000});
    snapshot_ = SnapshotAt({{.provider = "slow"}, {.provider = "quick", .output_nano = 2500}});
    table_.Learn(*snapshot_, clock_.Now());
    const Model& model = *snapshot_->catalog.Find("m");
    for (int i = 0; i < 120; ++i) {
      const HealthQuestion question{.provider = snapshot_->providers.data(),
                                    .endpoint = model.endpoints.data()};
      Measured measured;
      measured.first_content = Duration::Milliseconds(400);
      table_.Report(table_.Ask(question, clock_.Now()).permit, Answered(), {}, measured, 0,
                    clock_.Now());
    }
    director_ = [](const TransportRequest& sent) {
      const bool slow = sent.upstream->base_url == "https://slow";
      UpstreamScript script;
      script.head.content_type = "text/event-stream";
      script.pieces = {{Duration::Milliseconds(10), std::string(kStart)},
                       {Duration::Milliseconds(slow ? 5000 : 100), std::string(kContent)},
                       {{}, std::string(kEnd)}};
      return script;
    };
  }

  static constexpr std::string_view kEnd =
      "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],"
      "\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}\n\ndata: [DONE]\n\n";

  HealthTable table_{{}, {}};
  HedgeBudget budget_{{.enabled = true}};
};

TEST_F(HedgeExchangeTest, TheWinnerAloneIsPaid) {
  OpenSlow();
  const Seen& seen = Ask(R"(,"stream":true)");
  ASSERT_EQ(seen.status, 200) << seen.body;
  EXPECT_EQ(seen.row->provider, "quick");
  EXPECT_EQ(seen.row->cost.nano, 7 * kInputNano + 3 * 2500);
  ASSERT_EQ(seen.row->tried.size(), 2u);
  EXPECT_EQ(seen.row->tried[0].error, "hedge_lost");
  EXPECT_GT(seen.row->tried[0].suspected.nano, 0);
  EXPECT_EQ(transport_->seen().size(), 2u);
}

TEST_F(HedgeExchangeTest, AKeyThatIsRevokedIsNotHedged) {
  OpenSlow();
  const ExchangeId id = Submit(R"(,"stream":true)");
  engine_->Advance();
  while (transport_->seen().empty()) Step();
  keys_.Remove(HmacSha256(Secret("pepper"), "good"));
  Rest();
  EXPECT_EQ(seen_[id].status, 200);  // what runs is not stopped
  EXPECT_EQ(seen_[id].row->provider, "slow");
  EXPECT_EQ(transport_->seen().size(), 1u);
}

TEST_F(HedgeExchangeTest, ItCountsAsOneRequest) {
  OpenSlow();
  const auto two = std::make_shared<const LimitSet>(LimitSet{.requests_per_minute = 2});
  limiter_.Set(LimitScope::kModel, "a/m", two, {clock_.Now(), clock_.WallTime()});
  EXPECT_EQ(Ask(R"(,"stream":true)").status, 200);
  EXPECT_EQ(Ask(R"(,"stream":true)").status, 200);
  EXPECT_EQ(transport_->seen().size(), 4u);
  EXPECT_EQ(Ask(R"(,"stream":true)").status, 429);
}

}  // namespace
}  // namespace seekroute::testing
