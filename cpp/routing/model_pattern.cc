#include "routing/model_pattern.h"

#include <algorithm>

#include "base/ascii.h"

namespace seekroute {

// The last star takes as little as it can, and more of it where that does not fit: stars before it
// need never be looked at again.
bool MatchesPattern(std::string_view pattern, std::string_view id) {
  size_t at = 0, taken = 0;
  size_t star = std::string_view::npos, star_end = 0;  // the last star, and what it takes of `id`
  while (taken < id.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      star_end = taken;
    } else if (at < pattern.size() && pattern[at] == LowerCase(id[taken])) {
      ++at;
      ++taken;
    } else if (star != std::string_view::npos) {
      at = star + 1;
      taken = ++star_end;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', at) == std::string_view::npos;
}

bool MatchesAny(const std::vector<std::string>& patterns, std::string_view id) {
  return std::ranges::any_of(patterns,
                             [id](const std::string& each) { return MatchesPattern(each, id); });
}

}  // namespace seekroute
