#include "store/sqlite/schema.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "store/sqlite/backup.h"
#include "store/sqlite/checked_vfs.h"
#include "testing/ledger_fixture.h"

namespace seekroute::testing {
namespace {

// A ledger with a topup, a settled request gen-1, a held one gen-2 and no owner.
class SchemaTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = SqliteLedger::Open(folder_.file(), &clock_);
    ASSERT_TRUE(opened) << opened.error().message;
    LedgerWriter& writer = (*opened)->writer();
    TopupNow(writer, "manual:1", 100);
    HoldNow(writer, "gen-1", 60);
    ASSERT_TRUE(SettleNow(writer, AnsweredRow("gen-1", 50)).ok());
    HoldNow(writer, "gen-2", 10);
  }

  // What SQLite answers to somebody who goes through our file layer.
  int Execute(const std::string& sql) {
    sqlite3* raw = nullptr;
    EXPECT_EQ(sqlite3_open_v2(folder_.file().c_str(), &raw, SQLITE_OPEN_READWRITE,
                              CheckedVfs("").c_str()),
              SQLITE_OK);
    const int code = sqlite3_exec(raw, sql.c_str(), nullptr, nullptr, nullptr);
    sqlite3_close(raw);
    return code;
  }
  // The file as the second version was where it differs: attempts have no words.
  void BecomeSecondVersion() {
    ASSERT_EQ(
        Execute("ALTER TABLE request DROP COLUMN routing; ALTER TABLE attempt DROP COLUMN model; "
                "ALTER TABLE attempt DROP COLUMN words;"
                "INSERT INTO attempt SELECT n, 0, provider, status, error, 454000, 0 FROM "
                "request WHERE generation = 'gen-1';"
                "PRAGMA user_version=2"),
        SQLITE_OK);
  }
  // As the first version was: besides, its guard and its index, and every attempt stored.
  void BecomeFirstVersion() {
    ASSERT_EQ(
        Execute("ALTER TABLE request DROP COLUMN routing; ALTER TABLE attempt DROP COLUMN model; "
                "ALTER TABLE attempt DROP COLUMN words; DROP TRIGGER request_is_same; DROP TRIGGER "
                "request_is_final;"
                "INSERT INTO attempt SELECT n, 0, provider, status, error, 454000, 0 FROM request "
                "WHERE generation = 'gen-1'; UPDATE request SET flags = 0;"
                "CREATE INDEX request_by_org ON request (org);"
                "CREATE TRIGGER request_is_final BEFORE UPDATE ON request WHEN OLD.state <> 0 "
                "BEGIN SELECT RAISE(ABORT, 'a request is completed once'); END;"
                "PRAGMA user_version=1"),
        SQLITE_OK);
  }
  static int64_t Ask(const std::string& path, const std::string& sql) {
    return *Database::Open(path, Database::Mode::kReadOnly)->QueryInt(sql);
  }

  LedgerFolder folder_;
  WallClock clock_;
};

TEST_F(SchemaTest, WhatIsWrittenStays) {
  for (const char* sql :
       {"UPDATE entry SET available = 1, held = -1", "DELETE FROM entry WHERE seq = 1",
        "DELETE FROM request", "UPDATE request SET cost = 0 WHERE generation = 'gen-1'",
        "UPDATE request SET state = 0, end_seq = NULL WHERE generation = 'gen-1'",
        "UPDATE request SET state = 2 WHERE generation = 'gen-1'",
        "UPDATE request SET cost = 0 WHERE generation = 'gen-2'",
        // NOLINTNEXTLINE(bugprone-suspicious-missing-comma): one statement over two lines
        "INSERT INTO entry (seq, kind, org, available, held, debt, cash, revenue, loss, at) "
        "VALUES (9, 1, 1, 5, 0, 0, 0, 0, 0, 0)",
        "UPDATE account SET available = -1"}) {
    EXPECT_EQ(Execute(sql) & 0xff, SQLITE_CONSTRAINT) << sql;
  }
  for (const std::string change :
       {"n = 77", "generation = 'gen-3'", "org = org + 1", "held = 9", "hold_seq = 1"}) {
    const std::string ended = ", state = 2, end_seq = 5 WHERE generation = 'gen-2'";
    EXPECT_EQ(Execute("UPDATE request SET " + change + ended) & 0xff, SQLITE_CONSTRAINT) << change;
  }
  EXPECT_EQ(BrokenRule(folder_.file()), "");
}

TEST_F(SchemaTest, AFileOfTheFirstVersionIsTakenOver) {
  BecomeFirstVersion();
  const auto reader = LedgerReader::Open(folder_.file());
  ASSERT_FALSE(reader);
  EXPECT_NE(reader.error().message.find("start the server once"), std::string::npos);

  auto opened = SqliteLedger::Open(folder_.file(), &clock_);
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ((*opened)->writer().expired_at_start(), 1U);
  HoldNow((*opened)->writer(), "gen-3", 10);
  EXPECT_TRUE(SettleNow((*opened)->writer(), AnsweredRow("gen-3", 5)).ok());
  opened->reset();

  EXPECT_EQ(BrokenRule(folder_.file()), "");
  EXPECT_EQ(LedgerReader::Open(folder_.file())->Attempts("gen-1")->size(), 1U);
  EXPECT_EQ(Ask(folder_.file(), "PRAGMA user_version"), kSchemaVersion);
  EXPECT_EQ(Execute("UPDATE request SET cost = 0") & 0xff, SQLITE_CONSTRAINT);
  const std::string saved = folder_.file() + ".v1.bak";
  ASSERT_TRUE(std::filesystem::exists(saved));
  EXPECT_EQ(std::filesystem::status(saved).permissions(), std::filesystem::perms{0600});
  EXPECT_EQ(Ask(saved, "PRAGMA user_version"), 1);
  EXPECT_EQ(Ask(saved, "SELECT count(*) FROM request WHERE state = 0"), 1);
}

TEST_F(SchemaTest, AFileOfTheSecondVersionKeepsItsAttempts) {
  BecomeSecondVersion();
  EXPECT_FALSE(LedgerReader::Open(folder_.file()));
  auto opened = SqliteLedger::Open(folder_.file(), &clock_);
  ASSERT_TRUE(opened) << opened.error().message;
  opened->reset();
  EXPECT_EQ(BrokenRule(folder_.file()), "");
  EXPECT_EQ(Ask(folder_.file(), "PRAGMA user_version"), kSchemaVersion);
  EXPECT_EQ(
      Ask(folder_.file(), "SELECT count(*) FROM attempt WHERE waited_us = 454000 AND words = ''"),
      1);
  EXPECT_EQ(Ask(folder_.file() + ".v2.bak", "PRAGMA user_version"), 2);
}

// As after a death between the copy and the upgrade, as often as that happens.
TEST_F(SchemaTest, ACopyOfTheSameFileIsNotMadeAgain) {
  BecomeFirstVersion();
  const std::string saved = folder_.file() + ".v1.bak";
  {
    auto file = Database::Open(folder_.file(), Database::Mode::kWriter);
    ASSERT_TRUE(BackUp(&*file, saved).ok());
  }
  EXPECT_TRUE(SqliteLedger::Open(folder_.file(), &clock_));
  EXPECT_FALSE(std::filesystem::exists(folder_.file() + ".v1.2.bak"));
}

TEST_F(SchemaTest, AnotherFileInTheCopysPlaceStays) {
  BecomeFirstVersion();
  const std::string theirs = folder_.file() + ".v1.bak";
  std::ofstream(theirs) << "of somebody else";
  EXPECT_TRUE(SqliteLedger::Open(folder_.file(), &clock_));
  EXPECT_EQ(std::filesystem::file_size(theirs), 16U);
  EXPECT_EQ(Ask(folder_.file() + ".v1.2.bak", "PRAGMA user_version"), 1);
}

}  // namespace
}  // namespace seekroute::testing
