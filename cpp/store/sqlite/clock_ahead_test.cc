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

class ClockAheadTest : public LedgerTest {
 protected:
  void SetUp() override {
    LedgerTest::SetUp();
    TopupNow(writer(), "manual:1", int64_t{1} << 40);
  }
  UnixSeconds now() const { return clock_.WallTime().seconds(); }

  // What a request that begins now would ask for, as an exchange does.
  HoldRequest Within(int64_t limit, Window window, int64_t amount) const {
    HoldRequest request{{amount}, {1}, KeyLimit{{limit}, WindowStart(window, now())}};
    request.key_limit->until = WindowEnd(window, now()).value_or(request.key_limit->until);
    return request;
  }
  HoldAnswer Hold(const std::string& id, const HoldRequest& request) {
    ExchangeRecord row = RowOf(id);
    row.created = now();
    return HoldNow(writer(), row, request);
  }
  void Settle(const std::string& id, UnixSeconds created, int64_t cost) {
    ExchangeRecord row = AnsweredRow(id, cost);
    row.created = created;
    EXPECT_TRUE(SettleNow(writer(), row).ok());
  }
  std::string Claim(const std::string& id, uint8_t name) {
    HoldRequest request{{1}, {1}, {}};
    request.claim = IdempotencyClaim{Mac{name}, Mac{1}};
    const HoldAnswer held = Hold(id, request);
    return held.status.ok() ? "ok" : std::string(held.status.error().name());
  }
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

// Random requests of three keys under a clock that jumps, against sums of all that ever was.
TEST_F(ClockAheadTest, AWindowHasWhatWasCreatedInIt) {
  struct Request {
    std::string key;
    UnixSeconds created;
    int64_t held = 0;
    std::optional<int64_t> cost;
  };
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SeededRng rng(seed);
    std::map<std::string, Request> all;
    const Window windows[] = {Window::kNever, Window::kDaily, Window::kWeekly, Window::kMonthly};
    for (int step = 0; step < 60; ++step) {
      const std::string id = "gen-" + std::to_string(seed) + "-" + std::to_string(step);
      const std::string key = "key-" + std::to_string(seed) + "-" + std::to_string(rng.Below(3));
      const int64_t jumps[] = {0, 1000, kDayMs / 2, kDayMs, 9 * kDayMs, 40 * kDayMs, 5 * kYearMs};
      const int64_t jump = jumps[rng.Below(7)];
      const bool back = rng.OneIn(2) && clock_.wall_ms > jump + kYearMs;
      clock_.wall_ms += back ? -jump : jump;
      if (rng.OneIn(10)) {
        Open();
        std::erase_if(all, [](const auto& each) { return !each.second.cost; });  // given back
      }
      const Window window = windows[rng.Below(4)];
      const HoldRequest request = Within(1000, window, static_cast<int64_t>(1 + rng.Below(300)));
      int64_t spent = 0;
      for (const auto& [_, each] : all) {
        const int64_t day = each.created.s / kSecondsPerDay;
        if (each.key != key || day < request.key_limit->since.s / kSecondsPerDay) continue;
        if (day >= request.key_limit->until.s / kSecondsPerDay) continue;
        spent += each.cost.value_or(each.held);
      }
      ExchangeRecord row = RowOf(id, "org", key);
      row.created = now();
      const HoldAnswer answer = HoldNow(writer(), row, request);
      const int64_t left = std::max<int64_t>(0, 1000 - spent);
      ASSERT_EQ(answer.granted.nano, std::min(left, request.amount.nano)) << id;
      if (answer.status.ok()) all[id] = {key, now(), answer.granted.nano, {}};
      if (rng.OneIn(2) || all.empty()) continue;
      const auto ended = std::next(all.begin(), static_cast<int64_t>(rng.Below(all.size())));
      if (ended->second.cost) continue;
      const int64_t cost = static_cast<int64_t>(rng.Below(400));
      ExchangeRecord settled = AnsweredRow(ended->first, cost, "org", ended->second.key);
      settled.created = ended->second.created;
      ASSERT_TRUE(SettleNow(writer(), settled).ok());
      ended->second.cost = std::min(cost, ended->second.held);
    }
  }
  EXPECT_EQ(BrokenRule(folder_.file()), "");
}

TEST_F(ClockAheadTest, ShownUseEndsWithTheWindow) {
  clock_.wall_ms += 5 * kYearMs;
  Hold("gen-ahead", Within(100, Window::kDaily, 70));
  Settle("gen-ahead", now(), 70);
  Hold("gen-held", Within(100, Window::kDaily, 30));
  clock_.wall_ms -= 5 * kYearMs;
  const int64_t today = now().s / kSecondsPerDay;
  Result<LedgerReader> reader = LedgerReader::Open(folder_.file());
  const DaySpan day{today, today + 1};
  const auto use = *reader->KeyUse("org", "key", {day, day, day, day});
  const std::map<std::string, LedgerCell> found(use.begin(), use.end());
  for (const char* name : {"daily", "weekly", "monthly", "window", "held"}) {
    EXPECT_EQ(found.at(name), LedgerCell(int64_t{0})) << name;
  }
  EXPECT_EQ(found.at("total"), LedgerCell(int64_t{70}));
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
