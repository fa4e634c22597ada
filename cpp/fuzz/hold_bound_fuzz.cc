// Whatever a request is made of, its hold covers what an upstream may bill for it at most.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "base/rng.h"
#include "gateway/spend_bound.h"
#include "testing/random_request.h"
#include "testing/read_chat.h"
#include "testing/routes.h"
#include "wire/openai/chat_prompt.h"

namespace {

using seekroute::Route;
using seekroute::SpendBound;
using seekroute::testing::RouteTo;

void Check(bool holds) {
  if (!holds) std::abort();
}

// The fuzzer's bytes as draws; zeros when they are used up.
class ByteRng : public seekroute::Rng {
 public:
  explicit ByteRng(std::span<const uint8_t> bytes) : bytes_(bytes) {}
  uint64_t Next() override {
    uint64_t draw = 0;
    for (int i = 0; i < 2 && !bytes_.empty(); ++i) {
      draw = draw << 8 | bytes_.front();
      bytes_ = bytes_.subspan(1);
    }
    return draw;
  }

 private:
  std::span<const uint8_t> bytes_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ByteRng rng({data, size});
  const seekroute::testing::RandomRequest random(&rng);
  const auto request = seekroute::testing::ReadChat(random.body());
  Check(request.has_value());
  Check(request->ask.choices == random.choices());
  Check(request->ask.predicted >= random.predicted());
  Check((request->ask.answer_kinds == seekroute::AnswerKinds::kTextOnly) == random.only_text());
  Check(random.heard() == 0 || request->ask.other_kinds);
  const auto estimate = seekroute::EstimateChatPrompt(random.body());
  Check(request->ask.prompt->tokens == estimate.tokens);
  Check(request->ask.prompt->upper == estimate.upper);
  // The upper count leaves parts without a size to the bound.
  Check(random.has_unsized() || estimate.tokens <= estimate.upper);
  Check(request->ask.reasoning.most == random.thinking());
  constexpr int64_t kLongestThinking = 2000;
  seekroute::Model model{.id = "a/m", .endpoints = {}};
  model.endpoints.emplace_back();
  model.endpoints[0].cap_excludes_reasoning = true;
  model.endpoints[0].form.reasoning_budget_field = "thinking_budget";
  model.endpoints[0].max_reasoning = kLongestThinking;
  for (const bool strict : {false, true}) {
    seekroute::GatewayOptions options;
    options.strict_bound = strict;
    const Route route = RouteTo(model);
    const SpendBound bound(request->ask, route, options, {});
    const int64_t told = random.thinking().value_or(bound.longest());
    const auto& endpoint = route.candidates[0];
    const int64_t thinking =
        bound.CompletionAt(endpoint, bound.longest()) - bound.AnswerAt(endpoint, bound.longest());
    Check(thinking >= std::min(told, kLongestThinking));
    Check(bound.besides().prompt >= (strict ? random.by_bytes() : random.by_estimate()));
  }
  return 0;
}
