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

// What one picture, sound or file of a prompt takes at most.
inline constexpr int64_t kMostMediaTokens = 65'536;

// The 402 of a request whose cheapest useful answer may cost `needed`.
Error MaxCostExceeded(Money max_cost, Money needed);

// Pure. `model` must outlive it.
//
// Prompt: the smallest of the model's context; a token a byte of text, 8 a message and
// kMostMediaTokens a content part that is not text; and, unless options.strict_bound, the
// estimate's upper bound. Answer, a choice: the smallest of what the client, the model and
// options.max_output_tokens allow and of what the context has left.
class SpendBound {
 public:
  SpendBound(const ChatRequest& request, const Model& model, const TokenEstimate& prompt,
             const GatewayOptions& options, UnixSeconds now);

  // Tokens of one choice; 0 for a model that draws.
  int64_t longest() const { return longest_; }

  // The shortest answer that is worth sending the request for.
  int64_t least() const { return longest_ < kLeastAnswerTokens ? longest_ : kLeastAnswerTokens; }

  // What no candidate exceeds with an answer of `tokens` a choice.
  Money At(int64_t tokens) const;

  // The longest answer, up to longest(), that no candidate charges more than `budget` for; nothing
  // when the prompt alone may cost more.
  std::optional<int64_t> Within(Money budget) const;

  // No candidate charges anything.
  bool free() const { return At(longest_) == Money{}; }

 private:
  const Model& model_;
  const UnixSeconds now_;
  const int64_t choices_;
  UseBound bound_;
  int64_t longest_ = 0;
};

}  // namespace seekroute
