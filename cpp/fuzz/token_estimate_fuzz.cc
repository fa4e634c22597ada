// Any cutting of any bytes gives the same estimate, and no estimate is out of its bounds.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/openai/chat_prompt.h"
#include "wire/token_estimate.h"

namespace {

// At least what is expected of a part that nobody can size; without them the bound leaves it out.
constexpr int64_t kUnsizedTokens = 2048;

using seekroute::TokenEstimate;
using seekroute::TokenEstimator;

TokenEstimate InSteps(std::string_view bytes, size_t step) {
  TokenEstimator estimator;
  for (size_t at = 0; at < bytes.size(); at += step) estimator.Add(bytes.substr(at, step));
  return estimator.Estimate();
}

void Check(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const TokenEstimate whole = seekroute::EstimateTokens(bytes);
  Check(whole.tokens <= whole.upper && whole.upper <= static_cast<int64_t>(size));
  Check((whole.tokens > 0) == (size > 0));
  for (const size_t step : {size_t{1}, size_t{3}}) {
    const TokenEstimate cut = InSteps(bytes, step);
    Check(cut.tokens == whole.tokens && cut.upper == whole.upper);
  }
  const TokenEstimate prompt = seekroute::EstimateChatPrompt(bytes, kUnsizedTokens);
  Check(prompt.tokens >= 0 && prompt.tokens <= prompt.upper);
  return 0;
}
