// What becomes of holds whose process died in the middle of an answer.
#include "store/sqlite/progress_notes.h"

#include <gtest/gtest.h>

#include "testing/ledger_fixture.h"

namespace seekroute::testing {
namespace {

class ProgressNotesTest : public ::testing::Test {
 protected:
  void Open(Orphans orphans) {
    ledger_.reset();
    auto opened = SqliteLedger::Open(folder_.file(), &clock_, orphans);
    ASSERT_TRUE(opened) << opened.error().message;
    ledger_ = std::move(*opened);
  }
  void SetUp() override {
    Open(Orphans::kExpire);
    TopupNow(writer(), "manual:1", 1000);
    HoldNow(writer(), "gen-told", 100);
    HoldNow(writer(), "gen-untold", 100);
    HoldNow(writer(), "gen-much", 100);
    HoldNow(writer(), "gen-ended", 100);
    Tell("gen-told", 20);
    Tell("gen-told", 30);  // the last one counts
    Tell("gen-much", 130);
    Tell("gen-ended", 10);
    Tell("gen-never-held", 10);
    EXPECT_TRUE(SettleNow(writer(), AnsweredRow("gen-ended", 40)).ok());
    Tell("gen-ended", 50);              // too late
    TopupNow(writer(), "manual:2", 1);  // behind them in the queue: they are written
    EXPECT_EQ(BrokenRule(folder_.file()), "");
  }
  LedgerWriter& writer() { return ledger_->writer(); }

  void Tell(const std::string& id, int64_t cost) {
    ExchangeRecord row = AnsweredRow(id, cost);
    row.settlement = Settlement::kPartial;
    row.service_tier = "flex";
    writer().Note(row);
  }
  LedgerCell Cell(const std::string& generation, std::string_view column) {
    LedgerReader reader = LedgerReader::Open(folder_.file()).value();
    const auto row = reader.Generation(generation);
    EXPECT_TRUE(row && *row);
    for (const auto& [name, cell] : **row) {
      if (name == column) return cell;
    }
    return {};
  }
  int64_t Count() {
    Result<Database> db = Database::Open(folder_.file(), Database::Mode::kReadOnly);
    return db->QueryInt("SELECT count(*) FROM checkpoint").value();
  }
  Postings Balance() { return LedgerReader::Open(folder_.file()).value().Balance("org").value(); }

  LedgerFolder folder_;
  WallClock clock_;
  std::unique_ptr<SqliteLedger> ledger_;
};

TEST_F(ProgressNotesTest, AreOfRunningRequestsOnly) { EXPECT_EQ(Count(), 2); }

TEST_F(ProgressNotesTest, OrphansExpireByDefault) {
  Open(Orphans::kExpire);
  EXPECT_EQ(writer().expired_at_start(), 3U);
  EXPECT_EQ(writer().charged_at_start(), 0U);
  EXPECT_EQ(Cell("gen-told", "state"), LedgerCell("expired"));
  EXPECT_EQ(Cell("gen-told", "cost"), LedgerCell(int64_t{0}));
  EXPECT_EQ(Cell("gen-told", "lost_bound"), LedgerCell(int64_t{100}));
  EXPECT_EQ(Count(), 0);
  EXPECT_EQ(Balance().available, 1001 - 40);
  EXPECT_EQ(BrokenRule(folder_.file()), "");
}

TEST_F(ProgressNotesTest, OrphansAreChargedByThemWhereThatIsWanted) {
  Open(Orphans::kCharge);
  EXPECT_EQ(writer().expired_at_start(), 1U);
  EXPECT_EQ(writer().charged_at_start(), 2U);
  EXPECT_EQ(Cell("gen-told", "state"), LedgerCell("settled"));
  EXPECT_EQ(Cell("gen-told", "cost"), LedgerCell(int64_t{30}));
  EXPECT_EQ(Cell("gen-told", "settlement"), LedgerCell("partial"));
  EXPECT_EQ(Cell("gen-told", "error"), LedgerCell("unknown"));
  EXPECT_EQ(Cell("gen-told", "completion_tokens"), LedgerCell(int64_t{340}));
  EXPECT_EQ(Cell("gen-told", "service_tier"), LedgerCell("flex"));
  EXPECT_EQ(Cell("gen-told", "provider"), LedgerCell("groq"));
  EXPECT_EQ(Cell("gen-much", "cost"), LedgerCell(int64_t{100}));  // never above the hold
  EXPECT_EQ(Cell("gen-untold", "state"), LedgerCell("expired"));
  EXPECT_EQ(Count(), 0);
  EXPECT_EQ(Balance().available, 1001 - 40 - 30 - 100);
  LedgerReader reader = LedgerReader::Open(folder_.file()).value();
  EXPECT_EQ(reader.Balance("").value().loss, 0);
  EXPECT_EQ(BrokenRule(folder_.file()), "");
  // Its owner was only thought to be gone: nothing is charged twice.
  EXPECT_EQ(SettleNow(writer(), AnsweredRow("gen-told", 99)).ok(), false);
  EXPECT_EQ(Balance().available, 1001 - 40 - 30 - 100);
}

TEST_F(ProgressNotesTest, ChargedOrphansAreInTheTotalsOfDays) {
  Open(Orphans::kCharge);
  LedgerReader reader = LedgerReader::Open(folder_.file()).value();
  int64_t cost = 0;
  const LedgerRows days = reader.Activity({}).value();
  for (const LedgerRow& day : days) {
    for (const auto& [name, cell] : day) {
      if (name == "cost") cost += std::get<int64_t>(cell);
    }
  }
  EXPECT_EQ(cost, 40 + 30 + 100);
}

TEST_F(ProgressNotesTest, VerifyFindsOneOfARequestThatEnded) {
  const Status tampered = writer().RunTask([](Database* db, Ledger*, SqliteJournal*) -> Status {
    const bool done =
        db->Execute(
            "INSERT INTO checkpoint SELECT n, 1, 1, 0, 0, 0, 0, 0, provider, provider, 0 "
            "FROM request WHERE state = 1") == SQLITE_OK;
    return done ? Status() : Status(db->LastError("tampering"));
  });
  ASSERT_TRUE(tampered.ok()) << tampered.error().message;
  EXPECT_NE(BrokenRule(folder_.file()).find("progress note"), std::string::npos);
}

}  // namespace
}  // namespace seekroute::testing
