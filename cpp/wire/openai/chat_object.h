// Internal to wire/: what is read of a chat completion or of one chunk of a streamed one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/delivered_media.h"
#include "wire/json/json.h"
#include "wire/openai/choice_set.h"
#include "wire/openai/hidden_reasoning.h"
#include "wire/openai/sent_parts.h"
#include "wire/usage.h"

namespace seekroute {

class JsonPlace;
class TokenEstimator;

// A member of an object in the text.
struct JsonMember {
  ByteRange whole;  // from the key's quote to the end of the value
  ByteRange value;
  bool top_level = true;
};

// Value type; the ranges point into the text it was read from.
struct ChatObject {
  std::optional<JsonMember> id, object, model, created, error;
  std::optional<JsonMember> empty_error;  // an `error` that says nothing (SaysNothing())
  std::vector<JsonMember> usages;         // of the object itself, or in its choices (Moonshot)
  bool created_null = false;
  std::vector<JsonMember> repeated;       // of id, object, model and created: the second and on
  bool says_error = false;                // "object": "error"
  bool failed_beside = false;             // a choice has a failure's finish reason, or an error
  std::optional<ByteRange> error_beside;  // the value of the first `error` in a choice, or x_groq
  bool has_choices = false;
  size_t choice_count = 0;
  // A choice has no object of its shape or no index, or a tool call in a delta no index: none that
  // is written as an integer is.
  bool lacks_member = false;
  std::vector<SentPart> parts;  // of deltas
  std::vector<SentCall> calls;  // likewise
  std::vector<SentItem> items;  // likewise: pictures and parts that are not text
  ChoiceSet seen = 0;           // bit i: choice i is in it
  ChoiceSet finished = 0;       // bit i: choice i has a finish reason
  bool has_progress = false;    // of the prompt (llama.cpp)
  bool has_content = false;
  bool has_logprobs = false;                      // of a token or more
  ChoiceSet with_content = 0;                     // bit i: choice i has some
  std::vector<HiddenReasoning> hidden_reasoning;  // in order, one of a choice
  size_t content_bytes = 0;
  DeliveredMedia media;  // entries of `images`, parts of `content`, data of `audio`
  // Of the first choice that has one. Words for none, such as "null" in quotes, are none.
  std::string finish_reason;
  UsageReading usage;
  std::string service_tier;  // as the answer names it; empty where it does not
};

// Members of a message or delta that are output a client waits for.
bool IsOutput(std::string_view member);
// Names of thinking that only some providers use, for text alone.
bool IsRareThinking(std::string_view member);
// Either of them, where it is text.
bool IsOutputText(std::string_view member);

// Of these, lists whose elements may come again in a whole message.
bool HasItems(std::string_view member);
// The string at `place`, of a delta or message, is the text of a part of `content`.
bool IsPartText(const JsonPlace& place);

// Of a tool call: the object that says what is called, and with what.
constexpr bool HoldsCall(std::string_view member) {
  return member == "function" || member == "custom";
}
constexpr bool IsArguments(std::string_view member) {
  return member == "arguments" || member == "input";
}

// Which member of a choice holds the output.
enum class ChatShape : uint8_t { kMessage, kDelta };

// Fails with kBadUpstreamResponse for anything but a JSON object whose `choices`, where present,
// is an array of objects, for a `delta` that is neither an object nor null, and for an
// `error` that is there twice. A doubled `usage` is no failure: it makes the reading odd. The text
// counted in content_bytes goes to `*content` as well, unless that is null.
Result<ChatObject> ReadChatObject(std::string_view text, ChatShape shape,
                                  TokenEstimator* content = nullptr);

// The error that `chat`, read from `text`, carries: of its own, or of a choice. Nothing where it is
// an answer.
std::optional<Error> ErrorIn(std::string_view text, const ChatObject& chat);

// The ranges to cut so that `members`, which are in the order of the text, are gone and the objects
// around them are still valid JSON.
std::vector<ByteRange> RangesToRemove(std::string_view text,
                                      const std::vector<JsonMember>& members);

}  // namespace seekroute
