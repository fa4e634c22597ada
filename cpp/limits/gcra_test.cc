#include "limits/gcra.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <random>
#include <utility>
#include <vector>

namespace seekroute {
namespace {

constexpr Duration kMinute = Duration::Seconds(60);
constexpr TimePoint kStart{1'000'000'000'000'000};

RateLimit Minute(int64_t units, int64_t burst) { return {units, kMinute, burst}; }

Duration WaitOf(const GcraCell& cell, const RateLimit& limit, TimePoint now, int64_t cost) {
  return cell.Wait(limit, now, cost).value();
}

TEST(GcraTest, LetsABurstThroughAndThenOneAfterTheOther) {
  const RateLimit limit = Minute(60, 60);
  GcraCell cell;
  for (int i = 0; i < 60; ++i) {
    ASSERT_EQ(WaitOf(cell, limit, kStart, 1), Duration{});
    cell.Take(limit, kStart, 1);
  }
  EXPECT_EQ(WaitOf(cell, limit, kStart, 1), Duration::Seconds(1));
  EXPECT_EQ(WaitOf(cell, limit, kStart + Duration{999'999'999}, 1), Duration{1});
  EXPECT_EQ(WaitOf(cell, limit, kStart + Duration::Seconds(1), 1), Duration{});
  EXPECT_EQ(WaitOf(cell, limit, kStart + Duration::Seconds(1), 2), Duration::Seconds(1));
}

TEST(GcraTest, DividesNoPeriodAway) {
  const RateLimit limit = Minute(7, 7);
  GcraCell cell;
  cell.Take(limit, kStart, 7);
  EXPECT_EQ(WaitOf(cell, limit, kStart, 1), Duration{8'571'428'572});
  EXPECT_EQ(WaitOf(cell, limit, kStart, 7), kMinute);
  // After each of seven waits exactly one, and in a minute no eighth of a nanosecond is lost.
  for (int i = 0; i < 7'000; ++i) {
    const TimePoint due = kStart + Duration{((i + 1) * kMinute.ns + 6) / 7};
    ASSERT_EQ(WaitOf(cell, limit, due + Duration{-1}, 1), Duration{1});
    ASSERT_EQ(WaitOf(cell, limit, due, 1), Duration{});
    cell.Take(limit, due, 1);
  }
}

TEST(GcraTest, SaysWhatCanNeverBe) {
  const RateLimit limit = Minute(60, 10);
  GcraCell cell;
  cell.Take(limit, kStart, 10);
  EXPECT_EQ(cell.Wait(limit, kStart, 3), Duration::Seconds(3));
  EXPECT_EQ(cell.Wait(limit, kStart, 10), Duration::Seconds(10));
  EXPECT_EQ(cell.Wait(limit, kStart, 11), std::nullopt);
}

TEST(GcraTest, TellsWhatIsLeftAndWhenItIsFull) {
  const RateLimit limit = Minute(60, 10);
  GcraCell cell;
  EXPECT_EQ(cell.Remaining(limit, kStart), 10);
  EXPECT_EQ(cell.UntilFull(limit, kStart), Duration{});
  cell.Take(limit, kStart, 4);
  EXPECT_EQ(cell.Remaining(limit, kStart), 6);
  EXPECT_EQ(cell.Remaining(limit, kStart + Duration{999'999'999}), 6);
  EXPECT_EQ(cell.Remaining(limit, kStart + Duration::Seconds(1)), 7);
  EXPECT_EQ(cell.UntilFull(limit, kStart), Duration::Seconds(4));
  EXPECT_EQ(cell.UntilFull(limit, kStart + Duration::Seconds(9)), Duration{});
}

TEST(GcraTest, GivesBackWhatWasNotNeeded) {
  const RateLimit limit = Minute(60, 10);
  GcraCell cell;
  const GcraCell::Taken taken = cell.Take(limit, kStart, 8);
  EXPECT_EQ(cell.Settle(limit, kStart, taken, 3), 0);
  EXPECT_EQ(cell.Remaining(limit, kStart), 7);
}

// Time has refilled it: to give it back would give it twice.
TEST(GcraTest, GivesNothingBackThatHasRefilled) {
  const RateLimit limit = Minute(600, 600);
  GcraCell cell;
  const GcraCell::Taken taken = cell.Take(limit, kStart, 600);
  const TimePoint later = kStart + kMinute;
  ASSERT_EQ(WaitOf(cell, limit, later, 600), Duration{});
  cell.Take(limit, later, 600);
  EXPECT_EQ(cell.Settle(limit, later, taken, 0), 0);
  EXPECT_EQ(cell.Remaining(limit, later), 0);
}

TEST(GcraTest, RemembersADebtOfTenBursts) {
  const RateLimit limit = Minute(60, 10);
  GcraCell cell;
  const GcraCell::Taken taken = cell.Take(limit, kStart, 5);
  EXPECT_EQ(cell.Settle(limit, kStart, taken, 30), 0);
  EXPECT_EQ(cell.Remaining(limit, kStart), 0);
  EXPECT_EQ(WaitOf(cell, limit, kStart, 1), Duration::Seconds(21));
  EXPECT_EQ(WaitOf(cell, limit, kStart + Duration::Seconds(21), 1), Duration{});
  const GcraCell::Taken next = cell.Take(limit, kStart + Duration::Seconds(21), 1);
  EXPECT_EQ(cell.Settle(limit, kStart + Duration::Seconds(21), next, 1'000), 909);
  EXPECT_EQ(WaitOf(cell, limit, kStart + Duration::Seconds(21), 1), Duration::Seconds(91));
}

TEST(GcraTest, AChangedLimitKeepsWhatWasUsed) {
  GcraCell cell;
  const RateLimit from = Minute(60, 60), to = Minute(6, 12);
  cell.Take(from, kStart, 9);
  GcraCell slower = cell;
  slower.Change(from, to, kStart, {});
  EXPECT_EQ(slower.Remaining(to, kStart), 3);
  EXPECT_EQ(slower.UntilFull(to, kStart), Duration::Seconds(90));
  // Half of it refills before the change.
  cell.Change(from, to, kStart + Duration{4'500'000'000}, {});
  EXPECT_EQ(cell.Remaining(to, kStart + Duration{4'500'000'000}), 7);
  GcraCell empty;
  empty.Change(from, to, kStart, {});
  EXPECT_EQ(empty.Remaining(to, kStart), 12);
}

// A request that runs gives back what it did not need, however its limit has changed meanwhile.
TEST(GcraTest, AChangedLimitGivesBackWhatWasNotNeeded) {
  const RateLimit usual = Minute(60'000, 60'000), slow = Minute(600, 6'000);
  for (const RateLimit& to : {slow, Minute(7, 60'000), Minute(600'000, 600'000)}) {
    GcraCell cell;
    GcraCell::Taken taken = cell.Take(usual, kStart, 50'000);
    GcraCell::Taken* const live[] = {&taken};
    cell.Change(usual, to, kStart, live);
    EXPECT_EQ(cell.Settle(to, kStart, taken, 20), 0);
    EXPECT_EQ(cell.Remaining(to, kStart), to.burst - 20);
  }
}

// What has refilled after the change is not given back, nor what others have given back before.
TEST(GcraTest, AChangedLimitGivesNothingBackThatHasRefilled) {
  const RateLimit slow = Minute(60, 60), quick = Minute(600, 600);
  GcraCell cell;
  GcraCell::Taken taken = cell.Take(slow, kStart, 60);
  GcraCell::Taken* const live[] = {&taken};
  cell.Change(slow, quick, kStart, live);
  const TimePoint later = kStart + Duration::Seconds(6);  // all of it is back at the new rate
  ASSERT_EQ(cell.Remaining(quick, later), 600);
  cell.Take(quick, later, 600);
  cell.Settle(quick, later, taken, 0);
  EXPECT_EQ(cell.Remaining(quick, later), 0);
}

TEST(GcraTest, SurvivesTheLargestFigures) {
  const RateLimit limit{RateLimit::kMostUnits, RateLimit::kLongestPeriod, RateLimit::kMostBurst};
  const TimePoint late{int64_t{1} << 62};
  GcraCell cell;
  const GcraCell::Taken taken = cell.Take(limit, late, RateLimit::kMostBurst);
  EXPECT_EQ(cell.Remaining(limit, late), 0);
  cell.Settle(limit, late, taken, int64_t{1} << 62);
  EXPECT_EQ(cell.Remaining(limit, late), 0);
  EXPECT_GT(WaitOf(cell, limit, late, 1), Duration{});
}

// The same in plain, unbounded steps, for the comparison. Its time is what has refilled by then, so
// it does not see a limit change.
class Model {
 public:
  __extension__ using Wide = __int128;
  struct Taken {
    int64_t cost;
    Wide left, given;
  };

  explicit Model(const RateLimit& limit) : limit_(limit) {}

  std::optional<int64_t> Wait(int64_t now, int64_t cost) const {
    if (cost > limit_.burst) return std::nullopt;
    const Wide at = At(now);
    const Wide over = std::max(full_, at) + Wide{limit_.period.ns} * (cost - limit_.burst) - at;
    return over <= 0 ? 0 : static_cast<int64_t>((over + limit_.units - 1) / limit_.units);
  }
  Taken Take(int64_t now, int64_t cost) {
    full_ = std::max(full_, At(now)) + Wide{limit_.period.ns} * cost;
    return {cost, full_, given_};
  }
  void Settle(int64_t now, const Taken& taken, int64_t actual) {
    const Wide at = At(now), period = limit_.period.ns;
    if (actual > taken.cost) {
      const Wide begun = std::max(full_, at);
      full_ = std::min(begun + period * (actual - taken.cost),
                       std::max(begun, at + 10 * period * limit_.burst));
    } else {
      Wide back = taken.left - (given_ - taken.given) - at;
      back = std::min({back, period * (taken.cost - actual), full_ - at});
      back = std::max(back, Wide{0});
      full_ -= back;
      given_ += back;
    }
  }
  void Change(int64_t now, const RateLimit& to) {
    refilled_ = At(now);
    since_ = now;
    limit_ = to;
    full_ = std::min(full_, refilled_ + Wide{10} * to.period.ns * to.burst);
  }

 private:
  Wide At(int64_t now) const { return refilled_ + Wide{now - since_} * limit_.units; }

  RateLimit limit_;
  Wide refilled_ = 0;
  int64_t since_ = 0;
  Wide full_ = 0, given_ = 0;
};

// What a seed does to a cell and to the model, and what of it was settled.
class Schedule {
 public:
  Schedule(uint32_t seed, bool overruns) : random_(seed), overruns_(overruns) {
    limit_.period = Below(2) == 0 ? Duration::Seconds(1) : kMinute;
    DrawLimit();
    now_ = kStart.ns + Below(1'000'000'000);
    model_.emplace(limit_);
  }

  void Step() {
    const int64_t unit = limit_.period.ns / limit_.units;
    const int64_t steps[] = {0, 1, unit, unit / 2 + 1, limit_.period.ns / 4, limit_.period.ns};
    now_ += steps[Below(std::size(steps))];
    if (!live_.empty() && Below(100) < 45) return Settle();
    const int64_t parts[] = {1, 2, 3};
    int64_t most = std::max<int64_t>(1, limit_.burst / parts[Below(3)]);
    if (Below(10) == 0) most = limit_.burst + 1;
    Ask(1 + Below(most));
  }

  void Change() {
    const RateLimit from = limit_;
    DrawLimit();
    std::vector<GcraCell::Taken*> live;
    for (Live& each : live_) live.push_back(&each.taken);
    cell_.Change(from, limit_, {now_}, live);
    model_->Change(now_, limit_);
  }

  // In every window at most a burst, and what the window refills.
  void ExpectPromiseKept() const {
    __extension__ using Wide = __int128;
    std::vector<std::pair<int64_t, int64_t>> all = settled_;
    for (const Live& each : live_) all.emplace_back(each.at, each.taken.cost);
    std::sort(all.begin(), all.end());
    for (size_t i = 0; i < all.size(); ++i) {
      Wide cost = 0;
      for (size_t j = i; j < all.size(); ++j) {
        cost += all[j].second;
        ASSERT_LE(cost * limit_.period.ns, Wide{limit_.burst} * limit_.period.ns +
                                               Wide{limit_.units} * (all[j].first - all[i].first));
      }
    }
  }

 private:
  struct Live {
    int64_t at;
    GcraCell::Taken taken;
    Model::Taken model;
  };

  void DrawLimit() {
    static constexpr int64_t kUnits[] = {1, 3, 7, 60, 997, 100'000};
    limit_.units = kUnits[Below(std::size(kUnits))];
    const int64_t bursts[] = {1, 2, 5, limit_.units, 2 * limit_.units};
    limit_.burst = bursts[Below(std::size(bursts))];
  }

  int64_t Below(int64_t n) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(n)); }

  void Settle() {
    const auto which = static_cast<ptrdiff_t>(Below(static_cast<int64_t>(live_.size())));
    const Live live = live_[static_cast<size_t>(which)];
    live_.erase(live_.begin() + which);
    const bool over = overruns_ && Below(10) < 3;
    const int64_t actual =
        over ? live.taken.cost + 1 + Below(limit_.burst) : Below(live.taken.cost + 1);
    cell_.Settle(limit_, {now_}, live.taken, actual);
    model_->Settle(now_, live.model, actual);
    settled_.emplace_back(live.at, actual);
  }

  void Ask(int64_t cost) {
    const std::optional<Duration> wait = cell_.Wait(limit_, {now_}, cost);
    const std::optional<int64_t> meant = model_->Wait(now_, cost);
    ASSERT_EQ(wait.has_value(), meant.has_value());
    if (!wait) return;
    ASSERT_EQ(wait->ns, *meant);
    if (wait->ns == 0) {
      live_.push_back({now_, cell_.Take(limit_, {now_}, cost), model_->Take(now_, cost)});
      return;
    }
    ASSERT_EQ(cell_.Wait(limit_, {now_ + wait->ns}, cost), Duration{});
    ASSERT_NE(cell_.Wait(limit_, {now_ + wait->ns - 1}, cost), Duration{});
  }

  std::mt19937 random_;
  const bool overruns_;
  RateLimit limit_;
  int64_t now_ = 0;
  GcraCell cell_;
  std::optional<Model> model_;
  std::vector<Live> live_;
  std::vector<std::pair<int64_t, int64_t>> settled_;
};

TEST(GcraTest, DecidesAsTheModelDoesAndKeepsItsPromise) {
  for (uint32_t seed = 0; seed < 20'000; ++seed) {
    SCOPED_TRACE(seed);
    const bool overruns = seed % 3 == 0;
    Schedule schedule(seed, overruns);
    for (int step = 0; step < 100; ++step) schedule.Step();
    if (!overruns) schedule.ExpectPromiseKept();
    ASSERT_FALSE(HasFailure());
  }
}

TEST(GcraTest, DecidesAsTheModelDoesWhileItsLimitChanges) {
  for (uint32_t seed = 0; seed < 20'000; ++seed) {
    SCOPED_TRACE(seed);
    Schedule schedule(seed, seed % 3 == 0);
    for (int step = 0; step < 100; ++step) {
      if ((seed + static_cast<uint32_t>(step)) % 7 == 0) schedule.Change();
      schedule.Step();
    }
    ASSERT_FALSE(HasFailure());
  }
}

TEST(SteadyTimeTest, NeverGoesBackAndLosesNoTime) {
  SteadyTime time;
  EXPECT_EQ(time.At(kStart), kStart);
  const TimePoint back = kStart + Duration::Seconds(-3600);
  EXPECT_EQ(time.At(back), kStart);
  EXPECT_EQ(time.At(back + Duration::Seconds(1)), kStart + Duration::Seconds(1));
  EXPECT_EQ(time.At(kStart + Duration::Seconds(10)), kStart + Duration::Seconds(3610));
}

}  // namespace
}  // namespace seekroute
