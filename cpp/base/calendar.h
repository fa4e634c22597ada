// Windows of whole UTC days: since when something is counted, and when counting begins anew.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace seekroute {

inline constexpr int64_t kSecondsPerDay = 86'400;

// How often a sum begins anew.
enum class Window : uint8_t {
  kNever,
  kDaily,    // at midnight UTC
  kWeekly,   // with Monday
  kMonthly,  // with the 1st
};

// As settings have it: "never", "daily", "weekly", "monthly".
std::string_view NameOf(Window window);

// The first second of the window that `now` is in; 0 for kNever. Any time before 1970 too.
UnixSeconds WindowStart(Window window, UnixSeconds now);

// The first second of the next one; nothing for kNever.
std::optional<UnixSeconds> WindowEnd(Window window, UnixSeconds now);

// "2026-12-01T00:00:00Z".
std::string FormatUtc(UnixSeconds time);

}  // namespace seekroute
