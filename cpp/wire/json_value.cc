#include "wire/json_value.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>
#include <vector>

#include "wire/json_scan.h"

namespace seekroute {
namespace {

// A number that is no integer of 64 bits: its digits without zeros around them, and the power of
// ten behind them. As it was written where that power is beyond 64 bits.
std::string SpelledNumber(std::string_view number) {
  if (const std::optional<int64_t> integer = ReadInteger(number)) return std::to_string(*integer);
  const size_t e = std::min(number.find_first_of("eE"), number.size());
  std::string digits(number.substr(0, e));
  int64_t power = 0;
  if (e < number.size()) {
    std::string_view exponent = number.substr(e + 1);
    if (exponent.starts_with('+')) exponent.remove_prefix(1);
    const char* const end = exponent.data() + exponent.size();
    if (std::from_chars(exponent.data(), end, power).ec != std::errc{}) return std::string(number);
  }
  const std::string sign = digits.starts_with('-') ? "-" : "";
  digits.erase(0, sign.size());
  if (const size_t point = digits.find('.'); point != std::string::npos) {
    digits.erase(point, 1);
    if (__builtin_sub_overflow(power, static_cast<int64_t>(digits.size() - point), &power)) {
      return std::string(number);
    }
  }
  const size_t zeros = digits.size() - 1 - std::min(digits.find_last_not_of('0'), digits.size() - 1);
  if (__builtin_add_overflow(power, static_cast<int64_t>(zeros), &power)) {
    return std::string(number);
  }
  digits.resize(digits.size() - zeros);
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size() - 1));
  return sign + digits + 'e' + std::to_string(power);
}

class SpellingSink : public JsonSink {
 public:
  Step OnOpen(const JsonPlace& place, JsonType type) override {
    Begin(place);
    open_.push_back({out_.size(), members_.size()});
    out_ += type == JsonType::kObject ? '{' : '[';
    return Step::kEnter;
  }

  bool OnClose(const JsonPlace&, const JsonValue& value) override {
    const Open object = open_.back();
    open_.pop_back();
    if (value.type == JsonType::kObject) {
      Sort(object);
      members_.resize(object.first_member);
    }
    out_ += value.type == JsonType::kObject ? "}," : "],";
    return true;
  }

  bool OnScalar(const JsonPlace& place, const JsonValue& value) override {
    Begin(place);
    switch (value.type) {
      case JsonType::kString:
        AppendJsonString(value.text, &out_);
        break;
      case JsonType::kNumber:
        out_ += SpelledNumber(value.text);
        break;
      case JsonType::kTrue:
        out_ += "true";
        break;
      case JsonType::kFalse:
        out_ += "false";
        break;
      default:
        out_ += "null";
        break;
    }
    out_ += ',';
    return true;
  }

  std::string Take() { return std::move(out_); }

 private:
  struct Open {
    size_t begin;
    size_t first_member;
  };
  struct Member {
    std::string key;
    size_t begin;
  };

  void Begin(const JsonPlace& place) {
    if (place.depth() == 0 || !place.in_object()) return;
    members_.push_back({std::string(place.key()), out_.size()});
    AppendJsonString(place.key(), &out_);
    out_ += ':';
  }

  // Of members of one name the first stays first.
  void Sort(const Open& object) {
    const auto first = members_.begin() + static_cast<std::ptrdiff_t>(object.first_member);
    const auto by_key = [](const Member& a, const Member& b) { return a.key < b.key; };
    if (std::is_sorted(first, members_.end(), by_key)) return;
    std::vector<std::pair<const Member*, size_t>> order;  // and where each ends
    for (auto member = first; member != members_.end(); ++member) {
      const auto next = member + 1;
      order.emplace_back(&*member, next == members_.end() ? out_.size() : next->begin);
    }
    std::stable_sort(order.begin(), order.end(), [&by_key](const auto& a, const auto& b) {
      return by_key(*a.first, *b.first);
    });
    std::string sorted;
    sorted.reserve(out_.size() - object.begin);
    for (const auto& [member, end] : order) sorted.append(out_, member->begin, end - member->begin);
    out_.replace(object.begin + 1, sorted.size(), sorted);
  }

  std::string out_;
  std::vector<Open> open_;
  std::vector<Member> members_;  // of all objects that are open
};

}  // namespace

std::string SpelledJson(std::string_view text) {
  SpellingSink sink;
  return ScanJson(text, JsonKeys::kAny, &sink).ok() ? sink.Take() : "";
}

}  // namespace seekroute
