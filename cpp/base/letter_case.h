// Names that a peer may read or write in any letter case.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/ascii.h"

namespace seekroute {

// In small letters, of ASCII alone.
inline std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = LowerCase(c);
  return lower;
}

// Of ASCII letters alone, as JSON readers and event streams that do so.
inline bool IsSameButForCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return LowerCase(x) == LowerCase(y); });
}

// Likewise, of names in UTF-8, for readers that fold Unicode as Go does: to them the long s and the
// sign of the kelvin are letters of `known`, which is ASCII. And for readers in C, to which a name
// ends at its first zero.
inline bool IsSameWhenFolded(std::string_view name, std::string_view known) {
  name = name.substr(0, name.find('\0'));
  size_t at = 0;
  for (const char c : known) {
    const std::string_view rest = name.substr(at);
    const char lower = LowerCase(c);
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

// `name` in small letters, written to `buffer`, as IsSameWhenFolded() compares it: two names are
// the same when these are. Nothing where it is longer than the buffer. Looks at no more than that.
inline std::optional<std::string_view> Folded(std::string_view name, std::span<char> buffer) {
  size_t size = 0;
  for (size_t at = 0; at < name.size() && name[at] != '\0'; ++size) {
    if (size == buffer.size()) return std::nullopt;
    const std::string_view rest = name.substr(at);
    const char c = name[at];
    if (rest.starts_with("\xc5\xbf")) {
      buffer[size] = 's';
      at += 2;
    } else if (rest.starts_with("\xe2\x84\xaa")) {
      buffer[size] = 'k';
      at += 3;
    } else {
      buffer[size] = LowerCase(c);
      ++at;
    }
  }
  return std::string_view(buffer.data(), size);
}

}  // namespace seekroute
