#include "gateway/quote.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <vector>

#include "billing/cost.h"
#include "gateway/health_report.h"
#include "gateway/routing_report.h"
#include "gateway/spend_bound.h"
#include "routing/auto/auto_router.h"
#include "wire/json/json_writer.h"

namespace seekroute {
namespace {

// How much will be used at one endpoint, as far as it can be known now.
struct Extent {
  int64_t prompt = 0;  // tokens that are expected of it
  int64_t most_prompt = 0;
  int64_t choices = 1;
  bool images = false;
  std::optional<int64_t> longest;  // tokens of one choice
  int64_t most_completion = 0;     // of all choices, with their thinking and what was predicted

  int64_t expected() const {
    return std::min(longest.value_or(kExpectedAnswerTokens), kExpectedAnswerTokens);
  }
  Usage UsageOf(int64_t prompt_tokens, int64_t completion_tokens) const {
    Usage usage;
    usage.prompt = prompt_tokens;
    if (images) {
      usage.completion = 0;
      usage.images = choices;
    } else {
      usage.completion = completion_tokens * choices;
    }
    return usage;
  }
};

struct CostRange {
  Money min;
  Money expected;
  std::optional<Money> max;
};

// What one endpoint would take; or the route, by whichever of its endpoints takes most.
struct Offer {
  const Candidate* candidate = nullptr;
  Extent extent;
  CostRange costs;
};

// Of the route: as long as at the endpoint that answers longest, without end where one has none.
void TakeLonger(const Extent& here, Extent* route) {
  route->most_prompt = std::max(route->most_prompt, here.most_prompt);
  if (!here.longest || !route->longest) {
    route->longest.reset();
    return;
  }
  route->longest = std::max(*route->longest, *here.longest);
  route->most_completion = std::max(route->most_completion, here.most_completion);
}

Offer RouteOf(const std::vector<Offer>& offers) {
  Offer route;
  for (const Offer& offer : offers) {
    if (&offer == &offers.front()) {
      route = offer;
      continue;
    }
    TakeLonger(offer.extent, &route.extent);
    CostRange& costs = route.costs;
    costs.min = std::min(costs.min, offer.costs.min);
    if (!offer.costs.max) costs.max.reset();
    if (costs.max) costs.max = std::max(*costs.max, *offer.costs.max);
  }
  return route;
}

CostRange CostsAt(const Extent& extent, Money most, const PriceTable& price, UnixSeconds now) {
  const auto cost = [&](int64_t completion) {
    return CostOf(extent.UsageOf(extent.prompt, completion), price, now, {}).total;
  };
  CostRange range;
  range.min = cost(std::min<int64_t>(1, extent.longest.value_or(1)));
  range.expected = cost(extent.expected());
  if (extent.longest) range.max = most;
  return range;
}

void WriteTokens(const Extent& extent, JsonWriter* json) {
  json->Key("prompt_tokens").Object();
  json->Key("expected").Integer(extent.prompt);
  json->Key("max").Integer(extent.most_prompt);
  json->End();
  json->Key("completion_tokens").Object();
  json->Key("expected").Integer(extent.images ? 0 : extent.expected() * extent.choices);
  json->Key("max");
  extent.longest ? json->Integer(extent.most_completion) : json->Null();
  json->End();
}

void WriteCosts(const CostRange& range, JsonWriter* json) {
  json->Key("cost").Object();
  json->Key("min").Usd(range.min);
  json->Key("expected").Usd(range.expected);
  json->Key("max");
  range.max ? json->Usd(*range.max) : json->Null();
  json->End();
}

// The rates that a prompt of this length is charged by now: the provider's own and the markup, or
// the two as one.
void WritePricing(int64_t prompt_tokens, const PriceTable& price, bool upstream_cost,
                  UnixSeconds now, JsonWriter* json) {
  const PriceVariant& variant = price.variant(price.IndexAt(now, {}));
  const PriceTier* tier = variant.TierFor(prompt_tokens);
  const Rates& rates = tier != nullptr ? tier->rates : variant.rates;
  json->Key("pricing").Object();
  json->Key("revision").String(price.revision());
  if (upstream_cost) json->Key("markup_bps").Integer(price.markup_bps());
  json->Key("min_prompt_tokens").Integer(tier != nullptr ? tier->above : 0);
  const auto rate = [&](JsonName name, PriceClass c) {
    json->Key(name).String(upstream_cost ? FormatUsd(rates[c])
                                         : FormatUsd(rates[c], price.markup_bps()));
  };
  rate("prompt", PriceClass::kInput);
  rate("completion", PriceClass::kOutput);
  rate("request", PriceClass::kPerRequest);
  rate("image", PriceClass::kPerImage);
  rate("input_cache_read", PriceClass::kCacheRead);
  rate("internal_reasoning", PriceClass::kReasoning);
  json->End();
}

// {"draws","first":[{"endpoint","model","share"}]}, the greatest share first.
void WriteFirstPlaces(const Admission& admission, JsonWriter* json) {
  auto places = admission.first_places;
  std::ranges::sort(places, std::greater(), &Admission::FirstPlace::draws);
  int draws = 0;
  for (const Admission::FirstPlace& each : places) draws += each.draws;
  json->Key("simulated").Object();
  json->Key("draws").Integer(draws);
  json->Key("first").Array();
  for (const Admission::FirstPlace& each : places) {
    json->Object();
    json->Key("endpoint").String(each.endpoint->tag);
    json->Key("model").String(each.model->id);
    json->Key("share").Raw(FormatShare(static_cast<double>(each.draws) / draws));
    json->End();
  }
  json->End().End();
}

}  // namespace

Result<std::string> WriteQuote(const Admission& admission, const Snapshot& snapshot,
                               const GatewayOptions& options, UnixSeconds now,
                               std::span<const Skip> skipped) {
  const Route& planned = admission.route;
  const Ask& ask = admission.request->ask;
  const TokenEstimate& prompt = *ask.prompt;
  const SpendBound bound(ask, planned, options, now);
  // As the request would be told, and held for.
  const Spending spending{bound.Tells(IsLimited(ask, admission.key.get())), ask.max_cost,
                          std::nullopt, !ask.max_output};
  const std::optional<Money> least = bound.AtLeast(spending);
  if (!least) return bound.MaxCostExceeded(*ask.max_cost);
  std::vector<Offer> offers;
  for (const Candidate& candidate : planned.candidates) {
    if (!bound.Affords(candidate, spending)) continue;
    const std::optional<int64_t> cap = bound.CapAt(candidate, spending);
    Extent here;
    here.prompt = prompt.tokens;
    const UseBound besides = bound.BesidesAt(candidate);
    here.most_prompt = std::max(besides.prompt, prompt.tokens);
    here.choices = ask.choices;
    here.images = candidate.endpoint->pieces > 0;
    if (!bound.IsUnbounded(candidate, cap)) here.longest = bound.AnswerAt(candidate, cap);
    here.most_completion = besides.completion + bound.CompletionAt(candidate, cap) * here.choices;
    const CostRange costs = CostsAt(here, bound.WorstAt(candidate, cap), candidate.price(), now);
    offers.push_back({&candidate, here, costs});
  }
  const Offer route = RouteOf(offers);

  std::string out;
  JsonWriter json(&out);
  json.Object();
  json.Key("object").String("quote");
  json.Key("created").Integer(now.s);
  json.Key("requested").String(ask.model);
  json.Key("model").String(planned.candidates.front().model->id);
  json.Key("strategy").String(planned.strategy);
  WriteTokens(route.extent, &json);
  if (ask.max_cost) json.Key("max_cost").Usd(*ask.max_cost);
  WriteCosts(route.costs, &json);
  // What is set aside before it is sent: of a client that names no length at least `min`.
  json.Key("hold").Object();
  json.Key("min").Usd(*least);
  json.Key("max").Usd(bound.Amount(spending));
  json.End();
  json.Key("candidates").Array();
  for (const Offer& offer : offers) {
    const Endpoint& endpoint = *offer.candidate->endpoint;
    json.Object();
    json.Key("provider").String(snapshot.providers[endpoint.provider].id);
    json.Key("model").String(offer.candidate->model->id);
    json.Key("upstream_model").String(endpoint.upstream_model);
    json.Key("endpoint").String(endpoint.tag);
    json.Key("group").Integer(offer.candidate->group);
    json.Key("probability").Raw(FormatShare(offer.candidate->probability));
    const auto place = static_cast<size_t>(offer.candidate - planned.candidates.data());
    const HealthView view = place < planned.views.size() ? planned.views[place] : HealthView();
    WriteHealth(view, &json);
    std::string_view passed_over = PassedOver(view);
    if (passed_over.empty() && place < skipped.size()) passed_over = NameOf(skipped[place]);
    json.Key("excluded_by");
    passed_over.empty() ? json.Null() : json.String(passed_over);
    WritePricing(prompt.tokens, *endpoint.price, admission.profile->upstream_cost, now, &json);
    WriteCosts(offer.costs, &json);
    json.End();
  }
  json.End();
  json.Key("excluded").Array();
  for (const OutOfRoute& each : planned.excluded) {
    json.Object();
    json.Key("provider").String(each.provider);
    json.Key("model").String(each.model->id);
    json.Key("reason").String(each.reason);
    if (each.endpoint != nullptr) json.Key("detail").String(TraitsOf(each.why.first()).one);
    json.End();
  }
  json.End();
  WriteOrder(planned, &json);
  WriteAuto(planned, AutoRouter::kMostModels, &json);
  if (!admission.first_places.empty()) WriteFirstPlaces(admission, &json);
  json.End();
  return out;
}

}  // namespace seekroute
