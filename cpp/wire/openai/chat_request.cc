// The fields of a chat request: what is checked of them, and what may be read into a prompt.
#include <algorithm>
#include <charconv>
#include <utility>

#include "base/letter_case.h"
#include "wire/openai/field_checks.h"
#include "wire/openai/request_sink.h"

namespace seekroute {

using enum ErrorCode;

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
        return IsSpelledRight(MemberOf::kTool, place) ? Step::kSkip : Step::kStop;
      }
      if (type != JsonType::kObject) return StopWrongType(place, "an object", type);
      tool_ = {};
      if (++tools_ <= kMaxTools) return Step::kEnter;
      Fail(kInvalidValue, "expected at most " + std::to_string(kMaxTools) + " tools",
           std::string(place.key(1)));
      return Step::kStop;
    case FieldKind::kStreamOptions:
      if (!SetStreamOption(place, type, {})) return Step::kStop;
      return Step::kSkip;
    case FieldKind::kReasoning:
      reasoning_.other = true;
      return Step::kSkip;
    case FieldKind::kRouting:
      return Passes(routing_.OnOpen(place, type)) ? Step::kEnter : Step::kStop;
    default:
      if (field_.use == FieldUse::kPlugins) {
        routing_.plugins().OnOpen(place, type);
        return Step::kEnter;
      }
      if (field_.may_hold_media()) {
        CountMedia(&field_members_, place, type);
        return Step::kEnter;
      }
      if (field_.use == FieldUse::kModalities) ask_.answer_kinds = AnswerKinds::kOthers;
      return Step::kSkip;
  }
}

JsonSink::Step RequestSink::OpenField(const JsonPlace& place, JsonType type) {
  field_ = FieldNamed(place.key());
  if (field_.use == FieldUse::kUnknown || field_.use == FieldUse::kFetches) {
    ask_.is_ordinary = false;
  }
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
    case FieldKind::kReasoning:
      return Step::kEnter;
    case FieldKind::kRouting:
      return Passes(routing_.OnOpen(place, type)) ? Step::kEnter : Step::kStop;
    default:
      if (field_.may_hold_media()) CountMedia(&field_members_, place, type);
      return field_.use == FieldUse::kModalities || field_.use == FieldUse::kSchema ||
                     field_.may_hold_media() ||
                     (field_.use == FieldUse::kPlugins && type == JsonType::kArray)
                 ? Step::kEnter
                 : Step::kSkip;
  }
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
      tool_.OnMember(place.key(), value);
      return IsSpelledRight(MemberOf::kTool, place);
    case FieldKind::kStreamOptions:
      return SetStreamOption(place, value.type, value.range);
    case FieldKind::kReasoning:
      SetReasoning(place, value);
      return true;
    case FieldKind::kRouting:
      return Passes(routing_.OnScalar(place, value));
    default:
      if (field_.use == FieldUse::kPlugins) routing_.plugins().OnScalar(place, value);
      if (field_.may_hold_media()) CountMedia(&field_members_, place, value.type, TextOf(value));
      if (field_.use == FieldUse::kSchema && place.depth() == 2 && place.key() == "type" &&
          value.text == "json_schema") {
        ask_.wants.Add(Trait::kStructuredOutput);
      }
      if (field_.use != FieldUse::kModalities) return true;
      if (value.text == "audio") ask_.wants.Add(Trait::kAudioOutput);
      if (value.text == "image") ask_.wants.Add(Trait::kImageOutput);
      // One that is not text decides, wherever it stands.
      if (value.text != "text") {
        ask_.answer_kinds = AnswerKinds::kOthers;
      } else if (ask_.answer_kinds == AnswerKinds::kUnsaid) {
        ask_.answer_kinds = AnswerKinds::kTextOnly;
      }
      return true;
  }
}

bool RequestSink::SetField(const JsonPlace& place, const JsonValue& value) {
  field_ = FieldNamed(place.key());
  if (IsAbsent(field_.kind, value.type)) {
    request_.unsent.push_back({place.key_range().begin, value.range.end});
    return true;
  }
  NoteRefusable(place, value);
  if (AsksForOneAnswer(field_.kind, value.type, value.text)) return true;
  if (field_.use == FieldUse::kUnknown || field_.use == FieldUse::kFetches) {
    ask_.is_ordinary = false;
  }
  if (const std::string_view why = RefusalOf(field_.kind); !why.empty()) {
    return Fail(kUnknownParameter, std::string(why), place.Path());
  }
  if (!MayBe(field_.kind, value.type)) {
    return WrongType(place, ExpectedBy(field_.kind), value.type);
  }
  NoteSent(value);
  switch (field_.kind) {
    case FieldKind::kModel:
      return SetModel(place, value);
    case FieldKind::kRouting:
      LeaveOut(place, value);
      return Passes(routing_.OnScalar(place, value));
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
    case FieldKind::kGiven:
    case FieldKind::kReasoning:
    case FieldKind::kIncludeReasoning:
      LeaveOut(place, value);
      return true;
    default:
      if (field_.use == FieldUse::kEffort) {
        request_.reasoning_effort_value = value.range;
        request_.reasoning_effort = value.type != JsonType::kNull;
      }
      if (field_.use == FieldUse::kServiceTier) {
        ask_.service_tier = TierAskedFor(value);
      }
      if (field_.use == FieldUse::kCacheKey && value.type == JsonType::kString) {
        ask_.affinity.cache_key = value.text.substr(0, kMostSessionBytes);
      }
      if (field_.use == FieldUse::kProgress) {
        request_.wants_progress = value.type == JsonType::kTrue;
      }
      const bool unset = value.type == JsonType::kNull || value.type == JsonType::kFalse;
      if (unset) return true;
      if (field_.may_hold_media()) CountMedia(&field_members_, place, value.type, TextOf(value));
      EndField(place, value);
      return true;
  }
}

bool RequestSink::SetStreamOption(const JsonPlace& place, JsonType type, ByteRange value) {
  constexpr std::string_view kName = "include_usage";
  if (place.depth() != 2 || !IsSameWhenFolded(place.key(), kName)) return true;
  if (place.key() != kName) {
    return Fail(kUnknownParameter, std::string(RefusalOf(FieldKind::kOtherSpelling)), place.Path());
  }
  const bool is_bool = type == JsonType::kTrue || type == JsonType::kFalse;
  if (!is_bool && type != JsonType::kNull) return WrongType(place, "a boolean", type);
  request_.include_usage = type == JsonType::kTrue;
  request_.include_usage_value = value;
  return true;
}

// A field that the gateway does not act on has ended: what the model may read of it.
void RequestSink::EndField(const JsonPlace& place, const JsonValue& value) {
  const size_t bytes = value.range.end - value.range.begin;
  switch (field_.use) {
    case FieldUse::kSpeech:
      ask_.answer_kinds = AnswerKinds::kOthers;
      return;
    case FieldUse::kEffort:
    case FieldUse::kReasoning:
      ask_.reasoning.any = ask_.reasoning.any || value.text != "none";
      return;
    case FieldUse::kSchema:
      text_bytes_ += bytes;
      return;
    case FieldUse::kPrediction:
      ask_.predicted = static_cast<int64_t>(bytes);
      text_bytes_ += bytes;
      return;
    case FieldUse::kFetches:
      // Not counted as a value that could name anything, but it switches something on.
      if (value.type == JsonType::kNumber) CountUnsized(1);
      text_bytes_ += value.range.end - place.key_range().begin;
      return;
    case FieldUse::kUnknown:
      own_fields_ = own_fields_ || value.type != JsonType::kNumber;
      [[fallthrough]];
    case FieldUse::kTemplate:
      ask_.reasoning.any = true;
      [[fallthrough]];
    case FieldUse::kRead:
      text_bytes_ += value.range.end - place.key_range().begin;
      return;
    default:
      return;
  }
}

// A member of the request that not every endpoint takes, or can do.
void RequestSink::NoteSent(const JsonValue& value) {
  if (field_.parameter < 0 || AsksForNothing(value)) return;
  const auto at = static_cast<size_t>(field_.parameter);
  // What is off is as if it had not been sent, but for what is on by default.
  if (value.type == JsonType::kFalse && kParameterNames[at] != "parallel_tool_calls") return;
  ask_.parameters.Add(at);
  const std::string_view name = kParameterNames[at];
  if (name == "logprobs" || name == "top_logprobs") ask_.wants.Add(Trait::kLogprobs);
  if (name == "tools") ask_.wants.Add(Trait::kTools);
  if ((name == "reasoning" || name == "reasoning_effort") && value.text != "none") {
    ask_.wants.Add(Trait::kReasoning);
  }
  if (name == "tool_choice" && (value.type == JsonType::kObject || value.text == "required")) {
    ask_.wants.Add(Trait::kToolChoice);
  }
}

// A part of a message, by its type.
void RequestSink::NotePart(std::string_view type) {
  if (type == "image_url" || type == "input_image") ask_.wants.Add(Trait::kImageInput);
  if (type == "input_audio") ask_.wants.Add(Trait::kAudioInput);
  if (type == "video_url" || type == "input_video") ask_.wants.Add(Trait::kVideoInput);
  if (type == "file" || type == "input_file") ask_.wants.Add(Trait::kFileInput);
}

// A member that an upstream gets not as it came, if at all.
void RequestSink::LeaveOut(const JsonPlace& place, const JsonValue& value) {
  const ByteRange member{place.key_range().begin, value.range.end};
  const bool set = value.type != JsonType::kNull && value.type != JsonType::kFalse;
  switch (field_.kind) {
    case FieldKind::kElsewhere: {
      request_.unsent.push_back(member);
      const bool is_known = field_.use == FieldUse::kPlugins && value.type == JsonType::kArray &&
                            !routing_.plugins().has_unknown();
      if (!is_known && !AsksForNothing(value)) request_.ignored.push_back(field_.name);
      return;
    }
    case FieldKind::kGiven:
    case FieldKind::kRouting:
      request_.unsent.push_back(member);
      return;
    case FieldKind::kReasoning:
      ask_.reasoning.any = ask_.reasoning.any || set;
      // What is no object says nothing that is known.
      reasoning_.member = member;
      if (value.type != JsonType::kObject) reasoning_.other = value.type != JsonType::kNull;
      request_.reasoning = reasoning_;
      return;
    case FieldKind::kIncludeReasoning:
      ask_.reasoning.any = ask_.reasoning.any || set;
      request_.include_reasoning_member = member;
      request_.hides_reasoning = value.type == JsonType::kFalse;
      return;
    default:
      return;
  }
}

// A member that is not sent to a model that is known to refuse it, where the operator says so.
void RequestSink::NoteRefusable(const JsonPlace& place, const JsonValue& value) {
  if (const auto at = RefusableNamed(field_.name)) {
    request_.refusable[*at] = {{place.key_range().begin, value.range.end},
                               value.type != JsonType::kNull};
  }
}

// `enabled: true` and `exclude: false` say what is done anyway.
void RequestSink::SetReasoning(const JsonPlace& place, const JsonValue& value) {
  if (value.type == JsonType::kNull) return;
  const std::string_view key = place.key();
  if (key == "effort" && value.type == JsonType::kString) {
    reasoning_.effort = value.range;
  } else if (!(key == "enabled" && value.type == JsonType::kTrue) &&
             !(key == "exclude" && value.type == JsonType::kFalse)) {
    reasoning_.other = true;
  }
}

bool RequestSink::SetModel(const JsonPlace& place, const JsonValue& value) {
  if (const std::optional<Error> why = RefuseModelName(value, place)) return Fail(*why);
  has_model_ = true;
  ask_.model = value.text;
  request_.model_value = value.range;
  return true;
}

bool RequestSink::SetInteger(const JsonPlace& place, const JsonValue& value) {
  const std::optional<int64_t> whole = WholeNumber(value.text);
  if (!whole) {
    return Fail(kInvalidType, "expected an integer, got a fraction", place.Path());
  }
  const int64_t number = *whole;
  int64_t min = field_.min;
  const bool limits_answer =
      field_.use == FieldUse::kMaxTokens || field_.use == FieldUse::kMaxCompletionTokens;
  if (limits_answer) min = std::max(min, profile_.max_tokens_min.value_or(min));
  if (number < min || number > field_.max) {
    return Fail(kInvalidValue,
                "expected an integer from " + std::to_string(min) + " to " +
                    std::to_string(field_.max) + ", got " + std::string(value.text.substr(0, 32)),
                place.Path());
  }
  if (field_.use == FieldUse::kChoices) request_.choices = number;
  // Below 1 some mean by it that nothing bounds the thinking, and some that there is none.
  if (field_.use == FieldUse::kReasoningBudget) ask_.reasoning.any = true;
  if (field_.use == FieldUse::kReasoningBudget && number > 0) {
    request_.reasoning_budget_field->tokens = ask_.reasoning.most = number;
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
  ask_.max_cost = *amount;
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

bool RequestSink::OnClose(const JsonPlace& place, const JsonValue& value) {
  if (place.depth() == 1) {
    if (field_.kind == FieldKind::kStreamOptions) {
      request_.stream_options = value.range;
      has_options_ = true;  // null is as good as none
    }
    LeaveOut(place, value);
    NoteSent(value);
    if (field_.kind == FieldKind::kRouting && !Passes(routing_.OnEnd(place, value))) return false;
    NoteRefusable(place, value);
    if (field_.kind == FieldKind::kTools) {
      text_bytes_ += value.range.end - value.range.begin;
    }
    EndField(place, value);
    return true;
  }
  if (field_.use == FieldUse::kPlugins) {
    return place.depth() != 2 || Passes(routing_.plugins().OnPlugin());
  }
  if (field_.kind == FieldKind::kTools) {
    if (place.depth() == ToolEntry::kDepth) tool_.OnMember(place.key(), value);
    if (place.depth() == 2) {
      CountUnsized(tool_.services());
      media_tokens_ += tool_.tokens();
    }
    return true;
  }
  if (place.depth() < 2 || field_.kind != FieldKind::kMessages) return true;
  if (place.depth() == 2) return EndMessage(place);
  if (place.key(3) != "content") {
    CountMedia(message_members_.OnClose(place));
    return true;
  }
  if (place.depth() >= ContentPart::kDepth) part_.OnClose(place);
  if (place.depth() == 3) content_ = value.range;
  if (place.depth() != ContentPart::kDepth - 1) return true;
  if (!part_.typed()) {
    return Fail(kMissingRequiredParameter, "expected a content part with a type",
                place.Path() + ".type");
  }
  EndPart();
  return true;
}

// What can only be known once the whole body was read.
Status RequestSink::Check() const {
  if (!has_model_) {
    return MakeError(kMissingRequiredParameter, "expected the name of a model", "model");
  }
  if (!has_messages_) {
    return MakeError(kMissingRequiredParameter, "expected a list of messages", "messages");
  }
  if (messages_ == 0) {
    return MakeError(kInvalidValue, "expected at least one message", "messages");
  }
  if (has_options_ && !request_.stream) {
    return MakeError(kInvalidValue, "expected stream_options only with stream set to true",
                     "stream_options");
  }
  return {};
}

Result<std::unique_ptr<ParsedChat>> RequestSink::Take(const Status& scanned) {
  if (!scanned) return WithField(scanned.error());
  if (Status checked = Check(); !checked) return WithField(checked.error());
  parsed_->model_value = request_.model_value;
  ask_.stream = request_.stream;
  ask_.choices = request_.choices;
  ask_.max_output = request_.max_tokens;
  if (request_.choices > 1) ask_.wants.Add(Trait::kChoices);
  if (routing_.has_unknown()) request_.ignored.push_back("provider");
  ask_.route = routing_.Take();
  ask_.needs.Add(Need::kChat);
  if (!has_prompt_text_) ask_.needs.Add(Need::kNoPromptText);
  if (has_odd_prompt_text_) ask_.needs.Add(Need::kOddPromptText);
  ask_.strict_prompt = static_cast<int64_t>(text_bytes_) + kMostOpeningTokens +
                       kMostMessageTokens * messages_ + media_tokens_;
  ask_.preamble = tools_ > 0 ? kToolPreambleTokens : 0;
  // What a field of somebody's own asks for may be more than text.
  const bool unsaid = own_fields_ && ask_.answer_kinds == AnswerKinds::kTextOnly;
  if (unsaid) ask_.answer_kinds = AnswerKinds::kUnsaid;
  if (has_media_ || ask_.other_kinds) ask_.is_ordinary = false;
  return std::move(parsed_);
}

}  // namespace seekroute
