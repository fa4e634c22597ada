// Internal to wire/: names that a peer may read or write in any letter case.
#pragma once

#include <algorithm>
#include <string_view>

namespace seekroute {

// Of ASCII letters alone, as JSON readers and event streams that do so.
inline bool IsSameButForCase(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [lower](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace seekroute
