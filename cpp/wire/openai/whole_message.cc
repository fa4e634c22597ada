#include "wire/openai/whole_message.h"

#include <algorithm>

#include "wire/json/json_writer.h"
#include "wire/openai/chat_object.h"

namespace seekroute {
namespace {

// In a list of JSON that may be empty yet.
void AppendEntry(std::string_view entry, std::string* list) {
  *list += list->empty() ? '[' : ',';
  *list += entry;
}

bool IsString(const OutputMember& member) { return member.type == JsonType::kString; }

}  // namespace

bool WholeMessage::RepeatsAll(bool ends) {
  for (const OutputMember& member : message_.members) {
    if (!IsOutputText(member.name)) continue;
    const std::string parts = TextOfParts(member);
    const std::string_view text = IsString(member) ? member.text : parts;
    if (sent_->BeginsWithAll(choice_, member.name, text, !ends)) return true;
  }
  const size_t compared = std::min(message_.calls.size(), CallNumbers::kMaxCalls);
  for (size_t i = 0; ends && !sent_->IsFull() && i < compared; ++i) {
    const SentCall& call = message_.calls[i].call;
    const std::optional<int64_t> known = numbers_->WithId(choice_, call.id);
    if (!known || sent_->SaysNothing(choice_, *known)) continue;
    if (sent_->NewArguments(choice_, *known, call.arguments)) return true;
  }
  return false;
}

std::string WholeMessage::TextOfParts(const OutputMember& member) const {
  std::string text;
  for (const OutputItem& item : member.items) text += item.text;
  return text;
}

std::optional<std::vector<TextEdit>> WholeMessage::Rest(bool* has_new_calls) {
  std::vector<TextEdit> edits;
  bool adds = false;
  for (const OutputMember& member : message_.members) {
    const bool counts = IsOutput(member.name) || member.name == "annotations" ||
                        (IsString(member) && IsOutputText(member.name));
    if (!counts || member.type == JsonType::kNull) continue;
    if (IsString(member)) {
      const std::string_view rest = sent_->NewText(choice_, member.name, member.text);
      adds = adds || !rest.empty();
      if (rest.size() == member.text.size()) continue;
      std::string text;
      AppendJsonString(rest, &text);
      edits.push_back({member.value, std::move(text)});
    } else if (!member.items.empty()) {
      std::optional<std::string> list = NewItems(member);
      adds = adds || !list || !list->empty();
      if (list) edits.push_back({member.value, list->empty() ? "null" : *std::move(list)});
    } else if (sent_->Has(choice_, member.name)) {
      std::string calls;
      if (member.name == "tool_calls") calls = NewCalls();
      adds = adds || !calls.empty();
      edits.push_back({member.value, calls.empty() ? "null" : std::move(calls)});
    } else {
      adds = adds || member.value.end - member.value.begin > 2;
      *has_new_calls = *has_new_calls || member.name == "tool_calls";
    }
  }
  if (!adds) return std::nullopt;
  return edits;
}

// The elements of a list that were not sent, as a list; empty: none. Nothing where it is as it was
// written. Of the text of parts what is new is known by where it stands in the text of all.
std::optional<std::string> WholeMessage::NewItems(const OutputMember& member) {
  const std::string all = TextOfParts(member);
  const std::string_view rest = sent_->NewText(choice_, member.name, all);
  const size_t begin = rest.empty() ? all.size() : static_cast<size_t>(rest.data() - all.data());
  const size_t end = begin + rest.size();
  std::string list;
  bool is_changed = false;
  size_t at = 0;
  for (const OutputItem& item : member.items) {
    const std::string_view whole = item.whole.In(text_);
    if (!item.text_at) {
      const bool is_new = !sent_->HasItem(choice_, item.identity);
      if (is_new) AppendEntry(whole, &list);
      is_changed = is_changed || !is_new;
      continue;
    }
    const size_t from = std::clamp(begin, at, at + item.text.size());
    const size_t to = std::clamp(end, from, at + item.text.size());
    const std::string_view text = std::string_view(all).substr(from, to - from);
    at += item.text.size();
    if (text.size() == item.text.size()) {
      AppendEntry(whole, &list);
      continue;
    }
    is_changed = true;
    if (text.empty()) continue;
    std::string part(text_.substr(item.whole.begin, item.text_at->begin - item.whole.begin));
    AppendJsonString(text, &part);
    part += text_.substr(item.text_at->end, item.whole.end - item.text_at->end);
    AppendEntry(part, &list);
  }
  if (!is_changed) return std::nullopt;
  return list.empty() ? list : list + ']';
}

// Which of the calls that were sent each is, by its index. First those of the same id. Some
// providers give a call a new id at the end, or its arguments another spelling, and all of them
// another order: then it is known by its name and what it says, also where only the beginning of
// that was sent. What is left, and has no id to tell it apart, is the one at its index or place. Of
// more calls than a choice has numbered the rest is new: each is compared with all.
std::vector<std::optional<int64_t>> WholeMessage::KnownCalls() {
  const std::vector<OutputCall>& calls = message_.calls;
  const size_t compared = std::min(calls.size(), CallNumbers::kMaxCalls);
  const std::vector<int64_t> sent = numbers_->IndicesOf(choice_);
  std::vector<std::optional<int64_t>> known(calls.size());
  for (size_t i = 0; i < compared; ++i) known[i] = numbers_->WithId(choice_, calls[i].call.id);

  const auto is_free = [&known](int64_t index) {
    return std::find(known.begin(), known.end(), index) == known.end();
  };
  // The first free one of that name for which `is_same` holds.
  const auto find = [&](const SentCall& call, auto is_same) -> std::optional<int64_t> {
    if (call.name.empty() || sent_->IsFull()) return std::nullopt;
    for (const int64_t index : sent) {
      if (sent_->NameOf(choice_, index) != call.name || !is_free(index)) continue;
      if (is_same(index)) return index;
    }
    return std::nullopt;
  };
  for (size_t i = 0; i < compared; ++i) {
    if (known[i]) continue;
    const SentCall& call = calls[i].call;
    const SentParts::Spelling spelled = sent_->Spell(call.arguments);
    known[i] =
        find(call, [&](int64_t index) { return sent_->HasArguments(choice_, index, spelled); });
  }
  for (size_t i = 0; i < compared; ++i) {
    if (known[i]) continue;
    const SentCall& call = calls[i].call;
    known[i] = find(call, [&](int64_t index) {
      return sent_->IsBegun(choice_, index) &&
             sent_->NewArguments(choice_, index, call.arguments).has_value();
    });
  }
  for (size_t i = 0; i < compared; ++i) {
    if (known[i]) continue;
    const SentCall& call = calls[i].call;
    std::optional<int64_t> index = call.index;
    if (!index && i < sent.size()) index = sent[i];
    const auto id = index ? numbers_->IdAt(choice_, *index) : std::nullopt;
    if (!id || !is_free(*index)) continue;
    const std::string_view name = sent_->NameOf(choice_, *index);
    if (!name.empty() && !call.name.empty() && name != call.name) continue;
    if (id->empty() || call.id.empty()) known[i] = index;
  }
  return known;
}

// What the calls add to those that were sent, as a list; empty: nothing. One that contradicts is a
// call of its own.
std::string WholeMessage::NewCalls() {
  if (sent_->IsFull()) return {};
  const std::vector<std::optional<int64_t>> known = KnownCalls();
  if (sent_->IsFull()) return {};  // what was not compared to the end may be known
  std::string list;
  for (size_t i = 0; i < known.size(); ++i) {
    const OutputCall& found = message_.calls[i];
    std::optional<std::string_view> rest;
    if (known[i]) rest = sent_->NewArguments(choice_, *known[i], found.call.arguments);
    const std::string entry = rest ? RestOfCall(found, *known[i], *rest) : WholeCall(found);
    if (!entry.empty()) AppendEntry(entry, &list);
  }
  return list.empty() ? list : list + ']';
}

std::string WholeMessage::WholeCall(const OutputCall& found) {
  SentCall call = found.call;
  call.choice = choice_;
  const TextEdit edit = Numbered(found, numbers_->Append(call));
  std::string entry(text_.substr(found.whole.begin, edit.range.begin - found.whole.begin));
  entry += edit.with;
  return entry.append(text_.substr(edit.range.end, found.whole.end - edit.range.end));
}

std::string WholeMessage::RestOfCall(const OutputCall& found, int64_t index,
                                     std::string_view rest) {
  const bool needs_id = !found.call.id.empty() && numbers_->IdAt(choice_, index) == "";
  const bool needs_name = !found.call.name.empty() && sent_->NameOf(choice_, index).empty();
  if (rest.empty() && !needs_id && !needs_name) return {};
  std::string entry;
  JsonWriter json(&entry);
  json.Object().Key("index").Integer(index);
  if (needs_id) json.Key("id").String(found.call.id);
  json.KeyOf(found.holder).Object();
  if (needs_name) json.Key("name").String(found.call.name);
  json.KeyOf(found.member).String(rest).End().End();
  return entry;
}

}  // namespace seekroute
