#include "wire/openai/excerpt.h"

#include <algorithm>

#include "wire/json/json_scan.h"

namespace seekroute {
namespace {

constexpr size_t kHalf = kMostExcerptBytes / 2;

bool IsInsideCharacter(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// Of all the text that is added: its beginning, and its end.
class Window {
 public:
  void Add(std::string_view text) {
    if (text.empty()) return;
    if (any_) Append("\n");
    any_ = true;
    Append(text);
  }

  std::string Take() {
    if (size_ <= kMostExcerptBytes) return std::move(first_);
    size_t end = kHalf;
    while (end > 0 && IsInsideCharacter(first_[end])) --end;
    first_.resize(end);
    size_t begin = last_.size() - kHalf;
    while (begin < last_.size() && IsInsideCharacter(last_[begin])) ++begin;
    return std::move(first_.append(last_, begin));
  }

 private:
  void Append(std::string_view text) {
    size_ += text.size();
    first_ += text.substr(0, kMostExcerptBytes - first_.size());
    if (text.size() > kHalf) text.remove_prefix(text.size() - kHalf);
    last_ += text;
    // Now and then, so that many short texts are moved once each.
    if (last_.size() > 2 * kHalf) last_.erase(0, last_.size() - kHalf);
  }

  std::string first_;  // kMostExcerptBytes at most
  std::string last_;   // at most three halves of it
  size_t size_ = 0;
  bool any_ = false;
};

class ExcerptSink final : public JsonSink {
 public:
  // [ { "text": ... } ]: a part at level 1, its members at level 2.
  Step OnOpen(const JsonPlace& place, JsonType) override {
    return place.depth() < 2 ? Step::kEnter : Step::kSkip;
  }
  bool OnClose(const JsonPlace&, const JsonValue&) override { return true; }
  bool OnScalar(const JsonPlace& place, const JsonValue& value) override {
    const bool is_text = place.depth() == 0 || (place.depth() == 2 && place.key() == "text");
    if (is_text && value.type == JsonType::kString) window_.Add(value.text);
    return true;
  }

  std::string Take() { return window_.Take(); }

 private:
  Window window_;
};

bool IsNamed(std::string_view asked, std::string_view name) {
  return asked.starts_with(name) && (asked.size() == name.size() || asked[name.size()] == ':');
}

}  // namespace

bool NamesOneOf(const Ask& ask, std::span<const std::string> names) {
  return std::ranges::any_of(names, [&ask](const std::string& name) {
    if (IsNamed(ask.model, name)) return true;
    return ask.route != nullptr && std::ranges::any_of(ask.route->models, [&](const auto& each) {
             return IsNamed(each, name);
           });
  });
}

std::string ExcerptOf(std::string_view content) {
  ExcerptSink sink;
  // What a surface has read before it can be read again: nothing is left to refuse.
  static_cast<void>(ScanJson(content, JsonKeys::kAny, &sink));
  return sink.Take();
}

}  // namespace seekroute
