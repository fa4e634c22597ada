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

// The rates of one tier with the dearest class in the place of the plain one.
template <size_t n>
void Raise(const Rates& from, const std::array<PriceClass, n>& classes, Rates* rates) {
  Rate& plain = (*rates)[classes[0]];
  for (const PriceClass c : classes) plain = std::max(plain, from[c]);
}

}  // namespace

Money CostBound(const UseBound& bound, const PriceTable& price, UnixSeconds now) {
  const PriceVariant& variant = price.variant(price.IndexAt(now, {}));
  PriceVariant worst;
  worst.rates = variant.rates;
  const auto take = [&worst](const Rates& rates) {
    Raise(rates, kPromptClasses, &worst.rates);
    Raise(rates, kCompletionClasses, &worst.rates);
    for (const PriceClass c : {PriceClass::kPerImage, PriceClass::kPerRequest}) {
      worst.rates[c] = std::max(worst.rates[c], rates[c]);
    }
  };
  take(variant.rates);
  for (const PriceTier& tier : variant.tiers) {
    if (bound.prompt > tier.above) take(tier.rates);
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

}  // namespace seekroute
