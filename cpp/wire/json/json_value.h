// Internal to wire/: JSON texts that are compared as what they say, not as they are written.
#pragma once

#include <string>
#include <string_view>

namespace seekroute {

// `text` in the one spelling of its value: no white space, members by their names, strings escaped
// alike, numbers by their digits (1.0 and 1e0 are 1). Empty where it is no JSON. Pure; n log n in
// the members of an object, and for what is out of order at a depth, so many times its bytes.
std::string SpelledJson(std::string_view text);

}  // namespace seekroute
