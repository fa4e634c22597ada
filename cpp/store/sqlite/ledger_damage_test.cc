// A ledger whose bits changed, or whose end is gone, is found out or has lost nothing.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "testing/ledger_fixture.h"

namespace seekroute::testing {
namespace {

namespace fs = std::filesystem;

std::string Bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// Every row of every table; what went wrong instead, if something did.
std::string Dump(const std::string& path) {
  Result<Database> db = Database::Open(path, Database::Mode::kReadOnly);
  if (!db) return "cannot be opened";
  std::string dump;
  for (const char* table : {"name", "instance", "request", "attempt", "idempotency", "checkpoint",
                            "entry", "past_order", "account", "snapshot", "day_total", "pruning"}) {
    Result<Statement> rows = db->Prepare("SELECT * FROM " + std::string(table) + " NOT INDEXED");
    if (!rows) return "cannot be read";
    dump += "\n" + std::string(table);
    int code = SQLITE_ROW;
    while ((code = rows->Step()) == SQLITE_ROW) {
      dump += "\n";
      for (int i = 0; i < rows->columns(); ++i) dump += rows->Text(i) + "|";
    }
    if (code != SQLITE_DONE) return "cannot be read";
  }
  return dump;
}

// What each organization has, in the ledger that a server would now work with.
std::string BalancesInUse(const std::string& path, const Clock* clock, std::string* refused) {
  const auto opened = SqliteLedger::Open(path, clock);
  if (!opened) {
    *refused = opened.error().message;
    return {};
  }
  std::string balances;
  const Status read = (*opened)->writer().RunTask([&](Database*, Ledger* ledger, SqliteJournal*) {
    for (const auto& [org, p] : ledger->balances()) {
      balances += org + " " + std::to_string(p.available) + " " + std::to_string(p.held) + " " +
                  std::to_string(p.debt) + "\n";
    }
    const Postings& own = ledger->operator_balance();
    balances += std::to_string(own.cash) + " " + std::to_string(own.revenue) + " " +
                std::to_string(own.loss) + " at " + std::to_string(ledger->last_seq());
    return Status();
  });
  if (!read.ok()) *refused = read.error().message;
  return balances;
}

class LedgerDamageTest : public ::testing::Test {
 protected:
  // A ledger in use: some of it in the file, some of it in the log only.
  void SetUp() override {
    auto opened = SqliteLedger::Open(live_.file(), &clock_);
    ASSERT_TRUE(opened);
    LedgerWriter& writer = (*opened)->writer();
    for (const char* org : {"org", "other"}) TopupNow(writer, org, 1'000'000, org);
    Work(writer, 0, 60);
    const Status flushed = writer.RunTask([](Database* db, Ledger*, SqliteJournal*) {
      EXPECT_EQ(db->Execute("PRAGMA wal_checkpoint(PASSIVE)"), SQLITE_OK);
      return Status();
    });
    ASSERT_TRUE(flushed.ok());
    Work(writer, 60, 90);
    // Copied without a pause of the process, as a crash would leave it.
    for (const char* end : {"", "-wal", ".mark"}) files_[end] = Bytes(live_.file() + end);
    ASSERT_GT(files_["-wal"].size(), 30'000U);
    Restore();
    dump_ = Dump(copy_.file());
    ASSERT_GT(dump_.size(), 10'000U);
    std::string refused;
    balances_ = BalancesInUse(copy_.file(), &clock_, &refused);
    ASSERT_EQ(refused, "");
  }

  static void Work(LedgerWriter& writer, int from, int to) {
    for (int i = from; i < to; ++i) {
      const std::string id = "gen-" + std::to_string(i);
      const HoldRequest request{.amount = {100},
                                .at_least = {100},
                                .key_limit = {},
                                .claim = IdempotencyClaim{Mac{static_cast<uint8_t>(i)}, Mac{}}};
      ASSERT_TRUE(HoldNow(writer, RowOf(id, i % 3 ? "org" : "other"), request).status.ok());
      if (i % 10 == 0) writer.Note(AnsweredRow(id, 7));
      if (i % 10 == 1) continue;  // stays held
      ASSERT_TRUE(SettleNow(writer, AnsweredRow(id, i % 7 ? 33 : 120)).ok());
      if (i % 10 == 2) {
        OrderNow(writer, {LedgerOrder::Kind::kRefund, "r" + id, {}, id, {5}, {}});
      }
      if (i % 20 == 3) {  // longer than a page
        OrderNow(writer,
                 {LedgerOrder::Kind::kAdjust, "a" + id, "org", {}, {9}, std::string(6000, 'n')});
      }
    }
  }

  void Restore() {
    fs::remove(copy_.file() + "-shm");
    fs::remove(copy_.file() + ".lock");
    for (const auto& [end, bytes] : files_) Put(end, bytes);
  }
  void Put(const std::string& end, const std::string& bytes) {
    std::ofstream(copy_.file() + end, std::ios::binary | std::ios::trunc) << bytes;
  }

  enum Outcome : size_t { kNothingLost, kFoundByReading, kRefused, kFoundByVerify };

  // Fails the test when the copy is taken for something that it is not.
  Outcome Judge(const std::string& what) {
    const std::string rule = BrokenRule(copy_.file());
    const std::string dump = Dump(copy_.file());
    const bool readable = dump.rfind("cannot", 0) != 0;
    // Whoever reads sees what was written, or is told.
    EXPECT_TRUE(dump == dump_ || !readable || !rule.empty()) << what;
    std::string refused;
    const std::string balances = BalancesInUse(copy_.file(), &clock_, &refused);
    EXPECT_TRUE(balances == balances_ || !refused.empty()) << what << "\n" << balances;
    if (!refused.empty()) return kRefused;
    if (!readable) return kFoundByReading;
    return rule.empty() ? kNothingLost : kFoundByVerify;
  }

  LedgerFolder live_, copy_;
  WallClock clock_;
  std::map<std::string, std::string> files_;
  std::string dump_, balances_;
};

TEST_F(LedgerDamageTest, AThousandFlippedBitsChangeNoBalanceInSilence) {
  std::mt19937 rng(11);  // NOLINT(cert-msc51-cpp): reproducible
  size_t outcomes[4] = {};
  for (int i = 0; i < 1000; ++i) {
    const std::string end = i % 2 ? "" : "-wal";
    std::string bytes = files_[end];
    const size_t at = rng() % bytes.size();
    const int bit = static_cast<int>(rng() % 8);
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
    Restore();
    Put(end, bytes);
    ++outcomes[Judge("bit " + std::to_string(bit) + " of byte " + std::to_string(at) + " of " +
                     (end.empty() ? "the file" : "the log"))];
    if (HasFailure()) break;
  }
  // A flip is harmless only where nothing is: in what the log has already, or of it already.
  EXPECT_GT(outcomes[kRefused], 300U);
  RecordProperty("unchanged", static_cast<int>(outcomes[kNothingLost]));
  RecordProperty("refused", static_cast<int>(outcomes[kRefused]));
}

TEST_F(LedgerDamageTest, AFileOrLogThatLostItsEndIsFoundOut) {
  std::mt19937 rng(12);  // NOLINT(cert-msc51-cpp): reproducible
  size_t refused = 0;
  for (int i = 0; i < 200; ++i) {
    const std::string end = i % 2 ? "" : "-wal";
    const size_t left = rng() % files_[end].size();
    Restore();
    Put(end, files_[end].substr(0, left));
    if (Judge(std::to_string(left) + " bytes are left of " +
              (end.empty() ? "the file" : "the log")) == kRefused) {
      ++refused;
    }
    if (HasFailure()) break;
  }
  EXPECT_GT(refused, 120U);  // the rest of the log is of no use any more
}

// --- what others do to the file
class ForeignHandTest : public ::testing::Test {
 protected:
  void SetUp() override { Open(); }
  void Open() {
    auto opened = SqliteLedger::Open(folder_.file(), &clock_);
    ASSERT_TRUE(opened) << opened.error().message;
    ledger_ = std::move(*opened);
  }

  LedgerFolder folder_;
  WallClock clock_;
  std::unique_ptr<SqliteLedger> ledger_;
};

TEST_F(ForeignHandTest, ADamagedFileIsNotTakenIntoUse) {
  TopupNow(ledger_->writer(), "manual:1", 100);
  HoldNow(ledger_->writer(), "gen-1", 60);
  ledger_.reset();
  const auto size = fs::file_size(folder_.file());
  ASSERT_GT(size, 8192U);
  FILE* raw = fopen(folder_.file().c_str(), "r+b");
  ASSERT_NE(raw, nullptr);
  for (uintmax_t at = 4096; at < size; at += 512) {
    fseek(raw, static_cast<long>(at), SEEK_SET);
    fputs("garbage", raw);
  }
  fclose(raw);
  const auto opened = SqliteLedger::Open(folder_.file(), &clock_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kStorageCorrupt);
}

TEST_F(ForeignHandTest, TheLogOfAnEmptiedFileIsLeftAlone) {
  std::ofstream(folder_.file(), std::ios::binary).close();
  std::ofstream(folder_.file() + "-wal", std::ios::binary) << "all that is left";
  for (const Database::Mode mode : {Database::Mode::kReadOnly, Database::Mode::kWriter}) {
    EXPECT_FALSE(Database::Open(folder_.file(), mode));
    EXPECT_EQ(Bytes(folder_.file() + "-wal"), "all that is left");
  }
}

TEST_F(ForeignHandTest, AFileThatAnotherProgramChangedIsNotTakenIntoUse) {
  TopupNow(ledger_->writer(), "manual:1", 100);
  ledger_.reset();
  sqlite3* raw = nullptr;
  ASSERT_EQ(sqlite3_open(folder_.file().c_str(), &raw), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(raw, "UPDATE account SET available = 1000", nullptr, nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(raw);
  const auto opened = SqliteLedger::Open(folder_.file(), &clock_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kStorageCorrupt);
  EXPECT_NE(BrokenRule(folder_.file()), "");
}

TEST_F(ForeignHandTest, AnOlderCopyInItsPlaceIsNotTakenIntoUse) {
  TopupNow(ledger_->writer(), "manual:1", 100);
  const std::string copy = folder_.path("copy.db");
  ASSERT_TRUE(LedgerReader::Open(folder_.file()).value().BackUpTo(copy).ok());
  TopupNow(ledger_->writer(), "manual:2", 100);
  ledger_.reset();
  fs::rename(copy, folder_.file());
  const auto opened = SqliteLedger::Open(folder_.file(), &clock_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kStorageCorrupt);
  EXPECT_NE(opened.error().message.find("ledger.db.mark"), std::string::npos);
  EXPECT_EQ(BrokenRule(folder_.file()).rfind("L9", 0), 0U);
  fs::remove(MarkPath(folder_.file()));  // as the message says, where it is meant
  Open();
  EXPECT_EQ(LedgerReader::Open(folder_.file()).value().Balance("org")->available, 100);
}

}  // namespace
}  // namespace seekroute::testing
