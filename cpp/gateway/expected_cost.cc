#include "gateway/expected_cost.h"

#include <algorithm>
#include <cstdint>

namespace seekroute {

LimitCost ExpectedCost(const Admission& admission, const GatewayOptions& options,
                       std::span<const Candidate> candidates, std::string_view body) {
  LimitCost cost;
  const Ask& ask = admission.request->ask;
  const int64_t prompt =
      ask.prompt ? ask.prompt->tokens : admission.surface->EstimatePrompt(body).tokens;
  cost.prompt = std::max<int64_t>(1, prompt);
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
  constexpr int64_t kMost = RateLimit::kMostBurst;  // no product overflows
  answer = std::min(answer, kMost);
  cost.prompt = std::min(cost.prompt, kMost);
  cost.tokens = std::min(kMost, cost.prompt + answer * std::min<int64_t>(ask.choices, 1024));
  return cost;
}

}  // namespace seekroute
