// What a full, failing, torn or busy disk does to the ledger, at every single write.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>
#include <set>
#include <thread>

#include "testing/faulty_vfs.h"
#include "testing/ledger_fixture.h"

namespace seekroute::testing {
namespace {

using Opened = Result<std::unique_ptr<LedgerWriter>>;

Opened OpenWith(const std::string& path, const Clock* clock, const char* vfs) {
  LedgerWriter::Options options;
  options.path = path;
  options.instance = NewInstanceId();
  options.vfs = vfs;
  options.retry_pace = Duration::Milliseconds(2);
  return LedgerWriter::Open(options, clock);
}

// What a run was told is durable.
struct Acknowledged {
  std::set<std::string> topups;
  std::set<std::string> holds;
  std::map<std::string, int64_t> settles;
};

// A short life of a ledger. Settles are not waited for, because a full disk keeps them waiting.
void Work(LedgerWriter& writer, Acknowledged* done) {
  for (int i = 0; i < 3; ++i) {
    const std::string id = "manual:" + std::to_string(i);
    if (TopupNow(writer, id, 1000).status.ok()) done->topups.insert(id);
  }
  for (int i = 0; i < 6; ++i) {
    const std::string id = "gen-" + std::to_string(i);
    const HoldAnswer held = HoldNow(writer, id, 100);
    if (!held.status.ok()) {
      EXPECT_GE(held.status.error().status(), 402);
      continue;
    }
    done->holds.insert(id);
    if (i == 4) continue;  // its owner will be gone
    auto answer = std::make_shared<std::promise<Status>>();
    auto settled = answer->get_future();
    writer.Settle(AnsweredRow(id, 30 + i), [answer](const Status& s) { answer->set_value(s); });
    if (settled.wait_for(std::chrono::milliseconds(8)) != std::future_status::ready) {
      FaultyVfs::Get().Repair();  // somebody has made room
    }
    if (settled.get().ok()) done->settles[id] = 30 + i;
  }
}

void ExpectNothingLost(const std::string& path, const Clock* clock, const Acknowledged& done) {
  Opened again = OpenWith(path, clock, FaultyVfs::kName);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(BrokenRule(path), "");
  LedgerWriter& writer = **again;
  for (const std::string& id : done.topups) {
    EXPECT_EQ(TopupNow(writer, id, 1000).result, LedgerResult::kExists) << id;
  }
  LedgerReader reader = LedgerReader::Open(path).value();
  for (const std::string& id : done.holds) {
    const auto row = reader.Generation(id);
    ASSERT_TRUE(row && *row) << id;
    const auto settled = done.settles.find(id);
    for (const auto& [name, cell] : **row) {
      if (name == "state" && settled != done.settles.end()) {
        EXPECT_EQ(cell, LedgerCell("settled"));
      }
      if (name == "state") {
        EXPECT_NE(cell, LedgerCell("held"));
      }
      if (name == "cost" && settled != done.settles.end()) {
        EXPECT_EQ(cell, LedgerCell(settled->second));
      }
    }
  }
}

class LedgerFaults : public ::testing::TestWithParam<DiskFault> {};

TEST_P(LedgerFaults, LoseNothingThatWasAcknowledged) {
  FaultyVfs& disk = FaultyVfs::Get();
  WallClock clock;
  bool reached = true;
  int n = 0;
  while (reached) {
    ASSERT_LT(++n, 1000);
    LedgerFolder folder;
    Acknowledged done;
    disk.Arm(GetParam(), n);
    Opened writer = OpenWith(folder.file(), &clock, FaultyVfs::kName);
    if (writer) {
      Work(**writer, &done);
      reached = disk.happened();
      const bool transient = GetParam() == DiskFault::kFull || GetParam() == DiskFault::kBusy;
      if (transient) {
        EXPECT_TRUE((*writer)->ready()) << n;
      }
      writer->reset();
      reached = reached || disk.happened();  // while closing
    }
    disk.Repair();
    ExpectNothingLost(folder.file(), &clock, done);
    if (HasFatalFailure() || HasNonfatalFailure()) FAIL() << "at operation " << n;
  }
  // How many there are depends on how much is committed together: a busy machine makes fewer.
  EXPECT_GT(n, GetParam() == DiskFault::kBusy ? 4 : 8);
}

INSTANTIATE_TEST_SUITE_P(Disk, LedgerFaults,
                         ::testing::Values(DiskFault::kFull, DiskFault::kIoError, DiskFault::kTorn,
                                           DiskFault::kBusy));

TEST(LedgerFailStop, TakesNoMoneyAfterAFailedWrite) {
  FaultyVfs& disk = FaultyVfs::Get();
  WallClock clock;
  LedgerFolder folder;
  Opened opened = OpenWith(folder.file(), &clock, FaultyVfs::kName);
  ASSERT_TRUE(opened);
  LedgerWriter& writer = **opened;
  EXPECT_EQ(TopupNow(writer, "manual:1", 100).result, LedgerResult::kOk);
  disk.Arm(DiskFault::kIoError, 1);
  EXPECT_EQ(HoldNow(writer, "gen-1", 1).status.error().code, ErrorCode::kStoreUnavailable);
  EXPECT_TRUE(disk.happened());
  disk.Repair();
  EXPECT_FALSE(writer.ready());
  EXPECT_NE(writer.health().error().message.find("until a restart"), std::string::npos);
  EXPECT_EQ(HoldNow(writer, "gen-2", 1).status.error().code, ErrorCode::kStoreUnavailable);
  EXPECT_FALSE(TopupNow(writer, "manual:2", 1).status.ok());
}

TEST(LedgerFullDisk, HoldsAreRefusedAndSettlesWait) {
  FaultyVfs& disk = FaultyVfs::Get();
  WallClock clock;
  LedgerFolder folder;
  Opened opened = OpenWith(folder.file(), &clock, FaultyVfs::kName);
  ASSERT_TRUE(opened);
  LedgerWriter& writer = **opened;
  TopupNow(writer, "manual:1", 100);
  HoldNow(writer, "gen-1", 50);
  disk.Arm(DiskFault::kFull, 1);
  auto answer = std::make_shared<std::promise<Status>>();
  auto settled = answer->get_future();
  writer.Settle(AnsweredRow("gen-1", 20), [answer](const Status& s) { answer->set_value(s); });
  const HoldAnswer refused = HoldNow(writer, "gen-2", 1);
  EXPECT_EQ(refused.status.error().code, ErrorCode::kStorageFull);
  EXPECT_GT(refused.status.error().retry_after_ms, 0);
  EXPECT_TRUE(writer.ready());
  EXPECT_EQ(settled.wait_for(std::chrono::milliseconds(0)), std::future_status::timeout);
  disk.Repair();
  EXPECT_TRUE(settled.get().ok());
  EXPECT_TRUE(HoldNow(writer, "gen-3", 1).status.ok());
  EXPECT_EQ(BrokenRule(folder.file()), "");
}

TEST(LedgerFullDisk, IsKnownUntilThereIsRoom) {
  FaultyVfs& disk = FaultyVfs::Get();
  WallClock clock;
  LedgerFolder folder;
  Opened opened = OpenWith(folder.file(), &clock, FaultyVfs::kName);
  ASSERT_TRUE(opened);
  LedgerWriter& writer = **opened;
  TopupNow(writer, "manual:1", 100);
  EXPECT_TRUE(writer.blocked().ok());
  disk.Arm(DiskFault::kFull, 1);
  EXPECT_EQ(HoldNow(writer, "gen-1", 50).status.error().code, ErrorCode::kStorageFull);
  EXPECT_EQ(writer.blocked().error().code, ErrorCode::kStorageFull);
  EXPECT_TRUE(writer.ready());
  const uint64_t commits = writer.commits();
  // Nothing waits and nobody asks: the writer itself looks whether there is room.
  disk.Repair();
  while (!writer.blocked().ok()) std::this_thread::yield();
  EXPECT_GT(writer.commits(), commits);
  EXPECT_TRUE(HoldNow(writer, "gen-2", 50).status.ok());
  EXPECT_EQ(BrokenRule(folder.file()), "");
}

// --- a process that is killed
// -----------------------------------------------------------------------

// Writes one line an acknowledgement to `fd`, from four threads, until it is killed.
[[noreturn]] void LiveAndDie(const std::string& path, int fd, int generation) {
  static const WallClock clock;
  Opened opened = OpenWith(path, &clock, "");
  if (!opened) _exit(3);
  LedgerWriter& writer = **opened;
  const auto say = [fd](const std::string& line) {
    if (write(fd, line.data(), line.size()) < 0) _exit(4);
  };
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0;; ++i) {
        const std::string id =
            std::to_string(generation) + "-" + std::to_string(t) + "-" + std::to_string(i);
        if (TopupNow(writer, id, 50).status.ok()) say("t " + id + "\n");
        if (HoldNow(writer, "g" + id, 40).status.ok()) say("h " + id + "\n");
        if (SettleNow(writer, AnsweredRow("g" + id, 10)).ok()) say("s " + id + "\n");
      }
    });
  }
  for (std::thread& each : threads) each.join();
  _exit(5);
}

TEST(LedgerKill, LosesNothingThatWasAcknowledged) {
  LedgerFolder folder;
  WallClock clock;
  std::mt19937 rng(7);  // NOLINT(cert-msc51-cpp): reproducible
  size_t acknowledged = 0;
  for (int life = 0; life < 60; ++life) {
    int pipe_fds[2];
    ASSERT_EQ(pipe(pipe_fds), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      close(pipe_fds[0]);
      LiveAndDie(folder.file(), pipe_fds[1], life);
    }
    close(pipe_fds[1]);
    std::string log;
    char buffer[4096];
    // From the first acknowledgement on (or at once, now and then): killed at a random instant.
    if (life % 10 != 9) {
      const ssize_t first = read(pipe_fds[0], buffer, 1);
      if (first == 1) log += buffer[0];
    }
    std::this_thread::sleep_for(std::chrono::microseconds(rng() % 30'000));
    kill(child, SIGKILL);
    for (ssize_t n; (n = read(pipe_fds[0], buffer, sizeof buffer)) > 0;) {
      log.append(buffer, static_cast<size_t>(n));
    }
    close(pipe_fds[0]);
    int state = 0;
    waitpid(child, &state, 0);
    ASSERT_TRUE(WIFSIGNALED(state)) << "the child ended by itself: " << WEXITSTATUS(state);

    Opened opened = OpenWith(folder.file(), &clock, "");
    ASSERT_TRUE(opened) << opened.error().message;
    ASSERT_EQ(BrokenRule(folder.file()), "") << "after life " << life;
    LedgerReader reader = LedgerReader::Open(folder.file()).value();
    for (size_t at = 0, end; (end = log.find('\n', at)) != std::string::npos; at = end + 1) {
      ++acknowledged;
      const std::string id = log.substr(at + 2, end - at - 2);
      if (log[at] == 't') {
        ASSERT_EQ(TopupNow(**opened, id, 50).result, LedgerResult::kExists) << id;
        continue;
      }
      const auto row = reader.Generation("g" + id);
      ASSERT_TRUE(row && *row) << id;
      for (const auto& [name, cell] : **row) {
        if (name == "state" && log[at] == 's') {
          ASSERT_EQ(cell, LedgerCell("settled")) << id;
        }
      }
    }
  }
  EXPECT_GT(acknowledged, 500U);
}

}  // namespace
}  // namespace seekroute::testing
