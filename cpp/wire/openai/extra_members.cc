#include "wire/openai/extra_members.h"

#include <algorithm>
#include <array>
#include <utility>

#include "wire/json/json_scan.h"

namespace seekroute {
namespace {

constexpr auto kOwn = std::to_array<std::string_view>(
    {"id", "object", "created", "model", "choices", "usage", "error"});

struct Found {
  std::string key;
  ByteRange whole;
};

// The top-level members of an object.
class MemberSink : public JsonSink {
 public:
  Step OnOpen(const JsonPlace& place, JsonType) override {
    return place.depth() == 0 ? Step::kEnter : Step::kSkip;
  }
  bool OnScalar(const JsonPlace& place, const JsonValue& value) override {
    return Note(place, value);
  }
  bool OnClose(const JsonPlace& place, const JsonValue& value) override {
    return Note(place, value);
  }

  std::vector<Found> found;

 private:
  bool Note(const JsonPlace& place, const JsonValue& value) {
    if (place.depth() != 1 || !place.in_object()) return true;
    found.push_back({std::string(place.key()), {place.key_range().begin, value.range.end}});
    return true;
  }
};

std::vector<Found> MembersOf(std::string_view object) {
  MemberSink sink;
  (void)ScanJson(object, JsonKeys::kAny, &sink);  // both kinds of caller have read it already
  return std::move(sink.found);
}

}  // namespace

void ExtraMembers::Take(std::string_view chunk) {
  for (const Found& found : MembersOf(chunk)) {
    if (std::find(kOwn.begin(), kOwn.end(), found.key) != kOwn.end()) continue;
    const std::string_view whole = found.whole.In(chunk);
    auto known = std::find_if(members_.begin(), members_.end(),
                              [&](const Member& member) { return member.key == found.key; });
    const size_t before = known == members_.end() ? 0 : known->whole.size();
    if (bytes_ - before + whole.size() > kMaxBytes) continue;
    if (known == members_.end()) {
      if (members_.size() == kMaxMembers) continue;
      known = members_.insert(known, {found.key, {}});
    }
    bytes_ += whole.size() - before;
    known->whole = whole;
    // As in every chunk: an event's data is one line, and inside strings line ends are escaped.
    for (char& c : known->whole) {
      if (c == '\n' || c == '\r') c = ' ';
    }
  }
}

void ExtraMembers::AppendTo(std::string* object) const {
  if (members_.empty()) return;
  const std::vector<Found> there = MembersOf(*object);
  std::string more;
  for (const Member& member : members_) {
    const bool has = std::any_of(there.begin(), there.end(),
                                 [&](const Found& found) { return found.key == member.key; });
    if (!has) more += ',' + member.whole;
  }
  object->insert(object->rfind('}'), more);
}

}  // namespace seekroute
