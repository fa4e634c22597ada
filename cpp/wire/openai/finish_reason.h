// Internal to wire/: what the word means in which a choice ends.
#pragma once

#include <string_view>

namespace seekroute {

// `word` says that the choice has ended. Some providers write "null" or Python's "None" into the
// string while it goes on.
bool IsFinishReason(std::string_view word);

// The answer is one that the provider could not end.
bool IsFailure(std::string_view finish_reason);

}  // namespace seekroute
