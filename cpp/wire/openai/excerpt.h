// For wire/ and the bindings: what of a prompt a model is chosen by.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "wire/ask.h"

namespace seekroute {

// Whether `model`, or one of `models`, is one of the names, or that with a suffix behind a colon.
bool NamesOneOf(const Ask& ask, std::span<const std::string> names);

// The text of a message's content, a string or an array of parts in JSON: at most kMostExcerptBytes
// in UTF-8, the beginning and the end where there is more, cut between characters. Parts that are
// no text are passed over, between two texts stands a line end. Linear in `content`; never fails.
std::string ExcerptOf(std::string_view content);

}  // namespace seekroute
