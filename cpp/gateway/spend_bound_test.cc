#include "gateway/spend_bound.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>

namespace seekroute {
namespace {

constexpr int64_t kInputNano = 1000;  // a token
constexpr int64_t kOpening = 16;      // tokens of any prompt
constexpr TokenEstimate kPrompt{5, 10};

std::shared_ptr<const PriceTable> Prices(int64_t output_nano) {
  Rates rates;
  rates[PriceClass::kInput] = Rate{kInputNano * 1000};
  rates[PriceClass::kOutput] = Rate{static_cast<uint64_t>(output_nano) * 1000};
  return PriceTable::Flat(rates);
}

Model ModelOf(std::initializer_list<int64_t> output_nanos) {
  Model model{.id = "a/m", .context = 100'000, .max_output = 500, .endpoints = {}};
  for (const int64_t nano : output_nanos) model.endpoints.push_back({0, "up", Prices(nano)});
  return model;
}

ChatRequest RequestOf(int64_t choices = 1) {
  ChatRequest request;
  request.choices = choices;
  request.text_bytes = 40;
  return request;
}

TEST(SpendBoundTest, IsThatOfTheDearestCandidate) {
  for (const auto& order : {std::pair{2000, 9000}, std::pair{9000, 2000}}) {
    const Model model = ModelOf({order.first, order.second});
    const SpendBound bound(RequestOf(), model, kPrompt, {}, {});
    EXPECT_EQ(bound.At(100).nano, kPrompt.upper * kInputNano + 100 * 9000);
    // What a budget buys is what the dearest sells for it.
    EXPECT_EQ(bound.Within({kPrompt.upper * kInputNano + 100 * 9000 + 8999}), 100);
  }
}

TEST(SpendBoundTest, CountsEveryChoice) {
  const Model model = ModelOf({2000});
  const SpendBound bound(RequestOf(3), model, kPrompt, {}, {});
  EXPECT_EQ(bound.longest(), 500);
  EXPECT_EQ(bound.At(100).nano, kPrompt.upper * kInputNano + 3 * 100 * 2000);
  EXPECT_EQ(bound.Within({kPrompt.upper * kInputNano + 3 * 100 * 2000}), 100);
}

TEST(SpendBoundTest, TheStrictBoundIsAByteAToken) {
  const Model model = ModelOf({2000});
  GatewayOptions options;
  options.strict_bound = true;
  const SpendBound bound(RequestOf(), model, kPrompt, options, {});
  EXPECT_EQ(bound.At(0).nano, (40 + kOpening) * kInputNano);
}

TEST(SpendBoundTest, ABudgetBelowThePromptBuysNothing) {
  const Model model = ModelOf({2000});
  const SpendBound bound(RequestOf(), model, kPrompt, {}, {});
  EXPECT_EQ(bound.Within({kPrompt.upper * kInputNano - 1}), std::nullopt);
  EXPECT_EQ(bound.Within({kPrompt.upper * kInputNano}), 0);
}

}  // namespace
}  // namespace seekroute
