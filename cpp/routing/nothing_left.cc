#include "routing/nothing_left.h"

#include <algorithm>
#include <array>
#include <string>

#include "wire/json/json_writer.h"

namespace seekroute {
namespace {

constexpr uint64_t kMillion = 1'000'000;

std::string NamesOf(TraitSet set) {
  std::string names;
  for (; !set.IsEmpty(); set.Remove(set.first())) {
    if (!names.empty()) names += " and ";
    names += kTraitNames[set.first()];
  }
  return names;
}

// The endpoints that would be back without `why`.
template <typename Visit>
void ForEachFreed(const Route& route, Excluded why, const Visit& visit) {
  for (const OutOfRoute& each : route.excluded) {
    if (each.endpoint != nullptr && each.why.HasOne() && each.why.first() == why) visit(each);
  }
}

// Of whom most would be back; of two the one that is looked at first. Where no single change brings
// anybody back, what most were left out by.
Excluded Worst(const Route& route) {
  std::array<size_t, kExcludedCount> alone{}, first{};
  for (const OutOfRoute& each : route.excluded) {
    if (each.endpoint == nullptr) continue;
    const auto at = static_cast<size_t>(each.why.first());
    ++first[at];
    if (each.why.HasOne()) ++alone[at];
  }
  const auto most = [](const auto& counts) {
    return static_cast<size_t>(std::max_element(counts.begin(), counts.end()) - counts.begin());
  };
  const size_t freed = most(alone);
  return static_cast<Excluded>(alone[freed] > 0 ? freed : most(first));
}

// "raise provider.max_price.completion to 0.9": for the cheapest that would be back.
std::string RaisePrices(const FilterInputs& inputs, const Route& route) {
  const Endpoint* cheapest = nullptr;
  uint64_t least = 0;
  ForEachFreed(route, Excluded::kMaxPrice, [&](const OutOfRoute& each) {
    const uint64_t price = ExpectedPico({each.model, each.endpoint, inputs.ask->inputs},
                                        *inputs.ask, inputs.prompt, inputs.created);
    if (cheapest != nullptr && price >= least) return;
    cheapest = each.endpoint;
    least = price;
  });
  if (cheapest == nullptr) return "raise provider.max_price";
  const Rates rates = HighestRatesAt(*cheapest, inputs);
  const int32_t markup = cheapest->price->markup_bps();
  const PriceCeilings& most = inputs.preferences->asked->max_price;
  std::string text;
  const auto add = [&](std::string_view part, const std::optional<int64_t>& ceiling, Rate rate,
                       int64_t units) {
    if (!IsAbove(rate, markup, ceiling, units)) return;
    text += text.empty() ? "raise " : " and ";
    text += "provider.max_price." + std::string(part) + " to " +
            FormatUsd(Rate{rate.pico * static_cast<uint64_t>(units)}, markup);
  };
  add("prompt", most.prompt, rates[PriceClass::kInput], kMillion);
  add("completion", most.completion, rates[PriceClass::kOutput], kMillion);
  add("request", most.request, rates[PriceClass::kPerRequest], 1);
  add("image", most.image, rates[PriceClass::kPerImage], 1);
  return text;
}

std::string HelpFor(Excluded why, const FilterInputs& inputs, const Route& route) {
  int64_t most = 0;
  std::string region;
  std::string quantizations;
  TraitSet lacking;
  ParameterSet unknown;
  ForEachFreed(route, why, [&](const OutOfRoute& each) {
    const Candidate candidate{each.model, each.endpoint, inputs.ask->inputs};
    if (why == Excluded::kContext) most = std::max(most, candidate.context() - 1);
    if (why == Excluded::kMaxOutput) most = std::max(most, candidate.max_output());
    lacking = lacking | (each.endpoint->lacks_traits & inputs.ask->wants);
    unknown = unknown | (inputs.ask->parameters - each.endpoint->takes);
    if (region.empty()) region = each.endpoint->region;
    if (quantizations.empty()) quantizations = each.endpoint->quantization;
  });
  switch (why) {
    case Excluded::kOnly:
      return "leave out provider.only, or add to it";
    case Excluded::kIgnored:
      return "take something out of provider.ignore";
    case Excluded::kFallbackOff:
      return "leave out provider.allow_fallbacks";
    case Excluded::kRegion:
      return region.empty() ? "leave out provider.regions"
                            : "add " + region + " to provider.regions";
    case Excluded::kDataCollection:
      return "leave out provider.data_collection";
    case Excluded::kZdr:
      return "leave out provider.zdr";
    case Excluded::kQuantization:
      return quantizations.empty() ? "leave out provider.quantizations"
                                   : "add " + quantizations + " to provider.quantizations";
    case Excluded::kNotFree:
      return "leave :free off the model's name";
    case Excluded::kInput:
    case Excluded::kOutput:
    case Excluded::kTools:
    case Excluded::kStructuredOutput:
    case Excluded::kReasoning:
    case Excluded::kLogprobs:
    case Excluded::kChoices:
      return "leave out " +
             (lacking.IsEmpty() ? std::string(TraitsOf(why).word) : NamesOf(lacking));
    case Excluded::kParameter: {
      std::string names;
      for (; !unknown.IsEmpty(); unknown.Remove(unknown.first())) {
        if (!names.empty()) names += " and ";
        names += kParameterNames[unknown.first()];
      }
      return "leave out " + (names.empty() ? "provider.require_parameters" : names);
    }
    case Excluded::kContext:
      return most > 0 ? "shorten the prompt to " + std::to_string(most) + " tokens"
                      : "shorten the prompt";
    case Excluded::kMaxOutput:
      return most > 0 ? "ask for at most " + std::to_string(most) + " tokens"
                      : "ask for a shorter answer";
    case Excluded::kMaxPrice:
      return RaisePrices(inputs, route);
    default:
      return "ask another model";
  }
}

// "3 do not offer tools, 1 costs more than max_price".
std::string Counts(const Route& route) {
  std::array<size_t, kExcludedCount> first{};
  for (const OutOfRoute& each : route.excluded) {
    if (each.endpoint != nullptr) ++first[static_cast<size_t>(each.why.first())];
  }
  std::string text;
  for (size_t i = 0; i < first.size(); ++i) {
    if (first[i] == 0) continue;
    if (!text.empty()) text += ", ";
    const ExcludedTraits& traits = TraitsOf(static_cast<Excluded>(i));
    text += std::to_string(first[i]) + ' ' + std::string(first[i] == 1 ? traits.one : traits.many);
  }
  return text;
}

std::string WriteAvailability(const Route& route, const Model& model, std::string_view help) {
  std::string out;
  JsonWriter json(&out);
  json.Object();
  json.Key("model").String(model.id);
  json.Key("considered").Integer(route.excluded.size() + route.more_excluded);
  json.Key("reason").String("excluded");
  json.Key("excluded").Array();
  size_t told = 0;
  for (const OutOfRoute& each : route.excluded) {
    if (told == kMostTold) break;
    ++told;
    json.Object();
    json.Key("endpoint").String(each.provider);
    json.Key("model").String(each.model->id);
    json.Key("excluded_by").String(each.reason);
    const Excluded why = each.endpoint != nullptr ? each.why.first() : Excluded::kConfigured;
    json.Key("detail").String(TraitsOf(why).one);
    json.Key("retry_after_ms").Null();
    json.End();
  }
  json.End();
  const size_t all = route.excluded.size() + route.more_excluded;
  if (all > told) json.Key("more").Integer(all - told);
  json.Key("attempts").Array().End();
  json.Key("help").String(help);
  json.Key("retry_after_ms").Null();
  json.End();
  return out;
}

}  // namespace

Error NothingLeft(const FilterInputs& inputs, const Route& route) {
  const Model& model = *route.excluded.front().model;
  const std::string help = HelpFor(Worst(route), inputs, route);
  Error error = MakeError(
      ErrorCode::kNoMatchingEndpoint,
      "no endpoint of '" + model.id + "' can serve this request: " + Counts(route) + "; " + help,
      "model");
  error.availability = WriteAvailability(route, model, help);
  return error;
}

}  // namespace seekroute
