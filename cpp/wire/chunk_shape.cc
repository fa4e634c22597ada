#include "wire/chunk_shape.h"

#include <algorithm>
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

// A member of the choice that is being read.
struct Found {
  ByteRange key;
  ByteRange value;
  JsonType type = JsonType::kNull;
};

class ShapeSink : public JsonSink {
 public:
  ShapeSink(std::string_view text, uint64_t delivered) : text_(text), delivered_(delivered) {}

  Step OnOpen(const JsonPlace& place, JsonType type) override {
    const bool is_object = type == JsonType::kObject;
    const auto enter_if = [](bool wanted) { return wanted ? Step::kEnter : Step::kSkip; };
    switch (place.depth()) {
      case 0:
        return enter_if(is_object);
      case 1:
        return enter_if(place.key() == "choices");
      case 2:
        BeginChoice();
        return enter_if(is_object);
      case 3:
        has_member_ = true;
        return enter_if(is_object && place.key() == "message");
      case 4:
        return enter_if(place.key() == "tool_calls" && type == JsonType::kArray);
      case 5:
        call_has_index_ = call_has_member_ = false;
        return enter_if(is_object);
      default:
        NoteCallMember(place);
        return Step::kSkip;
    }
  }

  bool OnScalar(const JsonPlace& place, const JsonValue& value) override {
    if (place.depth() == 1 && place.key() == "object") {
      is_completion_ = value.text == "chat.completion";
      edits_.push_back({value.range, "\"chat.completion.chunk\""});
    }
    if (place.depth() == 3) {
      has_member_ = true;
      if (place.key() == "index" && value.type == JsonType::kNumber) {
        choice_.index = ReadInteger(value.text).value_or(0);
      }
      if (place.key() == "finish_reason") choice_.ends = value.type == JsonType::kString;
      Note(place, value);
    }
    if (place.depth() == 6) NoteCallMember(place);
    return true;
  }

  bool OnClose(const JsonPlace& place, const JsonValue& value) override {
    if (place.depth() == 3) Note(place, value);
    if (place.depth() == 2 && value.type == JsonType::kObject) {
      choice_.inside = value.range.begin + 1;
      choice_.is_empty = !has_member_;
      choices_.push_back(std::move(choice_));
    }
    if (place.depth() != 5 || value.type != JsonType::kObject || call_has_index_) return true;
    const size_t inside = value.range.begin + 1;
    choice_.calls.push_back(
        {{inside, inside},
         "\"index\":" + std::to_string(place.index(5)) + (call_has_member_ ? "," : "")});
    return true;
  }

  // After the scan.
  ShapedChunk Take() {
    ShapedChunk chunk;
    for (Choice& choice : choices_) Shape(&choice, &chunk.pieces);
    std::stable_sort(edits_.begin(), edits_.end(),
                     [](const Edit& a, const Edit& b) { return a.range.begin < b.range.begin; });
    size_t done = 0;
    for (const Edit& edit : edits_) {
      chunk.text += text_.substr(done, edit.range.begin - done);
      chunk.text += edit.with;
      done = edit.range.end;
    }
    chunk.text += text_.substr(done);
    return chunk;
  }

 private:
  struct Choice {
    int64_t index = 0;
    bool ends = false;
    bool is_empty = false;
    size_t inside = 0;  // behind its opening brace
    std::optional<Found> delta, message, text;
    std::vector<Edit> calls;  // the indices that its tool calls lack
  };

  void BeginChoice() {
    choice_ = {};
    choice_.index = static_cast<int64_t>(choices_.size());
    has_member_ = false;
  }

  void NoteCallMember(const JsonPlace& place) {
    call_has_member_ = true;
    if (place.key() == "index") call_has_index_ = true;
  }

  void Note(const JsonPlace& place, const JsonValue& value) {
    std::optional<Found>* member = nullptr;
    if (place.key() == "delta") member = &choice_.delta;
    if (place.key() == "message") member = &choice_.message;
    if (place.key() == "text") member = &choice_.text;
    if (member != nullptr) *member = {place.key_range(), value.range, value.type};
  }

  static bool Is(const std::optional<Found>& member, JsonType type) {
    return member && member->type == type;
  }

  void Shape(Choice* choice, uint64_t* pieces) {
    if (Is(choice->delta, JsonType::kObject)) return;
    const bool has_null = choice->delta.has_value();
    if (Is(choice->message, JsonType::kObject)) {
      const bool known = choice->index >= 0 && choice->index < kMaxAnswerChoices;
      const uint64_t bit = known ? uint64_t{1} << choice->index : 0;
      const bool whole = choice->ends || is_completion_;
      edits_.push_back({choice->message->key, std::string(kDeltaKey)});
      if (has_null) edits_.push_back({choice->delta->key, std::string(kMessageKey)});
      if (whole && (delivered_ & bit) != 0) {
        edits_.push_back({choice->message->value, "{}"});
        return;
      }
      if (!whole) *pieces |= bit;
      for (Edit& edit : choice->calls) edits_.push_back(std::move(edit));
      return;
    }
    std::string delta = "{}";
    if (Is(choice->text, JsonType::kString)) {
      delta = "{\"content\":" + std::string(choice->text->value.In(text_)) + '}';
    }
    if (has_null) {
      edits_.push_back({choice->delta->value, std::move(delta)});
      return;
    }
    delta = std::string(kDeltaKey) + ':' + delta;
    const bool has_text = Is(choice->text, JsonType::kString) || Is(choice->text, JsonType::kNull);
    if (has_text || Is(choice->message, JsonType::kNull)) {
      const Found& taken = has_text ? *choice->text : *choice->message;
      edits_.push_back({{taken.key.begin, taken.value.end}, std::move(delta)});
      return;
    }
    if (!choice->is_empty) delta += ',';
    edits_.push_back({{choice->inside, choice->inside}, std::move(delta)});
  }

  const std::string_view text_;
  const uint64_t delivered_;
  std::vector<Edit> edits_;
  std::vector<Choice> choices_;
  Choice choice_;
  bool is_completion_ = false;
  bool has_member_ = false;
  bool call_has_index_ = false;
  bool call_has_member_ = false;
};

}  // namespace

ShapedChunk ShapeChunk(std::string_view text, uint64_t delivered) {
  ShapeSink sink(text, delivered);
  // What is wrong with the text has been told.
  (void)ScanJson(text, JsonKeys::kAny, &sink);
  return sink.Take();
}

std::string ChunkFromAnswer(std::string_view body) { return ShapeChunk(body, 0).text; }

}  // namespace seekroute
