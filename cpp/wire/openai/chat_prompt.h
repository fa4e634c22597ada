// About how many tokens a chat request costs before it is answered.
#pragma once

#include <cstdint>
#include <string_view>

#include "wire/token_estimate.h"

namespace seekroute {

// Estimates the prompt of a chat completion request from its JSON: the text of its messages, tool
// calls and tool definitions, the few tokens of the chat template around each message, and a fixed
// count for each picture, file or search, whose bytes are not text. What the provider adds of its
// own (hidden instructions, a picture's true size) is not known; docs/tokens.md names the figures.
// A body that is no JSON object is estimated as plain text. `upper` bounds the text, the parts of
// every other kind (wire/openai/prompt_parts.h), and by its bytes whatever else the model may read.
// Linear; a copy of the body while it runs. Thread-safe.
//
// In `upper` each part that is no picture and cannot be sized counts `unsized` tokens. A hold adds
// them by itself, as it knows the context that they may fill (gateway/spend_bound.h).
TokenEstimate EstimateChatPrompt(std::string_view body, int64_t unsized = 0);

}  // namespace seekroute
