// One pass over a chat completion request: the few fields the gateway acts on, with their byte
// ranges; everything else is checked for being JSON and reaches the upstream byte for byte.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/money.h"
#include "base/result.h"
#include "wire/ask.h"
#include "wire/json/json.h"
#include "wire/openai/choice_set.h"
#include "wire/profile.h"
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

// What the gateway reads of a request. The ranges point into the body it was parsed from.
struct ChatRequest {
  std::string model;  // decoded
  bool stream = false;
  bool include_usage = false;   // the client asked stream_options.include_usage
  bool wants_progress = false;  // the client asked return_progress (llama.cpp)
  int64_t choices = 1;          // `n`
  int64_t message_count = 0;
  int64_t tool_count = 0;
  std::optional<int64_t> max_tokens;  // the smaller of max_tokens and max_completion_tokens
  // `thinking_budget`; what is below 1 names nothing: some mean by it that nothing bounds them.
  std::optional<int64_t> max_reasoning;
  bool asks_reasoning = false;    // some field may ask for thinking, a budget or an unknown one too
  std::optional<Money> max_cost;  // the most that the answer may cost; never sent upstream
  // Bytes of whatever the model may read as text: messages, tools, the answer's schema, and every
  // field that is not known to be none of its business.
  size_t text_bytes = 0;
  int64_t media_parts = 0;     // what stands for more than its text: parts, services
  int64_t media_tokens = 0;    // which that takes at most, beyond its text, as far as it is sized
  int64_t unsized_parts = 0;   // of it, those that cannot be: each may fill a context
  size_t predicted_bytes = 0;  // of `prediction`
  bool other_kinds = false;    // the prompt may hold something else than text and pictures
  AnswerKinds answer_kinds = AnswerKinds::kUnsaid;
  bool service_tier = false;  // one is asked for
  // It has text and fields that the gateway knows: no other field, no service beside the model, no
  // other part. What such a request meets, any may meet.
  bool is_ordinary = true;

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

// Parses and checks `body` under these rules: valid UTF-8 JSON, an object,
// depth at most 128, no duplicate key in any object (param = its path), `model` a string,
// `messages` a non-empty array of objects with known roles and content of a known type, known
// fields of the right type and range (`profile` adds its own ranges), no routing-relevant foreign
// names (api_base, base_url, api_key, custom_llm_provider, headers at top level). Names that would
// choose another model or provider behind the upstream (models, provider, plugins, ...) may hold
// anything, and are never sent.
// Lone surrogates in content pass (they are forwarded as the escape they came as); in `model`,
// `user` and key names they are refused. Error messages never quote more than 64 bytes of input.
// Linear in the body; no recursion deeper than kMaxJsonDepth. Thread-safe.
Result<ChatRequest> ParseChatRequest(std::string_view body, const Profile& profile);

}  // namespace seekroute
