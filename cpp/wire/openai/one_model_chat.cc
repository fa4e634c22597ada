#include "wire/openai/one_model_chat.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "wire/json/cut_members.h"
#include "wire/json/json_scan.h"
#include "wire/json/splice.h"

namespace seekroute {
namespace {

// What chooses among models, what makes a stream of the answer, and what has the provider keep it.
constexpr auto kCut = std::to_array<std::string_view>(
    {"models", "route", "plugins", "stream", "stream_options", "return_progress", "store"});

// Finds those members of the outermost object, and `model`.
class MembersSink final : public JsonSink {
 public:
  Step OnOpen(const JsonPlace& place, JsonType) override {
    return place.depth() == 0 ? Step::kEnter : Step::kSkip;
  }
  bool OnClose(const JsonPlace& place, const JsonValue& value) override {
    return OnScalar(place, value);
  }
  bool OnScalar(const JsonPlace& place, const JsonValue& value) override {
    if (place.depth() != 1 || !place.in_object()) return true;
    if (place.key() == "model") model = value.range;
    if (std::ranges::find(kCut, place.key()) != kCut.end()) {
      cut.push_back({place.key_range().begin, value.range.end});
    }
    return true;
  }

  std::optional<ByteRange> model;
  std::vector<ByteRange> cut;
};

}  // namespace

std::string ChatForOneModel(std::string_view body, std::string_view model) {
  MembersSink found;
  if (!ScanJson(body, JsonKeys::kUnique, &found).ok() || !found.model) return {};
  std::string name;
  AppendJsonString(model, &name);
  Splice splice(body);
  splice.Replace(*found.model, name);
  CutMembers(body, found.cut, &splice);
  std::string out;
  out.reserve(body.size() + name.size());
  splice.AppendTo(&out);
  return out;
}

}  // namespace seekroute
