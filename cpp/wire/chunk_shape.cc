#include "wire/chunk_shape.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "wire/chat_object.h"
#include "wire/json_scan.h"

namespace seekroute {
namespace {

constexpr std::string_view kDeltaKey = "\"delta\"";
constexpr std::string_view kMessageKey = "\"message\"";

struct Edit {
  ByteRange range;
  std::string with;
};

// A member of the choice that is being read, or of its message.
struct Found {
  ByteRange key;
  ByteRange value;
  JsonType type = JsonType::kNull;
};

struct Member {
  std::string name;
  std::string text;
  Found at;
};

// A tool call, and where its index is or is missing.
struct Call {
  SentCall call;
  std::string holder = "function", member = "arguments";  // the names under which it has these
  std::optional<ByteRange> index;                         // the value, of any type
  bool is_numbered = false;                               // it is written as an integer
  ByteRange whole;
  bool is_empty = true;
};

// Of a choice's `delta` or `message`.
struct Output {
  std::vector<Member> members;
  std::vector<Call> calls;
};

struct Choice {
  int64_t index = 0;
  bool is_numbered = false;  // it says so, as an integer
  bool ends = false;
  bool is_empty = true;
  size_t inside = 0;  // behind its opening brace
  std::string added;  // there: members
  std::optional<Found> index_at, delta, message, text;
  Output in_delta, in_message;
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
        return enter_if(place.key() == "tool_calls" && type == JsonType::kArray);
      case 5:
        call_ = {};
        return enter_if(is_object);
      case 6:
        call_.is_empty = false;
        if (HoldsCall(place.key())) call_.holder = place.key();
        return enter_if(is_object && HoldsCall(place.key()));
      default:
        return Step::kSkip;
    }
  }

  bool OnScalar(const JsonPlace& place, const JsonValue& value) override {
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
        if (key == "finish_reason") choice.ends = value.type == JsonType::kString;
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
        if (key == "id") call_.call.id = value.text;
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
    if (place.depth() == 7 && IsArguments(place.key())) {
      SetArguments(place.key(), value.range.In(text_));  // as some write them
    }
    if (place.depth() == 5 && value.type == JsonType::kObject && output_ != nullptr) {
      call_.whole = value.range;
      output_->calls.push_back(std::move(call_));
    }
    return true;
  }

  ShapedChunk TakeChunk(const SentParts& sent, ChoiceSet in_pieces) {
    ShapedChunk chunk;
    if (object_) edits_.push_back({object_->first, "\"chat.completion.chunk\""});
    for (Choice& choice : choices_) {
      NumberChoice(&choice);
      AsChunk(&choice, sent, in_pieces, &chunk.pieces);
      EndChoice(choice);
    }
    chunk.text = Edited();
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
      output_->members.push_back({std::string(place.key()), std::string(value.text), found});
      return;
    }
    Choice& choice = choices_.back();
    if (place.key() == "index") choice.index_at = found;
    if (place.key() == "delta") choice.delta = found;
    if (place.key() == "message") choice.message = found;
    if (place.key() == "text") choice.text = found;
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
    const std::string number = std::to_string(choice->index);
    if (choice->index_at) {
      edits_.push_back({choice->index_at->value, number});
    } else {
      choice->added = "\"index\":" + number;
    }
  }

  void EndChoice(const Choice& choice) {
    if (choice.added.empty()) return;
    const std::string behind = choice.is_empty ? "" : ",";
    edits_.push_back({{choice.inside, choice.inside}, choice.added + behind});
  }

  // What has a number is numbered by it, here as in what came before.
  void NumberCalls(const Choice& choice, const Output& output) {
    bool first = true;
    for (const Call& found : output.calls) {
      SentCall call = found.call;
      call.choice = choice.index;
      const int64_t index = numbers_.Number(call, std::exchange(first, false));
      if (!found.is_numbered) edits_.push_back(Numbered(found, index));
    }
  }

  static Edit Numbered(const Call& found, int64_t index) {
    const std::string number = std::to_string(index);
    if (found.index) return {*found.index, number};
    const size_t inside = found.whole.begin + 1;
    return {{inside, inside}, "\"index\":" + number + (found.is_empty ? "" : ",")};
  }

  // Which of the calls that were sent each of a whole message is, by its index: the one of the same
  // id, else the one at its index or place, unless ids or names tell them apart. Some providers
  // give a call a new id at the end: then it is known by what it says. Of more calls than a choice
  // has numbered the rest is new: each is compared with all, and with all that was sent of one.
  std::vector<std::optional<int64_t>> KnownCalls(const Choice& choice, const SentParts& sent) {
    const std::vector<Call>& calls = choice.in_message.calls;
    const size_t compared = std::min(calls.size(), CallNumbers::kMaxCalls);
    std::vector<std::optional<int64_t>> known(calls.size());
    for (size_t i = 0; i < compared; ++i) {
      known[i] = numbers_.WithId(choice.index, calls[i].call.id);
    }
    for (size_t i = 0; i < compared; ++i) {
      if (known[i]) continue;
      const SentCall& call = calls[i].call;
      const auto index = call.index ? call.index : numbers_.IndexOf(choice.index, i);
      const auto id = index ? numbers_.IdAt(choice.index, *index) : std::nullopt;
      if (!id || std::find(known.begin(), known.end(), index) != known.end()) continue;
      const std::string_view name = sent.NameOf(choice.index, *index);
      if (!name.empty() && !call.name.empty() && name != call.name) continue;
      const auto rest = sent.NewArguments(choice.index, *index, call.arguments);
      const bool repeats = !call.arguments.empty() && rest && rest->empty();
      if (id->empty() || call.id.empty() || repeats) known[i] = index;
    }
    return known;
  }

  // What the calls of a whole message add to those that were sent, as a list; empty: nothing. One
  // that contradicts is a call of its own.
  std::string NewCalls(const Choice& choice, const SentParts& sent) {
    if (sent.IsFull()) return {};
    const std::vector<std::optional<int64_t>> known = KnownCalls(choice, sent);
    std::string list;
    for (size_t i = 0; i < known.size(); ++i) {
      const Call& found = choice.in_message.calls[i];
      std::optional<std::string_view> rest;
      if (known[i]) rest = sent.NewArguments(choice.index, *known[i], found.call.arguments);
      const std::string entry =
          rest ? RestOfCall(choice, found, *known[i], *rest, sent) : WholeCall(choice, found);
      if (entry.empty()) continue;
      list += list.empty() ? '[' : ',';
      list += entry;
    }
    return list.empty() ? list : list + ']';
  }

  std::string WholeCall(const Choice& choice, const Call& found) {
    SentCall call = found.call;
    call.choice = choice.index;
    const Edit edit = Numbered(found, numbers_.Append(call));
    std::string entry(text_.substr(found.whole.begin, edit.range.begin - found.whole.begin));
    entry += edit.with;
    return entry.append(text_.substr(edit.range.end, found.whole.end - edit.range.end));
  }

  std::string RestOfCall(const Choice& choice, const Call& found, int64_t index,
                         std::string_view rest, const SentParts& sent) const {
    const bool needs_id = !found.call.id.empty() && numbers_.IdAt(choice.index, index) == "";
    const bool needs_name = !found.call.name.empty() && sent.NameOf(choice.index, index).empty();
    if (rest.empty() && !needs_id && !needs_name) return {};
    std::string entry = "{\"index\":" + std::to_string(index);
    if (needs_id) {
      entry += ",\"id\":";
      AppendJsonString(found.call.id, &entry);
    }
    entry += ",\"" + found.holder + "\":{";
    if (needs_name) {
      entry += "\"name\":";
      AppendJsonString(found.call.name, &entry);
      entry += ',';
    }
    entry += '"' + found.member + "\":";
    AppendJsonString(rest, &entry);
    return entry + "}}";
  }

  void AsChunk(Choice* made, const SentParts& sent, ChoiceSet in_pieces, ChoiceSet* pieces) {
    const Choice& choice = *made;
    if (Is(choice.delta, JsonType::kObject)) return NumberCalls(choice, choice.in_delta);
    if (Is(choice.message, JsonType::kObject)) {
      const bool known = choice.index >= 0 && choice.index < kMaxAnswerChoices;
      const ChoiceSet bit = known ? ChoiceSet{1} << choice.index : 0;
      edits_.push_back({choice.message->key, std::string(kDeltaKey)});
      if (choice.delta) edits_.push_back({choice.delta->key, std::string(kMessageKey)});
      const bool whole = choice.ends || (object_ && object_->second);
      if (!whole) *pieces |= bit;
      if (whole && sent.HasAny(choice.index) && (in_pieces & bit) == 0) return Rest(choice, sent);
      return NumberCalls(choice, choice.in_message);
    }
    const std::string text = TextOf(choice);
    Put(made, choice.delta, kDeltaKey, text.empty() ? "{}" : "{\"content\":" + text + '}');
  }

  // What a whole message adds to what was sent.
  void Rest(const Choice& choice, const SentParts& sent) {
    std::vector<Edit> edits;
    bool adds = false;
    bool has_calls = false;
    for (const Member& member : choice.in_message.members) {
      if (!IsOutput(member.name) || member.at.type == JsonType::kNull) continue;
      if (member.at.type == JsonType::kString) {
        const std::string_view rest = sent.NewText(choice.index, member.name, member.text);
        adds = adds || !rest.empty();
        if (rest.size() == member.text.size()) continue;
        std::string text;
        AppendJsonString(rest, &text);
        edits.push_back({member.at.value, std::move(text)});
      } else if (sent.Has(choice.index, member.name)) {
        std::string calls;
        if (member.name == "tool_calls") calls = NewCalls(choice, sent);
        adds = adds || !calls.empty();
        edits.push_back({member.at.value, calls.empty() ? "null" : std::move(calls)});
      } else {
        adds = adds || member.at.value.end - member.at.value.begin > 2;
        has_calls = has_calls || member.name == "tool_calls";
      }
    }
    if (!adds) {
      edits_.push_back({choice.message->value, "{}"});
      return;
    }
    std::move(edits.begin(), edits.end(), std::back_inserter(edits_));
    if (has_calls) NumberCalls(choice, choice.in_message);
  }

  void AsAnswer(Choice* made) {
    const Choice& choice = *made;
    if (Is(choice.message, JsonType::kObject)) return;
    if (Is(choice.delta, JsonType::kObject)) {
      edits_.push_back({choice.delta->key, std::string(kMessageKey)});
      if (choice.message) edits_.push_back({choice.message->key, std::string(kDeltaKey)});
      const std::vector<Member>& members = choice.in_delta.members;
      const bool has_role = std::any_of(members.begin(), members.end(),
                                        [](const Member& member) { return member.name == "role"; });
      if (has_role) return;
      const size_t inside = choice.delta->value.begin + 1;
      edits_.push_back(
          {{inside, inside}, std::string("\"role\":\"assistant\"") + (members.empty() ? "" : ",")});
      return;
    }
    std::string text = TextOf(choice);
    if (text.empty() && Is(choice.message, JsonType::kString)) {
      text = choice.message->value.In(text_);
    }
    Put(made, choice.message, kMessageKey,
        "{\"role\":\"assistant\",\"content\":" + (text.empty() ? "null" : text) + '}');
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
    std::stable_sort(edits_.begin(), edits_.end(), [](const Edit& a, const Edit& b) {
      return std::pair(a.range.begin, a.range.end) < std::pair(b.range.begin, b.range.end);
    });
    std::string out;
    size_t done = 0;
    for (const Edit& edit : edits_) {
      out += text_.substr(done, edit.range.begin - done);
      out += edit.with;
      done = edit.range.end;
    }
    return out.append(text_.substr(done));
  }

  const std::string_view text_;
  std::vector<Edit> edits_;
  std::vector<Choice> choices_;
  std::optional<std::pair<ByteRange, bool>> object_;  // and whether it is a chat.completion
  CallNumbers numbers_;                               // those before, and of this chunk
  Output* output_ = nullptr;                          // that is being read
  Call call_;
};

}  // namespace

ShapedChunk ShapeChunk(std::string_view text, const SentParts& sent, const CallNumbers& calls,
                       ChoiceSet in_pieces) {
  ShapeSink sink(text, calls);
  // What is wrong with the text has been told.
  (void)ScanJson(text, JsonKeys::kAny, &sink);
  return sink.TakeChunk(sent, in_pieces);
}

std::string ChunkFromAnswer(std::string_view body) { return ShapeChunk(body, {}, {}, 0).text; }

std::string AnswerWithMessages(std::string_view body) {
  const CallNumbers none;
  ShapeSink sink(body, none);
  (void)ScanJson(body, JsonKeys::kAny, &sink);
  return sink.TakeAnswer();
}

}  // namespace seekroute
