#include "store/sqlite/gathered_vfs.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "store/sqlite/database.h"
#include "testing/ledger_fixture.h"

namespace seekroute::testing {
namespace {

// Write calls of this process so far.
int64_t WriteCalls() {
  std::ifstream file("/proc/self/io");
  std::string name;
  int64_t value = 0;
  while (file >> name >> value) {
    if (name == "syscw:") return value;
  }
  return -1;
}

Database OpenWriter(const LedgerFolder& folder) {
  Database db = Database::Open(folder.file(), Database::Mode::kWriter).value();
  EXPECT_EQ(db.Execute("CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, text TEXT)"),
            SQLITE_OK);
  return db;
}

void Insert(Database* db, int rows, int bytes) {
  ASSERT_EQ(db->Execute("BEGIN"), SQLITE_OK);
  for (int i = 0; i < rows; ++i) {
    ASSERT_EQ(db->Execute("INSERT INTO t (text) VALUES (hex(zeroblob(" + std::to_string(bytes / 2) +
                          ")))"),
              SQLITE_OK);
  }
  ASSERT_EQ(db->Execute("COMMIT"), SQLITE_OK);
}

int64_t RowsSeen(const LedgerFolder& folder) {
  Database reader = Database::Open(folder.file(), Database::Mode::kReadOnly).value();
  return reader.QueryInt("SELECT count(*) FROM t").value();
}

TEST(GatheredVfs, ACommitIsOneWrite) {
  if (WriteCalls() < 0) GTEST_SKIP() << "/proc/self/io is not readable here";
  LedgerFolder folder;
  Database db = OpenWriter(folder);
  Insert(&db, 1, 10);
  const int64_t before = WriteCalls();
  Insert(&db, 10, 2000);  // at least five pages
  EXPECT_EQ(WriteCalls() - before, 1);
  EXPECT_EQ(RowsSeen(folder), 11);
}

// More than one write of SQLite's own layer can take, and more than its cache.
TEST(GatheredVfs, ALargeTransactionIsWhole) {
  LedgerFolder folder;
  {
    Database db = OpenWriter(folder);
    ASSERT_EQ(db.Execute("PRAGMA cache_size=20"), SQLITE_OK);
    Insert(&db, 2000, 1000);
    EXPECT_EQ(RowsSeen(folder), 2000);
    EXPECT_EQ(db.Execute("PRAGMA wal_checkpoint(TRUNCATE)"), SQLITE_OK);
    EXPECT_EQ(RowsSeen(folder), 2000);
    Insert(&db, 1, 1000);
  }
  Database again = OpenWriter(folder);
  EXPECT_EQ(RowsSeen(folder), 2001);
  EXPECT_EQ(again.QueryInt("SELECT sum(length(text)) FROM t").value(), 2001 * 1000);
}

TEST(GatheredVfs, WhatIsRolledBackIsGone) {
  LedgerFolder folder;
  Database db = OpenWriter(folder);
  ASSERT_EQ(db.Execute("PRAGMA cache_size=20; BEGIN"), SQLITE_OK);
  for (int i = 0; i < 500; ++i) {
    ASSERT_EQ(db.Execute("INSERT INTO t (text) VALUES (hex(zeroblob(500)))"), SQLITE_OK);
  }
  ASSERT_EQ(db.Execute("ROLLBACK"), SQLITE_OK);
  Insert(&db, 3, 100);
  EXPECT_EQ(RowsSeen(folder), 3);
  EXPECT_EQ(db.QueryInt("SELECT count(*) FROM t").value(), 3);
}

}  // namespace
}  // namespace seekroute::testing
