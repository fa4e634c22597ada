#include "wire/openai/sent_parts.h"

#include <algorithm>
#include <utility>

#include "base/white_space.h"
#include "wire/json/json_value.h"

namespace seekroute {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// A text of fewer bytes may be said twice.
constexpr size_t kSaidOnce = 16;

// Names of providers for the same: thinking.
constexpr std::string_view kReasoning = "reasoning";

std::string_view FamilyOf(std::string_view member) {
  const bool same = member == "reasoning_content" || member == "reasoning_details";
  return same ? kReasoning : member;
}

// What stands in `whole` behind `begun`, spaces between tokens aside; empty where `whole` ends
// earlier. Nothing where they differ. `*work` grows by the bytes that were looked at.
std::optional<std::string_view> Behind(std::string_view begun, std::string_view whole,
                                       size_t* work) {
  *work += std::min(begun.size(), whole.size());
  if (whole.starts_with(begun)) return whole.substr(begun.size());
  size_t i = 0, k = 0;
  bool in_string = false;
  for (;; *work += 2) {
    const size_t before = i + k;
    while (!in_string && i < begun.size() && IsSpace(begun[i])) ++i;
    while (!in_string && k < whole.size() && IsSpace(whole[k])) ++k;
    *work += i + k - before;
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

}  // namespace

void SentParts::Text::Append(std::string_view text, LoneHalves halves) {
  const bool joins = half != 0 && halves.first != 0;
  const size_t from = whole.size() - (joins ? kReplacement.size() : 0);
  AppendJoined(text, halves, &whole, &half);
  const std::string_view added = std::string_view(whole).substr(from);
  const std::string_view trimmed = Trim(added);
  if (trimmed.empty()) return;
  ++pieces;
  const size_t at = from + static_cast<size_t>(trimmed.data() - added.data());
  if (begin == end) begin = at;
  end = at + trimmed.size();
}

bool SentParts::Fits(size_t bytes) {
  const bool fits = bytes <= kMaxKept - std::min(kMaxKept, kept_);
  kept_ = fits ? kept_ + bytes : kMaxKept + 1;
  return fits;
}

void SentParts::Add(const SentPart& part) {
  Text& text = choices_[part.choice].members[std::string(FamilyOf(part.member))];
  AllowFor(part.text.size());
  // A list of parts is known by their text, and by AddItem().
  if (part.text.empty() && part.member != "content") text.is_structure = true;
  if (Fits(part.text.size())) text.Append(part.text, part.halves);
}

void SentParts::AddItem(const SentItem& item) {
  if (items_ > kMaxItems) return;
  if (++items_ <= kMaxItems) choices_[item.choice].items.insert(item.identity);
}

void SentParts::AddCall(const SentCall& call, int64_t index) {
  // A call without a byte is one, too.
  if (!Fits(call.name.size() + call.arguments.size() + 1)) return;
  AllowFor(call.name.size() + call.arguments.size());
  Call& kept = choices_[call.choice].calls[index];
  if (!call.name.empty()) kept.name = call.name;
  if (!call.arguments.empty()) kept.spelled.reset();
  kept.arguments += call.arguments;
}

bool SentParts::HasAny(int64_t choice) const { return choices_.contains(choice); }

bool SentParts::Has(int64_t choice, std::string_view member) const {
  return FindText(choice, member) != nullptr;
}

bool SentParts::HasItem(int64_t choice, uint64_t identity) const {
  if (items_ > kMaxItems) return true;
  const auto found = choices_.find(choice);
  return found != choices_.end() && found->second.items.contains(identity);
}

const SentParts::Text* SentParts::FindText(int64_t choice, std::string_view member) const {
  const auto found = choices_.find(choice);
  if (found == choices_.end()) return nullptr;
  const auto text = found->second.members.find(FamilyOf(member));
  return text == found->second.members.end() ? nullptr : &text->second;
}

std::string_view SentParts::NewText(int64_t choice, std::string_view member,
                                    std::string_view text) const {
  const Text* const sent = FindText(choice, member);
  if (sent == nullptr) return text;
  if (IsFull()) return {};
  const std::string_view trimmed = Trim(text);
  const std::string_view known = sent->Trimmed();
  if (known.empty()) return sent->is_structure ? std::string_view() : text;
  if (known.starts_with(trimmed) || known.ends_with(trimmed)) return {};
  if (!trimmed.starts_with(known)) return text;
  const bool exact = text.starts_with(sent->whole);
  return exact ? text.substr(sent->whole.size()) : trimmed.substr(known.size());
}

bool SentParts::BeginsWithAll(int64_t choice, std::string_view member, std::string_view text,
                              bool surely) const {
  const Text* const sent = FindText(choice, member);
  if (sent == nullptr || sent->Trimmed().empty()) return false;
  const bool in_pieces = sent->pieces > 1;
  const bool is_long = sent->Trimmed().size() >= kSaidOnce;
  if (surely ? !in_pieces || !is_long : !in_pieces && !is_long) return false;
  return Trim(text).starts_with(sent->Trimmed());
}

const SentParts::Call* SentParts::Find(int64_t choice, int64_t index) const {
  const auto found = choices_.find(choice);
  if (found == choices_.end()) return nullptr;
  const auto call = found->second.calls.find(index);
  return call == found->second.calls.end() ? nullptr : &call->second;
}

SentParts::Call* SentParts::Find(int64_t choice, int64_t index) {
  return const_cast<Call*>(std::as_const(*this).Find(choice, index));
}

std::string_view SentParts::NameOf(int64_t choice, int64_t index) const {
  const Call* const call = Find(choice, index);
  return call == nullptr ? std::string_view() : call->name;
}

SentParts::Spelling SentParts::Spell(std::string_view arguments) {
  Spend(arguments.size());
  if (Trim(arguments).empty()) arguments = "{}";
  std::string spelled = SpelledJson(arguments);
  if (spelled.empty()) return {std::string(arguments), false};
  return {std::move(spelled), true};
}

// Once for each time that they grew.
const SentParts::Spelling& SentParts::SpelledOf(Call* call) {
  if (!call->spelled) call->spelled = Spell(call->arguments);
  return *call->spelled;
}

bool SentParts::SaysNothing(int64_t choice, int64_t index) const {
  const Call* const call = Find(choice, index);
  return call == nullptr || Trim(call->arguments).empty();
}

bool SentParts::IsOpen(int64_t choice, int64_t index) {
  if (SaysNothing(choice, index)) return false;
  Call* const call = Find(choice, index);
  // Most that are open are known by their ends.
  const std::string_view text = Trim(call->arguments);
  if (text.front() == '{' && text.back() != '}') return true;
  return !SpelledOf(call).is_json;
}

bool SentParts::IsBegun(int64_t choice, int64_t index) {
  return SaysNothing(choice, index) || IsOpen(choice, index);
}

bool SentParts::HasArguments(int64_t choice, int64_t index, const Spelling& arguments) {
  Call* const call = Find(choice, index);
  if (call == nullptr) return false;
  const std::string& spelled = SpelledOf(call).text;
  Spend(1);
  if (spelled.size() != arguments.text.size()) return false;
  Spend(spelled.size());
  return spelled == arguments.text;
}

std::optional<std::string_view> SentParts::NewArguments(int64_t choice, int64_t index,
                                                        std::string_view arguments) {
  Call* const call = Find(choice, index);
  if (call == nullptr || call->arguments.empty()) return arguments;
  size_t work = 0;
  const auto rest = Behind(call->arguments, arguments, &work);
  Spend(work);
  if (rest) return rest;
  if (HasArguments(choice, index, Spell(arguments))) return std::string_view();
  return std::nullopt;
}

}  // namespace seekroute
