#include "wire/json/json_value.h"

#include <algorithm>
#include <cstdlib>
#include <utility>
#include <vector>

#include "wire/json/json_scan.h"

namespace seekroute {
namespace {

std::string SpelledNumber(std::string_view number) {
  const Decimal decimal = ReadDecimal(number);
  if (decimal.digits.empty()) return "0";
  // Two powers that were cut are not one number.
  if (std::abs(decimal.power) > Decimal::kMostPower / 2) return std::string(number);
  return (decimal.is_negative ? "-" : "") + decimal.digits + 'e' + std::to_string(decimal.power);
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
