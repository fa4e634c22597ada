#include "store/sqlite/ledger_writer.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <thread>

#include "store/sqlite/checked_vfs.h"
#include "testing/ledger_fixture.h"

namespace seekroute::testing {
namespace {

class LedgerWriterTest : public LedgerTest {
 protected:
  void Settle(ExchangeRecord row) { EXPECT_TRUE(SettleNow(writer(), std::move(row)).ok()); }

  // Against the rules: what somebody who goes through our file layer might do to the file.
  void Tamper(const std::string& sql) {
    ledger_.reset();
    sqlite3* raw = nullptr;
    ASSERT_EQ(sqlite3_open_v2(folder_.file().c_str(), &raw, SQLITE_OPEN_READWRITE,
                              CheckedVfs("").c_str()),
              SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(raw, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(raw);
    sqlite3_close(raw);
  }
};

TEST_F(LedgerWriterTest, HoldsSettlesAndTellsOfThem) {
  EXPECT_EQ(TopupNow(writer(), "manual:1", 1000).result, LedgerResult::kOk);
  const HoldAnswer held = HoldNow(writer(), "gen-1", 600);
  EXPECT_TRUE(held.status.ok());
  EXPECT_EQ(held.granted.nano, 600);
  EXPECT_EQ(held.available.nano, 1000);
  EXPECT_EQ(Balance(), (Postings{400, 600, 0, 0, 0, 0}));
  EXPECT_TRUE(SettleNow(writer(), AnsweredRow("gen-1", 250)).ok());
  EXPECT_EQ(Balance(), (Postings{750, 0, 0, 0, 0, 0}));
  EXPECT_EQ(Balance(""), (Postings{0, 0, 0, -1000, 250, 0}));
  EXPECT_EQ(Cell("gen-1", "state"), LedgerCell("settled"));
  EXPECT_EQ(Cell("gen-1", "cost"), LedgerCell(int64_t{250}));
  EXPECT_EQ(Cell("gen-1", "settlement"), LedgerCell("exact"));
  EXPECT_EQ(Cell("gen-1", "first_content_us"), LedgerCell(int64_t{300'000}));
  EXPECT_EQ(Reader().Attempts("gen-1")->size(), 1U);
  EXPECT_EQ(BrokenRule(folder_.file()), "");
}

TEST_F(LedgerWriterTest, RefusesWhatTheBalanceDoesNotCover) {
  TopupNow(writer(), "manual:1", 100);
  const HoldAnswer refused = HoldNow(writer(), "gen-1", 101);
  EXPECT_EQ(refused.status.error().code, ErrorCode::kInsufficientCredits);
  EXPECT_EQ(refused.available.nano, 100);
  const HoldAnswer cut = HoldNow(writer(), RowOf("gen-2"), {{500}, {60}, {}});
  EXPECT_TRUE(cut.status.ok());
  EXPECT_EQ(cut.granted.nano, 100);
  EXPECT_EQ(HoldNow(writer(), "gen-2", 0).status.error().code, ErrorCode::kInternal);
}

TEST_F(LedgerWriterTest, AFailedRequestIsVoidedAndKeepsItsRow) {
  TopupNow(writer(), "manual:1", 100);
  HoldNow(writer(), "gen-1", 60);
  ExchangeRecord row = RowOf("gen-1");
  row.error = "upstream_timeout";
  row.status = 504;
  row.settlement = Settlement::kFailed;
  Settle(row);
  EXPECT_EQ(Balance().available, 100);
  EXPECT_EQ(Cell("gen-1", "state"), LedgerCell("voided"));
  EXPECT_EQ(Cell("gen-1", "error"), LedgerCell("upstream_timeout"));
  // Again, and of a request that was never held: nothing happens.
  Settle(row);
  EXPECT_TRUE(SettleNow(writer(), AnsweredRow("gen-9", 5)).ok());
  EXPECT_EQ(Reader().Entries(0, 100)->size(), 3U);
}

TEST_F(LedgerWriterTest, AnOverrunIsTheOperatorsLoss) {
  TopupNow(writer(), "manual:1", 100);
  HoldNow(writer(), "gen-1", 60);
  EXPECT_TRUE(SettleNow(writer(), AnsweredRow("gen-1", 75)).ok());
  EXPECT_EQ(Balance().available, 40);
  EXPECT_EQ(Balance(""), (Postings{0, 0, 0, -100, 75, -15}));
  EXPECT_EQ(Cell("gen-1", "cost"), LedgerCell(int64_t{60}));
  EXPECT_EQ(BrokenRule(folder_.file()), "");
}

TEST_F(LedgerWriterTest, OrdersHappenOnce) {
  EXPECT_EQ(TopupNow(writer(), "stripe:evt_1", 100).balance.available, 100);
  EXPECT_EQ(TopupNow(writer(), "stripe:evt_1", 100).result, LedgerResult::kExists);
  EXPECT_EQ(TopupNow(writer(), "stripe:evt_1", 101).result, LedgerResult::kConflict);
  HoldNow(writer(), "gen-1", 60);
  Settle(AnsweredRow("gen-1", 50));
  const LedgerOrder refund{LedgerOrder::Kind::kRefund, "r", {}, "gen-1", {30}, {}};
  EXPECT_EQ(OrderNow(writer(), refund).result, LedgerResult::kOk);
  EXPECT_EQ(OrderNow(writer(), refund).result, LedgerResult::kExists);
  const LedgerOrder more{LedgerOrder::Kind::kRefund, "s", {}, "gen-1", {21}, {}};
  EXPECT_EQ(OrderNow(writer(), more).result, LedgerResult::kTooMuch);
  const LedgerOrder back{LedgerOrder::Kind::kChargeback, "c", "org", {}, {-200}, "dispute"};
  const OrderAnswer debt = OrderNow(writer(), back);
  EXPECT_EQ(debt.balance, (Postings{0, 0, -120, 0, 0, 0}));
  EXPECT_EQ(HoldNow(writer(), "gen-2", 1).status.error().code, ErrorCode::kInsufficientCredits);
  Open();
  EXPECT_EQ(OrderNow(writer(), back).result, LedgerResult::kExists);
  EXPECT_EQ(BrokenRule(folder_.file()), "");
}

TEST_F(LedgerWriterTest, AKeyStopsAtItsLimit) {
  TopupNow(writer(), "manual:1", 10'000);
  const HoldRequest request{{60}, {60}, KeyLimit{{100}, {1'800'000'000}}};
  EXPECT_TRUE(HoldNow(writer(), RowOf("gen-1"), request).status.ok());
  const HoldAnswer over = HoldNow(writer(), RowOf("gen-2"), request);
  EXPECT_EQ(over.status.error().code, ErrorCode::kInsufficientCredits);
  EXPECT_TRUE(over.key_limited);
  EXPECT_EQ(over.available.nano, 40);
  EXPECT_TRUE(HoldNow(writer(), RowOf("gen-3", "org", "other"), request).status.ok());
  Settle(AnsweredRow("gen-1", 10));
  const HoldAnswer cut = HoldNow(writer(), RowOf("gen-4"), {{95}, {1}, request.key_limit});
  EXPECT_EQ(cut.granted.nano, 90);
  Open();  // counted from the file: 10 charged; the hold of gen-4 was given back
  EXPECT_EQ(HoldNow(writer(), RowOf("gen-5"), {{95}, {1}, request.key_limit}).granted.nano, 90);
  const KeyLimit tomorrow{{100}, {1'800'000'000 + 86'400}};
  EXPECT_TRUE(HoldNow(writer(), RowOf("gen-6"), {{95}, {95}, tomorrow}).status.ok());
}

TEST_F(LedgerWriterTest, TheHoldsOfADeadOwnerAreGivenBack) {
  TopupNow(writer(), "manual:1", 100);
  HoldNow(writer(), "gen-1", 60);
  Open();
  EXPECT_EQ(writer().expired_at_start(), 1U);
  EXPECT_EQ(Balance().available, 100);
  EXPECT_EQ(Cell("gen-1", "state"), LedgerCell("expired"));
  EXPECT_EQ(Cell("gen-1", "lost_bound"), LedgerCell(int64_t{60}));
  EXPECT_TRUE(SettleNow(writer(), AnsweredRow("gen-1", 50)).ok());  // late: nothing is charged
  EXPECT_EQ(Balance().available, 100);
  EXPECT_EQ(BrokenRule(folder_.file()), "");
}

TEST_F(LedgerWriterTest, OneWriterAFile) {
  const auto second = SqliteLedger::Open(folder_.file(), &clock_);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("in use"), std::string::npos);
}

TEST_F(LedgerWriterTest, SaysWhichFileBesideItCannotBeWritten) {
  const std::string file = folder_.path("other.db");
  for (const char* beside : {".lock", ".mark"}) {
    const std::string path = file + beside;
    std::filesystem::create_directory(path);  // root may write every file, but no folder
    const auto refused = SqliteLedger::Open(file, &clock_);
    ASSERT_FALSE(refused) << beside;
    EXPECT_EQ(refused.error().code, ErrorCode::kStoreUnavailable);
    EXPECT_EQ(refused.error().message.find("cannot write " + path + ": Is a directory; "), 0U)
        << refused.error().message;
    std::filesystem::remove(path);
  }
  EXPECT_TRUE(SqliteLedger::Open(file, &clock_));
}

TEST_F(LedgerWriterTest, RefusesFilesThatAreNotItsOwn) {
  Tamper("PRAGMA user_version=99");
  auto newer = SqliteLedger::Open(folder_.file(), &clock_);
  ASSERT_FALSE(newer);
  EXPECT_NE(newer.error().message.find("install the newer"), std::string::npos);
  const std::string other = folder_.path("other.db");
  sqlite3* raw = nullptr;
  ASSERT_EQ(sqlite3_open(other.c_str(), &raw), SQLITE_OK);
  sqlite3_exec(raw, "CREATE TABLE t (x)", nullptr, nullptr, nullptr);
  sqlite3_close(raw);
  EXPECT_FALSE(SqliteLedger::Open(other, &clock_));
  EXPECT_FALSE(LedgerReader::Open(folder_.path("absent.db")));
}

TEST_F(LedgerWriterTest, VerifyNamesTheFirstBrokenRule) {
  TopupNow(writer(), "manual:1", 100);
  HoldNow(writer(), "gen-1", 60);
  Settle(AnsweredRow("gen-1", 50));
  HoldNow(writer(), "gen-2", 10);
  Settle(AnsweredRow("gen-2", 10));
  Open();  // stores the balances
  const std::string copy = folder_.path("sound.db");
  ASSERT_TRUE(Reader().BackUpTo(copy).ok());
  ledger_.reset();
  const std::pair<const char*, const char*> damages[] = {
      {"DROP TRIGGER entry_is_final", "L9"},
      {"INSERT INTO pruning VALUES (1); DELETE FROM entry WHERE seq = 3; DELETE FROM pruning",
       "L9 at 4"},
      {"UPDATE account SET available = available + 1", "L6"},
      {"UPDATE snapshot SET revenue = 1", "L6"},
      {"INSERT INTO entry SELECT 6, 3, NULL, org, request, 0, 0, 0, 0, 0, 0, at, NULL FROM entry "
       "WHERE seq = 5",
       "L5 at 6"},
      {"INSERT INTO entry SELECT 6, 8, 'x', org, NULL, -1000, 0, 0, 0, 0, 1000, at, NULL FROM "
       "entry WHERE seq = 5",
       "L2 at 6"},
      {"INSERT INTO entry SELECT 6, 8, 'x', org, NULL, 0, 0, -1, 0, 0, 1, at, NULL FROM entry "
       "WHERE seq = 5",
       "L2 at 6: something is available while something is owed"},
      {"INSERT INTO entry SELECT 6, 7, 'r', org, request, 51, 0, 0, 0, -51, 0, at, NULL FROM entry "
       "WHERE seq = 3",
       "L11 at 6"},
      {"UPDATE day_total SET model = 999", "L5"},
  };
  for (const auto& [sql, rule] : damages) {
    std::filesystem::remove(folder_.file());
    std::filesystem::remove(folder_.file() + "-wal");
    std::filesystem::remove(folder_.file() + "-shm");
    std::filesystem::copy_file(copy, folder_.file());
    EXPECT_EQ(BrokenRule(folder_.file()), "");
    Tamper(sql);
    EXPECT_EQ(BrokenRule(folder_.file()).rfind(rule, 0), 0U)
        << sql << " gave " << BrokenRule(folder_.file());
  }
}

TEST_F(LedgerWriterTest, ABackupOfABusyLedgerIsSound) {
  TopupNow(writer(), "manual:1", 1'000'000);
  std::atomic<bool> stop{false};
  std::thread load([&] {
    for (int i = 0; !stop.load(); ++i) {
      const std::string id = "gen-" + std::to_string(i);
      HoldNow(writer(), id, 10);
      Settle(AnsweredRow(id, 3));
    }
  });
  for (int i = 0; i < 5; ++i) {
    const std::string copy = folder_.path("copy" + std::to_string(i));
    EXPECT_TRUE(Reader().BackUpTo(copy).ok());
    EXPECT_FALSE(Reader().BackUpTo(copy).ok());  // nothing is written over
    EXPECT_EQ(BrokenRule(copy), "");
    EXPECT_EQ(BrokenRule(folder_.file()), "");
  }
  stop.store(true);
  load.join();
}

TEST_F(LedgerWriterTest, ACreditLineIsOwedAndRepaidFirst) {
  TopupNow(writer(), "manual:1", 100);
  const HoldRequest request{{250}, {200}, {}, {120}};
  const HoldAnswer held = HoldNow(writer(), RowOf("gen-1"), request);
  EXPECT_EQ(held.granted.nano, 220);
  EXPECT_EQ(held.available.nano, 220);
  EXPECT_EQ(Balance(), (Postings{0, 220, -120, 0, 0, 0}));
  const HoldAnswer refused = HoldNow(writer(), RowOf("gen-2"), {{1}, {1}, {}, {120}});
  EXPECT_EQ(refused.status.error().code, ErrorCode::kInsufficientCredits);
  EXPECT_NE(refused.status.error().message.find("owes"), std::string::npos);
  Settle(AnsweredRow("gen-1", 150));
  EXPECT_EQ(Balance(), (Postings{0, 0, -50, 0, 0, 0}));
  const LedgerOrder refund{LedgerOrder::Kind::kRefund, "r", {}, "gen-1", {60}, {}};
  EXPECT_EQ(OrderNow(writer(), refund).balance, (Postings{10, 0, 0, 0, 0, 0}));
  EXPECT_EQ(*Reader().Refunded("gen-1"), 60);
  EXPECT_EQ(Reader().Account("org")->back(),
            (std::pair<std::string, LedgerCell>{"refunded", int64_t{60}}));
  EXPECT_EQ(OrderNow(writer(), refund).result, LedgerResult::kExists);
  const LedgerOrder more{LedgerOrder::Kind::kRefund, "s", {}, "gen-1", {91}, {}};
  EXPECT_EQ(OrderNow(writer(), more).result, LedgerResult::kTooMuch);
  HoldNow(writer(), RowOf("gen-3"), {{30}, {30}, {}, kUnlimitedLine});
  Open();
  EXPECT_EQ(writer().expired_at_start(), 1U);
  EXPECT_EQ(Balance(), (Postings{10, 0, 0, 0, 0, 0}));
  EXPECT_EQ(BrokenRule(folder_.file()), "");
}

TEST_F(LedgerWriterTest, TellsWhatFailedAttemptsMayCost) {
  TopupNow(writer(), "manual:1", 1000);
  HoldNow(writer(), "gen-1", 600);
  ExchangeRecord row = AnsweredRow("gen-1", 250);
  row.tried = {{"openai", 500, "upstream_error", Duration::Milliseconds(9), {40}},
               {"together", 0, "upstream_timeout", Duration::Seconds(60), {2}},
               {"groq", 200, "", Duration::Milliseconds(420)}};
  Settle(row);
  EXPECT_EQ(Cell("gen-1", "suspected_cost"), LedgerCell(int64_t{42}));
  const auto attempts = Reader().Attempts("gen-1");
  ASSERT_EQ(attempts->size(), 3U);
  EXPECT_EQ(attempts->at(0).at(4).first, "suspected");
  EXPECT_EQ(attempts->at(0).at(4).second, LedgerCell(int64_t{40}));
  const auto days = Reader().Activity({});
  EXPECT_EQ(days->at(0).back().first, "suspected_cost");
  EXPECT_EQ(days->at(0).back().second, LedgerCell(int64_t{42}));
  EXPECT_EQ(Balance().available, 750);  // never charged
  const auto charges = Reader().KeyCharges();
  ASSERT_EQ(charges->size(), 1U);
  EXPECT_EQ(charges->at(0).at(1), (std::pair<std::string, LedgerCell>("cost", int64_t{250})));
}

// An attempt that its request's row tells of is not stored, and is read like any other.
TEST_F(LedgerWriterTest, TellsOfAnAttemptWhetherItIsStoredOrNot) {
  TopupNow(writer(), "manual:1", 1000);
  ExchangeRecord told = AnsweredRow("gen-0", 1);
  told.total = Duration{5'000'900};
  told.overhead = Duration{1'300'200};
  told.tried = {{"groq", 200, "", told.total - told.overhead}};
  std::vector<ExchangeRecord> rows(6, told);
  rows[1].tried[0].waited.ns -= 1000;
  rows[2].tried[0].provider = "openai";
  rows[3].tried[0].status = 206;
  rows[4].tried[0].error = "upstream_error";
  rows[4].tried[0].words = "insufficient_quota: no money";
  rows[5].tried[0].suspected = {7};
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i].generation_id = "gen-" + std::to_string(i);
    HoldNow(writer(), rows[i].generation_id, 10);
    Settle(rows[i]);
    const AttemptRecord& only = rows[i].tried[0];
    const LedgerRow expected = {{"provider", only.provider},
                                {"status", int64_t{only.status}},
                                {"error", only.error},
                                {"waited_us", only.waited.ns / 1000},
                                {"suspected", only.suspected.nano},
                                {"words", only.words},
                                {"model", rows[i].model}};
    EXPECT_EQ(*Reader().Attempts(rows[i].generation_id), LedgerRows{expected}) << i;
    EXPECT_EQ(Cell(rows[i].generation_id, "overhead_us"), LedgerCell(int64_t{1300})) << i;
  }
  EXPECT_EQ(Ask("SELECT count(*) FROM attempt"), 5);
}

TEST_F(LedgerWriterTest, ARowNamesTheModelThatAnsweredAndKeepsItsRoute) {
  TopupNow(writer(), "manual:1", 1000);
  HoldNow(writer(), "gen-1", 10);
  ExchangeRecord row = AnsweredRow("gen-1", 5);
  ExchangeRecord failed = row;
  row.model = "acme/other";
  row.price_revision = "rev-other";
  row.routing = R"({"strategy":"direct"})";
  row.tried = {{"first", 503, "upstream_unavailable", {}, {}, "", failed.model},
               {"second", 200, "", {}, {}, "", row.model}};
  Settle(row);
  EXPECT_EQ(Cell("gen-1", "model"), LedgerCell(row.model));
  EXPECT_EQ(Cell("gen-1", "price_revision"), LedgerCell(row.price_revision));
  EXPECT_EQ(*Reader().Routing("gen-1"), row.routing);
  const LedgerRows attempts = *Reader().Attempts("gen-1");
  ASSERT_EQ(attempts.size(), 2U);
  EXPECT_EQ(attempts[0].back().second, LedgerCell(failed.model));
  EXPECT_EQ(attempts[1].back().second, LedgerCell(row.model));
  HoldNow(writer(), "gen-2", 10);
  Settle(AnsweredRow("gen-2", 5));
  EXPECT_EQ(*Reader().Routing("gen-2"), "");
}

TEST_F(LedgerWriterTest, PublishesItsFigures) {
  TopupNow(writer(), "manual:1", 1000);
  HoldNow(writer(), "gen-1", 600);
  HoldNow(writer(), "gen-2", 100);
  Settle(AnsweredRow("gen-2", 130));
  const LedgerFigures figures = writer().figures();
  EXPECT_TRUE(figures.ready);
  EXPECT_EQ(figures.commits, 4U);
  EXPECT_EQ(figures.live_holds, 1U);
  EXPECT_EQ(figures.waiting_settles, 0U);
  EXPECT_EQ(figures.revenue.nano, 130);
  EXPECT_EQ(figures.loss.nano, 30);
  EXPECT_EQ(figures.drift.nano, 0);
  Open();
  EXPECT_EQ(writer().figures().revenue.nano, 130);
  EXPECT_EQ(writer().figures().live_holds, 0U);
  Tamper("UPDATE account SET available = available + 3");
  const auto drifted = SqliteLedger::Open(folder_.file(), &clock_);
  ASSERT_FALSE(drifted);
  EXPECT_EQ(drifted.error().code, ErrorCode::kStorageCorrupt);
}

TEST_F(LedgerWriterTest, ATaskSaysWhetherMoneyIsStillTaken) {
  TopupNow(writer(), "manual:1", 1000);
  const Error full = StoreError(SQLITE_FULL, "pruning", "full");
  const Error torn = StoreError(SQLITE_IOERR_FSYNC, "pruning", "torn");
  const auto end = [this](const Error& error, TaskEnd how) {
    return writer().RunTask(
        [&](Database*, Ledger*, SqliteJournal*) { return TaskResult(error, how); });
  };
  EXPECT_FALSE(end(full, EndOf(SQLITE_FULL)).ok());
  EXPECT_FALSE(end(torn, TaskEnd::kUnchanged).ok());  // whatever the error asks of clients
  EXPECT_TRUE(HoldNow(writer(), "gen-1", 10).status.ok());
  EXPECT_FALSE(end(torn, EndOf(SQLITE_IOERR_FSYNC)).ok());
  EXPECT_FALSE(writer().ready());
  EXPECT_FALSE(HoldNow(writer(), "gen-2", 10).status.ok());
}

TEST_F(LedgerWriterTest, ReadsPageByPage) {
  TopupNow(writer(), "manual:1", 10'000);
  for (int i = 0; i < 7; ++i) {
    const std::string id = "gen-" + std::to_string(i);
    HoldNow(writer(), RowOf(id, "org", i % 2 == 0 ? "even" : "odd"), {{20}, {20}, {}});
    Settle(AnsweredRow(id, 7, "org", i % 2 == 0 ? "even" : "odd"));
  }
  LedgerReader reader = Reader();
  const auto newest = reader.Requests({"org", "", {}, 3});
  ASSERT_EQ(newest->size(), 3U);
  const auto next = std::get<int64_t>(newest->back()[0].second);
  EXPECT_EQ(reader.Requests({"org", "", next, 100})->size(), 4U);
  EXPECT_EQ(reader.Requests({"", "even", {}, 100})->size(), 4U);
  EXPECT_EQ(reader.Requests({"nobody", "", {}, 100})->size(), 0U);
  EXPECT_EQ(reader.Activity({"org", "odd", 0, {}})->size(), 1U);
  EXPECT_EQ(reader.Entries(13, 100)->size(), 2U);
  EXPECT_EQ(reader.Balances()->size(), 1U);
}

}  // namespace
}  // namespace seekroute::testing
