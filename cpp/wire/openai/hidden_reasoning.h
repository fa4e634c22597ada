// Internal to wire/: the thinking of an answer under both of its names.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "wire/json/json.h"
#include "wire/json/json_writer.h"
#include "wire/json/splice.h"

namespace seekroute {

// Text of thinking that stands as `reasoning_content` alone, and where it can stand as
// `reasoning`, OpenRouter's name for it, too. Value type.
struct HiddenReasoning {
  ByteRange text;  // the string, quotes included
  ByteRange
      place;  // of a `reasoning` that is null or ""; empty: it goes behind `text`, as a member
};

// Puts what is hidden in `text` where it can stand, so the text may come to be twice as long.
// `splice` points into `text` and `members` then.
inline void ShowReasoning(std::string_view text, const std::vector<HiddenReasoning>& hidden,
                          std::deque<std::string>* members, Splice* splice) {
  for (const HiddenReasoning& each : hidden) {
    if (each.place.end > each.place.begin) {
      splice->Replace(each.place, each.text.In(text));
      continue;
    }
    members->push_back(",");
    JsonWriter::Members(&members->back()).Key("reasoning").Raw(each.text.In(text));
    splice->Replace({each.text.end, each.text.end}, members->back());
  }
}

}  // namespace seekroute
