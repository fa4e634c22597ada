// Patterns of models' names, as requests have them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace seekroute {

// Whether `id` is what `pattern` says: `*` stands for any text, also none, and letter case does not
// count in `id`; `pattern` is in small letters. O(bytes of one * bytes of the other) at worst.
bool MatchesPattern(std::string_view pattern, std::string_view id);

// Likewise for one of the patterns.
bool MatchesAny(const std::vector<std::string>& patterns, std::string_view id);

}  // namespace seekroute
