#include "wire/sent_parts.h"

#include <algorithm>

#include "wire/json_scan.h"
#include "wire/white_space.h"

namespace seekroute {
namespace {

// Names of providers for the same.
bool IsReasoning(std::string_view member) {
  return member == "reasoning" || member == "reasoning_content" || member == "reasoning_details";
}

// A JSON text in one spelling: no spaces, every string escaped alike.
class SpellingSink : public JsonSink {
 public:
  explicit SpellingSink(std::string_view text) : text_(text) {}

  Step OnOpen(const JsonPlace& place, JsonType type) override {
    Begin(place);
    out_ += type == JsonType::kObject ? '{' : '[';
    return Step::kEnter;
  }
  bool OnClose(const JsonPlace&, const JsonValue& value) override {
    out_ += value.type == JsonType::kObject ? "}," : "],";
    return true;
  }
  bool OnScalar(const JsonPlace& place, const JsonValue& value) override {
    Begin(place);
    if (value.type == JsonType::kString) {
      AppendJsonString(value.text, &out_);
    } else {
      out_ += value.range.In(text_);
    }
    out_ += ',';
    return true;
  }

  std::string Take() { return std::move(out_); }

 private:
  void Begin(const JsonPlace& place) {
    if (place.depth() == 0 || !place.in_object()) return;
    AppendJsonString(place.key(), &out_);
    out_ += ':';
  }

  const std::string_view text_;
  std::string out_;
};

// Empty for what is no JSON.
std::string Spelled(std::string_view text) {
  SpellingSink sink(text);
  return ScanJson(text, JsonKeys::kAny, &sink).ok() ? sink.Take() : "";
}

// What stands in `whole` behind `begun`, spaces between tokens aside; empty where `whole` ends
// earlier. Nothing where they differ.
std::optional<std::string_view> Behind(std::string_view begun, std::string_view whole) {
  if (whole.starts_with(begun)) return whole.substr(begun.size());
  size_t i = 0, k = 0;
  bool in_string = false;
  for (;;) {
    while (!in_string && i < begun.size() && IsSpace(begun[i])) ++i;
    while (!in_string && k < whole.size() && IsSpace(whole[k])) ++k;
    if (i == begun.size() || k == whole.size()) return whole.substr(k);
    if (begun[i] != whole[k]) return std::nullopt;
    const bool escapes = in_string && begun[i] == '\\';
    if (begun[i] == '"') in_string = !in_string;
    ++i;
    ++k;
    if (!escapes || i == begun.size() || k == whole.size()) continue;
    if (begun[i] != whole[k]) return std::nullopt;
    ++i;
    ++k;
  }
}

std::optional<int64_t> Own(const SentCall& call) {
  if (!call.index) return std::nullopt;
  return std::clamp(*call.index, int64_t{0}, CallNumbers::kMaxIndex);
}

}  // namespace

void SentParts::Text::Append(std::string_view text) {
  const std::string_view trimmed = Trim(text);
  if (!trimmed.empty()) {
    const size_t at = whole.size() + static_cast<size_t>(trimmed.data() - text.data());
    if (begin == end) begin = at;
    end = at + trimmed.size();
  }
  whole += text;
}

bool SentParts::Fits(size_t bytes) {
  const bool fits = bytes <= kMaxKept - std::min(kMaxKept, kept_);
  kept_ = fits ? kept_ + bytes : kMaxKept + 1;
  return fits;
}

void SentParts::Add(const SentPart& part) {
  Text& text = choices_[part.choice].members[part.member];
  if (Fits(part.text.size())) text.Append(part.text);
}

void SentParts::AddCall(const SentCall& call, int64_t index) {
  // A call without a byte is one, too.
  if (!Fits(call.name.size() + call.arguments.size() + 1)) return;
  Call& kept = choices_[call.choice].calls[index];
  if (!call.name.empty()) kept.name = call.name;
  kept.arguments += call.arguments;
}

bool SentParts::HasAny(int64_t choice) const { return choices_.contains(choice); }

bool SentParts::Has(int64_t choice, std::string_view member) const {
  const auto found = choices_.find(choice);
  if (found == choices_.end()) return false;
  const auto& members = found->second.members;
  return std::any_of(members.begin(), members.end(), [member](const auto& sent) {
    return sent.first == member || (IsReasoning(sent.first) && IsReasoning(member));
  });
}

std::string_view SentParts::NewText(int64_t choice, std::string_view member,
                                    std::string_view text) const {
  if (!Has(choice, member)) return text;
  if (IsFull()) return {};
  const std::string_view trimmed = Trim(text);
  std::string_view rest = text;
  for (const auto& [name, sent] : choices_.at(choice).members) {
    if (name != member && !(IsReasoning(name) && IsReasoning(member))) continue;
    const std::string_view known = sent.Trimmed();
    if (sent.whole.empty()) return {};  // it was no text
    if (known.empty()) continue;
    if (known.starts_with(trimmed) || known.ends_with(trimmed)) return {};
    if (!trimmed.starts_with(known)) continue;
    const bool exact = text.starts_with(sent.whole);
    rest = exact ? text.substr(sent.whole.size()) : trimmed.substr(known.size());
  }
  return rest;
}

const SentParts::Call* SentParts::Find(int64_t choice, int64_t index) const {
  const auto found = choices_.find(choice);
  if (found == choices_.end()) return nullptr;
  const auto call = found->second.calls.find(index);
  return call == found->second.calls.end() ? nullptr : &call->second;
}

std::string_view SentParts::NameOf(int64_t choice, int64_t index) const {
  const Call* const call = Find(choice, index);
  return call == nullptr ? std::string_view() : call->name;
}

std::optional<std::string_view> SentParts::NewArguments(int64_t choice, int64_t index,
                                                        std::string_view arguments) const {
  const Call* const call = Find(choice, index);
  if (call == nullptr || call->arguments.empty()) return arguments;
  if (const auto rest = Behind(call->arguments, arguments)) return rest;
  const std::string spelled = Spelled(arguments);
  if (!spelled.empty() && spelled == Spelled(call->arguments)) return std::string_view();
  return std::nullopt;
}

int64_t CallNumbers::Number(const SentCall& call, bool first) {
  std::vector<Call>& calls = CallsOf(call.choice);
  const std::optional<int64_t> own = Own(call);
  const auto same = std::find_if(calls.begin(), calls.end(), [&call, own](const Call& known) {
    return own ? known.index == *own : !call.id.empty() && known.id == call.id;
  });
  if (same != calls.end()) {
    if (!call.id.empty()) Name(&*same, call.id);
    same->is_named = same->is_named || !call.name.empty();
    std::rotate(same, same + 1, calls.end());
    return calls.back().index;
  }
  const bool continues = !call.index && call.id.empty() && first && !calls.empty() &&
                         (call.name.empty() || !calls.back().is_named);
  if (continues || (calls.size() == kMaxCalls && !call.index)) {
    Call& last = calls.back();
    last.is_named = last.is_named || !call.name.empty();
    return last.index;
  }
  int64_t next = 0;
  for (const Call& known : calls) next = std::max(next, known.index + 1);
  return Put(&calls, call, own.value_or(next));
}

int64_t CallNumbers::Append(const SentCall& call) {
  std::vector<Call>& calls = CallsOf(call.choice);
  const std::optional<int64_t> own = Own(call);
  if (own && !IdAt(call.choice, *own)) return Put(&calls, call, *own);
  int64_t next = 0;
  for (const Call& known : calls) next = std::max(next, known.index + 1);
  return Put(&calls, call, next);
}

int64_t CallNumbers::Put(std::vector<Call>* calls, const SentCall& call, int64_t index) {
  if (calls->size() == kMaxCalls) return index;
  calls->push_back({{}, index, !call.name.empty()});
  Name(&calls->back(), call.id);
  return index;
}

void CallNumbers::Name(Call* call, const std::string& id) {
  const size_t others = ids_ - call->id.size();
  if (others + id.size() > kMaxIds) return;
  ids_ = others + id.size();
  call->id = id;
}

std::span<const CallNumbers::Call> CallNumbers::Of(int64_t choice) const {
  const auto found = choices_.find(choice);
  if (found != choices_.end()) return found->second;
  return before_ == nullptr ? std::span<const Call>() : before_->Of(choice);
}

std::vector<CallNumbers::Call>& CallNumbers::CallsOf(int64_t choice) {
  const auto [calls, is_new] = choices_.try_emplace(choice);
  if (is_new && before_ != nullptr) {
    const std::span<const Call> known = before_->Of(choice);
    calls->second.assign(known.begin(), known.end());
  }
  return calls->second;
}

std::optional<int64_t> CallNumbers::WithId(int64_t choice, std::string_view id) const {
  std::optional<int64_t> index;
  for (const Call& call : Of(choice)) {
    if (!id.empty() && call.id == id) index = call.index;
  }
  return index;
}

std::optional<std::string_view> CallNumbers::IdAt(int64_t choice, int64_t index) const {
  for (const Call& call : Of(choice)) {
    if (call.index == index) return call.id;
  }
  return std::nullopt;
}

std::optional<int64_t> CallNumbers::IndexOf(int64_t choice, size_t place) const {
  std::vector<int64_t> indices;
  for (const Call& call : Of(choice)) indices.push_back(call.index);
  if (place >= indices.size()) return std::nullopt;
  std::sort(indices.begin(), indices.end());
  return indices[place];
}

}  // namespace seekroute
