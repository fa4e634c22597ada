#include "wire/openai/prompt_parts.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <utility>

#include "base/letter_case.h"
#include "wire/openai/request_fields.h"
#include "wire/sound_head.h"

namespace seekroute {
namespace {

// The least bytes of base64 that a token of sound takes, where its bytes bound it: 32 tokens a
// second are the most that anybody counts.
constexpr size_t kSoundBytesPerToken = 32;
constexpr size_t kMostSoundTokens = 32;  // a second
static_assert(kSoundBytesPerToken * kMostSoundTokens * 3 / 4 <= kLeastBytesPerSecond);

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
constexpr auto kPartTexts = std::to_array<std::string_view>(
    {"annotations", "cache_control", "citations", "content",
     "detail",      "filename",      "format",    "id",
     "index",       "input",         "logprobs",  "mediaType",
     "media_type",  "mimeType",      "mime_type", "name",
     "output",      "refusal",       "result",    "signature",
     "text",        "thinking",      "thought",   "thought_signature",
     "title",       "tool_use_id",   "type"});
constexpr auto kToolTexts = std::to_array<std::string_view>({
    "_meta",         "allowed_callers", "annotations",  "cache_control", "custom", "defer_loading",
    "description",   "execution",       "format",       "function",      "icons",  "id",
    "inputSchema",   "input_examples",  "input_schema", "metadata",      "name",   "outputSchema",
    "output_schema", "parameters",      "strict",       "title",         "type",
});
// Of those the ones whose lists and objects are text as well: what a tool was told, what was cited.
constexpr auto kStructured = std::to_array<std::string_view>({
    "cache_control",
    "citations",
    "function_call",
    "input",
    "logprobs",
    "metadata",
    "reasoning_details",
    "tool_calls",
});
// Of a picture or a sound: what says how its data is to be read.
constexpr auto kMediaLabels =
    std::to_array<std::string_view>({"filename", "format", "language", "mediaType", "media_type",
                                     "mimeType", "mime_type", "name", "type"});
static_assert(std::ranges::is_sorted(kMediaLabels));
constexpr auto kMimeNames =
    std::to_array<std::string_view>({"mediaType", "media_type", "mimeType", "mime_type"});
// Of a request: about who calls, and where. No model reads them.
constexpr auto kCallerFields = std::to_array<std::string_view>(
    {"HTTP-Referer", "X-Title", "app_url", "callback_url", "http_referer", "litellm_metadata",
     "referer", "referrer", "site_name", "site_url", "webhook", "webhook_url", "webhooks"});
static_assert(std::ranges::is_sorted(kCallerFields));
// What has pictures; of a part that says it is one, its source as well.
constexpr auto kPictureMembers = std::to_array<std::string_view>({"image", "image_url", "images"});

// Types of parts that are text, in this API and in others.
constexpr auto kTextTypes = std::to_array<std::string_view>(
    {"input_text", "output_text", "reasoning", "redacted_thinking", "refusal", "text", "thinking",
     "tool-call", "tool-result", "tool_call", "tool_result", "tool_use"});
static_assert(std::ranges::is_sorted(kStructured));
static_assert(std::ranges::is_sorted(kTextTypes));
static_assert(std::ranges::is_sorted(kMessageTexts));
static_assert(std::ranges::is_sorted(kPartTexts));
static_assert(std::ranges::is_sorted(kToolTexts));
// Types of tools that the client runs. Of those with a date the date is cut.
constexpr auto kClientTools = std::to_array<std::string_view>(
    {"apply_patch", "computer_use_preview", "local_shell", "shell", "str_replace_based_edit_tool"});
constexpr auto kDatedClientTools =
    std::to_array<std::string_view>({"bash_", "computer_", "memory_", "text_editor_"});

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

bool HoldsPictures(MemberOf where, std::string_view name) {
  if (where == MemberOf::kPart && name == "source") return true;
  return std::ranges::find(kPictureMembers, name) != kPictureMembers.end();
}

bool IsContainer(JsonType type) { return type == JsonType::kArray || type == JsonType::kObject; }

// Whether a member says no more than of what type a picture or a sound is: `kind` is "image/".
bool IsTypeLabel(std::string_view name, std::string_view kind, std::string_view text) {
  constexpr size_t kLongestType = 32;
  return text.size() < kLongestType && text.starts_with(kind) &&
         std::ranges::binary_search(kMediaLabels, name);
}

// Whether a string of input_audio, `depth` levels below it, adds no sound to what its bytes are.
bool IsPlainSound(std::string_view name, int depth, std::string_view text) {
  if (text.empty()) return true;
  if (depth != 1) return false;
  if (name == "data") return IsSizedSound(text);
  if (IsTypeLabel(name, "audio/", text)) return true;
  return std::ranges::binary_search(kMediaLabels, name) && !CanBeReference(text);
}

bool IsClientTool(std::string_view type) {
  constexpr size_t kDate = 8;
  if (std::ranges::find(kClientTools, type) != kClientTools.end()) return true;
  if (type.size() < kDate) return false;
  const std::string_view date = type.substr(type.size() - kDate);
  const std::string_view tool = type.substr(0, type.size() - kDate);
  return std::ranges::find(kDatedClientTools, tool) != kDatedClientTools.end() &&
         std::ranges::all_of(date, [](char c) { return c >= '0' && c <= '9'; });
}

bool SaysMedia(std::string_view type) {
  constexpr size_t kLongestType = 64;
  if (type.size() > kLongestType || IsCitation(type)) return false;
  const NameMeans means = MeaningOf(type);
  return means == NameMeans::kMedia || means == NameMeans::kService;
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
  constexpr int kListDepth = 2;  // of the messages themselves, which are counted as such
  if (!place.in_object()) return place.depth() > kListDepth ? kElementMarks : 0;
  const std::string_view name = place.key();
  return std::ranges::binary_search(kUsualNames, name) ? 0 : name.size() + kMemberMarks;
}

bool IsToolCall(const JsonPlace& place) {
  if (place.depth() == 3) return place.key() == "function_call";
  return place.depth() == 4 && !place.in_object() && place.key(3) == "tool_calls";
}

bool IsKnownInOtherCase(MemberOf where, std::string_view name) {
  const auto texts = TextsOf(where);
  if (std::ranges::binary_search(texts, name)) return false;
  const auto media = MediaOf(where);
  if (std::ranges::find(media, name) != media.end()) return false;
  std::array<char, 32> buffer;  // more than the longest of them
  const std::optional<std::string_view> folded = Folded(name, buffer);
  if (!folded) return false;
  const auto same = [&folded](std::string_view known) {
    return known.size() == folded->size() && IsSameButForCase(known, *folded);
  };
  return std::ranges::any_of(texts, same) || std::ranges::any_of(media, same);
}

MediaMembers::Rule MediaMembers::RuleOf(std::string_view name, JsonType type) const {
  const Rule of_text = IsContainer(type) ? Rule::kReferences : Rule::kNone;
  if (where_ == MemberOf::kRequest && FieldNamed(name).use == FieldUse::kFetches) {
    return Rule::kService;
  }
  if (where_ == MemberOf::kRequest && std::ranges::binary_search(kCallerFields, name)) {
    return Rule::kNone;
  }
  if (std::ranges::binary_search(TextsOf(where_), name)) {
    return std::ranges::binary_search(kStructured, name) ? Rule::kNone : of_text;
  }
  const auto media = MediaOf(where_);
  if (std::ranges::find(media, name) != media.end()) return Rule::kMedia;
  switch (MeaningOf(name)) {
    case NameMeans::kMedia:
      return Rule::kMedia;
    case NameMeans::kService:
      return Rule::kService;
    case NameMeans::kText:
      return of_text;
    case NameMeans::kQuoted:
      return Rule::kNone;
    case NameMeans::kNothing:
      break;
  }
  return Rule::kReferences;
}

MediaCount MediaMembers::OnValue(const JsonPlace& place, JsonType type, std::string_view text) {
  if (place.depth() == depth_) {
    rule_ = NamesAnything(type) ? RuleOf(place.key(), type) : Rule::kNone;
    of_pictures_ = HoldsPictures(where_, place.key());
    elements_ = places_ = references_ = counted_ = 0;
    around_ = NameMeans::kNothing;
    annotated_ = 0;
  }
  if (IsAnnotation(place)) {
    if (place.depth() == depth_ + 1) cites_ = false;
    if (place.depth() == depth_ + 2 && place.key() == "type") cites_ = IsCitation(text);
  }
  if (!watching() || !NamesAnything(type)) return {};
  if (rule_ == Rule::kReferences) {
    if (!IsReference(place, type, text)) return {};
    if (IsAnnotation(place) && (IsContainer(type) || place.depth() > depth_ + 1)) {
      ++annotated_;
      return {};
    }
    ++references_;
  } else {
    CountElement(place, type, text);
    const bool label = of_pictures_ && place.depth() > depth_ && place.in_object() &&
                       IsTypeLabel(place.key(), "image/", text);
    if (!label && CanBeReference(text)) ++references_;
  }
  const int64_t more = std::max(places_, references_) - counted_;
  counted_ += more;
  if (!of_pictures_) return {.unsized = more};
  return {.pictures = more, .unsized = CanBePicture(text) ? 0 : 1};
}

// Nobody knows before what an annotation is: its type may come last.
MediaCount MediaMembers::OnClose(const JsonPlace& place) {
  if (place.depth() != depth_ + 1 || !IsAnnotation(place)) return {};
  const int64_t more = cites_ ? 0 : annotated_;
  annotated_ = 0;
  references_ += more;
  counted_ += more;
  return {.unsized = more};
}

bool MediaMembers::IsAnnotation(const JsonPlace& place) const {
  return where_ != MemberOf::kRequest && rule_ == Rule::kReferences && place.depth() > depth_ &&
         place.key(depth_) == "annotations";
}

// An empty list or object, and true, are no media; a service may need no more.
void MediaMembers::CountElement(const JsonPlace& place, JsonType type, std::string_view text) {
  if (place.depth() == depth_ && rule_ == Rule::kService) {
    places_ = type == JsonType::kArray ? 0 : 1;
  } else if (place.depth() > depth_ && !place.in_object()) {
    places_ = std::max(places_, ++elements_);
  } else if (!text.empty()) {
    places_ = std::max<int64_t>(places_, 1);
  }
}

bool MediaMembers::IsReference(const JsonPlace& place, JsonType type, std::string_view text) {
  if (place.depth() <= around_depth_) around_ = NameMeans::kNothing;
  const bool named = place.depth() > depth_ && place.in_object();
  NameMeans means = around_;
  if (named && around_ == NameMeans::kNothing) means = MeaningOf(place.key());
  if (IsContainer(type)) {
    if (around_ != NameMeans::kNothing || means == NameMeans::kText) return false;
    around_ = means;
    around_depth_ = place.depth();
    around_counted_ = false;
    return means == NameMeans::kService && type == JsonType::kObject;
  }
  switch (means) {
    case NameMeans::kText:
    case NameMeans::kQuoted:
      return false;
    case NameMeans::kMedia: {
      if (text.empty()) return false;
      const bool first = !std::exchange(around_counted_, true);
      if (around_ == NameMeans::kNothing || first || !named) return true;
      // Beside what stands for it, its name and what was read of it.
      if (place.key() == "type") return SaysMedia(text);
      const NameMeans own = MeaningOf(place.key());
      return own != NameMeans::kText && own != NameMeans::kQuoted;
    }
    case NameMeans::kService:
      return around_ == NameMeans::kNothing || !place.in_object() || CanBeReference(text);
    case NameMeans::kNothing:
      break;
  }
  // An id of a store is none where a type stands: some types begin as such.
  return named && place.key() == "type" ? SaysMedia(text) : CanBeReference(text);
}

void ContentPart::CountMember(const JsonPlace& place, JsonType type, std::string_view text) {
  const std::string_view member = place.key(kDepth);
  const MediaCount count = members_.OnValue(place, type, text);
  int64_t more = count.all();
  // A list of texts is no text that anybody is known to read.
  if (place.depth() == kDepth && member == "text" && IsContainer(type)) more = 1;
  if (HoldsPictures(MemberOf::kPart, member)) {
    pictures_ += count.pictures;
    disguised_ = disguised_ || count.unsized > 0;
  } else {
    (member == "input_audio" ? sounds_ : media_) += more;
  }
}

void ContentPart::OnOpen(const JsonPlace& place, JsonType type) {
  CountMember(place, type, {});
  other_ += BytesOfName(place);
}

void ContentPart::OnScalar(const JsonPlace& place, const JsonValue& value) {
  CountMember(place, value.type, TextOf(value));
  const size_t bytes = BytesOf(value);
  const std::string_view member = place.key(kDepth);
  if (place.depth() == kDepth) {
    if (member == "type") {
      const std::string_view type = value.text;
      if (std::ranges::binary_search(kTextTypes, type)) {
        type_ = Type::kText;
      } else if (type == "image_url" || type == "input_image" || type == "image") {
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
    if (std::ranges::binary_search(kMimeNames, member)) {
      not_picture_ = not_picture_ || !CanBePicture(TextOf(value));
    }
  }
  if (HoldsPictures(MemberOf::kPart, member)) {
    image_ += bytes;
    disguised_ = disguised_ || !CanBePicture(TextOf(value));
    return;
  }
  if (member == "input_audio") {
    const std::string_view name = place.in_object() ? place.key() : std::string_view();
    unsized_ = unsized_ || !IsPlainSound(name, place.depth() - kDepth, TextOf(value));
  }
  if (member == "input_audio" && place.depth() == kDepth + 1 && place.key() == "data") {
    sound_ += bytes;
  } else {
    other_ += bytes + BytesOfName(place);
  }
}

void ContentPart::OnClose(const JsonPlace& place) { media_ += members_.OnClose(place).all(); }

ContentPart::Kind ContentPart::kind() const {
  if (media_ == 0 && !disguised_) {
    if (type_ == Type::kText && pictures_ == 0 && sounds_ == 0) return Kind::kText;
    if (type_ == Type::kImage && sounds_ == 0 && !not_picture_) return Kind::kImage;
    if (type_ == Type::kSound && sound_ > 0 && !unsized_ && pictures_ == 0) return Kind::kSound;
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
    case Kind::kImage:
      return kMostPictureTokens * std::max<int64_t>(1, pictures_);
    case Kind::kSound:
      return static_cast<int64_t>(sound_ / kSoundBytesPerToken) + 1;
    default:
      return 0;
  }
}

int64_t ContentPart::unsized() const {
  return kind() == Kind::kOther ? std::max<int64_t>(1, pictures_ + sounds_ + media_) : 0;
}

void ToolEntry::OnMember(std::string_view name, const JsonValue& value) {
  constexpr size_t kBrackets = 2;
  const std::string_view text = TextOf(value);
  if (name == "type") {
    const bool function = text == "function" || text == "custom";
    client_ = IsClientTool(text);
    named_ = named_ || function || client_;
    service_ = !function && !client_ && value.type != JsonType::kNull;
    return;
  }
  if (std::ranges::binary_search(kToolTexts, name)) {
    named_ = named_ || name == "name" || name == "function";
    return;
  }
  const bool filled = value.range.end - value.range.begin > kBrackets;
  if (!NamesAnything(value.type) || (value.type == JsonType::kArray && !filled)) return;
  const bool known = std::ranges::find(kToolMedia, name) != kToolMedia.end();
  if (!known && !SaysMedia(name)) {
    if (IsContainer(value.type) ? !filled : !CanBeReference(text)) return;
  }
  ++others_;
  if (value.type == JsonType::kObject) ++objects_;
}

// What a service says beside its type are its settings, but for objects: those may be services.
int64_t ToolEntry::services() const {
  if (service_) return std::max<int64_t>(1, objects_);
  return named_ ? others_ : std::max<int64_t>(1, others_);
}

}  // namespace seekroute
