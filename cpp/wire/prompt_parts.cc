#include "wire/prompt_parts.h"

#include <algorithm>
#include <array>
#include <span>

#include "wire/letter_case.h"

namespace seekroute {
namespace {

// The least bytes of base64 that a token of sound takes: 32 tokens a second, the most that anybody
// counts, at 6 kbit a second, the least that is still understood.
constexpr size_t kSoundBytesPerToken = 32;

constexpr auto kUsualNames = std::to_array<std::string_view>({"annotations",
                                                              "arguments",
                                                              "audio",
                                                              "cache_control",
                                                              "content",
                                                              "data",
                                                              "detail",
                                                              "file",
                                                              "file_data",
                                                              "file_id",
                                                              "filename",
                                                              "format",
                                                              "function",
                                                              "id",
                                                              "image_url",
                                                              "index",
                                                              "input_audio",
                                                              "name",
                                                              "reasoning_content",
                                                              "refusal",
                                                              "role",
                                                              "text",
                                                              "tool_call_id",
                                                              "tool_calls",
                                                              "type",
                                                              "url"});

static_assert(std::ranges::is_sorted(kUsualNames));

// Members that are text, or say how and not what. Of everything else nobody knows.
constexpr auto kMessageTexts = std::to_array<std::string_view>({
    "annotations",       "cache_control", "content",      "created_at",
    "finish_reason",     "function_call", "id",           "index",
    "metadata",          "model",         "name",         "object",
    "partial",           "prefix",        "reasoning",    "reasoning_content",
    "reasoning_details", "refusal",       "role",         "thinking",
    "thinking_blocks",   "timestamp",     "tool_call_id", "tool_calls",
    "tool_name",         "type",
});
constexpr auto kPartTexts = std::to_array<std::string_view>({
    "annotations", "cache_control", "citations", "detail",     "filename",  "format",
    "id",          "index",         "logprobs",  "media_type", "mime_type", "name",
    "refusal",     "signature",     "text",      "thinking",   "thought",   "thought_signature",
    "title",       "type",
});
constexpr auto kToolTexts = std::to_array<std::string_view>({
    "cache_control",
    "custom",
    "description",
    "format",
    "function",
    "input_examples",
    "input_schema",
    "name",
    "output_schema",
    "parameters",
    "strict",
    "type",
});
static_assert(std::ranges::is_sorted(kMessageTexts));
static_assert(std::ranges::is_sorted(kPartTexts));
static_assert(std::ranges::is_sorted(kToolTexts));

// Known to be more than that, and read by some server.
constexpr auto kMessageMedia = std::to_array<std::string_view>(
    {"attachments", "audio", "file_ids", "files", "image", "images", "video", "videos"});
constexpr auto kPartMedia = std::to_array<std::string_view>(
    {"audio", "audio_url", "document", "file", "file_data", "file_id", "file_url", "image",
     "image_url", "input_audio", "input_video", "source", "url", "video", "video_url"});
constexpr auto kToolMedia = std::to_array<std::string_view>(
    {"code_execution", "codeExecution", "google_search", "googleSearch", "retrieval", "url_context",
     "urlContext", "web_search"});

std::span<const std::string_view> TextsOf(MemberOf where) {
  switch (where) {
    case MemberOf::kMessage:
      return kMessageTexts;
    case MemberOf::kPart:
      return kPartTexts;
    case MemberOf::kTool:
      return kToolTexts;
    case MemberOf::kRequest:
      break;
  }
  return {};
}

std::span<const std::string_view> MediaOf(MemberOf where) {
  switch (where) {
    case MemberOf::kMessage:
      return kMessageMedia;
    case MemberOf::kPart:
      return kPartMedia;
    case MemberOf::kTool:
      return kToolMedia;
    case MemberOf::kRequest:
      break;
  }
  return {};
}

bool NamesAnything(JsonType type) {
  return type != JsonType::kNull && type != JsonType::kFalse && type != JsonType::kNumber;
}

}  // namespace

size_t BytesOf(const JsonValue& value) {
  if (value.type == JsonType::kNull) return 0;
  if (value.type == JsonType::kString) return value.text.size();
  return value.range.end - value.range.begin;
}

size_t BytesOfName(const JsonPlace& place) {
  constexpr size_t kElementMarks = 4;  // quotes or brackets, a comma and a space
  constexpr size_t kMemberMarks = 8;
  constexpr int kListDepth = 4;  // elements of a message's own lists: parts, calls
  if (!place.in_object()) return place.depth() > kListDepth ? kElementMarks : 0;
  const std::string_view name = place.key();
  return std::ranges::binary_search(kUsualNames, name) ? 0 : name.size() + kMemberMarks;
}

bool IsKnownInOtherCase(MemberOf where, std::string_view name) {
  const auto texts = TextsOf(where);
  if (std::ranges::binary_search(texts, name)) return false;
  const auto media = MediaOf(where);
  if (std::ranges::find(media, name) != media.end()) return false;
  const auto same = [name](std::string_view known) { return IsSameWhenFolded(name, known); };
  return std::ranges::any_of(texts, same) || std::ranges::any_of(media, same);
}

int64_t MediaMembers::OnValue(const JsonPlace& place, JsonType type) {
  if (place.depth() == depth_) {
    elements_ = 0;
    watching_ = NamesAnything(type) && !std::ranges::binary_search(TextsOf(where_), place.key());
    return watching_ ? 1 : 0;
  }
  if (!watching_ || place.in_object() || !NamesAnything(type)) return 0;
  return elements_++ > 0 ? 1 : 0;
}

void ContentPart::CountMember(const JsonPlace& place, JsonType type) {
  const std::string_view member = place.key(kDepth);
  int64_t more = members_.OnValue(place, type);
  // A list of texts is no text that anybody is known to read.
  const bool container = type == JsonType::kArray || type == JsonType::kObject;
  if (place.depth() == kDepth && member == "text" && container) more = 1;
  (member == "image_url" ? pictures_ : member == "input_audio" ? sounds_ : media_) += more;
}

void ContentPart::OnOpen(const JsonPlace& place, JsonType type) {
  CountMember(place, type);
  other_ += BytesOfName(place);
}

void ContentPart::OnScalar(const JsonPlace& place, const JsonValue& value) {
  CountMember(place, value.type);
  const size_t bytes = BytesOf(value);
  const std::string_view member = place.key(kDepth);
  if (place.depth() == kDepth) {
    if (member == "type") {
      const std::string_view type = value.text;
      if (type == "text" || type == "refusal") {
        type_ = Type::kText;
      } else if (type == "image_url" || type == "input_image") {
        type_ = Type::kImage;
      } else {
        type_ = type == "input_audio" ? Type::kSound : Type::kOther;
      }
      return;
    }
    if (member == "text" || member == "refusal") {
      text_ += bytes;
      return;
    }
  }
  if (member == "image_url") {
    image_ += bytes;
  } else if (member == "input_audio" && place.depth() == kDepth + 1 && place.key() == "data") {
    sound_ += bytes;
  } else {
    other_ += bytes + BytesOfName(place);
  }
}

ContentPart::Kind ContentPart::kind() const {
  if (media_ == 0) {
    if (type_ == Type::kText && pictures_ == 0 && sounds_ == 0) return Kind::kText;
    if (type_ == Type::kImage && sounds_ == 0) return Kind::kImage;
    if (type_ == Type::kSound && sound_ > 0 && pictures_ == 0) return Kind::kSound;
  }
  return Kind::kOther;
}

size_t ContentPart::other_bytes() const {
  switch (kind()) {
    case Kind::kImage:
    case Kind::kSound:
      return other_;
    default:
      return other_ + image_ + sound_;
  }
}

int64_t ContentPart::media_tokens() const {
  switch (kind()) {
    case Kind::kText:
      return 0;
    case Kind::kSound:
      return static_cast<int64_t>(sound_ / kSoundBytesPerToken) + 1;
    default:
      return kMostMediaTokens * std::max<int64_t>(1, pictures_ + sounds_ + media_);
  }
}

void ToolEntry::OnMember(std::string_view name, JsonType type, std::string_view text) {
  if (name == "type") {
    const bool function = text == "function" || text == "custom";
    named_ = named_ || function;
    service_ = !function && type != JsonType::kNull;
  } else if (std::ranges::binary_search(kToolTexts, name)) {
    named_ = named_ || name == "name" || name == "function";
  } else if (NamesAnything(type)) {
    ++others_;
    if (type == JsonType::kObject) ++objects_;
  }
}

// What a service says beside its type are its settings, but for objects: those may be services.
int64_t ToolEntry::services() const {
  if (service_) return std::max<int64_t>(1, objects_);
  return named_ ? others_ : std::max<int64_t>(1, others_);
}

}  // namespace seekroute
