#include "routing/expectation.h"

#include <algorithm>
#include <limits>

#include "routing/filters.h"

namespace seekroute {
namespace {

__extension__ using Wide = unsigned __int128;  // products of rates

}  // namespace

int64_t ExpectedPrompt(const Ask& ask, std::optional<int64_t> estimate) {
  if (ask.prompt) return ask.prompt->tokens;
  if (estimate) return *estimate;
  // Most text has four bytes a token.
  constexpr int64_t kBytes = 4;
  return std::max<int64_t>(1, ask.strict_prompt / kBytes);
}

int64_t ExpectedAnswer(const Candidate& candidate, const Ask& ask, int64_t answer) {
  if (candidate.endpoint->pieces > 0) return 0;
  answer = std::min(answer, ask.max_output.value_or(answer));
  const int64_t most = candidate.max_output();
  return most > 0 ? std::min(answer, most) : answer;
}

uint64_t ExpectedPico(const Candidate& candidate, const Ask& ask, int64_t prompt,
                      UnixSeconds created, int64_t answer) {
  const Endpoint& endpoint = *candidate.endpoint;
  const Rates& rates = RatesAt(endpoint, prompt, created);
  const auto n = static_cast<Wide>(std::max<int64_t>(1, ask.choices));
  const auto times = [&rates](PriceClass c, Wide units) {
    return static_cast<Wide>(rates[c].pico) * units;
  };
  Wide all =
      times(PriceClass::kInput, static_cast<Wide>(prompt)) + times(PriceClass::kPerRequest, 1);
  if (endpoint.pieces > 0) {
    all += times(PriceClass::kPerImage, n * static_cast<Wide>(endpoint.pieces));
  } else {
    const int64_t expected = ExpectedAnswer(candidate, ask, answer);
    all += times(PriceClass::kOutput, n * static_cast<Wide>(expected));
  }
  constexpr Wide kWhole = 10'000;  // basis points
  if (all == 0) return 0;
  all = all * (kWhole + static_cast<Wide>(endpoint.price->markup_bps())) / kWhole;
  constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();
  return all > kMost ? kMost : static_cast<uint64_t>(all);
}

}  // namespace seekroute
