#include "wire/openai/chunk_shape.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/white_space.h"
#include "wire/json/json_scan.h"
#include "wire/json/json_writer.h"
#include "wire/openai/chat_object.h"
#include "wire/openai/chunk_output.h"
#include "wire/openai/finish_reason.h"
#include "wire/openai/part_identity.h"
#include "wire/openai/whole_message.h"

namespace seekroute {
namespace {

constexpr std::string_view kDeltaKey = "\"delta\"";
constexpr std::string_view kMessageKey = "\"message\"";

// A member of the choice that is being read.
struct Found {
  ByteRange key;
  ByteRange value;
  JsonType type = JsonType::kNull;
};

struct Choice {
  int64_t index = 0;
  bool is_numbered = false;  // it says so, as an integer
  bool ends = false;
  bool is_empty = true;
  size_t inside = 0;  // behind its opening brace
  std::string added;  // there: members
  std::optional<Found> index_at, delta, message, text;
  ChunkOutput in_delta, in_message;
};

class ShapeSink : public JsonSink {
 public:
  ShapeSink(std::string_view text, const CallNumbers& before) : text_(text), numbers_(&before) {}

  Step OnOpen(const JsonPlace& place, JsonType type) override {
    const bool is_object = type == JsonType::kObject;
    const auto enter_if = [](bool wanted) { return wanted ? Step::kEnter : Step::kSkip; };
    switch (place.depth()) {
      case 0:
        return enter_if(is_object);
      case 1:
        return enter_if(place.key() == "choices");
      case 2:
        choices_.emplace_back();
        choices_.back().index = place.index(2);
        return enter_if(is_object);
      case 3:
        choices_.back().is_empty = false;
        output_ = nullptr;
        if (place.key() == "delta") output_ = &choices_.back().in_delta;
        if (place.key() == "message") output_ = &choices_.back().in_message;
        return enter_if(is_object && output_ != nullptr);
      case 4:
        items_.clear();
        return enter_if(type == JsonType::kArray &&
                        (place.key() == "tool_calls" || HasItems(place.key())));
      case 5:
        call_ = {};
        item_ = {};
        identity_ = {};
        return enter_if(is_object);
      case 6:
        if (HasItems(place.key(4))) return Step::kEnter;
        call_.is_empty = false;
        if (HoldsCall(place.key())) call_.holder = place.key();
        return enter_if(is_object && HoldsCall(place.key()));
      default:
        return enter_if(HasItems(place.key(4)));
    }
  }

  bool OnScalar(const JsonPlace& place, const JsonValue& value) override {
    if (place.depth() > 4 && HasItems(place.key(4))) {
      OnItemMember(place, value);
      return true;
    }
    const std::string_view key = place.key();
    switch (place.depth()) {
      case 1:
        if (key == "object") object_ = {value.range, value.text == "chat.completion"};
        return true;
      case 3: {
        Choice& choice = choices_.back();
        choice.is_empty = false;
        if (key == "index" && value.type == JsonType::kNumber) {
          choice.index = ReadInteger(value.text).value_or(0);
          choice.is_numbered = value.text == std::to_string(choice.index);
        }
        if (key == "finish_reason") {
          choice.ends = value.type == JsonType::kString && IsFinishReason(value.text);
        }
        Note(place, value);
        return true;
      }
      case 4:
        Note(place, value);
        return true;
      case 6:
        call_.is_empty = false;
        if (key == "index") call_.index = value.range;
        if (key == "index" && value.type == JsonType::kNumber) {
          const int64_t index = ReadInteger(value.text).value_or(0);
          call_.call.index = std::clamp(index, int64_t{0}, CallNumbers::kMaxIndex);
          call_.is_numbered = value.text == std::to_string(*call_.call.index);
        }
        if (key == "id") {
          if (value.type == JsonType::kString || value.type == JsonType::kNumber) {
            call_.call.id = value.text;
          }
          call_.id = value.range;
        }
        return true;
      case 7:
        if (key == "name") call_.call.name = value.text;
        if (IsArguments(key) && value.type == JsonType::kString) SetArguments(key, value.text);
        return true;
      default:
        return true;
    }
  }

  bool OnClose(const JsonPlace& place, const JsonValue& value) override {
    if (place.depth() == 2) choices_.back().inside = value.range.begin + 1;
    if (place.depth() == 3 || place.depth() == 4) Note(place, value);
    if (place.depth() > 4 && HasItems(place.key(4))) {
      if (place.depth() == 5) EndItem(value.range);
      return true;
    }
    if (place.depth() == 7 && IsArguments(place.key())) {
      SetArguments(place.key(), value.range.In(text_));  // as some write them
    }
    if (place.depth() == 5 && value.type == JsonType::kObject && output_ != nullptr) {
      call_.whole = value.range;
      output_->calls.push_back(std::move(call_));
    }
    return true;
  }

  ShapedChunk TakeChunk(SentParts* sent, ChoiceSet in_pieces) {
    ShapedChunk chunk;
    if (object_) edits_.push_back({object_->first, "\"chat.completion.chunk\""});
    for (Choice& choice : choices_) {
      NumberChoice(&choice);
      AsChunk(&choice, sent, in_pieces, &chunk.pieces);
      EndChoice(choice);
    }
    chunk.text = Edited();
    chunk.moved = std::move(moved_);
    return chunk;
  }

  std::string TakeAnswer() {
    for (Choice& choice : choices_) {
      NumberChoice(&choice);
      AsAnswer(&choice);
      EndChoice(choice);
    }
    return Edited();
  }

 private:
  void Note(const JsonPlace& place, const JsonValue& value) {
    const Found found{place.key_range(), value.range, value.type};
    if (place.depth() == 4) {
      if (output_ == nullptr) return;
      output_->members.push_back({std::string(place.key()), std::string(value.text), found.key,
                                  found.value, found.type, std::exchange(items_, {})});
      return;
    }
    Choice& choice = choices_.back();
    if (place.key() == "index") choice.index_at = found;
    if (place.key() == "delta") choice.delta = found;
    if (place.key() == "message") choice.message = found;
    if (place.key() == "text") choice.text = found;
  }

  // A scalar in a list of parts or pictures.
  void OnItemMember(const JsonPlace& place, const JsonValue& value) {
    if (value.type == JsonType::kString) {
      identity_.Add(place.in_object() ? place.key() : std::string_view(), value.text);
      if (IsPartText(place)) {
        item_.text += value.text;
        item_.text_at = value.range;
      }
    }
    if (place.depth() == 5) EndItem(value.range);
  }

  void EndItem(ByteRange whole) {
    item_.whole = whole;
    item_.identity = std::exchange(identity_, {}).value();
    items_.push_back(std::exchange(item_, {}));
  }

  void SetArguments(std::string_view member, std::string_view text) {
    call_.member = member;
    call_.call.arguments = text;
  }

  static bool Is(const std::optional<Found>& member, JsonType type) {
    return member && member->type == type;
  }

  std::string TextOf(const Choice& choice) const {
    return Is(choice.text, JsonType::kString) ? std::string(choice.text->value.In(text_)) : "";
  }

  // One without an index is the one of its place, as ReadChatObject() takes it.
  void NumberChoice(Choice* choice) {
    if (choice->is_numbered) return;
    if (choice->index_at) {
      edits_.push_back({choice->index_at->value, std::to_string(choice->index)});
    } else {
      JsonWriter::Members(&choice->added).Key("index").Integer(choice->index);
    }
  }

  void EndChoice(const Choice& choice) {
    if (choice.added.empty()) return;
    const std::string behind = choice.is_empty ? "" : ",";
    edits_.push_back({{choice.inside, choice.inside}, choice.added + behind});
  }

  // What has a number is numbered by it, here as in what came before.
  void NumberCalls(const Choice& choice, const ChunkOutput& output, SentParts* sent) {
    std::set<int64_t> here;  // the indices of those before it in the chunk
    for (const OutputCall& found : output.calls) {
      SentCall call = found.call;
      call.choice = choice.index;
      const int64_t index = Place(found, sent, here, &call);
      here.insert(index);
      if (!found.is_numbered || index != found.call.index) edits_.push_back(Numbered(found, index));
    }
  }

  // The index of a call. One of its own may be wrong: some providers give all calls the same, or
  // one call a new id with every chunk.
  int64_t Place(const OutputCall& found, SentParts* sent, const std::set<int64_t>& here,
                SentCall* call) {
    const std::optional<int64_t> own = call->index;
    if (own) call->index = numbers_.MovedTo(call->choice, *own);
    const std::optional<int64_t> at = own ? call->index : numbers_.Last(call->choice);
    const std::string id(at ? numbers_.IdAt(call->choice, *at).value_or("") : "");
    if (!at || (!call->id.empty() && call->id == id)) return numbers_.Number(*call, true);
    if (!own && !here.empty() && call->id.empty()) return numbers_.Number(*call, false);

    const bool has_new_id = !id.empty() && !call->id.empty();
    int64_t index = *at;
    const std::optional<int64_t> known = numbers_.WithId(call->choice, call->id);
    if (known && (!own || has_new_id)) {
      if (!own) return numbers_.Number(*call, true);
      index = *known;
    } else if (!IsNewCall(found, *call, sent, *at, has_new_id, here)) {
      if (has_new_id && found.id) edits_.push_back({*found.id, "null"});
      if (has_new_id) call->id.clear();
      call->index = at;
      return numbers_.Number(*call, true);
    } else {
      call->index.reset();
      index = numbers_.Append(*call);
    }
    if (!own) return index;
    numbers_.Move(call->choice, *own, index);
    moved_.push_back({call->choice, *own, index});
    return index;
  }

  // It is another call than the one at `at`, to which its index or its place would make it belong.
  // Some providers tell the name with every piece; what is no JSON, as the input of a tool of its
  // own kind, is never known to be whole.
  bool IsNewCall(const OutputCall& found, const SentCall& call, SentParts* sent, int64_t at,
                 bool has_new_id, const std::set<int64_t>& here) const {
    const bool is_named = numbers_.IsNamed(call.choice, at);
    if (!call.index && !call.id.empty() && (!here.empty() || !is_named)) return true;
    if (has_new_id && here.contains(at)) return true;
    if (call.name.empty() || !is_named) return false;
    if (numbers_.IsNamedOtherwise(call.choice, at, call.name) || here.contains(at)) return true;
    if (found.holder == "custom" || sent->IsFull()) return has_new_id;
    if (sent->IsBegun(call.choice, at)) return false;
    return has_new_id || !Trim(call.arguments).empty();
  }

  void AsChunk(Choice* made, SentParts* sent, ChoiceSet in_pieces, ChoiceSet* pieces) {
    const Choice& choice = *made;
    if (Is(choice.delta, JsonType::kObject)) return NumberCalls(choice, choice.in_delta, sent);
    if (Is(choice.message, JsonType::kObject)) {
      const bool known = choice.index >= 0 && choice.index < kMaxAnswerChoices;
      const ChoiceSet bit = known ? ChoiceSet{1} << choice.index : 0;
      edits_.push_back({choice.message->key, std::string(kDeltaKey)});
      if (choice.delta) edits_.push_back({choice.delta->key, std::string(kMessageKey)});
      const bool has_sent = sent->HasAny(choice.index);
      WholeMessage message(text_, choice.index, choice.in_message, sent, &numbers_);
      // Some call every piece a chat.completion.
      const bool named = object_ && object_->second && has_sent;
      bool whole = (in_pieces & bit) == 0 && (choice.ends || named);
      if (!whole && has_sent) whole = message.RepeatsAll(choice.ends);
      if (!whole) *pieces |= bit;
      if (!whole || !has_sent) return NumberCalls(choice, choice.in_message, sent);
      bool has_new_calls = false;
      std::optional<std::vector<TextEdit>> rest = message.Rest(&has_new_calls);
      if (!rest) return edits_.push_back({choice.message->value, "{}"});
      std::move(rest->begin(), rest->end(), std::back_inserter(edits_));
      if (has_new_calls) NumberCalls(choice, choice.in_message, sent);
      return;
    }
    const std::string text = TextOf(choice);
    std::string delta;
    JsonWriter json(&delta);
    json.Object();
    if (!text.empty()) json.Key("content").Raw(text);
    json.End();
    Put(made, choice.delta, kDeltaKey, std::move(delta));
  }

  void AsAnswer(Choice* made) {
    const Choice& choice = *made;
    if (Is(choice.message, JsonType::kObject)) return;
    if (Is(choice.delta, JsonType::kObject)) {
      edits_.push_back({choice.delta->key, std::string(kMessageKey)});
      if (choice.message) edits_.push_back({choice.message->key, std::string(kDeltaKey)});
      const std::vector<OutputMember>& members = choice.in_delta.members;
      const bool has_role =
          std::any_of(members.begin(), members.end(),
                      [](const OutputMember& member) { return member.name == "role"; });
      if (has_role) return;
      const size_t inside = choice.delta->value.begin + 1;
      std::string role;
      JsonWriter::Members(&role).Key("role").String("assistant");
      if (!members.empty()) role += ',';
      edits_.push_back({{inside, inside}, std::move(role)});
      return;
    }
    std::string text = TextOf(choice);
    if (text.empty() && Is(choice.message, JsonType::kString)) {
      text = choice.message->value.In(text_);
    }
    std::string message;
    JsonWriter json(&message);
    json.Object().Key("role").String("assistant").Key("content");
    text.empty() ? json.Null() : json.Raw(text);
    json.End();
    Put(made, choice.message, kMessageKey, std::move(message));
  }

  // Gives the choice a member: in the place of `own`, which is not an object, or of its text.
  void Put(Choice* choice, const std::optional<Found>& own, std::string_view key,
           std::string value) {
    if (own && (own->type == JsonType::kNull || key == kMessageKey)) {
      edits_.push_back({own->value, std::move(value)});
      return;
    }
    std::string member = std::string(key) + ':' + value;
    const bool has_text = Is(choice->text, JsonType::kString) || Is(choice->text, JsonType::kNull);
    if (has_text || (key == kDeltaKey && Is(choice->message, JsonType::kNull))) {
      const Found& taken = has_text ? *choice->text : *choice->message;
      edits_.push_back({{taken.key.begin, taken.value.end}, std::move(member)});
      return;
    }
    if (!choice->added.empty()) choice->added += ',';
    choice->added += member;
  }

  std::string Edited() {
    // What is put in comes before what is replaced there.
    std::stable_sort(edits_.begin(), edits_.end(), [](const TextEdit& a, const TextEdit& b) {
      return std::pair(a.range.begin, a.range.end) < std::pair(b.range.begin, b.range.end);
    });
    std::string out;
    size_t done = 0;
    for (const TextEdit& edit : edits_) {
      out += text_.substr(done, edit.range.begin - done);
      out += edit.with;
      done = edit.range.end;
    }
    return out.append(text_.substr(done));
  }

  const std::string_view text_;
  std::vector<TextEdit> edits_;
  std::vector<Choice> choices_;
  std::optional<std::pair<ByteRange, bool>> object_;  // and whether it is a chat.completion
  CallNumbers numbers_;                               // those before, and of this chunk
  ChunkOutput* output_ = nullptr;                     // that is being read
  std::vector<ShapedChunk::Moved> moved_;
  OutputCall call_;
  std::vector<OutputItem> items_;  // of the list that is being read
  OutputItem item_;
  PartIdentity identity_;
};

}  // namespace

ShapedChunk ShapeChunk(std::string_view text, SentParts* sent, const CallNumbers& calls,
                       ChoiceSet in_pieces) {
  sent->AllowFor(text.size());
  ShapeSink sink(text, calls);
  // What is wrong with the text has been told.
  (void)ScanJson(text, JsonKeys::kAny, &sink);
  return sink.TakeChunk(sent, in_pieces);
}

std::string ChunkFromAnswer(std::string_view body) {
  SentParts none;
  return ShapeChunk(body, &none, {}, 0).text;
}

std::string AnswerWithMessages(std::string_view body) {
  const CallNumbers none;
  ShapeSink sink(body, none);
  (void)ScanJson(body, JsonKeys::kAny, &sink);
  return sink.TakeAnswer();
}

}  // namespace seekroute
