#include "billing/cost_bound.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

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

}  // namespace

Money CostBound(const UseBound& bound, const PriceTable& price, UnixSeconds now) {
  PriceVariant worst;
  const auto take = [&](const Rates& rates) {
    Raise(rates, kPromptClasses, &worst.rates);
    Raise(rates, kCompletionClasses, &worst.rates);
    if (bound.any_input) Raise(rates, kOtherPromptClasses, &worst.rates);
    if (bound.any_output) Raise(rates, kOtherCompletionClasses, &worst.rates);
    for (const PriceClass c : {PriceClass::kPerImage, PriceClass::kPerRequest}) {
      worst.rates[c] = std::max(worst.rates[c], rates[c]);
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
  PriceTable::Parts parts;
  parts.markup_bps = price.markup_bps();
  parts.variants.push_back(std::move(worst));
  // Never fails: one variant without conditions, the markup of a table that was made.
  const Result<std::shared_ptr<const PriceTable>> table = PriceTable::Make(std::move(parts));
  Usage usage;
  usage.prompt = bound.prompt;
  usage.completion = bound.completion;
  usage.images = bound.images;
  return CostOf(usage, **table, now, {}).total;
}

std::optional<int64_t> LongestWithin(Money budget, UseBound bound, int64_t choices, int64_t longest,
                                     const PriceTable& price, UnixSeconds now,
                                     const ReasoningBound& reasoning) {
  const auto fits = [&, besides = bound.completion](int64_t tokens) {
    bound.completion = besides + (tokens + reasoning.Beside(tokens)) * choices;
    return CostBound(bound, price, now) <= budget;
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
