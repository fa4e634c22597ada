#include "gateway/spend_bound.h"

#include <algorithm>

#include "base/counted.h"
#include "store/store.h"

namespace seekroute {
namespace {

// By so much of what is expected a prompt may be longer without a surprise: an estimate errs. Where
// that leaves little of a context, the answer has as much of the rest as the margin.
constexpr int64_t kPromptMarginPart = 4;
constexpr int64_t kRestMarginPart = 2;

}  // namespace

Error SpendBound::MaxCostExceeded(Money max_cost) const {
  const Money needed = AtLeast({.tells = true}).value_or(Money{});
  Error error = MakeError(ErrorCode::kMaxCostExceeded,
                          "this request may cost " + FormatUsd(needed) + " USD" +
                              (longest_ > 0 ? " even with a short answer" : "") +
                              ", which is more than its max_cost",
                          "max_cost");
  error.facts.push_back({"needed", FormatUsd(needed)});
  error.facts.push_back({"max_cost", FormatUsd(max_cost)});
  ExplainPrompt(&error);
  return error;
}

Money CreditLineOf(const ApiKey* key) { return key != nullptr ? key->credit_line : kUnlimitedLine; }

bool IsLimited(const Ask& ask, const ApiKey* key) {
  return ask.max_cost || CreditLineOf(key) != kUnlimitedLine || (key != nullptr && key->limit);
}

bool ThinksBeside(const Endpoint& endpoint, const AskedReasoning& asked) {
  if (!endpoint.cap_excludes_reasoning) return false;
  return !endpoint.thinks_if_asked || asked.any;
}

ReasoningBound ReasoningAt(const Candidate& candidate, const AskedReasoning& asked) {
  const Endpoint& endpoint = *candidate.endpoint;
  if (!ThinksBeside(endpoint, asked) || !candidate.answers_in_tokens()) return {};
  int64_t most = endpoint.max_reasoning;
  if (most == 0) most = candidate.max_output();
  if (most == 0) most = kUnknownAnswerTokens;
  if (candidate.context() > 0) most = std::min(most, candidate.context());
  if (endpoint.form.reasoning_budget_field.empty()) return {most, most};
  if (asked.most) return {std::min(*asked.most, most), std::min(*asked.most, most)};
  return {std::min(kLeastAnswerTokens, most), most};
}

SpendBound::SpendBound(const Ask& ask, const Route& route, const GatewayOptions& options,
                       UnixSeconds now)
    : route_(route),
      now_(now),
      choices_(ask.choices),
      reasoning_(ask.reasoning),
      named_(ask.max_output) {
  if (const int64_t most = options.max_output_tokens; most > 0) {
    named_ = std::min(named_.value_or(most), most);
  }
  const bool any_other_output = std::ranges::any_of(
      route.candidates, [](const Candidate& each) { return each.model->other_output; });
  bound_.any_input = ask.other_kinds;
  bound_.any_output = ask.answer_kinds == AnswerKinds::kOthers ||
                      (ask.answer_kinds == AnswerKinds::kUnsaid && any_other_output);
  bound_.any_tier = !ask.service_tier.empty();
  const TokenEstimate prompt =
      ask.prompt.value_or(TokenEstimate{ask.strict_prompt, ask.strict_prompt});
  bound_.prompt = ask.strict_prompt;
  if (!options.strict_bound) bound_.prompt = std::min(bound_.prompt, prompt.upper);
  unsized_ = ask.unsized_parts;
  each_unsized_ = options.max_media_tokens > 0 ? options.max_media_tokens : kUnsizedTokens;
  fills_context_ = unsized_ > 0 && options.max_media_tokens == 0;
  bound_.prompt += unsized_ * each_unsized_;
  preamble_ = ask.preamble;
  bound_.prompt += preamble_;
  expected_ = std::min(prompt.tokens, bound_.prompt);
  // What was predicted and not taken is billed as written.
  bound_.completion = ask.predicted * choices_;
  for (const Candidate& candidate : route.candidates) {
    longest_ = std::max(longest_, LongestAt(candidate));
  }
}

int64_t SpendBound::LongestAt(const Candidate& candidate) const {
  if (!candidate.answers_in_tokens()) return 0;
  return Longest(candidate.context(), candidate.max_output(), true);
}

int64_t SpendBound::LikelyIn(int64_t context) const {
  const int64_t rest = std::max<int64_t>(0, context - expected_ - preamble_);
  const int64_t margin = std::min(expected_ / kPromptMarginPart, rest / kRestMarginPart);
  return std::min(expected_ + margin + preamble_, bound_.prompt);
}

// Never by what the prompt may take at worst: one picture may be thought of as half a context. The
// hold does not need it, as that takes the prompt and the answer each at its own worst.
int64_t SpendBound::Longest(int64_t context, int64_t max_output, bool prompted) const {
  std::optional<int64_t> longest = named_;
  const auto limit = [&longest](int64_t tokens) {
    longest = std::min(longest.value_or(tokens), tokens);
  };
  if (max_output > 0) limit(max_output);
  const bool may_fit = named_ && prompted && *longest <= context - expected_;
  if (context > 0 && !may_fit) {
    // A prompt that may fill the context is for the provider to judge.
    const int64_t left = prompted ? context - LikelyIn(context) : context;
    limit(std::max(left, std::min(kLeastAnswerTokens, context)));
  }
  return longest.value_or(kUnknownAnswerTokens);
}

UseBound SpendBound::BesidesAt(const Candidate& candidate) const {
  UseBound bound = bound_;
  if (!candidate.answers_in_tokens()) {
    bound.completion = 0;
    bound.images = choices_ * candidate.endpoint->pieces;
  }
  const int64_t context = candidate.context();
  if (context > 0) bound.prompt = fills_context_ ? context : std::min(bound.prompt, context);
  return bound;
}

void SpendBound::ExplainPrompt(Error* error) const {
  if (unsized_ == 0) return;
  int64_t context = 0;
  for (const Candidate& candidate : route_.candidates) {
    context = std::max(context, candidate.context());
  }
  error->message += unsized_ == 1 ? ". One part of the prompt has" : ". Parts of the prompt have";
  error->message +=
      " no size that can be told (a document, a video, sound, a search) and may take ";
  error->message += fills_context_ && context > 0
                        ? "the whole context of " + Counted(context, "token")
                        : Counted(unsized_ * each_unsized_, "token");
  error->message +=
      ": send its text instead, or pictures of its pages, or ask a model with a "
      "shorter context";
  error->facts.push_back({"unsized_parts", std::to_string(unsized_)});
}

int64_t SpendBound::AnswerAt(const Candidate& candidate, std::optional<int64_t> cap) const {
  if (!candidate.answers_in_tokens()) return 0;
  if (cap) return std::min(*cap, LongestAt(candidate));
  return Longest(candidate.context(), candidate.max_output(), false);
}

int64_t SpendBound::CompletionAt(const Candidate& candidate, std::optional<int64_t> cap) const {
  const ReasoningBound reasoning = ReasoningAt(candidate, reasoning_);
  const int64_t answer = AnswerAt(candidate, cap);
  return answer + (cap ? reasoning.Beside(answer) : reasoning.most);
}

Money SpendBound::WorstAt(const Candidate& candidate, std::optional<int64_t> cap) const {
  UseBound bound = BesidesAt(candidate);
  bound.completion += CompletionAt(candidate, cap) * choices_;
  return CostBound(bound, candidate.price(), now_);
}

Money SpendBound::Worst(std::optional<int64_t> cap) const {
  Money most;
  for (const Candidate& candidate : route_.candidates) {
    most = std::max(most, WorstAt(candidate, cap));
  }
  return most;
}

bool SpendBound::IsUnbounded(const Candidate& candidate, std::optional<int64_t> cap) const {
  return candidate.answers_in_tokens() && !cap && !named_ && candidate.context() == 0 &&
         candidate.max_output() == 0;
}

bool SpendBound::Tells(bool limited) const {
  const bool any_tokens = std::ranges::any_of(route_.candidates, &Candidate::answers_in_tokens);
  return any_tokens && !free() && (named_ || limited);
}

std::optional<int64_t> SpendBound::CapAt(const Candidate& candidate,
                                         const Spending& spending) const {
  if (!spending.tells || !candidate.answers_in_tokens()) return std::nullopt;
  int64_t cap = LongestAt(candidate);
  const auto keep_within = [&](const std::optional<Money>& budget) {
    if (budget) cap = std::min(cap, WithinAt(candidate, *budget).value_or(0));
  };
  keep_within(spending.max_cost);
  if (spending.shares) keep_within(spending.granted);
  return cap;
}

bool SpendBound::Affords(const Candidate& candidate, const Spending& spending) const {
  const auto fits = [&](const std::optional<Money>& budget, int64_t needed) {
    if (!budget) return true;
    const std::optional<int64_t> within = WithinAt(candidate, *budget);
    return within && *within >= needed;
  };
  const int64_t least = LeastAt(candidate);
  return fits(spending.max_cost, least) &&
         fits(spending.granted,
              spending.shares ? least : CapAt(candidate, spending).value_or(least));
}

Money SpendBound::Amount(const Spending& spending) const {
  Money most;
  for (const Candidate& candidate : route_.candidates) {
    if (!Affords(candidate, spending)) continue;
    most = std::max(most, WorstAt(candidate, CapAt(candidate, spending)));
  }
  return most;
}

std::optional<Money> SpendBound::AtLeast(const Spending& spending) const {
  std::optional<Money> least;
  for (const Candidate& candidate : route_.candidates) {
    if (!IsAskedFor(candidate)) continue;
    if (!Affords(candidate, spending)) continue;
    std::optional<int64_t> cap = CapAt(candidate, spending);
    if (spending.shares) cap = std::min(cap.value_or(LeastAt(candidate)), LeastAt(candidate));
    const Money here = WorstAt(candidate, cap);
    least = std::min(least.value_or(here), here);
  }
  return least;
}

std::optional<int64_t> SpendBound::WithinAt(const Candidate& candidate, Money budget) const {
  return LongestWithin(budget, BesidesAt(candidate), choices_, LongestAt(candidate),
                       candidate.price(), now_, ReasoningAt(candidate, reasoning_));
}

std::optional<int64_t> SpendBound::Within(Money budget) const {
  std::optional<int64_t> longest;
  for (const Candidate& candidate : route_.candidates) {
    if (!IsAskedFor(candidate)) continue;
    // Nothing is less than any length.
    longest = std::max(longest, WithinAt(candidate, budget));
  }
  return longest;
}

}  // namespace seekroute
