#include "gateway/spend_bound.h"

#include <algorithm>

namespace seekroute {
namespace {

constexpr int64_t kMessageTokens = 8;
constexpr int64_t kOpeningTokens = 16;  // once a prompt, whatever its template

}  // namespace

Error MaxCostExceeded(Money max_cost, Money needed) {
  Error error = MakeError(ErrorCode::kMaxCostExceeded,
                          "this request may cost " + FormatUsd(needed) +
                              " USD even with a short answer, which is more than its max_cost",
                          "max_cost");
  error.facts.push_back({"needed", FormatUsd(needed)});
  error.facts.push_back({"max_cost", FormatUsd(max_cost)});
  return error;
}

ReasoningBound ReasoningAt(const Endpoint& endpoint, const Model& model,
                           std::optional<int64_t> named) {
  if (!endpoint.cap_excludes_reasoning || model.output != Output::kText) return {};
  int64_t most = endpoint.max_reasoning;
  if (most == 0) most = model.max_output > 0 ? model.max_output : kUnknownAnswerTokens;
  if (model.context > 0) most = std::min(most, model.context);
  if (endpoint.reasoning_budget_field.empty()) return {most, most};
  if (named) return {std::min(*named, most), std::min(*named, most)};
  return {std::min(kLeastAnswerTokens, most), most};
}

SpendBound::SpendBound(const ChatRequest& request, const Model& model, const TokenEstimate& prompt,
                       const GatewayOptions& options, UnixSeconds now)
    : model_(model), now_(now), choices_(request.choices), named_reasoning_(request.max_reasoning) {
  bound_.any_input = request.other_kinds;
  bound_.any_output = request.answer_kinds == AnswerKinds::kOthers ||
                      (request.answer_kinds == AnswerKinds::kUnsaid && model.other_output);
  bound_.any_tier = request.service_tier;
  bound_.prompt = static_cast<int64_t>(request.text_bytes) + kOpeningTokens +
                  kMessageTokens * request.message_count + request.media_tokens;
  if (!options.strict_bound) bound_.prompt = std::min(bound_.prompt, prompt.upper);
  if (model.context > 0) bound_.prompt = std::min(bound_.prompt, model.context);
  if (model.output == Output::kImage) {
    bound_.images = choices_;
    return;
  }
  // What was predicted and not taken is billed as written.
  bound_.completion = static_cast<int64_t>(request.predicted_bytes) * choices_;
  std::optional<int64_t> longest = request.max_tokens;
  const auto limit = [&longest](int64_t tokens) {
    longest = std::min(longest.value_or(tokens), tokens);
  };
  if (model.max_output > 0) limit(model.max_output);
  if (options.max_output_tokens > 0) limit(options.max_output_tokens);
  if (model.context > 0) {
    // A prompt that may fill the context is for the provider to judge.
    limit(std::max(model.context - bound_.prompt, std::min(kLeastAnswerTokens, model.context)));
  }
  longest_ = longest.value_or(kUnknownAnswerTokens);
}

Money SpendBound::MostOf(int64_t tokens, bool told) const {
  Money most;
  for (const Endpoint& endpoint : model_.endpoints) {
    const ReasoningBound reasoning = ReasoningAt(endpoint, model_, named_reasoning_);
    UseBound bound = bound_;
    bound.completion += (tokens + (told ? reasoning.Beside(tokens) : reasoning.most)) * choices_;
    most = std::max(most, CostBound(bound, *endpoint.price, now_));
  }
  return most;
}

Money SpendBound::At(int64_t tokens) const { return MostOf(tokens, true); }

Money SpendBound::Untold() const { return MostOf(longest_, false); }

int64_t SpendBound::MostReasoning(int64_t answer) const {
  int64_t most = 0;
  for (const Endpoint& endpoint : model_.endpoints) {
    most = std::max(most, ReasoningAt(endpoint, model_, named_reasoning_).Beside(answer));
  }
  return most;
}

std::optional<int64_t> SpendBound::Within(Money budget) const {
  int64_t tokens = longest_;
  for (const Endpoint& endpoint : model_.endpoints) {
    const std::optional<int64_t> here =
        LongestWithin(budget, bound_, choices_, tokens, *endpoint.price, now_,
                      ReasoningAt(endpoint, model_, named_reasoning_));
    if (!here) return std::nullopt;
    tokens = *here;
  }
  return tokens;
}

}  // namespace seekroute
