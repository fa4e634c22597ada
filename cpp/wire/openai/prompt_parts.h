// Internal to wire/: what the parts of a prompt that are not plain text may take at most. Both who
// reads a request and who estimates it ask here, so that they cannot disagree.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "wire/ask.h"
#include "wire/json/json_scan.h"
#include "wire/openai/media_names.h"

namespace seekroute {

// Where a member stands of whose name something is known.
enum class MemberOf : uint8_t { kRequest, kMessage, kPart, kTool };

// Whether `name` is one that servers read there, in another letter case: some would take it for
// that.
bool IsKnownInOtherCase(MemberOf where, std::string_view name);

// How much was counted that stands for more than its bytes.
struct MediaCount {
  int64_t pictures = 0;
  int64_t unsized = 0;  // of anything else: each may fill a context

  int64_t all() const { return pictures + unsized; }
};

// Counts what may stand for more than its bytes in members that are not known to be text or a
// setting (wire/openai/media_names.h says what can): in a member of media each element of its
// lists, of a service the member itself as well, and in any other each string that can be a
// reference, by its form or by a name around it. Of a member of pictures they are pictures, and
// what in it is none counts besides. An element of `annotations` counts when it ends, and not if
// its type says that it cites. Not thread-safe.
class MediaMembers {
 public:
  // `depth` is the level at which the members stand.
  MediaMembers(MemberOf where, int depth) : where_(where), depth_(depth) {}

  // Of every container and scalar at that level and below, in order: how many it adds, of each at
  // most 1. `text` is that of a string.
  MediaCount OnValue(const JsonPlace& place, JsonType type, std::string_view text);

  // Of every container below that level that ends: how many that adds.
  MediaCount OnClose(const JsonPlace& place);

  // Whether the member being read is not known to be text.
  bool watching() const { return rule_ != Rule::kNone; }

 private:
  enum class Rule : uint8_t { kNone, kMedia, kService, kReferences };

  Rule RuleOf(std::string_view name, JsonType type) const;
  void CountElement(const JsonPlace& place, JsonType type, std::string_view text);
  bool IsReference(const JsonPlace& place, JsonType type, std::string_view text);
  bool IsAnnotation(const JsonPlace& place) const;

  MemberOf where_;
  int depth_;
  Rule rule_ = Rule::kNone;
  bool of_pictures_ = false;
  int64_t elements_ = 0;    // of the lists in it
  int64_t places_ = 0;      // that something stands in
  int64_t references_ = 0;  // by their form, or by names further down
  int64_t counted_ = 0;
  NameMeans around_ = NameMeans::kNothing;  // by a name further down
  int around_depth_ = 0;                    // where that stands
  bool around_counted_ = false;             // something in it was
  int64_t annotated_ = 0;                   // of the references those of this annotation
  bool cites_ = false;                      // and what that is
};

// Reads one element of a message's `content`: told of its `type`, and of everything that is in it,
// it says what that may cost at most. Nobody knows which members an upstream reads, so every one
// counts. Not thread-safe.
class ContentPart {
 public:
  enum class Kind : uint8_t {
    kText,   // text and refusal, with nothing else in it that could be more
    kImage,  // pictures: their size is not that of their bytes
    kSound,  // with its bytes
    kOther,  // whatever else, known or not
  };

  // The level at which a part's own members stand.
  static constexpr int kDepth = 5;

  // Of containers and scalars inside the part; `place` is theirs.
  void OnOpen(const JsonPlace& place, JsonType type);
  void OnScalar(const JsonPlace& place, const JsonValue& value);
  void OnClose(const JsonPlace& place);

  bool typed() const { return type_ != Type::kMissing; }
  Kind kind() const;

  // The bytes of `text` and `refusal`.
  size_t text_bytes() const { return text_; }
  // The bytes of the other members, names included, as far as the kind does not cover them: to an
  // upstream they may be text.
  size_t other_bytes() const;
  // Tokens beyond those at most, of pictures and sound.
  int64_t media_tokens() const;
  // How much is in it that may fill a context: of kOther at least 1, of any other kind none.
  int64_t unsized() const;

 private:
  enum class Type : uint8_t { kMissing, kText, kImage, kSound, kOther };

  void CountMember(const JsonPlace& place, JsonType type, std::string_view text);

  Type type_ = Type::kMissing;
  size_t text_ = 0;
  size_t image_ = 0;  // in what holds a picture
  size_t sound_ = 0;  // input_audio.data
  size_t other_ = 0;
  bool disguised_ = false;    // what stands for a picture is none
  bool not_picture_ = false;  // its MIME type says that it is none
  bool unsized_ = false;      // there may be more sound than the bytes of input_audio.data
  MediaMembers members_{MemberOf::kPart, kDepth};
  int64_t pictures_ = 0;  // in what holds a picture
  int64_t sounds_ = 0;    // input_audio
  int64_t media_ = 0;     // in any other member
};

// What a provider writes into the prompt for a tool that it knows and the client runs.
inline constexpr int64_t kClientToolTokens = 1024;

// Reads one element of `tools`: whether it is a function, which is text, or one that the client
// runs and the provider describes, and which services of the provider's own are in it, which bring
// into the prompt whatever they find. A member that no function has is a service if its name says
// so or says media, if it is a string that can be a reference, or if it is a list or an object with
// something in it. Not thread-safe.
class ToolEntry {
 public:
  // The level at which a tool's members stand.
  static constexpr int kDepth = 3;

  // Of each of its members, once its value was read.
  void OnMember(std::string_view name, const JsonValue& value);
  int64_t services() const;
  // What is written for it beside its bytes and what the services find, in tokens at most.
  int64_t tokens() const { return client_ ? kClientToolTokens : 0; }

 private:
  bool named_ = false;
  bool client_ = false;  // by its type, as the next
  bool service_ = false;
  int64_t others_ = 0;   // members that no function has
  int64_t objects_ = 0;  // of them
};

// Text of nothing else is no prompt.
inline constexpr std::string_view kPromptSpace = " \t\r\n";

// What a template writes around a message at most, and once around the prompt, in tokens.
inline constexpr int64_t kMostMessageTokens = 8;
inline constexpr int64_t kMostOpeningTokens = 16;

// What a provider may write into the prompt where the request has tools: how they are called.
inline constexpr int64_t kToolPreambleTokens = 512;

// The bytes of what is told of a place: a string decoded, anything else as written, null nothing.
size_t BytesOf(const JsonValue& value);

// Of a string, decoded; of anything else nothing.
inline std::string_view TextOf(const JsonValue& value) {
  return value.type == JsonType::kString ? value.text : std::string_view();
}

// The bytes of the member's name at `place`, and of the marks that JSON puts around it, unless it
// is one that every chat request has: templates count those with the message.
size_t BytesOfName(const JsonPlace& place);

// Whether what opens at `place`, in a message, calls a tool; and what a template writes around it
// at most, in tokens, however little is in it.
bool IsToolCall(const JsonPlace& place);
inline constexpr int64_t kMostCallTokens = 12;

}  // namespace seekroute
