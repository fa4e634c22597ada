#include "wire/sent_parts.h"

#include <algorithm>

namespace seekroute {
namespace {

// Names of providers for the same.
bool IsReasoning(std::string_view member) {
  return member == "reasoning" || member == "reasoning_content" || member == "reasoning_details";
}

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
}

}  // namespace

void SentParts::Add(const SentPart& part) {
  std::string& text = choices_[part.choice][part.member];
  const size_t room = kMaxKept - std::min(kMaxKept, kept_);
  // Once full, it stays so: a text with a gap would be another.
  const bool fits = part.text.size() <= room;
  if (fits) text += part.text;
  kept_ = fits ? kept_ + part.text.size() : kMaxKept + 1;
}

bool SentParts::HasAny(int64_t choice) const { return choices_.contains(choice); }

bool SentParts::Has(int64_t choice, std::string_view member) const {
  const auto found = choices_.find(choice);
  if (found == choices_.end()) return false;
  const auto& members = found->second;
  return std::any_of(members.begin(), members.end(), [member](const auto& sent) {
    return sent.first == member || (IsReasoning(sent.first) && IsReasoning(member));
  });
}

std::string_view SentParts::NewText(int64_t choice, std::string_view member,
                                    std::string_view text) const {
  if (!Has(choice, member)) return text;
  if (kept_ > kMaxKept) return {};
  const std::string_view trimmed = Trim(text);
  std::string_view rest = text;
  for (const auto& [name, sent] : choices_.at(choice)) {
    if (name != member && !(IsReasoning(name) && IsReasoning(member))) continue;
    const std::string_view known = Trim(sent);
    if (sent.empty()) return {};  // it was no text
    if (known.empty()) continue;
    if (known.starts_with(trimmed) || known.ends_with(trimmed)) return {};
    if (!trimmed.starts_with(known)) continue;
    const bool exact = text.starts_with(sent);
    rest = exact ? text.substr(sent.size()) : trimmed.substr(known.size());
  }
  return rest;
}

int64_t CallNumbers::Number(const SentCall& call, bool first) {
  std::vector<Call>& calls = choices_[call.choice];
  const auto same = std::find_if(calls.begin(), calls.end(), [&call](const Call& known) {
    return call.index ? known.index == *call.index : !call.id.empty() && known.id == call.id;
  });
  if (same != calls.end()) {
    if (!call.id.empty()) same->id = call.id;
    same->is_named = same->is_named || call.is_named;
    std::rotate(same, same + 1, calls.end());
    return calls.back().index;
  }
  const bool continues = !call.index && call.id.empty() && first && !calls.empty() &&
                         !(call.is_named && calls.back().is_named);
  if (continues || (calls.size() == kMaxCalls && !call.index)) {
    Call& last = calls.back();
    last.is_named = last.is_named || call.is_named;
    return last.index;
  }
  int64_t next = 0;
  for (const Call& known : calls) next = std::max(next, known.index + 1);
  const int64_t index = call.index.value_or(next);
  if (calls.size() < kMaxCalls) calls.push_back({call.id, index, call.is_named});
  return index;
}

}  // namespace seekroute
