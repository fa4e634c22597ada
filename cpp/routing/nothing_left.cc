#include "routing/nothing_left.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/counted.h"
#include "wire/json/json_writer.h"

namespace seekroute {
namespace {

constexpr uint64_t kMillion = 1'000'000;

// Why a request is refused that needs what nobody of its model can do.
struct Lack {
  ErrorCode code;
  std::string_view why;    // behind the model's name, where there is a `param`
  std::string_view param;  // empty: the member of the request that has the need
};

// By Need.
constexpr std::array<Lack, kNeedCount> kLacks = {{
    {ErrorCode::kNoMatchingEndpoint, "makes embeddings: it is asked at POST /v1/embeddings",
     "model"},
    {ErrorCode::kNoMatchingEndpoint,
     "makes no embeddings: it is asked at POST /v1/chat/completions", "model"},
    {ErrorCode::kInvalidValue, "expected text in the last user message, to draw from", ""},
    {ErrorCode::kInvalidUnicode, "expected a prompt without lone surrogates", ""},
}};

std::string NamesOf(TraitSet set) {
  std::string names;
  for (; !set.IsEmpty(); set.Remove(set.first())) {
    if (!names.empty()) names += " and ";
    names += kTraitNames[set.first()];
  }
  return names;
}

// The endpoints that help is given for: of the models that were asked for, and of the operator's
// fallbacks only where those have none.
template <typename Visit>
void ForEachAsked(const Route& route, const Visit& visit) {
  const auto is_asked = [](const OutOfRoute& each) {
    return each.endpoint != nullptr && !each.is_fallback;
  };
  const bool any = std::ranges::any_of(route.excluded, is_asked);
  for (const OutOfRoute& each : route.excluded) {
    if (each.endpoint != nullptr && (!any || is_asked(each))) visit(each);
  }
}

// Those of them that would be back without `why`.
template <typename Visit>
void ForEachFreed(const Route& route, Excluded why, const Visit& visit) {
  ForEachAsked(route, [&](const OutOfRoute& each) {
    if (each.why.HasOne() && each.why.first() == why) visit(each);
  });
}

// Of whom most would be back; of two the one that is looked at first. Where no single change brings
// anybody back, what most were left out by.
Excluded Worst(const Route& route) {
  std::array<size_t, kExcludedCount> alone{}, first{};
  ForEachAsked(route, [&](const OutOfRoute& each) {
    const auto at = static_cast<size_t>(each.why.first());
    ++first[at];
    if (each.why.HasOne()) ++alone[at];
  });
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
  add("completion", most.completion, CompletionRate(rates), kMillion);
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
      return most > 0 ? "shorten the prompt to " + Counted(most, "token") : "shorten the prompt";
    case Excluded::kMaxOutput:
      return most > 0 ? "ask for at most " + Counted(most, "token") : "ask for a shorter answer";
    case Excluded::kMaxPrice:
      return RaisePrices(inputs, route);
    default:
      return "ask another model";
  }
}

// What `availability` tells beside the endpoints.
struct Availability {
  std::string_view model;
  std::string_view reason;
  std::string_view help;
  int64_t retry_after_ms = 0;  // 0: nobody knows
};

void WriteRetryAfter(int64_t ms, JsonWriter* json) {
  json->Key("retry_after_ms");
  ms > 0 ? json->Integer(ms) : json->Null();
}

std::string WriteAvailability(const Availability& told, const Route& route,
                              std::span<const OutAtPresent> out) {
  std::string text;
  JsonWriter json(&text);
  const size_t all = out.size() + route.excluded.size() + route.more_excluded;
  json.Object();
  json.Key("model").String(told.model);
  json.Key("considered").Integer(all);
  json.Key("reason").String(told.reason);
  json.Key("excluded").Array();
  size_t listed = 0;
  const auto list = [&](std::string_view endpoint, const Model& model, std::string_view word,
                        std::string_view detail, int64_t retry_after_ms) {
    if (listed == kMostTold) return;
    ++listed;
    json.Object();
    json.Key("endpoint").String(endpoint);
    json.Key("model").String(model.id);
    json.Key("excluded_by").String(word);
    json.Key("detail").String(detail);
    WriteRetryAfter(retry_after_ms, &json);
    json.End();
  };
  for (const OutAtPresent& each : out) {
    const Candidate& candidate = *each.candidate;
    list(candidate.endpoint->tag, *candidate.model, each.word, each.detail, each.retry_after_ms);
  }
  for (const OutOfRoute& each : route.excluded) {
    const Excluded why = each.endpoint != nullptr ? each.why.first() : Excluded::kConfigured;
    list(each.provider, *each.model, each.reason, TraitsOf(why).one, 0);
  }
  json.End();
  if (all > listed) json.Key("more").Integer(all - listed);
  json.Key("attempts").Array().End();
  json.Key("help").String(told.help);
  WriteRetryAfter(told.retry_after_ms, &json);
  json.End();
  return text;
}

}  // namespace

std::string CountLeftOut(const Route& route) {
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

Error Unserved(Need need, const Model& model, const ParsedRequest& request) {
  const Lack& lack = kLacks[static_cast<size_t>(need)];
  if (lack.param.empty()) {
    return MakeError(lack.code, std::string(lack.why), request.PathOf(need));
  }
  return MakeError(lack.code, "the model '" + model.id + "' " + std::string(lack.why),
                   std::string(lack.param));
}

Error NothingLeft(const FilterInputs& inputs, const Route& route, const std::string& name) {
  const std::string help = HelpFor(Worst(route), inputs, route);
  Error error = MakeError(
      ErrorCode::kNoMatchingEndpoint,
      "no endpoint of '" + name + "' can serve this request: " + CountLeftOut(route) + "; " + help,
      "model");
  error.availability =
      WriteAvailability({.model = name, .reason = "excluded", .help = help}, route, {});
  return error;
}

std::string Unavailable(const Route& route, std::string_view name,
                        std::span<const OutAtPresent> out, bool paced, int64_t retry_after_ms) {
  const std::string help = retry_after_ms > 0 ? "send it again in " + SpanInWords(retry_after_ms)
                                              : "send it again in a moment";
  return WriteAvailability({.model = name,
                            .reason = paced ? "rate_limited" : "unavailable",
                            .help = help,
                            .retry_after_ms = retry_after_ms},
                           route, out);
}

}  // namespace seekroute
