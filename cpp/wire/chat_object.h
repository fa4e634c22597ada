// Internal to wire/: what is read of a chat completion or of one chunk of a streamed one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/json.h"
#include "wire/usage.h"

namespace seekroute {

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
  std::vector<JsonMember> usages;  // of the object itself, or in its choices (Moonshot)
  bool created_null = false;
  bool object_null = false;
  bool says_error = false;  // "object": "error"
  bool has_choices = false;
  size_t choice_count = 0;
  uint64_t seen = 0;      // bit i: choice i is in it
  uint64_t finished = 0;  // bit i: choice i has a finish reason
  bool has_content = false;
  size_t content_bytes = 0;
  std::string finish_reason;  // of the first choice that has one
  UsageReading usage;
  std::string service_tier;  // as the answer names it; empty where it does not
};

// How many choices an answer may have: one bit each.
inline constexpr int64_t kMaxAnswerChoices = 64;

// Which member of a choice holds the output.
enum class ChatShape : uint8_t { kMessage, kDelta };

// Fails with kBadUpstreamResponse for anything but a JSON object whose `choices`, where present,
// is an array of objects, and for a member we rely on that is there twice.
// The text counted in content_bytes goes to `*content` as well, unless that is null.
Result<ChatObject> ReadChatObject(std::string_view text, ChatShape shape,
                                  TokenEstimator* content = nullptr);

// The range to cut so that `member` is gone and the object around it is still valid JSON.
ByteRange RangeToRemove(std::string_view text, const JsonMember& member);

}  // namespace seekroute
