#include "base/calendar.h"

#include <array>
#include <chrono>
#include <cstdio>

namespace seekroute {
namespace {

// Calendar arithmetic only: nothing here reads a clock.
using std::chrono::days;
using std::chrono::floor;
using std::chrono::seconds;
using std::chrono::sys_days;
using std::chrono::year_month_day;

sys_days DayOf(UnixSeconds time) { return floor<days>(std::chrono::sys_seconds(seconds(time.s))); }

sys_days FirstDay(Window window, sys_days today) {
  if (window == Window::kDaily) return today;
  if (window == Window::kWeekly) {
    return today - (std::chrono::weekday(today) - std::chrono::Monday);
  }
  const year_month_day date(today);
  return sys_days(date.year() / date.month() / 1);
}

sys_days NextFirstDay(Window window, sys_days first) {
  if (window == Window::kWeekly) return first + days(7);
  if (window == Window::kDaily) return first + days(1);
  return sys_days(year_month_day(first) + std::chrono::months(1));
}

UnixSeconds SecondsOf(sys_days day) { return {seconds(day.time_since_epoch()).count()}; }

}  // namespace

std::string_view NameOf(Window window) {
  constexpr std::array<std::string_view, 4> kNames = {"never", "daily", "weekly", "monthly"};
  return kNames[static_cast<size_t>(window)];
}

UnixSeconds WindowStart(Window window, UnixSeconds now) {
  if (window == Window::kNever) return {};
  return SecondsOf(FirstDay(window, DayOf(now)));
}

std::optional<UnixSeconds> WindowEnd(Window window, UnixSeconds now) {
  if (window == Window::kNever) return std::nullopt;
  return SecondsOf(NextFirstDay(window, FirstDay(window, DayOf(now))));
}

std::string FormatUtc(UnixSeconds time) {
  const year_month_day date(DayOf(time));
  const int64_t second = time.s - SecondsOf(DayOf(time)).s;
  std::array<char, 40> text{};
  const int size = std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02dZ",
                                 static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                                 static_cast<unsigned>(date.day()), static_cast<int>(second / 3600),
                                 static_cast<int>(second / 60 % 60), static_cast<int>(second % 60));
  return std::string(text.data(), static_cast<size_t>(size));
}

}  // namespace seekroute
