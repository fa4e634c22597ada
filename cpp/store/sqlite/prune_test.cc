#include "store/sqlite/prune.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "testing/ledger_fixture.h"
#include "testing/virtual_world.h"

namespace seekroute::testing {
namespace {

class PruneTest : public LedgerTest {
 protected:
  void Settle(ExchangeRecord row) { EXPECT_TRUE(SettleNow(writer(), std::move(row)).ok()); }
};

TEST_F(PruneTest, PruningKeepsTheSumsAndTheIdsOfOrders) {
  TopupNow(writer(), "manual:1", 10'000);
  TopupNow(writer(), "manual:2", 500, "other");
  for (int i = 0; i < 40; ++i) {
    if (i == 20) clock_.wall_ms += 100'000'000;
    const std::string id = "gen-" + std::to_string(i);
    HoldNow(writer(), RowOf(id, i % 3 == 0 ? "other" : "org"), {{20}, {20}, {}});
    // One straddles the day, one is still held.
    if (i != 5 && i != 39) Settle(AnsweredRow(id, i == 7 ? 25 : 7));
  }
  Settle(AnsweredRow("gen-5", 7));
  const Postings before[] = {Balance(), Balance("other"), Balance("")};
  const auto pruned = Prune(&writer(), {1'800'000'000'000 + 50'000'000});
  ASSERT_TRUE(pruned);
  EXPECT_EQ(pruned->requests, 19);  // all of that day but the one that ended the next
  EXPECT_EQ(BrokenRule(folder_.file()), "");
  const auto again = Prune(&writer(), {1'800'000'000'000 + 50'000'000});
  EXPECT_EQ(again->entries, 0);
  const Postings after[] = {Balance(), Balance("other"), Balance("")};
  for (int i = 0; i < 3; ++i) EXPECT_EQ(before[i], after[i]);
  EXPECT_EQ(TopupNow(writer(), "manual:1", 10'000).result, LedgerResult::kExists);
  EXPECT_EQ(TopupNow(writer(), "manual:1", 10'001).result, LedgerResult::kConflict);
  Open();  // gives gen-39 back
  clock_.wall_ms += 1'000'000'000;
  TopupNow(writer(), "manual:3", 1);
  const auto all = Prune(&writer(), {clock_.wall_ms.load()});
  ASSERT_TRUE(all);
  EXPECT_EQ(all->requests, 21);
  EXPECT_EQ(Reader().Entries(0, 1000)->size(), 3U);  // two openings and a top-up
  EXPECT_EQ(BrokenRule(folder_.file()), "");
  EXPECT_EQ(Balance("").revenue, before[2].revenue);
  Open();
  EXPECT_EQ(Balance().available + Balance("other").available,
            10'501 - before[2].revenue - before[2].loss);
  EXPECT_EQ(Reader().Activity({})->size(), 2U);
}

TEST_F(PruneTest, PrunesALongJournalInSteps) {
  TopupNow(writer(), "manual:1", 1000);
  HoldNow(writer(), "gen-first", 10);  // stays until the middle of the third step
  const Status made = writer().RunTask([](Database* db, Ledger* ledger, SqliteJournal* journal) {
    EXPECT_EQ(db->Execute("BEGIN"), SQLITE_OK);
    for (int i = 0; i < 15'000; ++i) {
      const std::string id = "gen-" + std::to_string(i);
      const ExchangeRecord row = RowOf(id);
      journal->SetRow(&row);
      EXPECT_EQ(ledger->Hold(id, "org", {5}, {5}, {}, {1'800'000'000'000}).result,
                LedgerResult::kOk);
      EXPECT_EQ(ledger->Settle(id, {i % 1000 == 0 ? 6 : 0}, {1'800'000'000'000}),
                LedgerResult::kOk);
      journal->SetRow(nullptr);
    }
    journal->FlushTotals();
    EXPECT_EQ(db->Execute("COMMIT"), SQLITE_OK);
    ledger->Release();
    journal->OnCommit();
    return Status();
  });
  ASSERT_TRUE(made.ok());
  const LedgerOrder refund{LedgerOrder::Kind::kRefund, "r", {}, "gen-14000", {2}, {}};
  EXPECT_EQ(OrderNow(writer(), refund).result, LedgerResult::kOk);
  HoldNow(writer(), "gen-last", 1);
  const Postings before[] = {Balance(), Balance("")};
  const auto pruned = Prune(&writer(), {1'900'000'000'000});
  ASSERT_TRUE(pruned) << pruned.error().message;
  EXPECT_EQ(BrokenRule(folder_.file()), "");
  EXPECT_EQ(Balance(), before[0]);
  EXPECT_EQ(Balance(""), before[1]);
  EXPECT_EQ(pruned->requests, 15'000);  // not those that are held
  EXPECT_EQ(Reader().Entries(0, 100)->size(), 3U);
  EXPECT_EQ(OrderNow(writer(), refund).result, LedgerResult::kExists);
  Settle(AnsweredRow("gen-first", 10));
  EXPECT_EQ(Cell("gen-first", "state"), LedgerCell("settled"));
  const LedgerOrder back{LedgerOrder::Kind::kRefund, "s", {}, "gen-first", {4}, {}};
  EXPECT_EQ(OrderNow(writer(), back).result, LedgerResult::kOk);
  EXPECT_EQ(BrokenRule(folder_.file()), "");
  Open();
  EXPECT_EQ(writer().expired_at_start(), 1U);
  EXPECT_EQ(BrokenRule(folder_.file()), "");
}

TEST_F(PruneTest, PruningWhileRequestsRunKeepsEveryRule) {
  SeededRng rng(11);
  TopupNow(writer(), "manual:1", 2'000);
  std::vector<std::string> live;
  std::vector<std::string> settled;
  for (int i = 0; i < 600; ++i) {
    clock_.wall_ms += 1000;
    const uint64_t dice = rng.Next() % 10;
    if (dice < 4) {
      const std::string id = "gen-" + std::to_string(i);
      const HoldRequest request{{100}, {100}, {}, {rng.OneIn(2) ? 400 : 0}};
      if (HoldNow(writer(), RowOf(id), request).status.ok()) live.push_back(id);
    } else if (dice < 6 && rng.OneIn(8)) {
      const auto amount = static_cast<int64_t>(rng.Below(700)) - 350;
      OrderNow(writer(),
               {LedgerOrder::Kind::kChargeback, "c" + std::to_string(i), "org", {}, {amount}, {}});
    } else if (dice < 8 && !live.empty()) {
      const size_t which = rng.Next() % live.size();
      Settle(AnsweredRow(live[which], static_cast<int64_t>(rng.Next() % 4)));
      settled.push_back(live[which]);
      live.erase(live.begin() + static_cast<int64_t>(which));
    } else if (dice == 8 && !settled.empty()) {
      OrderNow(writer(), {LedgerOrder::Kind::kRefund,
                          "r" + std::to_string(i),
                          {},
                          settled[rng.Next() % settled.size()],
                          {1},
                          {}});
    } else if (dice == 9) {
      const Postings before[] = {Balance(), Balance("")};
      ASSERT_TRUE(Prune(&writer(), {clock_.wall_ms - static_cast<int64_t>(rng.Next() % 60'000)}));
      ASSERT_EQ(BrokenRule(folder_.file()), "") << "after step " << i;
      ASSERT_EQ(Balance(), before[0]);
      ASSERT_EQ(Balance(""), before[1]);
    }
    if (i == 300) {
      Open();
      live.clear();
      ASSERT_EQ(BrokenRule(folder_.file()), "");
    }
  }
}

}  // namespace
}  // namespace seekroute::testing
