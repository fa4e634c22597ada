// A text that many hold and nobody changes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

namespace seekroute {

// 16 bytes, and one text for all copies. Never fails. Thread-safe as far as a shared_ptr is.
class SharedText {
 public:
  SharedText() = default;       // empty, which takes nothing
  SharedText(std::string text)  // NOLINT: a text is one
      : text_(text.empty() ? nullptr : std::make_shared<const std::string>(std::move(text))) {}
  SharedText(const char* text) : SharedText(std::string(text)) {}  // NOLINT: likewise

  const std::string& str() const {
    static const std::string kEmpty;
    return text_ ? *text_ : kEmpty;
  }
  operator const std::string&() const { return str(); }  // NOLINT: likewise
  operator std::string_view() const { return str(); }    // NOLINT: likewise
  bool empty() const { return text_ == nullptr; }

 private:
  friend class TextPool;
  std::shared_ptr<const std::string> text_;
};

// Makes equal texts one. Grows with the number of different ones that somebody holds. Not
// thread-safe.
class TextPool {
 public:
  SharedText Share(const SharedText& text) {
    if (text.empty()) return text;
    const auto found = texts_.find(text.str());
    if (found != texts_.end()) return *found;
    if (texts_.size() >= sweep_at_) Sweep();
    return *texts_.insert(text).first;
  }
  size_t size() const { return texts_.size(); }

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(std::string_view a, std::string_view b) const { return a == b; }
  };

  // As often as their number doubles.
  void Sweep() {
    std::erase_if(texts_, [](const SharedText& each) { return each.text_.use_count() == 1; });
    sweep_at_ = std::max(kFirstSweep, 2 * texts_.size());
  }

  static constexpr size_t kFirstSweep = 1024;
  std::unordered_set<SharedText, Hash, Equal> texts_;
  size_t sweep_at_ = kFirstSweep;
};

}  // namespace seekroute
