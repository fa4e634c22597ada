// What providers send in the place of a chunk, as a chunk.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace seekroute {

// Value type.
struct ShapedChunk {
  std::string text;
  uint64_t pieces = 0;  // bit i: the `message` of choice i was a piece of it, not the whole
};

// `text`, in which ReadChatObject() found choices, as a chunk: every choice has an object `delta`,
// `object` says what it is, and not another byte differs. Where a choice has no such object,
//  - a `message` is the delta, and its tool calls get the `index` that chunks have. One that ends
//    the choice, or stands in a chat.completion, is the whole message: where choice i has been
//    delivered (bit i of `delivered`) it repeats what was sent, and the delta is empty;
//  - else a `text`, of the older completions, is the delta's content;
//  - else the delta is empty.
// Pure, linear.
ShapedChunk ShapeChunk(std::string_view text, uint64_t delivered);

// A chat completion as one chunk. `body` is one that ParseChatAnswer took.
std::string ChunkFromAnswer(std::string_view body);

}  // namespace seekroute
