// How much a request can use and cost at most, whichever candidate answers it.
#pragma once

#include <cstdint>
#include <optional>

#include "base/error.h"
#include "base/money.h"
#include "base/time.h"
#include "billing/cost_bound.h"
#include "gateway/key_ring.h"
#include "gateway/options.h"
#include "routing/route.h"
#include "wire/ask.h"

namespace seekroute {

// An answer shorter than this is of no use to a client that did not ask for one.
inline constexpr int64_t kLeastAnswerTokens = 256;

// The length of an answer that nothing else limits.
inline constexpr int64_t kUnknownAnswerTokens = 32'768;

// What the organization of `key` may owe; null: a request without a key, which may owe anything.
Money CreditLineOf(const ApiKey* key);

// Whether there is an amount that the request must not exceed.
bool IsLimited(const Ask& ask, const ApiKey* key);

// Thinking may come beside the answer that the endpoint's cap bounds.
bool ThinksBeside(const Endpoint& endpoint, const AskedReasoning& asked);

// What an endpoint may think beside an answer, in tokens of one choice. Where its cap bounds
// thinking as well, nothing. Where it takes a budget for it: what the client named, else as much
// as the answer may take, and kLeastAnswerTokens at least. Where nothing bounds it: the longest
// that is known of the endpoint, else its longest answer. Pure.
ReasoningBound ReasoningAt(const Candidate& candidate, const AskedReasoning& asked);

// What a request may take of money, and whether its upstreams are told what that pays for. Value
// type.
struct Spending {
  bool tells = false;             // each upstream is told how long a choice may get
  std::optional<Money> max_cost;  // the client's: shortens an answer
  std::optional<Money> granted;   // by the ledger; nothing: all that was asked for
  bool shares = true;             // what was granted shortens an answer; else it has to be enough
};

// Pure. `route` has candidates, and must outlive it.
//
// Of every candidate by itself. Prompt: the smallest of the context there, of ask.strict_prompt
// and, unless options.strict_bound, of the upper bound of ask.prompt, which need not be there; with
// ask.preamble. A part that is no picture and cannot be sized takes the whole context
// (kUnsizedTokens where none is known), or options.max_media_tokens. Answer, a choice: the smallest
// of what the client, the endpoint and options.max_output_tokens allow and of what the context
// there has left; beside it, whatever was predicted, and what an endpoint thinks beyond its cap. A
// length that was named has place where it fits beside the prompt that is expected; any other
// leaves a margin (a quarter of that prompt, at most half of what it leaves), as some providers
// refuse a length that does not fit. Kinds: what the prompt may hold, and what its model can answer
// with unless the request forbids it.
class SpendBound {
 public:
  SpendBound(const Ask& ask, const Route& route, const GatewayOptions& options, UnixSeconds now);

  // Tokens of one choice, at whichever endpoint answers longest; 0 where all of them draw.
  int64_t longest() const { return longest_; }

  // The same of one endpoint: no more than it can answer in, whatever it is told.
  int64_t LongestAt(const Candidate& candidate) const;

  // The shortest answer of it that is worth sending the request for.
  int64_t LeastAt(const Candidate& candidate) const {
    const int64_t longest = LongestAt(candidate);
    return longest < kLeastAnswerTokens ? longest : kLeastAnswerTokens;
  }

  // What no candidate exceeds that is told to answer in `tokens` a choice, or in LongestAt() where
  // that is less.
  Money At(int64_t tokens) const { return Worst(tokens); }

  // Whether upstreams are told a length. Without one they know of no bound, and nobody needs it
  // where there is nothing to pay, or where nobody has named a length and nobody's money ends
  // (`limited`).
  bool Tells(bool limited) const;

  // Tokens a choice that the upstream of a candidate is told; nothing: none. Each one by itself: a
  // dear one shortens no other.
  std::optional<int64_t> CapAt(const Candidate& candidate, const Spending& spending) const;

  // The candidate can give an answer that is worth sending the request for within the money.
  bool Affords(const Candidate& candidate, const Spending& spending) const;

  // Of the candidates that can, what none exceeds: one of them is paid.
  Money Amount(const Spending& spending) const;

  // Of those that the first name stands for, the least that one may cost: for lack of money a
  // request goes to no other model in silence, but among those of a virtual model. Nothing: none of
  // them can.
  std::optional<Money> AtLeast(const Spending& spending) const;

  // What no candidate exceeds that is told the cap, or nothing: no length, and no budget for its
  // thinking. Its answer may then take what a short prompt leaves of the context.
  Money Worst(std::optional<int64_t> cap) const;

  // The same of one endpoint: the longest answer of a choice, that with its thinking, in tokens,
  // and their cost. A quote says what is held because both ask here.
  int64_t AnswerAt(const Candidate& candidate, std::optional<int64_t> cap) const;
  int64_t CompletionAt(const Candidate& candidate, std::optional<int64_t> cap) const;
  Money WorstAt(const Candidate& candidate, std::optional<int64_t> cap) const;

  // Nothing says how long an answer of the endpoint that is told `cap` may get:
  // kUnknownAnswerTokens are a guess.
  bool IsUnbounded(const Candidate& candidate, std::optional<int64_t> cap) const;

  // The longest answer of one endpoint, up to LongestAt(), for which it charges no more than
  // `budget`; nothing when the prompt alone may cost more.
  std::optional<int64_t> WithinAt(const Candidate& candidate, Money budget) const;

  // The longest of those that the first name stands for.
  std::optional<int64_t> Within(Money budget) const;

  // What is used at most beside the answer: the prompt as long as it is, whatever any context
  // takes of it, the kinds, and what was predicted.
  const UseBound& besides() const { return bound_; }

  // The same of one endpoint: no more of a prompt than its context.
  UseBound BesidesAt(const Candidate& candidate) const;

  // The 402 of a request of which no shortest useful answer of its first model is within its
  // max_cost.
  Error MaxCostExceeded(Money max_cost) const;

  // Tells in a 402 what of the prompt is held for without a size, and what to do about it; nothing
  // where all of it has one.
  void ExplainPrompt(Error* error) const;

  // No candidate charges anything.
  bool free() const { return At(longest_) == Money{}; }

 private:
  // By the first name that has candidates.
  bool IsAskedFor(const Candidate& candidate) const {
    const Candidate& first = route_.candidates.front();
    return candidate.name == first.name || candidate.model == first.model;
  }
  // What the prompt takes of such a context, in tokens, with a margin: its estimate errs.
  int64_t LikelyIn(int64_t context) const;
  // Beside the prompt, or beside one of nothing.
  int64_t Longest(int64_t context, int64_t max_output, bool prompted) const;

  const Route& route_;
  const UnixSeconds now_;
  const int64_t choices_;
  const AskedReasoning reasoning_;
  std::optional<int64_t> named_;  // tokens of an answer, by the client or the operator
  UseBound bound_;
  int64_t unsized_ = 0;         // parts of the prompt
  int64_t each_unsized_ = 0;    // what one takes where it does not fill the context
  bool fills_context_ = false;  // the prompt, whatever context there is, has a part without a size
  int64_t expected_ = 0;        // tokens of the prompt
  int64_t preamble_ = 0;        // what a provider may write into it besides
  int64_t longest_ = 0;
};

}  // namespace seekroute
