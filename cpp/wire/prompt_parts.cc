#include "wire/prompt_parts.h"

#include <algorithm>
#include <array>

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

void ContentPart::OnOpen(const JsonPlace& place) { other_ += BytesOfName(place); }

void ContentPart::OnScalar(const JsonPlace& place, const JsonValue& value) {
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
  if (type_ == Type::kText && image_ == 0 && sound_ == 0) return Kind::kText;
  if (type_ == Type::kImage && sound_ == 0) return Kind::kImage;
  if (type_ == Type::kSound && sound_ > 0 && image_ == 0) return Kind::kSound;
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
      return kMostMediaTokens;
  }
}

void ToolEntry::OnMember(std::string_view name, std::string_view text) {
  if (name == "name" || name == "function") named_ = true;
  if (name != "type") return;
  const bool function = text == "function" || text == "custom";
  named_ = named_ || function;
  service_ = !function;
}

}  // namespace seekroute
