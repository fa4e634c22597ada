// A clock that once ran ahead, by days or years, and was set right: what it dated into the future
// counts in no later window, and keeps nothing for ever.
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/calendar.h"
#include "store/sqlite/prune.h"
#include "testing/ledger_fixture.h"
#include "testing/virtual_world.h"

namespace seekroute::testing {
namespace {

constexpr int64_t kDayMs = kSecondsPerDay * 1000;
constexpr int64_t kYearMs = 365 * kDayMs;

class ClockAheadTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Open();
    TopupNow(writer(), "manual:1", int64_t{1} << 40);
  }
  void Open() {
    ledger_.reset();
    auto opened = SqliteLedger::Open(folder_.file(), &clock_);
    ASSERT_TRUE(opened) << opened.error().message;
    ledger_ = std::move(*opened);
  }
  LedgerWriter& writer() { return ledger_->writer(); }
  UnixSeconds now() const { return clock_.WallTime().seconds(); }

  // What a request that begins now would ask for, as an exchange does.
  HoldRequest Within(int64_t limit, Window window, int64_t amount) const {
    HoldRequest request{{amount}, {1}, KeyLimit{{limit}, WindowStart(window, now())}};
    return request;
  }
  HoldAnswer Hold(const std::string& id, const HoldRequest& request) {
    ExchangeRow row = RowOf(id);
    row.created = now();
    return HoldNow(writer(), row, request);
  }
  void Settle(const std::string& id, UnixSeconds created, int64_t cost) {
    ExchangeRow row = AnsweredRow(id, cost);
    row.created = created;
    EXPECT_TRUE(SettleNow(writer(), row).ok());
  }
  std::string Claim(const std::string& id, uint8_t name) {
    HoldRequest request{{1}, {1}, {}};
    request.claim = IdempotencyClaim{Mac{name}, Mac{1}};
    const HoldAnswer held = Hold(id, request);
    return held.status.ok() ? "ok" : std::string(held.status.error().name());
  }
  int64_t Ask(const std::string& sql) {
    Result<Database> db = Database::Open(folder_.file(), Database::Mode::kReadOnly);
    return db->QueryInt(sql).value();
  }

  LedgerFolder folder_;
  WallClock clock_;
  std::unique_ptr<SqliteLedger> ledger_;
};

TEST_F(ClockAheadTest, ADailyLimitIsNotUsedUpByTheFuture) {
  clock_.wall_ms += 5 * kYearMs;
  EXPECT_EQ(Hold("gen-ahead", Within(100, Window::kDaily, 100)).granted.nano, 100);
  Settle("gen-ahead", now(), 100);
  EXPECT_EQ(Hold("gen-held", Within(250, Window::kDaily, 50)).granted.nano, 50);  // and stays so
  EXPECT_TRUE(Hold("gen-none", Within(100, Window::kDaily, 1)).key_limited);
  clock_.wall_ms -= 5 * kYearMs;
  EXPECT_EQ(Hold("gen-1", Within(100, Window::kDaily, 100)).granted.nano, 100);
  Settle("gen-1", now(), 10);
  Open();  // read from the file
  EXPECT_EQ(Hold("gen-2", Within(100, Window::kDaily, 100)).granted.nano, 90);
  // A window without an end has all of it.
  EXPECT_EQ(Hold("gen-3", Within(300, Window::kNever, 300)).granted.nano, 100);
}

TEST_F(ClockAheadTest, EntriesAreDatedByTheClockThatWasSetRight) {
  clock_.wall_ms += 5 * kYearMs;
  TopupNow(writer(), "manual:2", 1);
  clock_.wall_ms -= 5 * kYearMs;
  TopupNow(writer(), "manual:3", 1);
  EXPECT_EQ(Ask("SELECT at FROM entry WHERE id = 'manual:3'"), clock_.wall_ms);
  clock_.wall_ms -= 5000;  // a small step back is smoothed
  TopupNow(writer(), "manual:4", 1);
  EXPECT_EQ(Ask("SELECT at FROM entry WHERE id = 'manual:4'"), clock_.wall_ms + 5000);
  EXPECT_EQ(BrokenRule(folder_.file()), "");
}

// Whether the clock was set right under way, or while nothing ran.
class ClaimsAheadTest : public ClockAheadTest, public ::testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(Both, ClaimsAheadTest, ::testing::Bool());

TEST_P(ClaimsAheadTest, AClaimOfTheFutureIsHeldForADayFromNow) {
  clock_.wall_ms += 5 * kYearMs;
  for (uint8_t i = 0; i < 4; ++i) EXPECT_EQ(Claim("gen-" + std::to_string(i), i), "ok");
  if (GetParam()) ledger_.reset();
  clock_.wall_ms -= 5 * kYearMs;
  if (GetParam()) Open();
  EXPECT_EQ(Claim("gen-again", 0),
            GetParam() ? "idempotency_completed" : "idempotency_in_progress");
  EXPECT_EQ(Claim("gen-other", 9), "ok");
  clock_.wall_ms += kClaimKeptSeconds * 1000 - 1000;
  EXPECT_NE(Claim("gen-again", 1), "ok");  // it may have been made a moment before
  clock_.wall_ms += 2000;
  EXPECT_EQ(Claim("gen-again", 0), "ok");
  EXPECT_EQ(Claim("gen-again-1", 1), "ok");
  Open();
  EXPECT_EQ(Ask("SELECT count(*) FROM idempotency"), 2);  // and the rows of the others are gone
}

TEST_F(ClockAheadTest, PruningGoesPastTheFuture) {
  TopupNow(writer(), "manual:2", 1);
  clock_.wall_ms += 5 * kYearMs;
  TopupNow(writer(), "manual:3", 1);
  clock_.wall_ms -= 5 * kYearMs;
  const auto entries = [this] { return Ask("SELECT count(*) FROM entry WHERE id IS NOT NULL"); };
  // The age of the last ones is not known: they stay, however much that was before them goes.
  clock_.wall_ms += 10 * kDayMs;
  ASSERT_TRUE(Prune(&writer(), {clock_.wall_ms - kDayMs}));
  EXPECT_EQ(entries(), 1);
  // They go with what came after them, once that is old.
  TopupNow(writer(), "manual:4", 1);
  ASSERT_TRUE(Prune(&writer(), {clock_.wall_ms - kDayMs}));
  EXPECT_EQ(entries(), 2);
  clock_.wall_ms += 2 * kDayMs;
  TopupNow(writer(), "manual:5", 1);
  ASSERT_TRUE(Prune(&writer(), {clock_.wall_ms - kDayMs}));
  EXPECT_EQ(entries(), 1);
  EXPECT_EQ(BrokenRule(folder_.file()), "");
}

}  // namespace
}  // namespace seekroute::testing
