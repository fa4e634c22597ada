// Internal to wire/: characters that a provider cut in two. A character outside the BMP is two
// escapes in JSON; some providers put the second into the next chunk.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace seekroute {

// Of a string, as a scan tells it with U+FFFD in the place of each half. 0: none. Value type.
struct LoneHalves {
  uint16_t first = 0;  // the second half of a character, at the string's beginning
  uint16_t last = 0;   // the first half of one, at its end
};

// `string` as it was written, quotes included.
LoneHalves HalvesOf(std::string_view string);

// Appends `more`, decoded, whose halves are `halves`. Where that makes a character of what `*text`
// ends in (`*half`, which becomes what it ends in now), the character stands for both.
void AppendJoined(std::string_view more, LoneHalves halves, std::string* text, uint16_t* half);

}  // namespace seekroute
