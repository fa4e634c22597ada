#include "gateway/gate.h"

#include <algorithm>

namespace seekroute {

LimitSubject SubjectOf(const ApiKey* key, std::string_view model) {
  LimitSubject subject;
  subject.model = model;
  if (key == nullptr) return subject;
  subject.org = key->org_id;
  subject.app = key->app_id;
  subject.key = key->key_id;
  subject.key_limits = key->limits.get();
  subject.key_version = key->limits_version;
  return subject;
}

LimitSubject Gate::Subject() const {
  const Model* const model = admission_.model;
  return SubjectOf(admission_.key.get(), model != nullptr ? model->id : std::string_view());
}

LimitTime Gate::Now() const { return {world_.clock->Now(), world_.clock->WallTime()}; }

Status Gate::Peek() {
  const LimitSubject who = Subject();
  if (world_.limiter == nullptr || who.key_limits == nullptr) return {};
  const LimitTime now = Now();
  const std::optional<LimitRefusal> refusal = world_.limiter->Peek(who, now);
  if (!refusal) return {};
  left_ = world_.limiter->Look(who, now);
  return RefusedByLimit(*refusal);
}

bool Gate::NeedsPrompt() const {
  return world_.limiter != nullptr && world_.limiter->MayCountTokens(Subject());
}

// What the answer is expected to take at most: as long as its client has named, or the usual; and
// no longer than an endpoint can answer.
LimitCost Gate::Cost(std::string_view body) const {
  LimitCost cost;
  const Ask& ask = admission_.request->ask;
  const int64_t prompt =
      ask.prompt ? ask.prompt->tokens : admission_.surface->EstimatePrompt(body).tokens;
  cost.prompt = std::max<int64_t>(1, prompt);
  int64_t answer = 0;
  for (const Candidate& candidate : admission_.route.candidates) {
    if (!candidate.answers_in_tokens()) continue;
    int64_t longest = ask.max_output.value_or(world_.options->expected_output);
    const auto cut = [&longest](int64_t most) {
      longest = most > 0 ? std::min(longest, most) : longest;
    };
    cut(world_.options->max_output_tokens);
    cut(candidate.max_output());
    cut(candidate.context());
    answer = std::max(answer, longest);
  }
  constexpr int64_t kMost = RateLimit::kMostBurst;  // no product overflows
  answer = std::min(answer, kMost);
  cost.prompt = std::min(cost.prompt, kMost);
  cost.tokens = std::min(kMost, cost.prompt + answer * std::min<int64_t>(ask.choices, 1024));
  return cost;
}

Status Gate::Enter(std::string_view body) {
  const LimitSubject who = Subject();
  if (world_.limiter == nullptr || world_.limiter->IsFree(who)) return {};
  LimitCost cost;
  if (world_.limiter->MayCountTokens(who)) cost = Cost(body);
  Limiter::Answer answer = world_.limiter->Reserve(who, cost, Now());
  left_ = answer.left;
  if (answer.refusal) return RefusedByLimit(*answer.refusal);
  reservation_ = std::move(answer.reservation);
  return {};
}

void Gate::Settle(int64_t tokens) {
  if (reservation_.holds()) reservation_.Settle(tokens, Now());
}

void Gate::AddHeaders(ResponseHead* head) {
  if (world_.limiter == nullptr) return;
  if (!left_) {
    const LimitSubject who = Subject();
    if (world_.limiter->IsFree(who)) return;
    left_ = world_.limiter->Look(who, Now());
  }
  AddLimitHeaders(*left_, world_.options->ietf_ratelimit_headers, head);
}

}  // namespace seekroute
