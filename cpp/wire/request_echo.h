// What a provider's words repeat of the request. Some quote the prompt that they refuse, without
// marks around it, and a prompt has no place in rows and logs.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "wire/json/json.h"

namespace seekroute {

// So many letters and digits in a row (bytes of them: of Chinese it is eight characters) that stand
// in the request as well are an echo: four or five words, where what a sentence about a request and
// the request have in common by chance is two or three.
inline constexpr size_t kEchoBytes = 24;

// `words` with every echo of `request`, a JSON text, replaced by "...". Compared are letters,
// digits and all that is not ASCII, without regard to case, escapes, spaces and marks. What stands
// in the request at `not_prompt` may be repeated. Linear in both; `words` are at most kMaxEchoWords
// bytes, what is beyond is dropped.
std::string WithoutEcho(std::string_view words, std::string_view request, ByteRange not_prompt);
inline constexpr size_t kMaxEchoWords = 1024;

// For a request that is not there to be compared: the name in front of `words` ("code: sentence"),
// or nothing.
std::string NameInWords(std::string_view words);

}  // namespace seekroute
