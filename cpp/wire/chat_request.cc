#include "wire/chat_request.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "wire/json_scan.h"
#include "wire/prompt_parts.h"
#include "wire/request_fields.h"

namespace seekroute {
namespace {

using enum ErrorCode;

// No catalog has longer names; a bound keeps them out of logs and errors.
constexpr size_t kMaxModelName = 256;

enum class Role : uint8_t { kNone, kSystem, kUser, kAssistant, kTool };

// `developer` is a system role, `function` an old tool role: what is checked is the same.
std::optional<Role> RoleNamed(std::string_view name) {
  if (name == "user") return Role::kUser;
  if (name == "assistant") return Role::kAssistant;
  if (name == "system" || name == "developer") return Role::kSystem;
  if (name == "tool" || name == "function") return Role::kTool;
  return std::nullopt;
}

class RequestSink : public JsonSink {
 public:
  explicit RequestSink(const Profile& profile) : profile_(profile) {}

  Step OnOpen(const JsonPlace& place, JsonType type) override;
  bool OnClose(const JsonPlace& place, const JsonValue& value) override;
  bool OnScalar(const JsonPlace& place, const JsonValue& value) override;

  // What can only be known once the whole body was read.
  Status Check() const;
  ChatRequest Take() { return std::move(request_); }

 private:
  Step OpenField(const JsonPlace& place, JsonType type);
  Step OpenInMessages(const JsonPlace& place, JsonType type);
  bool SetField(const JsonPlace& place, const JsonValue& value);
  bool SetModel(const JsonPlace& place, const JsonValue& value);
  bool SetInteger(const JsonPlace& place, const JsonValue& value);
  bool SetMaxCost(const JsonPlace& place, const JsonValue& value);
  bool SetNumber(const JsonPlace& place, const JsonValue& value);
  bool SetInMessages(const JsonPlace& place, const JsonValue& value);
  bool EndMessage(const JsonPlace& place);
  void EndPart();
  void EndField(const JsonPlace& place, const JsonValue& value);
  void CountMedia(int64_t tokens) {
    ++request_.media_parts;
    request_.media_tokens += tokens;
  }
  bool WrongType(const JsonPlace& place, std::string_view expected, JsonType got) {
    return Fail(kInvalidType,
                "expected " + std::string(expected) + ", got " + std::string(NameOf(got)),
                place.Path());
  }
  Step StopWrongType(const JsonPlace& place, std::string_view expected, JsonType got) {
    WrongType(place, expected, got);
    return Step::kStop;
  }

  const Profile& profile_;
  ChatRequest request_;
  FieldRule field_;  // the top-level member being read
  bool has_model_ = false;
  bool has_messages_ = false;
  bool has_options_ = false;

  // The message being read.
  Role role_ = Role::kNone;
  std::optional<ByteRange> content_;
  bool content_null_ = false;
  ContentPart part_;
  ToolEntry tool_;
};

JsonSink::Step RequestSink::OnOpen(const JsonPlace& place, JsonType type) {
  switch (place.depth()) {
    case 0:
      if (type == JsonType::kObject) return Step::kEnter;
      Fail(kInvalidJson, "expected a JSON object, got an array");
      return Step::kStop;
    case 1:
      return OpenField(place, type);
    default:
      break;
  }
  switch (field_.kind) {
    case FieldKind::kMessages:
      return OpenInMessages(place, type);
    case FieldKind::kTools:
      if (place.depth() == ToolEntry::kDepth) {
        tool_.OnMember(place.key(), {});
        return Step::kSkip;
      }
      if (type != JsonType::kObject) return StopWrongType(place, "an object", type);
      tool_ = {};
      if (++request_.tool_count <= kMaxTools) return Step::kEnter;
      Fail(kInvalidValue, "expected at most " + std::to_string(kMaxTools) + " tools",
           std::string(place.key(1)));
      return Step::kStop;
    case FieldKind::kStreamOptions:
      if (place.key() == "include_usage") return StopWrongType(place, "a boolean", type);
      return Step::kSkip;
    default:
      if (field_.use == FieldUse::kModalities) request_.answer_kinds = AnswerKinds::kOthers;
      return Step::kSkip;
  }
}

JsonSink::Step RequestSink::OpenField(const JsonPlace& place, JsonType type) {
  field_ = FieldNamed(place.key());
  if (const std::string_view why = RefusalOf(field_.kind); !why.empty()) {
    Fail(kUnknownParameter, std::string(why), place.Path());
    return Step::kStop;
  }
  if (!MayBe(field_.kind, type)) return StopWrongType(place, ExpectedBy(field_.kind), type);
  switch (field_.kind) {
    case FieldKind::kMessages:
      has_messages_ = true;
      return Step::kEnter;
    case FieldKind::kTools:
    case FieldKind::kStreamOptions:
      return Step::kEnter;
    default:
      return field_.use == FieldUse::kModalities ? Step::kEnter : Step::kSkip;
  }
}

JsonSink::Step RequestSink::OpenInMessages(const JsonPlace& place, JsonType type) {
  if (place.depth() == 2) {
    if (type != JsonType::kObject) return StopWrongType(place, "a message object", type);
    if (++request_.message_count > kMaxMessages) {
      Fail(kInvalidValue, "expected at most " + std::to_string(kMaxMessages) + " messages",
           "messages");
      return Step::kStop;
    }
    role_ = Role::kNone;
    content_.reset();
    content_null_ = false;
    return Step::kEnter;
  }
  const std::string_view member = place.key(3);
  if (place.depth() == 3) {
    if (member == "role") return StopWrongType(place, "a string", type);
    if (member == "content" && type != JsonType::kArray) {
      return StopWrongType(place, "a string or an array of content parts", type);
    }
    // Sound of an earlier answer, by its id.
    if (member == "audio") {
      CountMedia(kMostMediaTokens);
      request_.other_kinds = true;
    }
    request_.text_bytes += BytesOfName(place);
    return Step::kEnter;
  }
  if (member != "content") {
    request_.text_bytes += BytesOfName(place);
    return Step::kEnter;
  }
  if (place.depth() == ContentPart::kDepth - 1) {
    if (type != JsonType::kObject) return StopWrongType(place, "a content part object", type);
    part_ = {};
    return Step::kEnter;
  }
  if (place.depth() == ContentPart::kDepth && place.key() == "type") {
    return StopWrongType(place, "a string", type);
  }
  part_.OnOpen(place);
  return Step::kEnter;
}

bool RequestSink::OnScalar(const JsonPlace& place, const JsonValue& value) {
  switch (place.depth()) {
    case 0:
      return Fail(kInvalidJson, "expected a JSON object, got " + std::string(NameOf(value.type)));
    case 1:
      return SetField(place, value);
    default:
      break;
  }
  switch (field_.kind) {
    case FieldKind::kMessages:
      return SetInMessages(place, value);
    case FieldKind::kTools:
      if (place.depth() < ToolEntry::kDepth) return WrongType(place, "an object", value.type);
      tool_.OnMember(place.key(), value.text);
      return true;
    case FieldKind::kStreamOptions: {
      if (place.key() != "include_usage") return true;
      const bool is_bool = value.type == JsonType::kTrue || value.type == JsonType::kFalse;
      if (!is_bool && value.type != JsonType::kNull) {
        return WrongType(place, "a boolean", value.type);
      }
      request_.include_usage = value.type == JsonType::kTrue;
      request_.include_usage_value = value.range;
      return true;
    }
    default:
      if (field_.use != FieldUse::kModalities) return true;
      // One that is not text decides, wherever it stands.
      if (value.text != "text") {
        request_.answer_kinds = AnswerKinds::kOthers;
      } else if (request_.answer_kinds == AnswerKinds::kUnsaid) {
        request_.answer_kinds = AnswerKinds::kTextOnly;
      }
      return true;
  }
}

bool RequestSink::SetField(const JsonPlace& place, const JsonValue& value) {
  field_ = FieldNamed(place.key());
  if (const std::string_view why = RefusalOf(field_.kind); !why.empty()) {
    return Fail(kUnknownParameter, std::string(why), place.Path());
  }
  if (!MayBe(field_.kind, value.type)) {
    return WrongType(place, ExpectedBy(field_.kind), value.type);
  }
  switch (field_.kind) {
    case FieldKind::kModel:
      return SetModel(place, value);
    case FieldKind::kUser:
      if (!value.lone_surrogate) return true;
      return Fail(kInvalidUnicode, "expected text without lone surrogates", "user");
    case FieldKind::kStream:
      request_.stream = value.type == JsonType::kTrue;
      return true;
    case FieldKind::kStreamOptions:
      request_.stream_options = value.range;
      return true;
    case FieldKind::kInteger:
      if (field_.use == FieldUse::kMaxTokens) {
        request_.max_tokens_field = {place.key_range(), value.range, std::nullopt};
      } else if (field_.use == FieldUse::kMaxCompletionTokens) {
        request_.max_completion_tokens_field = {place.key_range(), value.range, std::nullopt};
      } else if (field_.use == FieldUse::kReasoningBudget) {
        request_.reasoning_budget_field = {place.key_range(), value.range, std::nullopt};
      }
      return value.type == JsonType::kNull || SetInteger(place, value);
    case FieldKind::kNumber:
      return value.type == JsonType::kNull || SetNumber(place, value);
    case FieldKind::kMaxCost:
      return SetMaxCost(place, value);
    case FieldKind::kElsewhere:
      request_.unsent.push_back({place.key_range().begin, value.range.end});
      return true;
    default:
      if (field_.use == FieldUse::kServiceTier) {
        request_.service_tier = value.type == JsonType::kString && value.text != "default";
      }
      if (field_.use == FieldUse::kProgress) {
        request_.wants_progress = value.type == JsonType::kTrue;
      }
      const bool unset = value.type == JsonType::kNull || value.type == JsonType::kFalse;
      if (!unset) EndField(place, value);
      return true;
  }
}

// A field that the gateway does not act on has ended: what the model may read of it.
void RequestSink::EndField(const JsonPlace& place, const JsonValue& value) {
  const size_t bytes = value.range.end - value.range.begin;
  switch (field_.use) {
    case FieldUse::kSpeech:
      request_.answer_kinds = AnswerKinds::kOthers;
      return;
    case FieldUse::kSchema:
      request_.text_bytes += bytes;
      return;
    case FieldUse::kPrediction:
      request_.predicted_bytes = bytes;
      request_.text_bytes += bytes;
      return;
    case FieldUse::kFetches:
      CountMedia(kMostMediaTokens);
      [[fallthrough]];
    case FieldUse::kRead:
      request_.text_bytes += value.range.end - place.key_range().begin;
      return;
    default:
      return;
  }
}

bool RequestSink::SetModel(const JsonPlace& place, const JsonValue& value) {
  if (value.lone_surrogate) {
    return Fail(kInvalidUnicode, "expected text without lone surrogates", place.Path());
  }
  if (value.text.empty() || value.text.size() > kMaxModelName) {
    return Fail(kInvalidValue,
                "expected a model name of 1 to " + std::to_string(kMaxModelName) + " bytes, got " +
                    std::to_string(value.text.size()),
                place.Path());
  }
  has_model_ = true;
  request_.model = value.text;
  request_.model_value = value.range;
  return true;
}

bool RequestSink::SetInteger(const JsonPlace& place, const JsonValue& value) {
  if (value.text.find_first_of(".eE") != std::string_view::npos) {
    return Fail(kInvalidType, "expected an integer, got a fraction or an exponent", place.Path());
  }
  int64_t number = 0;
  const char* end = value.text.data() + value.text.size();
  const bool fits = std::from_chars(value.text.data(), end, number).ec == std::errc{};
  int64_t min = field_.min;
  const bool limits_answer =
      field_.use == FieldUse::kMaxTokens || field_.use == FieldUse::kMaxCompletionTokens;
  if (limits_answer) min = std::max(min, profile_.max_tokens_min.value_or(min));
  if (!fits || number < min || number > field_.max) {
    return Fail(kInvalidValue,
                "expected an integer from " + std::to_string(min) + " to " +
                    std::to_string(field_.max) + ", got " + std::string(value.text.substr(0, 32)),
                place.Path());
  }
  if (field_.use == FieldUse::kChoices) request_.choices = number;
  if (field_.use == FieldUse::kReasoningBudget && number > 0) {
    request_.reasoning_budget_field->tokens = request_.max_reasoning = number;
  }
  if (limits_answer) {
    auto& field = field_.use == FieldUse::kMaxTokens ? request_.max_tokens_field
                                                     : request_.max_completion_tokens_field;
    field->tokens = number;
    request_.max_tokens = std::min(request_.max_tokens.value_or(number), number);
  }
  return true;
}

bool RequestSink::SetMaxCost(const JsonPlace& place, const JsonValue& value) {
  request_.unsent.push_back({place.key_range().begin, value.range.end});
  if (value.type == JsonType::kNull) return true;
  Result<Money> amount = ParseUsdLimit(value.text);
  if (!amount) return Fail(kInvalidValue, std::move(amount.error().message), place.Path());
  request_.max_cost = *amount;
  return true;
}

bool RequestSink::SetNumber(const JsonPlace& place, const JsonValue& value) {
  std::optional<double> min, max;
  if (field_.use == FieldUse::kTemperature) {
    min = profile_.temperature_min;
    max = profile_.temperature_max;
  } else if (field_.use == FieldUse::kTopP) {
    min = profile_.top_p_min;
    max = profile_.top_p_max;
  }
  double number = 0;
  // Out of range here can only be an underflow: the scan refused the rest. It stays 0.
  std::from_chars(value.text.data(), value.text.data() + value.text.size(), number);
  if ((!min || number >= *min) && (!max || number <= *max)) return true;
  return Fail(
      kInvalidValue,
      "expected a number " + RangeText(min, max) + ", got " + std::string(value.text.substr(0, 32)),
      place.Path());
}

bool RequestSink::SetInMessages(const JsonPlace& place, const JsonValue& value) {
  const int depth = place.depth();
  if (depth == 2) return WrongType(place, "a message object", value.type);
  const std::string_view member = place.key(3);
  const bool is_string = value.type == JsonType::kString;
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
  }
  if (depth > 3 && member == "content") {
    if (depth == 4) return WrongType(place, "a content part object", value.type);
    if (depth == ContentPart::kDepth && place.key() == "type" && !is_string) {
      return WrongType(place, "a string", value.type);
    }
    part_.OnScalar(place, value);
    return true;
  }
  request_.text_bytes += BytesOf(value) + BytesOfName(place);
  return true;
}

void RequestSink::EndPart() {
  request_.text_bytes += part_.text_bytes() + part_.other_bytes();
  const ContentPart::Kind kind = part_.kind();
  if (kind == ContentPart::Kind::kText) return;
  CountMedia(part_.media_tokens());
  if (kind != ContentPart::Kind::kImage) request_.other_kinds = true;
}

bool RequestSink::OnClose(const JsonPlace& place, const JsonValue& value) {
  if (place.depth() == 1) {
    if (field_.kind == FieldKind::kStreamOptions) {
      request_.stream_options = value.range;
      has_options_ = true;  // null is as good as none
    }
    if (field_.kind == FieldKind::kElsewhere) {
      request_.unsent.push_back({place.key_range().begin, value.range.end});
    }
    if (field_.kind == FieldKind::kTools) {
      request_.text_bytes += value.range.end - value.range.begin;
    }
    EndField(place, value);
    return true;
  }
  if (place.depth() == 2 && field_.kind == FieldKind::kTools) {
    if (tool_.is_service()) CountMedia(kMostMediaTokens);
    return true;
  }
  if (place.depth() < 2 || field_.kind != FieldKind::kMessages) return true;
  if (place.depth() == 2) return EndMessage(place);
  if (place.key(3) != "content") return true;
  if (place.depth() == 3) content_ = value.range;
  if (place.depth() != ContentPart::kDepth - 1) return true;
  if (!part_.typed()) {
    return Fail(kMissingRequiredParameter, "expected a content part with a type",
                place.Path() + ".type");
  }
  EndPart();
  return true;
}

bool RequestSink::EndMessage(const JsonPlace& place) {
  if (role_ == Role::kNone) {
    return Fail(kMissingRequiredParameter, "expected a message with a role",
                place.Path() + ".role");
  }
  if (role_ == Role::kUser && content_) request_.last_user_content = content_;
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

Status RequestSink::Check() const {
  if (!has_model_) {
    return MakeError(kMissingRequiredParameter, "expected the name of a model", "model");
  }
  if (!has_messages_) {
    return MakeError(kMissingRequiredParameter, "expected a list of messages", "messages");
  }
  if (request_.message_count == 0) {
    return MakeError(kInvalidValue, "expected at least one message", "messages");
  }
  if (has_options_ && !request_.stream) {
    return MakeError(kInvalidValue, "expected stream_options only with stream set to true",
                     "stream_options");
  }
  return {};
}

}  // namespace

Result<ChatRequest> ParseChatRequest(std::string_view body, const Profile& profile) {
  RequestSink sink(profile);
  if (Status scanned = ScanJson(body, JsonKeys::kUnique, &sink); !scanned) return scanned.error();
  if (Status checked = sink.Check(); !checked) return checked.error();
  return sink.Take();
}

}  // namespace seekroute
