// How much a request can use and cost at most, whichever candidate answers it.
#pragma once

#include <cstdint>
#include <optional>

#include "base/error.h"
#include "base/money.h"
#include "base/time.h"
#include "billing/cost_bound.h"
#include "catalog/catalog.h"
#include "gateway/options.h"
#include "wire/chat_request.h"
#include "wire/token_estimate.h"

namespace seekroute {

// An answer shorter than this is of no use to a client that did not ask for one.
inline constexpr int64_t kLeastAnswerTokens = 256;

// The length of an answer that nothing else limits.
inline constexpr int64_t kUnknownAnswerTokens = 32'768;

// The 402 of a request whose cheapest useful answer may cost `needed`.
Error MaxCostExceeded(Money max_cost, Money needed);

// What an endpoint may think beside an answer, in tokens of one choice. Where its cap bounds
// thinking as well, nothing. Where it takes a budget for it: what the client `named`, else as much
// as the answer may take, and kLeastAnswerTokens at least. Where nothing bounds it: the longest
// that is known of the endpoint, else the model's longest answer. Pure.
ReasoningBound ReasoningAt(const Endpoint& endpoint, const Model& model,
                           std::optional<int64_t> named);

// Pure. `model` must outlive it.
//
// Prompt: the smallest of the model's context; a token a byte of whatever the model may read, 8 a
// message and what each part that is not text may take; and, unless options.strict_bound, the
// estimate's upper bound. Answer, a choice: the smallest of what the client, the model and
// options.max_output_tokens allow and of what the context has left; beside it, whatever was
// predicted, and what an endpoint thinks beyond its cap. Kinds: what the prompt may hold, and what
// the model can answer with unless the request forbids it.
class SpendBound {
 public:
  SpendBound(const ChatRequest& request, const Model& model, const TokenEstimate& prompt,
             const GatewayOptions& options, UnixSeconds now);

  // Tokens of one choice; 0 for a model that draws.
  int64_t longest() const { return longest_; }

  // The shortest answer that is worth sending the request for.
  int64_t least() const { return longest_ < kLeastAnswerTokens ? longest_ : kLeastAnswerTokens; }

  // What no candidate exceeds that is told to answer in `tokens` a choice.
  Money At(int64_t tokens) const;

  // What no candidate exceeds that is told no length, and no budget for its thinking.
  Money Untold() const;

  // Tokens of thinking of one choice, of all candidates.
  int64_t MostReasoning(int64_t answer) const;

  // The longest answer, up to longest(), that no candidate charges more than `budget` for; nothing
  // when the prompt alone may cost more.
  std::optional<int64_t> Within(Money budget) const;

  // What is used at most beside the answer: the prompt, the kinds, and what was predicted.
  const UseBound& besides() const { return bound_; }

  // No candidate charges anything.
  bool free() const { return At(longest_) == Money{}; }

 private:
  Money MostOf(int64_t tokens, bool told) const;

  const Model& model_;
  const UnixSeconds now_;
  const int64_t choices_;
  const std::optional<int64_t> named_reasoning_;
  UseBound bound_;
  int64_t longest_ = 0;
};

}  // namespace seekroute
