// Internal to wire/: members that an object is sent on without.
#pragma once

#include <string_view>
#include <vector>

#include "wire/json/json.h"
#include "wire/json/splice.h"

namespace seekroute {

// Cuts `members`, each from the quote of its name to the end of its value and in the order of the
// text, with the commas that they would leave behind. Something else stays in their object.
void CutMembers(std::string_view text, const std::vector<ByteRange>& members, Splice* splice);

}  // namespace seekroute
