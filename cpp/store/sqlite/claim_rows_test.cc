// Claims of an Idempotency-Key in the ledger's file, over restarts and with time.
#include "store/sqlite/claim_rows.h"

#include <gtest/gtest.h>

#include "store/sqlite/prune.h"
#include "testing/ledger_fixture.h"

namespace seekroute::testing {
namespace {

IdempotencyClaim ClaimOf(uint8_t name, uint8_t body = 1) { return {Mac{name}, Mac{body}}; }

class ClaimRowsTest : public LedgerTest {
 protected:
  void SetUp() override {
    LedgerTest::SetUp();
    TopupNow(writer(), "manual:1", 10'000);
  }

  // "ok", or the error and the generation it names.
  std::string Hold(const std::string& id, const IdempotencyClaim& claim) {
    const HoldRequest request{.amount = {10}, .at_least = {10}, .key_limit = {}, .claim = claim};
    const HoldAnswer held = HoldNow(writer(), RowOf(id), request);
    if (held.status.ok()) return "ok";
    const Error& error = held.status.error();
    std::string said(error.name());
    for (const auto& fact : error.facts) said += " " + fact.value;
    return said;
  }
  void Answer(const std::string& id) { EXPECT_TRUE(SettleNow(writer(), AnsweredRow(id, 5)).ok()); }
  void Fail(const std::string& id, int attempts) {
    ExchangeRecord row = RowOf(id);
    row.error = "no_upstream";
    row.attempts = attempts;
    EXPECT_TRUE(SettleNow(writer(), row).ok());
  }
  void Stop(const std::string& id) {
    ExchangeRecord row = RowOf(id);
    row.error = "shutting_down";
    row.attempts = 1;
    row.stopped = true;
    EXPECT_TRUE(SettleNow(writer(), row).ok());
  }
  std::vector<std::string> Kept(size_t most = 100) {
    std::vector<std::string> kept;
    const auto claims = writer().Claims(most);
    EXPECT_TRUE(claims);
    for (const KeptClaim& each : *claims) kept.push_back(each.generation_id);
    return kept;
  }
};

using Ids = std::vector<std::string>;

TEST_F(ClaimRowsTest, ANameIsHeldForOnce) {
  EXPECT_EQ(Hold("gen-1", ClaimOf(1)), "ok");
  EXPECT_EQ(Hold("gen-2", ClaimOf(1)), "idempotency_in_progress gen-1");
  EXPECT_EQ(Hold("gen-2", ClaimOf(1, 2)), "idempotency_mismatch");
  EXPECT_TRUE(SettleNow(writer(), AnsweredRow("gen-1", 5)).ok());
  EXPECT_EQ(Hold("gen-2", ClaimOf(1)), "idempotency_completed gen-1");
  EXPECT_EQ(Hold("gen-2", ClaimOf(2)), "ok");
  EXPECT_EQ(BrokenRule(folder_.file()), "");
}

TEST_F(ClaimRowsTest, ARestartKnowsWhatWasOrMayHaveBeenSent) {
  Hold("gen-answered", ClaimOf(1));
  Answer("gen-answered");
  Hold("gen-failed", ClaimOf(2));
  Fail("gen-failed", 1);
  Hold("gen-unsent", ClaimOf(3));
  Fail("gen-unsent", 0);
  Hold("gen-orphan", ClaimOf(4));
  HoldNow(writer(), RowOf("gen-poor"),
          {.amount = {1 << 30}, .at_least = {1 << 30}, .key_limit = {}, .claim = ClaimOf(5)});
  Open();
  EXPECT_EQ(Kept(), (Ids{"gen-answered", "gen-failed", "gen-orphan"}));
  EXPECT_EQ(Kept(2), (Ids{"gen-failed", "gen-orphan"}));
  EXPECT_EQ(Hold("gen-9", ClaimOf(4)), "idempotency_completed gen-orphan");
  EXPECT_EQ(Hold("gen-9", ClaimOf(3)), "ok");
  EXPECT_EQ(BrokenRule(folder_.file()), "");
}

TEST_F(ClaimRowsTest, ANameThatTheGatewayStoppedIsFreeAlsoAfterARestart) {
  EXPECT_EQ(Hold("gen-1", ClaimOf(1)), "ok");
  Stop("gen-1");
  Open();
  EXPECT_EQ(Kept(), Ids());
  EXPECT_EQ(Hold("gen-2", ClaimOf(1)), "ok");
}

TEST_F(ClaimRowsTest, ANameWhoseAnswerWasNotDeliveredIsFreeWithItsRefund) {
  using Kind = LedgerOrder::Kind;
  const auto order = [this](Kind kind, const std::string& id, const std::string& request,
                            int64_t amount) {
    return OrderNow(writer(), {kind, id, {}, request, {amount}, {}}).result;
  };
  for (uint8_t i = 1; i <= 3; ++i) {
    const std::string id = "gen-" + std::to_string(i);
    Hold(id, ClaimOf(i));
    Answer(id);
  }
  EXPECT_EQ(order(Kind::kRefund, "refund:1", "gen-1", 5), LedgerResult::kOk);
  EXPECT_EQ(order(Kind::kUndelivered, "undelivered:2", "gen-2", 6), LedgerResult::kTooMuch);
  EXPECT_EQ(Kept(), (Ids{"gen-1", "gen-2", "gen-3"}));
  EXPECT_EQ(order(Kind::kUndelivered, "undelivered:2", "gen-2", 5), LedgerResult::kOk);
  EXPECT_EQ(order(Kind::kUndelivered, "undelivered:2", "gen-2", 5), LedgerResult::kExists);
  EXPECT_EQ(order(Kind::kUndelivered, "undelivered:3", "gen-3", 0), LedgerResult::kOk);
  EXPECT_EQ(Kept(), Ids{"gen-1"});
  EXPECT_EQ(TopupNow(writer(), "manual:2", 1).balance.available, 10'001 - 5);
  Open();
  EXPECT_EQ(Kept(), Ids{"gen-1"});
  EXPECT_EQ(Hold("gen-4", ClaimOf(2)), "ok");
  EXPECT_EQ(BrokenRule(folder_.file()), "");
}

TEST_F(ClaimRowsTest, AfterADayANameIsFreeAndItsRowGoes) {
  for (uint8_t i = 0; i < 5; ++i) {
    Hold("gen-" + std::to_string(i), ClaimOf(i));
    Fail("gen-" + std::to_string(i), 1);
  }
  clock_.wall_ms += kClaimKeptSeconds * 1000 - 1000;
  EXPECT_EQ(Hold("gen-a", ClaimOf(4)), "idempotency_completed gen-4");
  clock_.wall_ms += 1000;
  EXPECT_EQ(Kept(), Ids());
  EXPECT_EQ(Hold("gen-a", ClaimOf(4)), "ok");
  const auto rows = [this] {
    Result<Database> db = Database::Open(folder_.file(), Database::Mode::kReadOnly);
    return db->QueryInt("SELECT count(*) FROM idempotency").value();
  };
  EXPECT_EQ(rows(), 3);  // each new one takes two old ones with it
  Open();                // and a start takes the rest
  EXPECT_EQ(rows(), 1);
}

TEST_F(ClaimRowsTest, PruningKeepsTheRequestsOfClaimsThatCount) {
  Hold("gen-1", ClaimOf(1));
  Answer("gen-1");
  HoldNow(writer(), "gen-2", 10);
  Answer("gen-2");
  clock_.wall_ms += 3'600'000;
  const auto early = Prune(&writer(), {clock_.wall_ms.load()});
  ASSERT_TRUE(early) << early.error().message;
  EXPECT_EQ(early->requests, 1);
  EXPECT_EQ(Kept(), Ids{"gen-1"});
  EXPECT_EQ(BrokenRule(folder_.file()), "");
  EXPECT_EQ(Hold("gen-3", ClaimOf(1)), "idempotency_completed gen-1");
  HoldNow(writer(), "gen-4", 10);
  Answer("gen-4");
  clock_.wall_ms += kClaimKeptSeconds * 1000;
  const auto late = Prune(&writer(), {clock_.wall_ms.load()});
  ASSERT_TRUE(late) << late.error().message;
  EXPECT_EQ(late->requests, 2);
  EXPECT_EQ(Kept(), Ids());
  EXPECT_EQ(BrokenRule(folder_.file()), "");
}

}  // namespace
}  // namespace seekroute::testing
