#include "routing/filters.h"

#include <algorithm>
#include <string>

namespace seekroute {
namespace {

__extension__ using Wide = __int128;  // products of rates

constexpr TraitSet Of(std::initializer_list<Trait> traits) {
  TraitSet set;
  for (const Trait trait : traits) set.Add(trait);
  return set;
}

constexpr TraitSet kInputs =
    Of({Trait::kImageInput, Trait::kAudioInput, Trait::kVideoInput, Trait::kFileInput});
constexpr TraitSet kOutputs = Of({Trait::kAudioOutput, Trait::kImageOutput});
constexpr TraitSet kToolTraits = Of({Trait::kTools, Trait::kToolChoice});

bool AnyMeans(const std::vector<std::string>& slugs, const Endpoint& endpoint) {
  return std::ranges::any_of(
      slugs, [&endpoint](const std::string& slug) { return Means(slug, endpoint); });
}

bool IsDear(const FilterInputs& inputs, const Endpoint& endpoint, const PriceCeilings& most) {
  constexpr int64_t kMillion = 1'000'000;
  const Rates rates = HighestRatesAt(endpoint, inputs);
  const int32_t markup = endpoint.price->markup_bps();
  return IsAbove(rates[PriceClass::kInput], markup, most.prompt, kMillion) ||
         IsAbove(CompletionRate(rates), markup, most.completion, kMillion) ||
         IsAbove(rates[PriceClass::kPerRequest], markup, most.request, 1) ||
         IsAbove(rates[PriceClass::kPerImage], markup, most.image, 1);
}

bool IsFree(const Endpoint& endpoint) {
  const PriceTable& price = *endpoint.price;
  const auto is_zero = [](const Rates& rates) {
    return std::ranges::all_of(rates.values, [](Rate rate) { return rate.pico == 0; });
  };
  if (price.markup_bps() == PriceTable::kMinMarkupBps) return true;
  for (size_t i = 0; i < price.variants(); ++i) {
    const PriceVariant& variant = price.variant(i);
    if (!is_zero(variant.rates)) return false;
    for (const PriceTier& tier : variant.tiers) {
      if (!is_zero(tier.rates)) return false;
    }
  }
  return true;
}

// "eu" has "eu-west" in it. Where an endpoint runs that does not say so, nobody knows.
bool RunsInAny(const std::vector<std::string>& regions, std::string_view own) {
  return std::ranges::any_of(regions, [own](std::string_view region) {
    return own.starts_with(region) && (own.size() == region.size() || own[region.size()] == '-');
  });
}

void AddAsked(const FilterInputs& inputs, const AskedRoute& asked, const Endpoint& endpoint,
              ExcludedSet* found) {
  found->AddIf(!asked.only.empty() && !AnyMeans(asked.only, endpoint), Excluded::kOnly);
  found->AddIf(AnyMeans(asked.ignore, endpoint), Excluded::kIgnored);
  found->AddIf(!asked.allow_fallbacks && !asked.order.empty() && !AnyMeans(asked.order, endpoint),
               Excluded::kFallbackOff);
  found->AddIf(!asked.regions.empty() && !RunsInAny(asked.regions, endpoint.region),
               Excluded::kRegion);
  // A promise that is not known is none.
  found->AddIf(asked.deny_data_collection && endpoint.data.collects != Known::kNo &&
                   endpoint.data.zdr != Known::kYes,
               Excluded::kDataCollection);
  found->AddIf(asked.zdr && endpoint.data.zdr != Known::kYes, Excluded::kZdr);
  const auto& runs_at = asked.quantizations;
  const std::string_view own = endpoint.quantization.empty()
                                   ? kUnknownQuantization
                                   : std::string_view(endpoint.quantization);
  found->AddIf(!runs_at.empty() && std::ranges::find(runs_at, own) == runs_at.end(),
               Excluded::kQuantization);
  if (asked.require_parameters) {
    found->AddIf(!(inputs.ask->parameters - endpoint.takes).IsEmpty(), Excluded::kParameter);
  }
  if (asked.max_price.any()) {
    found->AddIf(IsDear(inputs, endpoint, asked.max_price), Excluded::kMaxPrice);
  }
}

void AddTraits(TraitSet lacking, ExcludedSet* found) {
  found->AddIf(!(lacking & kInputs).IsEmpty(), Excluded::kInput);
  found->AddIf(!(lacking & kOutputs).IsEmpty(), Excluded::kOutput);
  found->AddIf(!(lacking & kToolTraits).IsEmpty(), Excluded::kTools);
  found->AddIf(lacking.Has(Trait::kStructuredOutput), Excluded::kStructuredOutput);
  found->AddIf(lacking.Has(Trait::kReasoning), Excluded::kReasoning);
  found->AddIf(lacking.Has(Trait::kLogprobs), Excluded::kLogprobs);
  found->AddIf(lacking.Has(Trait::kChoices), Excluded::kChoices);
}

}  // namespace

TraitSet TraitsBehind(Excluded why) {
  switch (why) {
    case Excluded::kInput:
      return kInputs;
    case Excluded::kOutput:
      return kOutputs;
    case Excluded::kTools:
      return kToolTraits;
    default:
      return {};
  }
}

bool IsAbove(Rate rate, int32_t markup_bps, std::optional<int64_t> ceiling, int64_t units) {
  if (!ceiling) return false;
  constexpr Wide kWhole = 10'000;  // basis points
  const Wide charged = static_cast<Wide>(rate.pico) * (kWhole + markup_bps) * units;
  return charged > static_cast<Wide>(*ceiling) * kWhole;
}

const Rates& RatesAt(const Endpoint& endpoint, int64_t prompt, UnixSeconds created) {
  // A catalog has no endpoint without a price: what is made without one costs nothing.
  static const Rates kNothing;
  if (endpoint.price == nullptr) return kNothing;
  const PriceTable& price = *endpoint.price;
  const PriceVariant& variant = price.variant(price.IndexAt(created, {}));
  const PriceTier* const tier = variant.TierFor(prompt);
  return tier != nullptr ? tier->rates : variant.rates;
}

Rate CompletionRate(const Rates& rates) {
  return std::max(rates[PriceClass::kOutput], rates[PriceClass::kReasoning]);
}

Rates HighestRatesAt(const Endpoint& endpoint, const FilterInputs& inputs) {
  Rates highest = RatesAt(endpoint, inputs.prompt, inputs.created);
  const std::string& tier = inputs.ask->service_tier;
  if (tier.empty() || endpoint.price == nullptr) return highest;
  const PriceTable& price = *endpoint.price;
  // What stands behind the usual one is never reached: that holds for every tier.
  const size_t usual = price.IndexAt(inputs.created, {});
  for (size_t i = 0; i < usual; ++i) {
    const PriceVariant& variant = price.variant(i);
    const bool may_answer = tier == kAnyTier || tier == variant.service_tier;
    if (!may_answer || !variant.HoldsAt(inputs.created, variant.service_tier)) continue;
    const PriceTier* const at_length = variant.TierFor(inputs.prompt);
    const Rates& rates = at_length != nullptr ? at_length->rates : variant.rates;
    for (size_t c = 0; c < kPriceClassCount; ++c) {
      highest.values[c] = std::max(highest.values[c], rates.values[c]);
    }
  }
  return highest;
}

ExcludedSet ExcludedBy(const FilterInputs& inputs, const Candidate& candidate) {
  const Ask& ask = *inputs.ask;
  const Endpoint& endpoint = *candidate.endpoint;
  ExcludedSet found;
  found.AddIf(!(endpoint.lacks & ask.needs).IsEmpty(), Excluded::kNeed);
  const TraitSet lacking = endpoint.lacks_traits & ask.wants;
  if (!lacking.IsEmpty()) AddTraits(lacking, &found);
  const int64_t context = candidate.context();
  found.AddIf(context > 0 && inputs.prompt > context - 1, Excluded::kContext);
  const int64_t longest = candidate.max_output();
  found.AddIf(longest > 0 && endpoint.token_answer && ask.max_output.value_or(0) > longest,
              Excluded::kMaxOutput);
  const Preferences& preferences = *inputs.preferences;
  found.AddIf(inputs.free_only && !IsFree(endpoint), Excluded::kNotFree);
  if (preferences.asked != nullptr) AddAsked(inputs, *preferences.asked, endpoint, &found);
  return found;
}

}  // namespace seekroute
