#include "gateway/expected_cost.h"

#include <algorithm>
#include <cstdint>

namespace seekroute {
namespace {

// No product overflows.
constexpr int64_t kMost = RateLimit::kMostBurst;

}  // namespace

int64_t ExpectedAnswer(const Ask& ask, const GatewayOptions& options,
                       std::span<const Candidate> candidates) {
  int64_t answer = 0;
  for (const Candidate& candidate : candidates) {
    if (!candidate.answers_in_tokens()) continue;
    int64_t longest = ask.max_output.value_or(options.expected_output);
    const auto cut = [&longest](int64_t most) {
      longest = most > 0 ? std::min(longest, most) : longest;
    };
    cut(options.max_output_tokens);
    cut(candidate.max_output());
    cut(candidate.context());
    answer = std::max(answer, longest);
  }
  return std::min(answer, kMost) * std::min<int64_t>(ask.choices, 1024);
}

LimitCost ExpectedCost(const Admission& admission, const GatewayOptions& options,
                       std::span<const Candidate> candidates, std::string_view body) {
  LimitCost cost;
  const Ask& ask = admission.request->ask;
  const int64_t prompt =
      ask.prompt ? ask.prompt->tokens : admission.surface->EstimatePrompt(body).tokens;
  cost.prompt = std::clamp<int64_t>(prompt, 1, kMost);
  cost.tokens = std::min(kMost, cost.prompt + ExpectedAnswer(ask, options, candidates));
  return cost;
}

}  // namespace seekroute
