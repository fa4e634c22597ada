// A chat completion request, as its surface has read it: what is exchanged of its bytes on the way
// to an upstream.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/json/json.h"
#include "wire/openai/choice_set.h"
#include "wire/request_form.h"

namespace seekroute {

inline constexpr int64_t kMaxMessages = 4096;
inline constexpr int64_t kMaxTools = 512;
inline constexpr int64_t kMaxChoices = kMaxAnswerChoices;  // `n`: each is an answer to pay for

// A field that says how long an answer may get.
struct LengthField {
  ByteRange name;  // quotes included
  ByteRange value;
  std::optional<int64_t> tokens;  // nothing: null
};

// `reasoning`, OpenRouter's way to say what the thinking shall be.
struct ReasoningField {
  ByteRange member;                 // name and value
  std::optional<ByteRange> effort;  // the string in it, quotes included
  bool other = false;               // something else is asked for in it: a length, to be left out
};

// One of kRefusable in a request.
struct RefusableField {
  ByteRange member;  // name and value
  bool set = false;  // not null
};

// What a way to an upstream needs of a request beside its Ask. The ranges point into the body it
// was read from.
struct ChatRequest {
  bool stream = false;
  bool include_usage = false;         // the client asked stream_options.include_usage
  bool wants_progress = false;        // the client asked return_progress (llama.cpp)
  int64_t choices = 1;                // `n`
  std::optional<int64_t> max_tokens;  // the smaller of max_tokens and max_completion_tokens

  ByteRange model_value;                         // the value of "model", quotes included
  std::optional<ByteRange> stream_options;       // its value: an object, or null
  std::optional<ByteRange> include_usage_value;  // the literal inside it
  std::optional<ByteRange> last_user_content;    // value of the last user message's "content"
  // The two fields that limit the answer, also where they are null.
  std::optional<LengthField> max_tokens_field, max_completion_tokens_field;
  std::optional<LengthField> reasoning_budget_field;  // `thinking_budget`, likewise
  std::optional<ReasoningField> reasoning;
  std::optional<ByteRange> reasoning_effort_value;    // of OpenAI's own field, also where null
  bool reasoning_effort = false;                      // and something stands there
  std::optional<ByteRange> include_reasoning_member;  // OpenRouter's older way
  bool hides_reasoning = false;                       // it is false
  std::array<std::optional<RefusableField>, kRefusable.size()> refusable;  // as in kRefusable
  // Members that are not for an upstream, in order: what is the gateway's own, and what would
  // choose elsewhere.
  std::vector<ByteRange> unsent;
  // The names of those that ask for something which is not done here, in the table's spelling.
  std::vector<std::string_view> ignored;
};

}  // namespace seekroute
