#include "base/calendar.h"

#include <gtest/gtest.h>

namespace seekroute {
namespace {

std::string Start(Window window, int64_t now) { return FormatUtc(WindowStart(window, {now})); }
std::string End(Window window, int64_t now) { return FormatUtc(*WindowEnd(window, {now})); }

TEST(CalendarTest, ADayIsAUtcDay) {
  constexpr int64_t kNoon = 1'800'014'400;  // 2027-01-15T12:00:00Z, a Friday
  EXPECT_EQ(FormatUtc({kNoon}), "2027-01-15T12:00:00Z");
  EXPECT_EQ(Start(Window::kDaily, kNoon), "2027-01-15T00:00:00Z");
  EXPECT_EQ(End(Window::kDaily, kNoon), "2027-01-16T00:00:00Z");
  const int64_t midnight = WindowStart(Window::kDaily, {kNoon}).s;
  EXPECT_EQ(WindowStart(Window::kDaily, {midnight}).s, midnight);
  EXPECT_EQ(WindowStart(Window::kDaily, {midnight - 1}).s, midnight - kSecondsPerDay);
  EXPECT_EQ(WindowEnd(Window::kDaily, {midnight - 1})->s, midnight);
}

TEST(CalendarTest, AWeekBeginsOnMonday) {
  constexpr int64_t kMonday = 1'799'625'600;
  EXPECT_EQ(FormatUtc({kMonday}), "2027-01-11T00:00:00Z");
  for (int64_t day = 0; day < 7; ++day) {
    const int64_t now = kMonday + day * kSecondsPerDay + day;
    EXPECT_EQ(Start(Window::kWeekly, now), "2027-01-11T00:00:00Z") << day;
    EXPECT_EQ(End(Window::kWeekly, now), "2027-01-18T00:00:00Z") << day;
  }
  EXPECT_EQ(Start(Window::kWeekly, kMonday - 1), "2027-01-04T00:00:00Z");
  // A week may lie in two years, and in two eras of the clock: 1970 began on a Thursday.
  EXPECT_EQ(Start(Window::kWeekly, kMonday - 10 * kSecondsPerDay), "2026-12-28T00:00:00Z");
  EXPECT_EQ(Start(Window::kWeekly, 0), "1969-12-29T00:00:00Z");
}

TEST(CalendarTest, AMonthHasItsOwnLength) {
  struct Case {
    const char* now;
    int64_t seconds;
    const char* start;
    const char* end;
  };
  constexpr Case kCases[] = {
      {"2028-02-29T23:59:59Z", 1'835'481'599, "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"},
      {"2028-03-01T00:00:00Z", 1'835'481'600, "2028-03-01T00:00:00Z", "2028-04-01T00:00:00Z"},
      {"2027-02-28T23:59:59Z", 1'803'859'199, "2027-02-01T00:00:00Z", "2027-03-01T00:00:00Z"},
      {"2027-12-31T23:59:59Z", 1'830'297'599, "2027-12-01T00:00:00Z", "2028-01-01T00:00:00Z"},
      {"2000-02-29T00:00:00Z", 951'782'400, "2000-02-01T00:00:00Z", "2000-03-01T00:00:00Z"},
      {"2100-02-28T23:59:59Z", 4'107'542'399, "2100-02-01T00:00:00Z", "2100-03-01T00:00:00Z"},
      {"1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z", "1970-02-01T00:00:00Z"},
      {"1969-12-31T23:59:59Z", -1, "1969-12-01T00:00:00Z", "1970-01-01T00:00:00Z"},
  };
  for (const Case& each : kCases) {
    EXPECT_EQ(FormatUtc({each.seconds}), each.now);
    EXPECT_EQ(Start(Window::kMonthly, each.seconds), each.start) << each.now;
    EXPECT_EQ(End(Window::kMonthly, each.seconds), each.end) << each.now;
  }
}

// Over 200 years, across a century without a leap day: windows touch, and hold their own seconds.
TEST(CalendarTest, WindowsCoverTimeWithoutGaps) {
  for (const Window window : {Window::kDaily, Window::kWeekly, Window::kMonthly}) {
    int64_t start = WindowStart(window, {0}).s;
    while (start < int64_t{200} * 366 * kSecondsPerDay) {
      const int64_t end = WindowEnd(window, {start})->s;
      ASSERT_GT(end, start);
      ASSERT_EQ(start % kSecondsPerDay, 0);
      ASSERT_EQ(WindowStart(window, {end - 1}).s, start);
      ASSERT_EQ(WindowStart(window, {end}).s, end);
      start = end;
    }
  }
}

TEST(CalendarTest, NeverHasNoEnd) {
  EXPECT_EQ(WindowStart(Window::kNever, {1'800'000'000}).s, 0);
  EXPECT_FALSE(WindowEnd(Window::kNever, {1'800'000'000}));
}

}  // namespace
}  // namespace seekroute
