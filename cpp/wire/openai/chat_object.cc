#include "wire/openai/chat_object.h"

#include <utility>

#include "base/white_space.h"
#include "wire/json/json_scan.h"
#include "wire/json/json_writer.h"
#include "wire/openai/finish_reason.h"
#include "wire/openai/part_identity.h"
#include "wire/provider_error.h"
#include "wire/token_estimate.h"
#include "wire/upstream_refusal.h"

namespace seekroute {
namespace {

constexpr size_t kMaxFinishReason = 64;
constexpr size_t kMaxTopUsages = 4;  // more than two were never seen
constexpr size_t kMaxRepeated = 4;   // likewise

// What an entry of `images` or a part of `content` is.
enum class MediaKind : uint8_t { kNone, kPicture, kSound };

// By the part's type or by the member that holds it: "image", "image_url", "output_audio".
MediaKind KindNamed(std::string_view name) {
  if (name.find("image") != std::string_view::npos) return MediaKind::kPicture;
  if (name.find("audio") != std::string_view::npos) return MediaKind::kSound;
  return MediaKind::kNone;
}

class ChatSink : public JsonSink {
 public:
  ChatSink(std::string_view text, ChatShape shape, TokenEstimator* content)
      : text_(text), inner_(shape == ChatShape::kDelta ? "delta" : "message"), content_(content) {}

  ChatObject Take() { return std::move(chat_); }

  Step OnOpen(const JsonPlace& place, JsonType type) override {
    switch (place.depth()) {
      case 0:
        if (type != JsonType::kObject) return Stop("expected an object");
        return Step::kEnter;
      case 1:
        in_choices_ = place.key() == "choices";
        in_groq_ = place.key() == "x_groq" && type == JsonType::kObject;
        if (in_groq_) return Step::kEnter;
        if (!in_choices_) return Step::kSkip;
        if (type != JsonType::kArray) return Stop("expected choices to be an array");
        if (std::exchange(chat_.has_choices, true)) return Stop("choices stand twice");
        return Step::kEnter;
      case 2:
        if (in_groq_) return Step::kSkip;
        if (type != JsonType::kObject) return Stop("expected choices of objects");
        index_ = place.index(2);
        finish_reason_.clear();
        choice_has_content_ = false;
        choice_has_usage_ = false;
        choice_has_output_ = choice_has_index_ = false;
        first_part_ = chat_.parts.size();
        first_call_ = chat_.calls.size();
        first_item_ = chat_.items.size();
        return Step::kEnter;
      case 3:
        if (place.key() == "delta" && inner_ == "delta" && type != JsonType::kObject) {
          return Stop("expected delta to be an object");
        }
        in_output_ = place.key() == inner_ && type == JsonType::kObject;
        reasoning_ = {};
        choice_has_output_ = choice_has_output_ || in_output_;
        return in_output_ ? Step::kEnter : Step::kSkip;
      case 4:
        member_has_content_ = false;
        member_text_.clear();
        if (place.key() == "annotations") AddPart(place, {});
        reasoning_.shown = reasoning_.shown || place.key() == "reasoning";
        return IsOutput(place.key()) ? Step::kEnter : Step::kSkip;
      case 5:
        part_ = place.key(4) == "images" ? MediaKind::kPicture : MediaKind::kNone;
        part_bytes_ = 0;
        identity_ = {};
        part_is_text_ = false;
        call_ = {};
        return Step::kEnter;
      default:
        return Step::kEnter;
    }
  }

  bool OnScalar(const JsonPlace& place, const JsonValue& value) override {
    switch (place.depth()) {
      case 0:
        return Bad("expected an object");
      case 1:
        if (place.key() != "choices") return OnTopMember(place, value);
        return value.type == JsonType::kNull || Bad("expected choices to be an array");
      case 2:
        if (in_groq_) return OnGroqMember(place, value);
        return Bad("expected choices of objects");
      case 3:
        return OnChoiceMember(place, value);
      case 4:
        if (place.key() == "reasoning") SeeReasoning(value);
        if (value.type == JsonType::kString && !value.text.empty() && IsOutputText(place.key())) {
          choice_has_content_ = true;
          if (RepeatsReasoning(place, value)) return true;
          AddContent(place, value.text);
          AddPart(place, value.text,
                  value.lone_surrogate ? HalvesOf(value.range.In(text_)) : LoneHalves());
        }
        return true;
      default:
        if (value.type == JsonType::kNull) return true;
        choice_has_content_ = member_has_content_ = true;
        OnCallMember(place, value);
        if (value.type != JsonType::kString) return true;
        OnItemMember(place, value.text);
        if (place.in_object() && IsText(place.key())) {
          AddContent(place, value.text);
        } else {
          OnMedia(place, value.text);
        }
        return true;
    }
  }

  bool OnClose(const JsonPlace& place, const JsonValue& value) override {
    if (place.depth() == 1) {
      in_groq_ = false;
      return place.key() == "choices" || OnTopMember(place, value);
    }
    if (place.depth() == 2 && in_groq_) return OnGroqMember(place, value);
    if (place.depth() == 2 && in_choices_) return EndChoice();
    if (place.depth() == 3 && in_choices_) {
      if (in_output_) EndOutput();
      return EndChoiceMember(place, value);
    }
    if (place.depth() == 4 && in_choices_ && std::exchange(member_has_content_, false)) {
      AddPart(place, member_text_);
    }
    if (place.depth() == 5 && in_choices_) {
      EndPart();
      EndItem(place);
      EndCall(place, value);
    }
    return true;
  }

 private:
  bool Bad(std::string_view why) {
    return Fail(ErrorCode::kBadUpstreamResponse,
                "the provider's answer is not a chat completion: " + std::string(why));
  }
  Step Stop(std::string_view why) {
    Bad(why);
    return Step::kStop;
  }

  void AddContent(const JsonPlace& place, std::string_view text) {
    chat_.content_bytes += text.size();
    if (content_ == nullptr) return;
    // Which text goes on is told by the choice and the member's name; two that are taken for one
    // cost a word cut wrongly where they meet.
    const auto choice = static_cast<uint32_t>(place.index(2));
    const auto tool = static_cast<uint32_t>(place.depth() > 4 ? place.index(5) : 0);
    const auto member = static_cast<uint32_t>(place.key(4).size() * 32 + place.key().size());
    content_->Switch((choice * 64 + tool) * 2048 + member);
    content_->Add(text);
  }

  void AddPart(const JsonPlace& place, std::string_view text, LoneHalves halves = {}) {
    if (inner_ == "delta") {
      chat_.parts.push_back({0, std::string(place.key()), std::string(text), halves});
    }
  }

  // A string in a list of parts or pictures.
  void OnItemMember(const JsonPlace& place, std::string_view text) {
    if (inner_ != "delta" || !HasItems(place.key(4))) return;
    const bool in_object = place.in_object();
    if (IsPartText(place)) {
      part_is_text_ = true;
      member_text_ += text;
    }
    identity_.Add(in_object ? place.key() : std::string_view(), text);
    if (place.depth() == 5 && !in_object) EndItem(place);
  }

  void EndItem(const JsonPlace& place) {
    const PartIdentity item = std::exchange(identity_, {});
    if (inner_ != "delta" || place.in_object() || !HasItems(place.key(4))) return;
    if (part_is_text_) return;
    chat_.items.push_back({0, item.value()});
  }

  void OnCallMember(const JsonPlace& place, const JsonValue& value) {
    if (inner_ != "delta" || place.key(4) != "tool_calls") return;
    const std::string_view key = place.key();
    const bool is_id = value.type == JsonType::kString || value.type == JsonType::kNumber;
    if (place.depth() == 6 && key == "id" && is_id) {
      call_.id = value.text;
    } else if (place.depth() == 6 && key == "index" && value.type == JsonType::kNumber) {
      const int64_t index = ReadInteger(value.text).value_or(0);
      call_.index = std::clamp(index, int64_t{0}, CallNumbers::kMaxIndex);
      if (value.text != std::to_string(*call_.index)) chat_.lacks_member = true;
    } else if (place.depth() == 7 && value.type == JsonType::kString && HoldsCall(place.key(6))) {
      if (key == "name") call_.name = value.text;
      if (IsArguments(key)) call_.arguments = value.text;
    }
  }

  void EndCall(const JsonPlace& place, const JsonValue& value) {
    if (inner_ != "delta" || place.key(4) != "tool_calls" || value.type != JsonType::kObject)
      return;
    if (!call_.index) chat_.lacks_member = true;
    chat_.calls.push_back(std::move(call_));
  }

  void SeeReasoning(const JsonValue& value) {
    const bool is_string = value.type == JsonType::kString;
    if (value.type == JsonType::kNull || (is_string && value.text.empty())) {
      reasoning_.empty = value.range;
    } else if (!is_string) {
      reasoning_.shown = true;
    }
  }

  // Notes what stands under the two names of thinking. Whether it is the same text a second time:
  // that was thought once.
  bool RepeatsReasoning(const JsonPlace& place, const JsonValue& value) {
    const bool shown = place.key() == "reasoning";
    if (!shown && place.key() != "reasoning_content") return false;
    (shown ? reasoning_.shown : reasoning_.hidden) = true;
    const ByteRange before = std::exchange(reasoning_.text, value.range);
    return reasoning_.shown && reasoning_.hidden && before.In(text_) == value.range.In(text_);
  }

  void EndOutput() {
    if (!reasoning_.hidden || reasoning_.shown) return;
    if (chat_.hidden_reasoning.size() == kMaxAnswerChoices) return;
    chat_.hidden_reasoning.push_back({reasoning_.text, reasoning_.empty});
  }

  // A string of structured output that is no text.
  void OnMedia(const JsonPlace& place, std::string_view text) {
    const std::string_view member = place.key(4);
    const auto bytes = static_cast<int64_t>(text.size());
    if (member == "audio") {
      if (place.in_object() && place.key() == "data") chat_.media.sound_bytes += bytes;
      return;
    }
    if (member != "images" && member != "content") return;
    if (place.depth() == 5) {  // an entry that is its address, or its bytes
      if (member == "images" && bytes > 0) ++chat_.media.pictures;
      return;
    }
    if (part_ == MediaKind::kNone) {
      const bool is_type = place.depth() == 6 && place.key() == "type";
      part_ = KindNamed(is_type ? text : place.key(6));
    }
    if (!place.in_object() || !IsLabel(place.key())) part_bytes_ += bytes;
  }

  void EndPart() {
    const MediaKind kind = std::exchange(part_, MediaKind::kNone);
    const int64_t bytes = std::exchange(part_bytes_, 0);
    if (kind == MediaKind::kPicture && bytes > 0) ++chat_.media.pictures;
    if (kind == MediaKind::kSound) chat_.media.sound_bytes += bytes;
  }

  bool OnTopMember(const JsonPlace& place, const JsonValue& value) {
    const std::string_view key = place.key();
    if (key == "usage") {
      if (top_usages_ == kMaxTopUsages) return Bad("usage stands too often");
      AddUsage(place, value);
      if (++top_usages_ > 1) chat_.usage.odd = true;  // which of them is right, nobody knows
      return true;
    }
    if (key == "service_tier" && value.type == JsonType::kString && IsTierName(value.text)) {
      chat_.service_tier = value.text;
    }
    if (key == "prompt_progress") chat_.has_progress = value.type != JsonType::kNull;
    std::optional<JsonMember>* member = nullptr;
    if (key == "id") member = &chat_.id;
    if (key == "object") member = &chat_.object;
    if (key == "model") member = &chat_.model;
    if (key == "created") member = &chat_.created;
    if (key == "error" && value.type != JsonType::kNull) {
      member = SaysNothing(value.range.In(text_)) ? &chat_.empty_error : &chat_.error;
    }
    if (member == nullptr) return true;
    if (member->has_value()) {
      if (key == "error") return Bad("error stands twice");
      if (chat_.repeated.size() == kMaxRepeated) return Bad(std::string(key) + " stands too often");
      chat_.repeated.push_back(MemberAt(place, value));
      return true;
    }
    *member = MemberAt(place, value);
    if (key == "created") chat_.created_null = value.type == JsonType::kNull;
    if (key == "object") chat_.says_error = value.text == "error";
    return true;
  }

  // What Groq tells in an object of its own, beside an answer.
  bool OnGroqMember(const JsonPlace& place, const JsonValue& value) {
    if (place.key() == "usage" && value.type == JsonType::kObject) {
      AddUsage(place, value);
    } else if (place.key() == "error" && !SaysNothing(value.range.In(text_))) {
      chat_.failed_beside = true;
      if (!chat_.error_beside) chat_.error_beside = value.range;
    }
    return true;
  }

  bool OnChoiceMember(const JsonPlace& place, const JsonValue& value) {
    if (place.key() == "finish_reason" && IsFinishReason(value.text)) {
      finish_reason_ = value.text.substr(0, kMaxFinishReason);
    } else if (place.key() == "index" && value.type == JsonType::kNumber) {
      const std::optional<int64_t> index = ReadInteger(value.text);
      if (!index) return Bad("expected an integer index");
      index_ = *index;
      choice_has_index_ = value.text == std::to_string(index_);
    } else if (place.key() == "delta" && inner_ == "delta" && value.type != JsonType::kNull) {
      return Bad("expected delta to be an object");
    }
    return value.type == JsonType::kNull || EndChoiceMember(place, value);
  }

  // Of any type but null.
  bool EndChoiceMember(const JsonPlace& place, const JsonValue& value) {
    if (place.key() == "usage" && value.type == JsonType::kObject) {
      AddUsage(place, value);
      if (std::exchange(choice_has_usage_, true)) chat_.usage.odd = true;
    } else if (place.key() == "error" && !SaysNothing(value.range.In(text_))) {
      chat_.failed_beside = true;
      if (!chat_.error_beside) chat_.error_beside = value.range;
    } else if (place.key() == "logprobs") {
      const bool any = value.range.In(text_).find("\"token\"") != std::string_view::npos;
      chat_.has_logprobs = chat_.has_logprobs || any;
    }
    return true;
  }

  bool EndChoice() {
    ++chat_.choice_count;
    if (!choice_has_output_ || !choice_has_index_) chat_.lacks_member = true;
    if (index_ < 0 || index_ >= kMaxAnswerChoices) return Bad("a choice's index is out of range");
    for (size_t i = first_part_; i < chat_.parts.size(); ++i) chat_.parts[i].choice = index_;
    for (size_t i = first_call_; i < chat_.calls.size(); ++i) chat_.calls[i].choice = index_;
    for (size_t i = first_item_; i < chat_.items.size(); ++i) chat_.items[i].choice = index_;
    chat_.seen |= ChoiceSet{1} << index_;
    if (choice_has_content_) chat_.with_content |= ChoiceSet{1} << index_;
    chat_.has_content = chat_.has_content || choice_has_content_;
    if (finish_reason_.empty()) return true;
    chat_.finished |= ChoiceSet{1} << index_;
    if (IsFailure(finish_reason_)) chat_.failed_beside = true;
    if (chat_.finish_reason.empty()) chat_.finish_reason = std::move(finish_reason_);
    return true;
  }

  void AddUsage(const JsonPlace& place, const JsonValue& value) {
    // Each is cut out of the text later, and a Splice holds a bounded number of edits.
    if (place.depth() == 1 || chat_.usages.size() < kMaxAnswerChoices) {
      chat_.usages.push_back(MemberAt(place, value));
    }
    if (value.type == JsonType::kObject) {
      chat_.usage.MergeMax(ParseUsage(value.range.In(text_)));
    }
  }

  static JsonMember MemberAt(const JsonPlace& place, const JsonValue& value) {
    return {{place.key_range().begin, value.range.end}, value.range, place.depth() == 1};
  }

  const std::string_view text_;
  const std::string_view inner_;
  TokenEstimator* const content_;
  ChatObject chat_;
  bool in_choices_ = false;
  bool in_output_ = false;
  bool in_groq_ = false;
  bool member_has_content_ = false;
  size_t first_part_ = 0;  // of the choice
  size_t first_call_ = 0;
  size_t first_item_ = 0;
  std::string member_text_;  // of the parts of a list that are text
  PartIdentity identity_;    // of the part that is being read
  bool part_is_text_ = false;
  SentCall call_;
  size_t top_usages_ = 0;
  bool choice_has_usage_ = false;
  bool choice_has_content_ = false;
  bool choice_has_output_ = false;
  bool choice_has_index_ = false;
  struct Reasoning {
    bool shown = false, hidden = false;  // under which names there is some
    ByteRange text;                      // of the last one, quotes included
    ByteRange empty;                     // a `reasoning` that is null or ""
  } reasoning_;                          // of the choice that is being read
  MediaKind part_ = MediaKind::kNone;    // of the entry or part that is being read
  int64_t part_bytes_ = 0;               // of it, without labels
  int64_t index_ = 0;
  std::string finish_reason_;
};

}  // namespace

bool IsOutput(std::string_view member) {
  return member == "content" || member == "reasoning" || member == "reasoning_content" ||
         member == "reasoning_details" || member == "refusal" || member == "tool_calls" ||
         member == "function_call" || member == "audio" || member == "images";
}

bool IsRareThinking(std::string_view member) {
  return member == "reasoning_text" || member == "reasoning_summary" || member == "thinking" ||
         member == "thought" || member == "thoughts";
}

bool IsOutputText(std::string_view member) { return IsOutput(member) || IsRareThinking(member); }

bool HasItems(std::string_view member) { return member == "content" || member == "images"; }

bool IsPartText(const JsonPlace& place) {
  return place.depth() == 6 && place.in_object() && place.key() == "text" &&
         place.key(4) == "content";
}

Result<ChatObject> ReadChatObject(std::string_view text, ChatShape shape, TokenEstimator* content) {
  ChatSink sink(text, shape, content);
  if (Status scanned = ScanJson(text, JsonKeys::kAny, &sink); !scanned) {
    if (scanned.error().code == ErrorCode::kBadUpstreamResponse) return scanned.error();
    return MakeError(ErrorCode::kBadUpstreamResponse,
                     "the provider's answer is not a chat completion: " + scanned.error().message);
  }
  return sink.Take();
}

std::optional<Error> ErrorIn(std::string_view text, const ChatObject& chat) {
  if (chat.error || chat.says_error) return ReadErrorInAnswer(text);
  if (!chat.failed_beside) return std::nullopt;
  if (!chat.error_beside) return ReadErrorInAnswer("{}");
  std::string error;
  JsonWriter(&error).Object().Key("error").Raw(chat.error_beside->In(text)).End();
  return ReadErrorInAnswer(error);
}

std::vector<ByteRange> RangesToRemove(std::string_view text,
                                      const std::vector<JsonMember>& members) {
  std::vector<ByteRange> ranges;
  for (const JsonMember& member : members) {
    ByteRange range = member.whole;
    size_t after = range.end;
    while (after < text.size() && IsSpace(text[after])) ++after;
    if (after < text.size() && text[after] == ',') {
      range.end = after + 1;
      ranges.push_back(range);
      continue;
    }
    // The last of its object goes with the comma before it, which may have gone already.
    for (size_t before = range.begin;;) {
      while (before > 0 && IsSpace(text[before - 1])) --before;
      if (before == 0 || text[before - 1] != ',') break;
      if (ranges.empty() || ranges.back().end != before) {
        range.begin = before - 1;
        break;
      }
      range.begin = before = ranges.back().begin;
      ranges.pop_back();
    }
    ranges.push_back(range);
  }
  return ranges;
}

}  // namespace seekroute
