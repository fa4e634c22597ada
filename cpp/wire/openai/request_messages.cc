// The messages of a chat request: what is checked of them, and what may be read into a prompt.
#include "wire/openai/request_sink.h"

namespace seekroute {

using enum ErrorCode;

// `developer` is a system role, `function` an old tool role: what is checked is the same.
std::optional<RequestSink::Role> RequestSink::RoleNamed(std::string_view name) {
  if (name == "user") return Role::kUser;
  if (name == "assistant") return Role::kAssistant;
  if (name == "system" || name == "developer") return Role::kSystem;
  if (name == "tool" || name == "function") return Role::kTool;
  return std::nullopt;
}

JsonSink::Step RequestSink::OpenInMessages(const JsonPlace& place, JsonType type) {
  if (place.depth() == 2) {
    if (type != JsonType::kObject) return StopWrongType(place, "a message object", type);
    if (++messages_ > kMaxMessages) {
      Fail(kInvalidValue, "expected at most " + std::to_string(kMaxMessages) + " messages",
           "messages");
      return Step::kStop;
    }
    role_ = Role::kNone;
    content_.reset();
    content_null_ = false;
    has_text_ = has_odd_text_ = false;
    return Step::kEnter;
  }
  const std::string_view member = place.key(3);
  if (place.depth() == 3) {
    if (member == "role") return StopWrongType(place, "a string", type);
    if (member == "content" && type != JsonType::kArray) {
      return StopWrongType(place, "a string or an array of content parts", type);
    }
    if (!IsSpelledRight(MemberOf::kMessage, place)) return Step::kStop;
  }
  if (member != "content" || place.depth() == 3) {
    CountMedia(&message_members_, place, type);
    text_bytes_ += BytesOfName(place);
    if (IsToolCall(place)) text_bytes_ += size_t{kMostCallTokens};
    return Step::kEnter;
  }
  if (place.depth() == ContentPart::kDepth - 1) {
    if (type != JsonType::kObject) return StopWrongType(place, "a content part object", type);
    part_ = {};
    text_bytes_ += BytesOfName(place);
    return Step::kEnter;
  }
  if (place.depth() == ContentPart::kDepth) {
    if (place.key() == "type") return StopWrongType(place, "a string", type);
    if (!IsSpelledRight(MemberOf::kPart, place)) return Step::kStop;
  }
  part_.OnOpen(place, type);
  return Step::kEnter;
}

bool RequestSink::SetInMessages(const JsonPlace& place, const JsonValue& value) {
  const int depth = place.depth();
  if (depth == 2) return WrongType(place, "a message object", value.type);
  const std::string_view member = place.key(3);
  const bool is_string = value.type == JsonType::kString;
  if (depth == 3 && !IsSpelledRight(MemberOf::kMessage, place)) return false;
  if (depth == 3 && member == "role") {
    if (!is_string) return WrongType(place, "a string", value.type);
    const std::optional<Role> role = RoleNamed(value.text);
    if (!role) {
      return Fail(kInvalidValue,
                  "expected one of system, developer, user, assistant, tool, function",
                  place.Path());
    }
    role_ = *role;
    return true;
  }
  if (depth == 3 && member == "content") {
    if (value.type == JsonType::kNull) {
      content_null_ = true;
      return true;
    }
    if (!is_string) return WrongType(place, "a string or an array of content parts", value.type);
    content_ = value.range;
    SeeText(value);
  }
  if (depth > 3 && member == "content") {
    if (depth == 4) return WrongType(place, "a content part object", value.type);
    if (depth == ContentPart::kDepth && place.key() == "type" && !is_string) {
      return WrongType(place, "a string", value.type);
    }
    if (depth == ContentPart::kDepth && !IsSpelledRight(MemberOf::kPart, place)) return false;
    if (depth == ContentPart::kDepth && place.key() == "text") SeeText(value);
    if (depth == ContentPart::kDepth && place.key() == "type") NotePart(value.text);
    part_.OnScalar(place, value);
    return true;
  }
  CountMedia(&message_members_, place, value.type, TextOf(value));
  text_bytes_ += BytesOf(value) + BytesOfName(place);
  return true;
}

// The first byte tells, of nearly every text.
void RequestSink::SeeText(const JsonValue& value) {
  has_text_ = has_text_ || (value.type == JsonType::kString &&
                            value.text.find_first_not_of(kPromptSpace) != std::string_view::npos);
  has_odd_text_ = has_odd_text_ || value.lone_surrogate;
}

void RequestSink::EndPart() {
  text_bytes_ += part_.text_bytes() + part_.other_bytes();
  const ContentPart::Kind kind = part_.kind();
  if (kind == ContentPart::Kind::kText) return;
  has_media_ = true;
  media_tokens_ += part_.media_tokens();
  CountUnsized(part_.unsized());
  if (kind != ContentPart::Kind::kImage) ask_.other_kinds = true;
}

bool RequestSink::EndMessage(const JsonPlace& place) {
  if (role_ == Role::kNone) {
    return Fail(kMissingRequiredParameter, "expected a message with a role",
                place.Path() + ".role");
  }
  if (role_ == Role::kUser && content_) {
    request_.last_user_content = content_;
    has_prompt_text_ = has_text_;
    has_odd_prompt_text_ = has_odd_text_;
  }
  if (role_ == Role::kAssistant) ask_.affinity.answered = true;
  if (content_) {
    ByteRange& first = role_ == Role::kSystem ? ask_.affinity.system : ask_.affinity.first_turn;
    if (first.end == 0) first = *content_;
  }
  // An assistant may have only called tools, refused, or spoken; providers judge that.
  if (content_ || role_ == Role::kAssistant) return true;
  if (content_null_) {
    if (role_ == Role::kTool) return true;  // a tool that returned nothing; clients send this
    return Fail(kInvalidType, "expected a string or an array of content parts, got null",
                place.Path() + ".content");
  }
  return Fail(kMissingRequiredParameter, "expected a message with content",
              place.Path() + ".content");
}

}  // namespace seekroute
