// Internal to wire/: numbers that JSON does not have.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace seekroute {

// `text` with null in the place of NaN, Infinity and -Infinity, which Python writes for the
// logarithm of nothing and no SDK outside of it reads. What stands in strings stays. Nothing where
// `text` has none. Pure, linear.
std::optional<std::string> WithoutNonFinite(std::string_view text);

}  // namespace seekroute
