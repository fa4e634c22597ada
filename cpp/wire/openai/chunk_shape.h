// What providers send in the place of a chunk or an answer, as one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "wire/openai/choice_set.h"
#include "wire/openai/sent_parts.h"

namespace seekroute {

// Value type.
struct ShapedChunk {
  std::string text;
  ChoiceSet pieces = 0;  // bit i: the `message` of choice i was a piece of it, not the whole
  // Calls that got another index than their provider gave them: for CallNumbers::Move().
  struct Moved {
    int64_t choice = 0, own = 0, index = 0;
  };
  std::vector<Moved> moved;
};

// `text`, in which ReadChatObject() found choices, as a chunk: every choice has an object `delta`
// and an `index`, which is its place where it says none, every tool call in it an `index`, `object`
// says what it is, and not another byte differs. Where a choice has no such object,
//  - a `message` is the delta. One that ends the choice, or stands in a chat.completion behind
//    other output, is the whole message, unless the choice came as messages a piece (bit i of
//    `in_pieces`); so is one that begins with all that was sent. Where the choice has sent
//    something the delta is what its members add to that (WholeMessage), empty if nothing;
//  - else a `text`, of the older completions, is the delta's content;
//  - else the delta is empty.
// Tool calls that lack an index get that of CallNumbers. One at the index of another call, or in
// its place, is that call where it has no name, or the same one while the arguments are not whole:
// its id is null then, as the first one counts. Else it is a new one, and so is what follows at
// that index. Two ids in one list are two calls.
// `*sent` allows for the work of comparing, and counts it. Linear in the chunk and in what `*sent`
// allows.
ShapedChunk ShapeChunk(std::string_view text, SentParts* sent, const CallNumbers& calls,
                       ChoiceSet in_pieces);

// A chat completion as one chunk. `body` is one that ParseChatAnswer took.
std::string ChunkFromAnswer(std::string_view body);

// The same as a chat completion in which every choice has an `index` and an object `message`: its
// `delta`, or the `text` of the older completions, or an empty one.
std::string AnswerWithMessages(std::string_view body);

}  // namespace seekroute
