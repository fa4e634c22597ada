// The power fails in the middle of everything: what was acknowledged is there.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <random>

#include "store/sqlite/prune.h"
#include "testing/ledger_fixture.h"
#include "testing/power_vfs.h"

namespace seekroute::testing {
namespace {

namespace fs = std::filesystem;

// What was acknowledged before the power failed. Answers come on the writer's thread, on which the
// power fails, so none of them is of both sides.
struct Log {
  std::mutex mu;
  std::map<std::string, int64_t> topups, settles;  // mu
  std::vector<std::string> holds;                  // mu

  template <typename Note>
  void Add(const Note& note) {
    const std::lock_guard<std::mutex> lock(mu);
    if (!PowerVfs::Get().failed()) note();
  }
};

void Work(LedgerWriter& writer, uint64_t seed, Log* log) {
  std::mt19937_64 rng(seed);  // NOLINT(cert-msc51-cpp): reproducible
  std::vector<std::string> live;
  for (int i = 0; i < 40; ++i) {
    const std::string id = std::to_string(i);
    std::promise<void> told;
    switch (rng() % 6) {
      case 0:
        writer.Order({LedgerOrder::Kind::kTopup, "t" + id, "org", {}, {500}, {}},
                     [&, id](const OrderAnswer& done) {
                       log->Add([&] {
                         if (done.status.ok()) log->topups["t" + id] = 500;
                       });
                       told.set_value();
                     });
        told.get_future().wait();
        break;
      case 1:
      case 2:
        writer.Hold(RowOf("g" + id), {{20}, {20}, {}}, [&, id](const HoldAnswer& held) {
          if (held.status.ok()) {
            live.push_back("g" + id);
            log->Add([&] { log->holds.push_back("g" + id); });
          }
          told.set_value();
        });
        told.get_future().wait();
        break;
      case 3:
        if (live.empty()) break;
        writer.Settle(AnsweredRow(live.back(), 7), [&, last = live.back()](const Status& done) {
          log->Add([&] {
            if (done.ok()) log->settles[last] = 7;
          });
          told.set_value();
        });
        told.get_future().wait();
        live.pop_back();
        break;
      case 4:
        if (!live.empty()) writer.Note(AnsweredRow(live.back(), 3));
        break;
      case 5:
        if (rng() % 4 == 0) {
          EXPECT_TRUE(Prune(&writer, {1'800'000'000'001}));
        }
        break;
    }
  }
}

void ExpectNothingLost(const std::string& path, const Clock* clock, Log& log) {
  if (!fs::exists(path)) {  // it failed before there was anything
    ASSERT_TRUE(log.topups.empty() && log.holds.empty());
    return;
  }
  const auto opened = SqliteLedger::Open(path, clock);
  ASSERT_TRUE(opened) << opened.error().message;
  ASSERT_EQ(BrokenRule(path), "");
  for (const auto& [id, amount] : log.topups) {
    ASSERT_EQ(TopupNow((*opened)->writer(), id, amount).result, LedgerResult::kExists) << id;
  }
  LedgerReader reader = LedgerReader::Open(path).value();
  for (const std::string& id : log.holds) {
    const auto row = reader.Generation(id);
    ASSERT_TRUE(row) << id;
    if (!*row) continue;  // pruned with its end; the sums are what verify has looked at
    for (const auto& [name, cell] : **row) {
      if (name == "cost" && log.settles.contains(id)) {
        ASSERT_EQ(cell, LedgerCell(int64_t{7})) << id;
      }
    }
  }
  // All that was paid in is somewhere, and charged was what was settled, at least.
  const Postings own = reader.Balance("").value();
  ASSERT_LE(own.cash, -500 * static_cast<int64_t>(log.topups.size()));
  ASSERT_GE(own.revenue, 7 * static_cast<int64_t>(log.settles.size()));
}

TEST(LedgerPower, LosesNothingThatWasAcknowledged) {
  const char* set = std::getenv("SEEKROUTE_POWER_CUTS");  // NOLINT(concurrency-mt-unsafe)
  const int cuts = set != nullptr ? std::atoi(set) : 300;
  WallClock clock;
  int failed = 0;
  size_t acknowledged = 0;
  for (int cut = 0; cut < cuts; ++cut) {
    const auto seed = static_cast<uint64_t>(cut);
    LedgerFolder folder;
    Log log;
    // The first cuts are in the making of the file, at every step of it.
    PowerVfs::Get().FailAfter(cut < 60 ? cut + 1 : 1 + (cut * 7) % 400, seed, ".cut");
    LedgerWriter::Options options;
    options.path = folder.file();
    options.instance = NewInstanceId();
    options.vfs = PowerVfs::kName;
    options.log_pages = cut % 3 == 0 ? 1 : 25;
    {
      auto writer = LedgerWriter::Open(options, &clock);
      ASSERT_TRUE(writer) << writer.error().message;
      Work(**writer, seed, &log);
    }
    if (!PowerVfs::Get().failed()) continue;  // it had less to do
    ++failed;
    acknowledged += log.topups.size() + log.holds.size() + log.settles.size();
    // A machine that starts again finds the files under their names.
    const std::string after = folder.path("after.db");
    for (const char* end : {"", "-wal", "-journal", ".mark"}) {
      if (fs::exists(folder.file() + end + ".cut")) {
        fs::rename(folder.file() + end + ".cut", after + end);
      }
    }
    ExpectNothingLost(after, &clock, log);
    if (::testing::Test::HasFailure()) FAIL() << "cut " << cut;
  }
  EXPECT_GT(failed, cuts / 2);
  EXPECT_GT(acknowledged, static_cast<size_t>(cuts));
}

}  // namespace
}  // namespace seekroute::testing
