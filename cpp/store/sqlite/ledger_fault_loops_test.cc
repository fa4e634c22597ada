// Each operation alone, on a disk that fails its first, its second, ... write or sync, until one
// attempt meets no fault any more.
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include "store/sqlite/prune.h"
#include "testing/faulty_vfs.h"
#include "testing/ledger_fixture.h"

namespace seekroute::testing {
namespace {

namespace fs = std::filesystem;

using Opened = Result<std::unique_ptr<LedgerWriter>>;

Opened OpenWith(const std::string& path, const Clock* clock, const char* vfs,
                int log_pages = 1000) {
  LedgerWriter::Options options;
  options.path = path;
  options.instance = NewInstanceId();
  options.vfs = vfs;
  options.retry_pace = Duration::Milliseconds(2);
  options.log_pages = log_pages;
  options.orphans = Orphans::kCharge;
  return LedgerWriter::Open(options, clock);
}

LedgerCell Cell(const std::string& path, const std::string& generation, std::string_view column) {
  LedgerReader reader = LedgerReader::Open(path).value();
  const auto row = reader.Generation(generation);
  if (!row || !*row) return {};
  for (const auto& [name, cell] : **row) {
    if (name == column) return cell;
  }
  return {};
}

int64_t Count(const std::string& path, const std::string& sql) {
  Result<Database> db = Database::Open(path, Database::Mode::kReadOnly);
  return db->QueryInt(sql).value();
}

// A settle that a full disk keeps waiting is written once there is room. There is room again only
// after the disk has failed: the writer's thread may not have come to it yet.
bool SettleOnceThereIsRoom(LedgerWriter& writer, const ExchangeRecord& row) {
  auto answer = std::make_shared<std::promise<Status>>();
  auto settled = answer->get_future();
  writer.Settle(row, [answer](const Status& status) { answer->set_value(status); });
  while (settled.wait_for(std::chrono::milliseconds(10)) != std::future_status::ready) {
    if (FaultyVfs::Get().happened()) FaultyVfs::Get().Repair();
  }
  return settled.get().ok();
}

ExchangeRecord FailedRow(const std::string& id) {
  ExchangeRecord row = RowOf(id);
  row.error = "upstream_timeout";
  row.status = 504;
  row.attempts = 1;
  row.settlement = Settlement::kFailed;
  return row;
}

struct Attempt {
  const char* name;
  std::function<bool(LedgerWriter&)> act;              // true: it was acknowledged
  std::function<bool(const std::string& path)> there;  // after a restart
};

bool Order(LedgerWriter& writer, LedgerOrder order) {
  return OrderNow(writer, std::move(order)).status.ok();
}

int64_t EntriesOf(const std::string& path, int kind) {
  return Count(path, "SELECT count(*) FROM entry WHERE kind = " + std::to_string(kind));
}

// The ledger that each attempt finds: gen-live and gen-told are held by a process that lives on
// into it, gen-done was answered, gen-old long ago.
const std::vector<Attempt>& Attempts() {
  static const std::vector<Attempt> attempts = {
      {"topup", [](auto& w) { return TopupNow(w, "manual:x", 5).status.ok(); },
       [](const std::string& path) { return EntriesOf(path, 1) == 2; }},
      {"hold",
       [](auto& w) {
         return HoldNow(w, RowOf("gen-x"),
                        {.amount = {5},
                         .at_least = {5},
                         .key_limit = {},
                         .claim = IdempotencyClaim{Mac{9}, Mac{9}}})
             .status.ok();
       },
       [](const std::string& path) {
         return Cell(path, "gen-x", "held") == LedgerCell(int64_t{5}) &&
                Count(path, "SELECT count(*) FROM idempotency") == 2;
       }},
      {"settle", [](auto& w) { return SettleOnceThereIsRoom(w, AnsweredRow("gen-live", 8)); },
       [](const std::string& path) {
         return Cell(path, "gen-live", "cost") == LedgerCell(int64_t{8});
       }},
      {"void", [](auto& w) { return SettleOnceThereIsRoom(w, FailedRow("gen-live")); },
       [](const std::string& path) {
         return Cell(path, "gen-live", "state") == LedgerCell("voided");
       }},
      {"refund",
       [](auto& w) {
         return Order(w, {LedgerOrder::Kind::kRefund, "r", {}, "gen-done", {3}, {}});
       },
       [](const std::string& path) { return EntriesOf(path, 7) == 1; }},
      {"adjust",
       [](auto& w) {
         return Order(w, {LedgerOrder::Kind::kAdjust, "a", "org", {}, {-3}, "why"});
       },
       [](const std::string& path) { return EntriesOf(path, 8) == 1; }},
      {"prune",
       [](auto& w) {
         const auto pruned = Prune(&w, {1'800'000'000'001});
         return pruned && pruned->requests == 1;
       },
       [](const std::string& path) {
         return EntriesOf(path, 9) == 1 && Cell(path, "gen-old", "state") == LedgerCell();
       }},
      {"progress note of a stream",
       [](auto& w) {
         w.Note(AnsweredRow("gen-live", 9));
         return TopupNow(w, "manual:x", 5).status.ok();  // behind it, and perhaps without it
       },
       [](const std::string& path) { return EntriesOf(path, 1) == 2; }},
  };
  return attempts;
}

class FaultLoops : public ::testing::TestWithParam<DiskFault> {
 protected:
  void SetUp() override {
    Opened opened = OpenWith(base_.file(), &clock_, "");
    ASSERT_TRUE(opened);
    LedgerWriter& writer = **opened;
    TopupNow(writer, "manual:1", 1000);
    HoldNow(writer, "gen-old", 10);
    ASSERT_TRUE(SettleNow(writer, AnsweredRow("gen-old", 4)).ok());
    clock_.wall_ms += 1000;
    HoldNow(writer, RowOf("gen-done"),
            {.amount = {10},
             .at_least = {10},
             .key_limit = {},
             .claim = IdempotencyClaim{Mac{1}, Mac{1}}});
    ASSERT_TRUE(SettleNow(writer, AnsweredRow("gen-done", 4)).ok());
    HoldNow(writer, "gen-orphan", 10);
    HoldNow(writer, "gen-told", 10);
    writer.Note(AnsweredRow("gen-told", 6));
    opened->reset();
  }

  // A fresh copy in a folder of its own.
  std::unique_ptr<LedgerFolder> Copy() const {
    auto folder = std::make_unique<LedgerFolder>();
    fs::copy_file(base_.file(), folder->file());
    fs::copy_file(MarkPath(base_.file()), MarkPath(folder->file()));
    return folder;
  }

  void ExpectSound(const std::string& path, const std::string& what) {
    Opened again = OpenWith(path, &clock_, "");
    ASSERT_TRUE(again) << what << ": " << again.error().message;
    EXPECT_EQ(BrokenRule(path), "") << what;
  }

  LedgerFolder base_;
  WallClock clock_;
};

TEST_P(FaultLoops, OfEachOperationLoseNothingThatWasAcknowledged) {
  FaultyVfs& disk = FaultyVfs::Get();
  for (const int log_pages : {1000, 1}) {  // 1: the log is written back after each commit
    for (const Attempt& attempt : Attempts()) {
      bool reached = true;
      int n = 0;
      int acknowledged = 0;
      while (reached) {
        ASSERT_LT(++n, 300) << attempt.name;
        const std::string what = attempt.name + std::string(" with fault at ") + std::to_string(n);
        const auto folder = Copy();
        Opened writer = OpenWith(folder->file(), &clock_, FaultyVfs::kName, log_pages);
        ASSERT_TRUE(writer) << what;
        // The log is written back after an answer: this waits for that. A writer that is behind
        // drops what may be dropped.
        const auto wait = [&] {
          (void)(*writer)->RunTask([](Database*, Ledger*, SqliteJournal*) { return Status(); });
        };
        ASSERT_TRUE(HoldNow(**writer, "gen-live", 10).status.ok()) << what;
        wait();
        disk.Arm(GetParam(), n);
        const bool told = attempt.act(**writer);
        wait();
        reached = disk.happened();
        disk.Repair();
        writer->reset();
        ExpectSound(folder->file(), what);
        if (told) {
          ++acknowledged;
          EXPECT_TRUE(attempt.there(folder->file())) << what;
        }
        if (HasFailure()) return;
      }
      EXPECT_GT(acknowledged, 0) << attempt.name;
      EXPECT_GT(n, 1) << attempt.name;
    }
  }
}

// Giving orphans back, charging them by their notes, and storing the balances at the end.
TEST_P(FaultLoops, OfAStartAndACloseLoseNothing) {
  FaultyVfs& disk = FaultyVfs::Get();
  bool reached = true;
  int n = 0;
  while (reached) {
    ASSERT_LT(++n, 300);
    const auto folder = Copy();
    disk.Arm(GetParam(), n);
    Opened writer = OpenWith(folder->file(), &clock_, FaultyVfs::kName);
    if (writer) {
      EXPECT_EQ((*writer)->expired_at_start(), 1U);
      EXPECT_EQ((*writer)->charged_at_start(), 1U);
      writer->reset();
    }
    reached = disk.happened();
    disk.Repair();
    ExpectSound(folder->file(), "fault at " + std::to_string(n));
    EXPECT_EQ(Cell(folder->file(), "gen-told", "cost"), LedgerCell(int64_t{6})) << n;
    EXPECT_EQ(Cell(folder->file(), "gen-orphan", "state"), LedgerCell("expired")) << n;
    if (HasFailure()) return;
  }
  EXPECT_GT(n, GetParam() == DiskFault::kBusy ? 1 : 5);
}

INSTANTIATE_TEST_SUITE_P(Disk, FaultLoops,
                         ::testing::Values(DiskFault::kFull, DiskFault::kIoError, DiskFault::kTorn,
                                           DiskFault::kBusy));

}  // namespace
}  // namespace seekroute::testing
