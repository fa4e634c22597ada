#include "gateway/quote.h"

#include <algorithm>
#include <optional>

#include "billing/cost.h"
#include "gateway/routing_report.h"
#include "gateway/spend_bound.h"
#include "wire/json/json.h"
#include "wire/openai/chat_prompt.h"

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

void AppendCosts(const CostRange& range, std::string* out) {
  *out += "\"cost\":{\"min\":" + FormatUsd(range.min);
  *out += ",\"expected\":" + FormatUsd(range.expected) + ",\"max\":";
  *out += range.max ? FormatUsd(*range.max) : "null";
  *out += '}';
}

void AppendText(std::string_view name, std::string_view value, std::string* out) {
  *out += '"';
  *out += name;
  *out += "\":";
  AppendJsonString(value, out);
}

// The rates that a prompt of this length is charged by now: the provider's own and the markup, or
// the two as one.
void AppendPricing(const Extent& extent, const PriceTable& price, bool upstream_cost,
                   UnixSeconds now, std::string* out) {
  const PriceVariant& variant = price.variant(price.IndexAt(now, {}));
  const PriceTier* tier = variant.TierFor(extent.prompt);
  const Rates& rates = tier != nullptr ? tier->rates : variant.rates;
  *out += "\"pricing\":{";
  AppendText("revision", price.revision(), out);
  if (upstream_cost) *out += ",\"markup_bps\":" + std::to_string(price.markup_bps());
  *out += ",\"min_prompt_tokens\":" + std::to_string(tier != nullptr ? tier->above : 0);
  const auto rate = [&](std::string_view name, PriceClass c) {
    *out += ',';
    AppendText(name, upstream_cost ? FormatUsd(rates[c]) : FormatUsd(rates[c], price.markup_bps()),
               out);
  };
  rate("prompt", PriceClass::kInput);
  rate("completion", PriceClass::kOutput);
  rate("request", PriceClass::kPerRequest);
  rate("image", PriceClass::kPerImage);
  rate("input_cache_read", PriceClass::kCacheRead);
  rate("internal_reasoning", PriceClass::kReasoning);
  *out += '}';
}

}  // namespace

Result<std::string> WriteQuote(const Admission& admission, std::string_view body,
                               const Snapshot& snapshot, const GatewayOptions& options,
                               UnixSeconds now) {
  const Model& model = *admission.model;
  const TokenEstimate prompt = EstimateChatPrompt(body);
  const SpendBound bound(admission.request, model, prompt, options, now);
  int64_t longest = bound.longest();
  if (const std::optional<Money>& max_cost = admission.request.max_cost) {
    const std::optional<int64_t> within = bound.Within(*max_cost);
    if (!within || *within < bound.least()) return bound.MaxCostExceeded(*max_cost);
    longest = *within;
  }
  // As the request would be told, and held for.
  const std::optional<int64_t> cap =
      bound.Cap(longest, IsLimited(admission.request, admission.key.get()));
  Extent extent;
  CostRange route;
  std::string candidates;
  for (size_t i = 0; i < model.endpoints.size(); ++i) {
    const Endpoint& endpoint = model.endpoints[i];
    Extent here;
    here.prompt = prompt.tokens;
    const UseBound besides = bound.BesidesAt(endpoint);
    here.most_prompt = std::max(besides.prompt, prompt.tokens);
    here.choices = admission.request.choices;
    here.images = model.output == Output::kImage;
    if (!bound.IsUnbounded(endpoint, cap)) here.longest = bound.AnswerAt(endpoint, cap);
    here.most_completion = besides.completion + bound.CompletionAt(endpoint, cap) * here.choices;
    const CostRange costs = CostsAt(here, bound.WorstAt(endpoint, cap), *endpoint.price, now);
    if (i == 0) {
      extent = here;
      route = costs;
    } else {
      TakeLonger(here, &extent);
      route.min = std::min(route.min, costs.min);
      if (!costs.max) route.max.reset();
      if (route.max) route.max = std::max(*route.max, *costs.max);
      candidates += ',';
    }
    candidates += '{';
    AppendText("provider", snapshot.providers[endpoint.provider].id, &candidates);
    candidates += ',';
    AppendText("model", endpoint.upstream_model, &candidates);
    candidates += ',';
    AppendPricing(extent, *endpoint.price, admission.profile->upstream_cost, now, &candidates);
    candidates += ',';
    AppendCosts(costs, &candidates);
    candidates += '}';
  }

  std::string out = "{\"object\":\"quote\",\"created\":" + std::to_string(now.s) + ',';
  AppendText("requested", admission.request.model, &out);
  out += ',';
  AppendText("model", model.id, &out);
  out += ',';
  AppendText("strategy", StrategyOf(admission.request.model, model, admission.automatic), &out);
  out += ",\"prompt_tokens\":{\"expected\":" + std::to_string(extent.prompt);
  out += ",\"max\":" + std::to_string(extent.most_prompt);
  out += "},\"completion_tokens\":{\"expected\":";
  out += std::to_string(extent.images ? 0 : extent.expected() * extent.choices) + ",\"max\":";
  out += extent.longest ? std::to_string(extent.most_completion) : "null";
  out += "},";
  if (admission.request.max_cost) {
    out += "\"max_cost\":" + FormatUsd(*admission.request.max_cost) + ',';
  }
  AppendCosts(route, &out);
  // What is set aside before it is sent: of a client that names no length at least `min`.
  const Money held = bound.Worst(cap);
  const Money least =
      admission.request.max_tokens ? held : bound.At(std::min(bound.least(), longest));
  out += ",\"hold\":{\"min\":" + FormatUsd(least);
  out += ",\"max\":" + FormatUsd(held) + '}';
  out += ",\"candidates\":[" + candidates + "],\"excluded\":[";
  for (size_t i = 0; i < model.excluded.size(); ++i) {
    out += i == 0 ? "{" : ",{";
    AppendText("provider", model.excluded[i].provider, &out);
    out += ',';
    AppendText("reason", model.excluded[i].reason, &out);
    out += '}';
  }
  return out + "]}";
}

}  // namespace seekroute
