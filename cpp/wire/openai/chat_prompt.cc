#include "wire/openai/chat_prompt.h"

#include <algorithm>

#include "wire/openai/prompt_sink.h"

namespace seekroute {
namespace {

// Around a message: its role and the separators of the usual templates. Once: what opens the
// answer.
constexpr TokenEstimate kMessage = {.tokens = 4, .upper = kMostMessageTokens};
constexpr TokenEstimate kOpening = {.tokens = 3, .upper = kMostOpeningTokens};
constexpr TokenEstimate kName = {.tokens = 1, .upper = 2};
constexpr TokenEstimate kToolCall = {.tokens = 4, .upper = kMostCallTokens};
constexpr int64_t kDefinitions = 16;  // what opens and ends them

// An image costs by its size in tiles of 512 pixels: 85 for the whole at low detail; at high detail
// 170 more for each tile, 4 for a square of 1024 pixels. Some models count thirty times as much:
// the bound is that of any part.
constexpr int64_t kImageLowTokens = 85;
constexpr int64_t kImageHighTokens = 765;
constexpr int64_t kOtherTokens = 1024;  // a video, a file by its id, a search

// Ten tokens a second of sound, 16 kB of which is the usual MP3; a page of a document has about a
// thousand tokens and 100 kB. Base64 is a third longer.
constexpr int64_t kAudioBytesPerToken = 2048;
constexpr int64_t kFileBytesPerToken = 128;

}  // namespace

PromptSink::PromptSink(std::string_view body, int64_t unsized) : body_(body), unsized_(unsized) {
  Count(kOpening);
}

TokenEstimate PromptSink::Estimate() const {
  const TokenEstimate text = text_.Estimate();
  return {text.tokens + counted_.tokens, text.upper + counted_.upper};
}

JsonSink::Step PromptSink::OnOpen(const JsonPlace& place, JsonType type) {
  switch (place.depth()) {
    case 0:
      if (type == JsonType::kObject) return Step::kEnter;
      Fail(ErrorCode::kInvalidJson, "expected a JSON object");
      return Step::kStop;
    case 1:
      BeginField(place);
      in_messages_ = place.key() == "messages";
      in_tools_ = place.key() == "tools" || place.key() == "functions";
      if (may_hold_media_) CountMedia(&field_members_, place, type);
      return in_messages_ || in_tools_ || may_hold_media_ ? Step::kEnter : Step::kSkip;
    case 2:
      if (in_messages_) Count(kMessage);
      if (may_hold_media_) CountMedia(&field_members_, place, type);
      tool_ = {};
      return Step::kEnter;
    default:
      break;
  }
  if (may_hold_media_) {
    CountMedia(&field_members_, place, type);
    return Step::kEnter;
  }
  if (in_tools_) return Step::kSkip;
  if (!IsContent(place)) CountMedia(&message_members_, place, type);
  if (IsToolCall(place)) Count(kToolCall);
  if (place.depth() >= ContentPart::kDepth && IsContent(place)) {
    part_.OnOpen(place, type);
  } else if (place.depth() == ContentPart::kDepth - 1 && IsContent(place)) {
    part_ = {};
    counted_.upper += static_cast<int64_t>(BytesOfName(place));
    low_detail_ = false;
    sound_bytes_ = 0;
    file_bytes_ = 0;
  } else {
    counted_.upper += static_cast<int64_t>(BytesOfName(place));
  }
  return Step::kEnter;
}

bool PromptSink::OnClose(const JsonPlace& place, const JsonValue& value) {
  if (place.depth() == 1) {
    AddField(place, value);
  } else if (in_tools_) {
    if (place.depth() == ToolEntry::kDepth) tool_.OnMember(place.key(), value);
    if (place.depth() != 2) return true;
    Count({tool_.tokens() / 2, tool_.tokens()});
    for (int64_t i = tool_.services(); i > 0; --i) Count({kOtherTokens, unsized_});
  } else if (in_messages_ && place.depth() >= 3 && !IsContent(place)) {
    counted_.upper += message_members_.OnClose(place).unsized * unsized_;
  } else if (in_messages_ && place.depth() >= ContentPart::kDepth) {
    part_.OnClose(place);
  } else if (in_messages_ && place.depth() == ContentPart::kDepth - 1 && IsContent(place)) {
    EndPart();
  }
  return true;
}

bool PromptSink::OnScalar(const JsonPlace& place, const JsonValue& value) {
  if (place.depth() == 0) return Fail(ErrorCode::kInvalidJson, "expected a JSON object");
  if (place.depth() == 1) {
    const bool unset = value.type == JsonType::kNull || value.type == JsonType::kFalse;
    BeginField(place);
    if (unset) return true;
    if (may_hold_media_) CountMedia(&field_members_, place, value.type, TextOf(value));
    AddField(place, value);
    return true;
  }
  if (may_hold_media_) CountMedia(&field_members_, place, value.type, TextOf(value));
  if (in_tools_ && place.depth() == ToolEntry::kDepth) {
    tool_.OnMember(place.key(), value);
  }
  if (!in_messages_ || place.depth() < 3) return true;
  if (place.depth() >= ContentPart::kDepth && IsContent(place)) {
    AddToPart(place, value);
    return true;
  }
  const bool counted = CountMedia(&message_members_, place, value.type, TextOf(value));
  const std::string_view key = place.key();
  const bool unknown = counted || (place.depth() == 3 && message_members_.watching());
  const bool is_text = !unknown && (place.depth() == 3 ? key != "role" && key != "tool_call_id"
                                                       : key == "name" || key == "arguments" ||
                                                             key == "input" || key == "text");
  if (key == "name" && place.depth() == 3) Count(kName);
  if (is_text && value.type == JsonType::kString) {
    AddText(value.text);
    counted_.upper += static_cast<int64_t>(BytesOfName(place));
  } else if (key != "role" || place.depth() > 3) {
    counted_.upper += static_cast<int64_t>(BytesOf(value) + BytesOfName(place));
  }
  return true;
}

// A member of the request begins: what the one before it was is no more.
void PromptSink::BeginField(const JsonPlace& place) {
  const FieldRule rule = FieldNamed(place.key());
  use_ = rule.use;
  may_hold_media_ = rule.may_hold_media();
  in_messages_ = false;
  in_tools_ = false;
}

// Of what is not known nothing is expected.
bool PromptSink::CountMedia(MediaMembers* members, const JsonPlace& place, JsonType type,
                            std::string_view text) {
  const MediaCount more = members->OnValue(place, type, text);
  if (more.all() == 0) return false;
  const std::string_view member = in_messages_ ? place.key(3) : std::string_view();
  counted_.upper += more.pictures * kMostPictureTokens + more.unsized * unsized_;
  counted_.tokens += member == "audio" ? kOtherTokens : member == "images" ? kImageHighTokens : 0;
  return true;
}

// Templates write tool definitions and schemas as JSON or as something close to it, indented or
// shortened: that is expected as text, and bounded by twice its own bound. Where vocabularies
// differ more, outside ASCII, each byte counts.
void PromptSink::AddDefinitions(std::string_view json, int64_t bytes) {
  const TokenEstimate text = EstimateTokens(json);
  const auto foreign =
      std::ranges::count_if(json, [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
  Count({text.tokens, std::min(bytes, 2 * text.upper + kDefinitions + foreign)});
}

// What only may be read is not expected to be, and bounded by its bytes.
void PromptSink::AddField(const JsonPlace& place, const JsonValue& value) {
  const std::string_view key = place.key();
  const std::string_view json = value.range.In(body_);
  const auto bytes = static_cast<int64_t>(value.range.end - place.key_range().begin);
  const bool has_schema =
      key == "response_format" && json.find("\"schema\"") != std::string_view::npos;
  if (key == "tools" || key == "functions" || has_schema) {
    AddDefinitions(json, bytes);
  } else if (key == "documents") {
    Count({EstimateTokens(json).tokens, bytes});
  } else if (use_ == FieldUse::kFetches) {
    const bool uncounted = value.type == JsonType::kNumber;
    Count({kOtherTokens, bytes + (uncounted ? unsized_ : 0)});
  } else if (use_ == FieldUse::kRead || use_ == FieldUse::kTemplate || use_ == FieldUse::kUnknown ||
             use_ == FieldUse::kSchema || use_ == FieldUse::kPrediction) {
    counted_.upper += bytes;
  }
}

void PromptSink::AddToPart(const JsonPlace& place, const JsonValue& value) {
  part_.OnScalar(place, value);
  const std::string_view key = place.key();
  if (place.depth() == ContentPart::kDepth) {
    if (key == "text" || key == "refusal") AddText(value.text);
  } else if (place.depth() == ContentPart::kDepth + 1) {
    const std::string_view member = place.key(ContentPart::kDepth);
    if (member == "image_url" && key == "detail") low_detail_ = value.text == "low";
    if (member == "image_url" && !CanBePicture(TextOf(value))) file_bytes_ = BytesOf(value);
    if (member == "input_audio" && key == "data") sound_bytes_ = BytesOf(value);
    if (member == "file" && key == "file_data") file_bytes_ = BytesOf(value);
  }
}

void PromptSink::EndPart() {
  TokenEstimate more;
  more.upper =
      static_cast<int64_t>(part_.other_bytes()) + part_.media_tokens() + part_.unsized() * unsized_;
  switch (part_.kind()) {
    case ContentPart::Kind::kText:
      break;
    case ContentPart::Kind::kImage:
      more.tokens = low_detail_ ? kImageLowTokens : kImageHighTokens;
      break;
    case ContentPart::Kind::kSound:
      more.tokens = static_cast<int64_t>(sound_bytes_) / kAudioBytesPerToken + 1;
      break;
    case ContentPart::Kind::kOther:
      more.tokens =
          file_bytes_ == 0
              ? std::max(kOtherTokens, static_cast<int64_t>(sound_bytes_) / kAudioBytesPerToken + 1)
              : static_cast<int64_t>(file_bytes_) / kFileBytesPerToken + 1;
      break;
  }
  Count(more);
}

TokenEstimate EstimateChatPrompt(std::string_view body, int64_t unsized) {
  PromptSink sink(body, unsized);
  if (!ScanJson(body, JsonKeys::kAny, &sink)) return EstimateTokens(body);
  return sink.Estimate();
}

}  // namespace seekroute
