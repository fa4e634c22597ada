#include "billing/cost_bound.h"

#include <algorithm>
#include <array>

#include "billing/cost.h"
#include "wire/usage.h"

namespace seekroute {
namespace {

constexpr std::array kPromptClasses = {PriceClass::kInput, PriceClass::kCacheRead,
                                       PriceClass::kCacheWrite, PriceClass::kCacheWrite1h,
                                       PriceClass::kImageInput};
constexpr std::array kCompletionClasses = {PriceClass::kOutput, PriceClass::kReasoning};
// Of sound and pictures; the first is what they are compared with.
constexpr std::array kOtherPromptClasses = {PriceClass::kInput, PriceClass::kAudioInput,
                                            PriceClass::kAudioCacheRead};
constexpr std::array kOtherCompletionClasses = {PriceClass::kOutput, PriceClass::kAudioOutput,
                                                PriceClass::kImageOutput};

// The rates of one tier with the dearest class in the place of the plain one.
template <size_t n>
void Raise(const Rates& from, const std::array<PriceClass, n>& classes, Rates* rates) {
  Rate& plain = (*rates)[classes[0]];
  for (const PriceClass c : classes) plain = std::max(plain, from[c]);
}

// The dearest that any token of the prompt and of the answer may be taken at.
Rates WorstRates(const UseBound& bound, const PriceTable& price, UnixSeconds now) {
  Rates worst;
  const auto take = [&](const Rates& rates) {
    Raise(rates, kPromptClasses, &worst);
    Raise(rates, kCompletionClasses, &worst);
    if (bound.any_input) Raise(rates, kOtherPromptClasses, &worst);
    if (bound.any_output) Raise(rates, kOtherCompletionClasses, &worst);
    for (const PriceClass c : {PriceClass::kPerImage, PriceClass::kPerRequest}) {
      worst[c] = std::max(worst[c], rates[c]);
    }
  };
  const auto take_variant = [&](const PriceVariant& variant) {
    take(variant.rates);
    for (const PriceTier& tier : variant.tiers) {
      if (bound.prompt > tier.above) take(tier.rates);
    }
  };
  const size_t usual = price.IndexAt(now, {});
  take_variant(price.variant(usual));
  if (bound.any_tier) {
    // What stands behind the usual one is never reached: that holds for every tier.
    for (size_t i = 0; i < usual; ++i) {
      const PriceVariant& variant = price.variant(i);
      if (variant.HoldsAt(now, variant.service_tier)) take_variant(variant);
    }
  }
  return worst;
}

Money CostWith(const UseBound& bound, const Rates& worst, int32_t markup_bps) {
  Usage usage;
  usage.prompt = bound.prompt;
  usage.completion = bound.completion;
  usage.images = bound.images;
  return CostAt(usage, worst, markup_bps).total;
}

}  // namespace

Money CostBound(const UseBound& bound, const PriceTable& price, UnixSeconds now) {
  return CostWith(bound, WorstRates(bound, price, now), price.markup_bps());
}

std::optional<int64_t> LongestWithin(Money budget, UseBound bound, int64_t choices, int64_t longest,
                                     const PriceTable& price, UnixSeconds now,
                                     const ReasoningBound& reasoning) {
  const Rates worst = WorstRates(bound, price, now);  // however long the answer
  const auto fits = [&, besides = bound.completion](int64_t tokens) {
    bound.completion = besides + (tokens + reasoning.Beside(tokens)) * choices;
    return CostWith(bound, worst, price.markup_bps()) <= budget;
  };
  if (!fits(0)) return std::nullopt;
  if (fits(longest)) return longest;
  int64_t most = 0;  // fits; `longest` does not
  while (longest - most > 1) {
    const int64_t middle = most + (longest - most) / 2;
    (fits(middle) ? most : longest) = middle;
  }
  return most;
}

}  // namespace seekroute
