#include "wire/openai/call_numbers.h"

#include <algorithm>
#include <functional>
#include <set>

namespace seekroute {
namespace {

std::optional<int64_t> Own(const SentCall& call) {
  if (!call.index) return std::nullopt;
  return std::clamp(*call.index, int64_t{0}, CallNumbers::kMaxIndex);
}

}  // namespace

int64_t CallNumbers::Number(const SentCall& call, bool first) {
  std::vector<Call>& calls = CallsOf(call.choice);
  const std::optional<int64_t> own = Own(call);
  const auto same = std::find_if(calls.begin(), calls.end(), [&call, own](const Call& known) {
    return own ? known.index == *own : !call.id.empty() && known.id == call.id;
  });
  if (same != calls.end()) {
    if (same->id.empty()) Identify(&*same, call.id);
    Name(&*same, call.name);
    std::rotate(same, same + 1, calls.end());
    return calls.back().index;
  }
  const bool continues = !call.index && call.id.empty() && first && !calls.empty() &&
                         (call.name.empty() || !calls.back().name);
  if (continues || (calls.size() == kMaxCalls && !call.index)) {
    Name(&calls.back(), call.name);
    return calls.back().index;
  }
  return Put(&calls, call, own ? *own : NextOf(calls));
}

int64_t CallNumbers::Append(const SentCall& call) {
  std::vector<Call>& calls = CallsOf(call.choice);
  const std::optional<int64_t> own = Own(call);
  if (own && !IdAt(call.choice, *own)) return Put(&calls, call, *own);
  return Put(&calls, call, NextOf(calls));
}

int64_t CallNumbers::NextOf(const std::vector<Call>& calls) {
  int64_t next = 0;
  for (const Call& known : calls) next = std::max(next, known.index + 1);
  return next;
}

int64_t CallNumbers::Put(std::vector<Call>* calls, const SentCall& call, int64_t index) {
  if (calls->size() == kMaxCalls) return index;
  calls->push_back({{}, index, {}});
  Identify(&calls->back(), call.id);
  Name(&calls->back(), call.name);
  return index;
}

void CallNumbers::Identify(Call* call, const std::string& id) {
  const size_t others = ids_ - call->id.size();
  if (others + id.size() > kMaxIds) return;
  ids_ = others + id.size();
  call->id = id;
}

// The first name counts.
void CallNumbers::Name(Call* call, const std::string& name) {
  if (!name.empty() && !call->name) call->name = std::hash<std::string_view>{}(name);
}

bool CallNumbers::Contradict(const std::vector<SentCall>& calls) const {
  std::set<std::pair<int64_t, int64_t>> indices;
  return std::any_of(calls.begin(), calls.end(), [&](const SentCall& call) {
    if (!call.index) return false;
    if (MovedTo(call.choice, *call.index) != *call.index) return true;
    if (calls.size() > 1 && !indices.emplace(call.choice, *call.index).second) return true;
    const Call* const known = At(call.choice, *call.index);
    if (known == nullptr) return false;
    if (known->id.empty() || call.id.empty()) return known->name && !call.name.empty();
    return known->id != call.id;
  });
}

void CallNumbers::Move(int64_t choice, int64_t own, int64_t index) {
  if (moved_.size() < kMaxMoved) moved_[{choice, own}] = index;
}

int64_t CallNumbers::MovedTo(int64_t choice, int64_t own) const {
  const auto moved = moved_.find({choice, own});
  if (moved != moved_.end()) return moved->second;
  return before_ == nullptr ? own : before_->MovedTo(choice, own);
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

const CallNumbers::Call* CallNumbers::At(int64_t choice, int64_t index) const {
  for (const Call& call : Of(choice)) {
    if (call.index == index) return &call;
  }
  return nullptr;
}

std::optional<std::string_view> CallNumbers::IdAt(int64_t choice, int64_t index) const {
  const Call* const call = At(choice, index);
  return call == nullptr ? std::nullopt : std::optional<std::string_view>(call->id);
}

bool CallNumbers::IsNamed(int64_t choice, int64_t index) const {
  const Call* const call = At(choice, index);
  return call != nullptr && call->name;
}

bool CallNumbers::IsNamedOtherwise(int64_t choice, int64_t index, std::string_view name) const {
  const Call* const call = At(choice, index);
  return call != nullptr && call->name && *call->name != std::hash<std::string_view>{}(name);
}

std::optional<int64_t> CallNumbers::Last(int64_t choice) const {
  const std::span<const Call> calls = Of(choice);
  return calls.empty() ? std::nullopt : std::optional(calls.back().index);
}

std::vector<int64_t> CallNumbers::IndicesOf(int64_t choice) const {
  std::vector<int64_t> indices;
  for (const Call& call : Of(choice)) indices.push_back(call.index);
  std::sort(indices.begin(), indices.end());
  return indices;
}

}  // namespace seekroute
