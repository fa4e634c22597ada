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

// Likewise, of names in UTF-8, for readers that fold Unicode as Go does: to them the long s and the
// sign of the kelvin are letters of `known`, which is ASCII. And for readers in C, to which a name
// ends at its first zero.
inline bool IsSameWhenFolded(std::string_view name, std::string_view known) {
  name = name.substr(0, name.find('\0'));
  size_t at = 0;
  for (const char c : known) {
    const std::string_view rest = name.substr(at);
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    if (lower == 's' && rest.starts_with("\xc5\xbf")) {
      at += 2;
    } else if (lower == 'k' && rest.starts_with("\xe2\x84\xaa")) {
      at += 3;
    } else if (!rest.empty() && IsSameButForCase(rest.substr(0, 1), {&c, 1})) {
      ++at;
    } else {
      return false;
    }
  }
  return at == name.size();
}

}  // namespace seekroute
