#include "wire/openai/chat_collect.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "wire/json/json.h"
#include "wire/json/json_scan.h"
#include "wire/json/json_writer.h"
#include "wire/json/lone_halves.h"
#include "wire/openai/chat_object.h"

namespace seekroute {
namespace {

// What a value takes beside its text.
constexpr size_t kNodeBytes = 64;

// What is looked up by its name or index is compared with all that is known: so many times a byte,
// and so many beside. An answer of 128 choices takes a tenth of it.
constexpr size_t kLooksPerByte = 16;
constexpr size_t kFreeLooks = size_t{1} << 20;

// Strings that a stream sends in pieces. A name or an id is repeated, not continued.
constexpr auto kPieces = std::to_array<std::string_view>(
    {"content", "reasoning", "reasoning_content", "refusal", "arguments", "text", "transcript",
     "data", "summary", "input"});

// Lists whose elements are continued by later ones of the same index.
constexpr auto kIndexed =
    std::to_array<std::string_view>({"choices", "tool_calls", "reasoning_details"});

// Lists that say what an answer rests on, or has beside its text. Others, such as `logprobs`, may
// have the same element twice.
constexpr auto kSaidOnce = std::to_array<std::string_view>(
    {"citations", "annotations", "search_results", "sources", "references", "web_search", "images",
     "videos", "related_questions"});

// Names of providers for the same text.
constexpr auto kThinking = std::to_array<std::string_view>({"reasoning", "reasoning_content"});

constexpr std::string_view kTooLarge = "the provider's answer is too large";

template <size_t n>
bool IsOneOf(const std::array<std::string_view, n>& words, std::string_view key) {
  return std::find(words.begin(), words.end(), key) != words.end();
}

}  // namespace

struct ChatCollector::Node {
  enum class Kind : uint8_t { kOther, kString, kObject, kArray };

  Kind kind = Kind::kOther;
  std::string text = "null";  // a string decoded; a number or a literal as it was written
  std::vector<Member> members;
  std::vector<Node> items;
  LoneHalves halves;          // of a string
  bool thinks_twice = false;  // a delta: there was thinking under either name

  bool IsNull() const { return kind == Kind::kOther && text == "null"; }
  // `*looks`, unless null, grows by the members that were compared.
  const Node* Find(std::string_view key, size_t* looks = nullptr) const;
  Node* Find(std::string_view key, size_t* looks = nullptr);
  Node* Put(std::string_view key);
  std::optional<int64_t> Index(size_t* looks = nullptr) const;
  void Place(size_t position);
  bool Says() const { return kind == Kind::kString && !text.empty(); }
  bool Is(const Node& other, size_t* looks) const;
  void JoinThinking(Node* more);
  void ShowThinking();
  size_t Bytes() const;
  void Write(JsonWriter* json) const;
};

struct ChatCollector::Member {
  std::string key;
  Node value;
};

const ChatCollector::Node* ChatCollector::Node::Find(std::string_view key, size_t* looks) const {
  const auto found = std::find_if(members.begin(), members.end(),
                                  [key](const Member& member) { return member.key == key; });
  if (looks != nullptr) *looks += static_cast<size_t>(found - members.begin()) + 1;
  return found == members.end() ? nullptr : &found->value;
}

ChatCollector::Node* ChatCollector::Node::Find(std::string_view key, size_t* looks) {
  return const_cast<Node*>(std::as_const(*this).Find(key, looks));
}

// The member of that name, which is null if it was not there.
ChatCollector::Node* ChatCollector::Node::Put(std::string_view key) {
  if (Node* const found = Find(key)) return found;
  members.push_back({std::string(key), {}});
  return &members.back().value;
}

// A missing index is the first. Of a choice none is missing: see Place().
std::optional<int64_t> ChatCollector::Node::Index(size_t* looks) const {
  if (kind != Kind::kObject) return std::nullopt;
  const Node* const index = Find("index", looks);
  if (index == nullptr || index->kind != Kind::kOther || index->IsNull()) return 0;
  return ReadInteger(index->text);
}

// A choice whose index is no number is the one of its position in the chunk, as ReadChatObject()
// takes it.
void ChatCollector::Node::Place(size_t position) {
  Node* const index = Put("index");
  const bool is_number = index->kind == Kind::kOther && ReadInteger(index->text).has_value();
  if (!is_number) *index = Node{Kind::kOther, std::to_string(position), {}, {}};
}

// The same value, whatever the order of members.
bool ChatCollector::Node::Is(const Node& other, size_t* looks) const {
  ++*looks;
  if (kind != other.kind || text != other.text || items.size() != other.items.size() ||
      members.size() != other.members.size()) {
    return false;
  }
  for (size_t i = 0; i < items.size(); ++i) {
    if (!items[i].Is(other.items[i], looks)) return false;
  }
  return std::all_of(members.begin(), members.end(), [&](const Member& member) {
    const Node* const same = other.Find(member.key, looks);
    return same != nullptr && member.value.Is(*same, looks);
  });
}

// Puts the thinking of `*more`, a later delta, under the name that this one has it under. Twice in
// one delta it is the same.
void ChatCollector::Node::JoinThinking(Node* more) {
  std::string_view home;
  for (const std::string_view name : kThinking) {
    const Node* const known = Find(name);
    if (home.empty() && known != nullptr && known->Says()) home = name;
  }
  for (Member& member : more->members) {
    if (!IsOneOf(kThinking, member.key) || !member.value.Says()) continue;
    if (home.empty()) home = *std::find(kThinking.begin(), kThinking.end(), member.key);
    if (member.key == home) continue;
    thinks_twice = true;
    const Node* const same = more->Find(home);
    if (same != nullptr && same->Says() && same->text == member.value.text) {
      member.value.text.clear();
    } else {
      member.key = home;
    }
  }
}

void ChatCollector::Node::ShowThinking() {
  if (!thinks_twice) return;
  const bool first = Find(kThinking[0]) != nullptr && Find(kThinking[0])->Says();
  const Node thinking = *Put(kThinking[first ? 0 : 1]);
  *Put(kThinking[first ? 1 : 0]) = thinking;
}

size_t ChatCollector::Node::Bytes() const {
  size_t bytes = kNodeBytes + text.size();
  for (const Member& member : members) bytes += member.key.size() + member.value.Bytes();
  for (const Node& item : items) bytes += item.Bytes();
  return bytes;
}

void ChatCollector::Node::Write(JsonWriter* json) const {
  switch (kind) {
    case Kind::kOther:
      json->Raw(text);
      break;
    case Kind::kString:
      json->String(text);
      break;
    case Kind::kObject:
      json->Object();
      for (const Member& member : members) {
        json->KeyOf(member.key);
        member.value.Write(json);
      }
      json->End();
      break;
    case Kind::kArray:
      json->Array();
      for (const Node& item : items) item.Write(json);
      json->End();
      break;
  }
}

// Builds a tree of at most `room` bytes, with the allowance for each value. A node's address holds
// while it is open: its list grows only when it has closed.
class ChatCollector::Sink : public JsonSink {
 public:
  Sink(std::string_view text, Node* root, size_t room) : text_(text), root_(root), room_(room) {}

  Step OnOpen(const JsonPlace& place, JsonType type) override {
    if (!Take(place.key().size())) return Step::kStop;
    Node* const node = At(place);
    node->kind = type == JsonType::kObject ? Node::Kind::kObject : Node::Kind::kArray;
    node->text.clear();
    open_.push_back(node);
    return Step::kEnter;
  }

  bool OnClose(const JsonPlace&, const JsonValue&) override {
    open_.pop_back();
    return true;
  }

  bool OnScalar(const JsonPlace& place, const JsonValue& value) override {
    if (!Take(place.key().size() + value.text.size())) return false;
    Node* const node = At(place);
    switch (value.type) {
      case JsonType::kString:
        node->kind = Node::Kind::kString;
        node->text = value.text;
        if (value.lone_surrogate) node->halves = HalvesOf(value.range.In(text_));
        break;
      case JsonType::kNumber:
        node->text = value.text;
        break;
      case JsonType::kTrue:
        node->text = "true";
        break;
      case JsonType::kFalse:
        node->text = "false";
        break;
      default:
        break;
    }
    return true;
  }

 private:
  bool Take(size_t bytes) {
    bytes += kNodeBytes;
    if (bytes > room_) return Fail(ErrorCode::kAnswerTooLarge, std::string(kTooLarge));
    room_ -= bytes;
    return true;
  }

  Node* At(const JsonPlace& place) {
    if (open_.empty()) return root_;
    Node* const around = open_.back();
    if (around->kind == Node::Kind::kObject) {
      around->members.push_back({std::string(place.key()), {}});
      return &around->members.back().value;
    }
    around->items.emplace_back();
    return &around->items.back();
  }

  const std::string_view text_;
  Node* const root_;
  size_t room_;
  std::vector<Node*> open_;
};

ChatCollector::ChatCollector(size_t max_bytes)
    : max_bytes_(max_bytes), looks_left_(kFreeLooks), whole_(std::make_unique<Node>()) {
  whole_->kind = Node::Kind::kObject;
  whole_->text.clear();
}

ChatCollector::~ChatCollector() = default;

Status ChatCollector::Add(std::string_view events) {
  constexpr std::string_view kData = "data: ";
  constexpr std::string_view kEnd = "\n\n";
  while (events.starts_with(kData)) {
    const size_t end = std::min(events.find(kEnd), events.size());
    const std::string_view data = events.substr(kData.size(), end - kData.size());
    events.remove_prefix(std::min(end + kEnd.size(), events.size()));
    if (!data.starts_with('{')) continue;  // [DONE]
    Node chunk;
    Sink sink(data, &chunk, max_bytes_);
    if (Status scanned = ScanJson(data, JsonKeys::kAny, &sink); !scanned) return scanned;
    looks_left_ += kLooksPerByte * data.size();
    Merge(whole_.get(), &chunk, {});
    if (!Fits()) return MakeError(ErrorCode::kAnswerTooLarge, std::string(kTooLarge));
  }
  return {};
}

ChatCollector::Node ChatCollector::TextPart(Node text) {
  Node part{Node::Kind::kObject, {}, {}, {}};
  *part.Put("type") = Node{Node::Kind::kString, "text", {}, {}};
  *part.Put("text") = std::move(text);
  return part;
}

void ChatCollector::Append(Node* text, const Node& more) {
  AppendJoined(more.text, more.halves, &text->text, &text->halves.last);
  size_ += more.text.size();
}

// `item` is among the first `size` elements of the list. It is likely at its own position.
bool ChatCollector::Knows(const Node& list, size_t size, const Node& item, size_t position) {
  size_t looks = 0;
  bool known = position < size && list.items[position].Is(item, &looks);
  for (size_t i = 0; i < size && !known; ++i) {
    Spend(std::exchange(looks, 0));
    if (!Fits()) return true;
    known = list.items[i].Is(item, &looks);
  }
  Spend(looks);
  return known;
}

void ChatCollector::Spend(size_t looks) { looks_left_ -= std::min(looks_left_, looks); }

// Stops in the middle where it no longer Fits().
void ChatCollector::Merge(Node* into, Node* from, std::string_view key, bool beside_choices) {
  using enum Node::Kind;
  if (from->IsNull()) return;
  if (key == "delta" && from->kind == kObject) {
    if (into->IsNull()) *into = Node{kObject, {}, {}, {}};
    into->JoinThinking(from);
  }
  if (into->kind == kString && from->kind == kString) {
    if (from->text.empty()) return;
    if (IsOneOf(kPieces, key) || IsRareThinking(key)) return Append(into, *from);
  }
  if (into->kind == kObject && from->kind == kObject) {
    for (Member& member : from->members) {
      if (!Fits()) return;
      size_t looks = 0;
      Node* known = into->Find(member.key, &looks);
      Spend(looks);
      if (known != nullptr) {
        Merge(known, &member.value, member.key, into == whole_.get());
        continue;
      }
      size_ += kNodeBytes + member.key.size();
      into->members.push_back({member.key, {}});
      Merge(&into->members.back().value, &member.value, member.key);
    }
    return;
  }
  if (key == "content" && into->kind == kString && from->kind == kArray) {
    // Text, and parts behind it.
    Node part = into->text.empty() ? Node{} : TextPart(std::move(*into));
    *into = Node{kArray, {}, {}, {}};
    if (!part.IsNull()) into->items.push_back(std::move(part));
    size_ += 4 * kNodeBytes;
  }
  if (key == "content" && into->kind == kArray && from->kind == kString) {
    if (from->text.empty()) return;
    Node* const last = into->items.empty() ? nullptr : into->items.back().Find("text");
    if (last != nullptr && last->kind == kString) return Append(last, *from);
    into->items.push_back(TextPart(std::move(*from)));
    size_ += into->items.back().Bytes();
    return;
  }
  if (from->kind == kArray && (into->kind == kArray || into->IsNull())) {
    return MergeList(into, from, key, beside_choices);
  }
  size_ += from->Bytes();
  size_ -= std::min(size_, into->Bytes());
  *into = std::move(*from);
}

void ChatCollector::MergeList(Node* into, Node* from, std::string_view key, bool beside_choices) {
  into->kind = Node::Kind::kArray;
  into->text.clear();
  const bool indexed = IsOneOf(kIndexed, key);
  const bool once = beside_choices || IsOneOf(kSaidOnce, key);
  // What one chunk says twice it means twice: the text may name sources by their number.
  const size_t before = into->items.size();
  size_t position = 0;
  for (Node& item : from->items) {
    if (!Fits()) return;
    const size_t place = position++;
    if (key == "choices" && item.kind == Node::Kind::kObject) item.Place(place);
    if (indexed && item.kind == Node::Kind::kObject) {
      MergeItem(into, &item);
    } else if (!once || !Knows(*into, before, item, place)) {
      size_ += item.Bytes();
      into->items.push_back(std::move(item));
    }
  }
}

void ChatCollector::MergeItem(Node* list, Node* item) {
  // The newest of an index is continued, unless that is of another id or type: some providers give
  // every call the same index.
  size_t looks = 0;
  const auto differ = [item, &looks](const Node& known, std::string_view key) {
    const Node* const a = known.Find(key, &looks);
    const Node* const b = item->Find(key, &looks);
    const auto says = [](const Node* node) {
      return node != nullptr && node->kind == Node::Kind::kString && !node->text.empty();
    };
    return says(a) && says(b) && a->text != b->text;
  };
  const std::optional<int64_t> index = item->Index(&looks);
  for (auto known = list->items.rbegin(); known != list->items.rend(); ++known) {
    const bool other =
        known->Index(&looks) != index || differ(*known, "id") || differ(*known, "type");
    Spend(std::exchange(looks, 0));
    if (!Fits()) return;
    if (!other) return Merge(&*known, item, {});
  }
  // Member by member, so that a name that stands twice in it is one member.
  size_ += kNodeBytes;
  list->items.push_back({Node::Kind::kObject, {}, {}, {}});
  Merge(&list->items.back(), item, {});
}

std::string ChatCollector::Write() {
  using enum Node::Kind;
  const auto set = [](Node* node, std::string_view text) {
    *node = Node{};
    node->kind = kString;
    node->text = text;
  };
  set(whole_->Put("object"), "chat.completion");
  std::erase_if(whole_->members, [](const Member& member) { return member.key == "usage"; });
  std::vector<Node>& choices = whole_->Put("choices")->items;
  std::stable_sort(choices.begin(), choices.end(),
                   [](const Node& a, const Node& b) { return a.Index() < b.Index(); });
  for (Node& choice : choices) {
    choice.Put("finish_reason");
    // What it was sent as a delta is the message; a `message` beside it was not sent.
    if (choice.Find("delta") != nullptr) {
      std::erase_if(choice.members, [](const Member& member) { return member.key == "message"; });
    }
    for (Member& member : choice.members) {
      if (member.key == "delta") member.key = "message";
    }
    Node* const message = choice.Put("message");
    if (message->kind != kObject) *message = Node{kObject, {}, {}, {}};
    message->ShowThinking();
    if (message->Find("role") == nullptr) set(message->Put("role"), "assistant");
    message->Put("content");
    if (Node* const calls = message->Find("tool_calls")) {
      for (Node& call : calls->items) {
        std::erase_if(call.members, [](const Member& member) { return member.key == "index"; });
      }
    }
  }
  std::string out;
  JsonWriter json(&out);
  whole_->Write(&json);
  return out;
}

}  // namespace seekroute
