// Internal to wire/: what the parts of a prompt that are not plain text may take at most. Both who
// reads a request and who estimates it ask here, so that they cannot disagree.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "wire/chat_request.h"
#include "wire/json_scan.h"

namespace seekroute {

// Reads one element of a message's `content`: told of its `type`, and of everything that is in it,
// it says what that may cost at most. Nobody knows which members an upstream reads, so every one
// counts. Not thread-safe.
class ContentPart {
 public:
  enum class Kind : uint8_t {
    kText,   // text and refusal, with nothing else in it
    kImage,  // a picture: its size is not that of its bytes
    kSound,  // with its bytes
    kOther,  // whatever else, known or not
  };

  // The level at which a part's own members stand.
  static constexpr int kDepth = 5;

  // Of containers and scalars inside the part; `place` is theirs.
  void OnOpen(const JsonPlace& place);
  void OnScalar(const JsonPlace& place, const JsonValue& value);

  bool typed() const { return type_ != Type::kMissing; }
  Kind kind() const;

  // The bytes of `text` and `refusal`.
  size_t text_bytes() const { return text_; }
  // The bytes of the other members, names included, as far as the kind does not cover them: to an
  // upstream they may be text.
  size_t other_bytes() const;
  // Tokens beyond those at most.
  int64_t media_tokens() const;

 private:
  enum class Type : uint8_t { kMissing, kText, kImage, kSound, kOther };

  Type type_ = Type::kMissing;
  size_t text_ = 0;
  size_t image_ = 0;  // in image_url
  size_t sound_ = 0;  // input_audio.data
  size_t other_ = 0;
};

// Reads one element of `tools`: whether it is a function, which is text, or a service of the
// provider's own, which brings into the prompt whatever it finds. Not thread-safe.
class ToolEntry {
 public:
  // The level at which a tool's members stand.
  static constexpr int kDepth = 3;

  // Of each of its members; `text` is that of a string.
  void OnMember(std::string_view name, std::string_view text);
  bool is_service() const { return service_ || !named_; }

 private:
  bool named_ = false;
  bool service_ = false;
};

// The bytes of what is told of a place: a string decoded, anything else as written, null nothing.
size_t BytesOf(const JsonValue& value);

// The bytes of the member's name at `place`, and of the marks that JSON puts around it, unless it
// is one that every chat request has: templates count those with the message.
size_t BytesOfName(const JsonPlace& place);

}  // namespace seekroute
