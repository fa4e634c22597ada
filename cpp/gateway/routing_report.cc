#include "gateway/routing_report.h"

#include <algorithm>
#include <cmath>

#include "gateway/health_report.h"
#include "routing/auto/auto_router.h"
#include "routing/filters.h"
#include "wire/json/json_writer.h"

namespace seekroute {
namespace {

// Of a report of few candidates: it is written at once into a buffer that need not grow.
constexpr size_t kOrdinaryBytes = 512;

// Why a candidate was passed over at its turn; empty: it was not.
std::string_view SkippedFor(std::span<const Skip> skipped, size_t place) {
  return place < skipped.size() ? NameOf(skipped[place]) : std::string_view();
}

// With the markup: what this client would pay.
void WritePrice(const Endpoint& endpoint, int64_t prompt, UnixSeconds created, JsonWriter* json) {
  constexpr uint64_t kMillion = 1'000'000;
  const Rates& rates = RatesAt(endpoint, prompt, created);
  const int32_t markup = endpoint.price != nullptr ? endpoint.price->markup_bps() : 0;
  const auto rate = [&](PriceClass c) { return FormatUsd(Rate{rates[c].pico * kMillion}, markup); };
  json->Key("price_usd_per_m").Object();
  json->Key("in").Raw(rate(PriceClass::kInput));
  json->Key("out").Raw(rate(PriceClass::kOutput));
  json->End();
}

}  // namespace

std::string FormatShare(double share) {
  const auto millionths = int64_t{std::lround(share * 1e6)};
  return FormatUsd(Money{millionths * 1000});
}

void WriteCandidates(const Route& route, UnixSeconds created, std::span<const Skip> skipped,
                     JsonWriter* json) {
  json->Key("candidates").Array();
  for (size_t i = 0; i < route.candidates.size(); ++i) {
    const Candidate& each = route.candidates[i];
    const HealthView view = i < route.views.size() ? route.views[i] : HealthView();
    json->Object();
    json->Key("endpoint").String(each.endpoint->tag);
    json->Key("model").String(each.model->id);
    json->Key("group").Integer(each.group);
    WritePrice(*each.endpoint, route.expected_prompt, created, json);
    json->Key("expected_usd").Raw(FormatUsd(Rate{each.expected_pico}));
    WriteHealth(view, json);
    json->Key("weight").Raw(FormatShare(each.endpoint->weight));
    json->Key("probability").Raw(FormatShare(each.probability));
    const std::string_view at_its_turn = SkippedFor(skipped, i);
    const std::string_view passed_over = at_its_turn.empty() ? PassedOver(view) : at_its_turn;
    json->Key("excluded_by");
    passed_over.empty() ? json->Null() : json->String(passed_over);
    json->End();
  }
  for (const OutOfRoute& each : route.excluded) {
    json->Object();
    json->Key("endpoint").String(each.provider);
    json->Key("model").String(each.model->id);
    json->Key("excluded_by").String(each.reason);
    if (each.endpoint != nullptr) json->Key("detail").String(TraitsOf(each.why.first()).one);
    json->End();
  }
  json->End();
  if (route.more_excluded > 0) json->Key("more_excluded").Integer(route.more_excluded);
}

void WriteOrder(const Route& route, JsonWriter* json) {
  json->Key("sort").String(NameOf(route.sort));
  json->Key("seed").Integer(route.seed);
  json->Key("explored").Bool(route.explored);
  json->Key("sticky").String(route.sticky);
}

void WriteAuto(const Route& route, size_t most, JsonWriter* json) {
  if (!route.automatic) return;
  const AutoRoute& chosen = *route.automatic;
  json->Key("auto").Object();
  json->Key("strategy").String(NameOf(chosen.strategy));
  json->Key("strategy_source").String(NameOf(chosen.strategy_source));
  json->Key("revision");
  chosen.revision.empty() ? json->Null() : json->String(chosen.revision);
  json->Key("difficulty").Raw(FormatShare(static_cast<double>(chosen.difficulty)));
  json->Key("propensity")
      .Raw(FormatShare(chosen.models.empty() ? 1 : chosen.models.front().verdict.chance));
  json->Key("models").Array();
  for (size_t i = 0; i < std::min(most, chosen.models.size()); ++i) {
    const AutoVerdict& verdict = chosen.models[i].verdict;
    json->Object();
    json->Key("model").String(chosen.models[i].model->id);
    json->Key("quality").Raw(FormatShare(static_cast<double>(verdict.quality)));
    json->Key("expected_usd").Raw(FormatUsd(Rate{verdict.offer.cost_pico}));
    json->Key("answer_tokens").Integer(verdict.offer.answer_tokens);
    json->Key("latency_ms");
    verdict.offer.latency_ms == 0 ? json->Null() : json->Integer(verdict.offer.latency_ms);
    json->Key("score").Raw(FormatShare(verdict.score));
    json->Key("reason").String(NameOf(verdict.reason));
    json->End();
  }
  json->End().End();
}

std::string WriteChoice(const AutoRoute& chosen, bool tells_cost) {
  if (chosen.models.empty()) return "";
  const AutoVerdict& first = chosen.models.front().verdict;
  const auto rounded = [](double share) {  // a number of a header has three places at most
    const auto thousandths = int64_t{std::lround(share * 1e3)};
    return FormatUsd(Money{thousandths * 1'000'000});
  };
  std::string text = "model=\"" + chosen.models.front().model->id + '"';
  text += ", quality=" + rounded(static_cast<double>(first.quality));
  if (tells_cost) text += ", expected_usd=\"" + FormatUsd(Rate{first.offer.cost_pico}) + '"';
  text += ", reason=" + std::string(NameOf(first.reason));
  text += ", propensity=" + rounded(first.chance);
  text += ", strategy=" + std::string(NameOf(chosen.strategy));
  return text;
}

namespace {

// "gpt-5-mini by openai, after groq (429)", "gpt-5-mini by openai, quicker than groq".
std::string Summary(const ExchangeRecord& row) {
  // Nor is the model named then: it may be one that this key does not see.
  if (row.provider.empty()) return "nobody was asked";
  std::string text = row.model + " by " + row.provider;
  std::string slower;
  bool failed = false;
  for (size_t i = 0; i + 1 < row.tried.size(); ++i) {
    const AttemptRecord& each = row.tried[i];
    if (each.error == kHedgeLost) {
      slower = ", quicker than " + each.provider;
      continue;
    }
    text += failed ? ", " : ", after ";
    failed = true;
    text += each.provider;
    text +=
        each.status == 0 ? std::string(" (no answer)") : " (" + std::to_string(each.status) + ')';
  }
  return text + slower;
}

}  // namespace

std::string WriteRouting(Explain how, const ExchangeRecord& row, const Route& route,
                         const Snapshot& snapshot, size_t asked, std::span<const Skip> skipped,
                         const Stats* stats, std::string_view limits) {
  std::string out;
  out.reserve(kOrdinaryBytes);
  JsonWriter json = JsonWriter::Members(&out);
  json.Key(how == Explain::kOpenRouter ? JsonName("openrouter_metadata") : JsonName("seekroute"))
      .Object();
  json.Key("requested").String(row.requested_model);
  json.Key("strategy").String(route.strategy);
  json.Key("region").Null();
  json.Key("summary").String(Summary(row));
  if (how == Explain::kSeekroute) {
    WriteOrder(route, &json);
    WriteAuto(route, AutoRouter::kMostModels, &json);
  }
  json.Key("attempt").Integer(row.attempts);
  json.Key("is_byok").Bool(false);
  json.Key("endpoints").Object();
  json.Key("total").Integer(route.candidates.size());
  json.Key("available").Array();
  for (size_t i = 0; i < route.candidates.size(); ++i) {
    const Candidate& candidate = route.candidates[i];
    const std::string& provider = snapshot.providers[candidate.endpoint->provider].id;
    json.Object();
    json.Key("provider").String(provider);
    json.Key("model").String(candidate.model->id);
    if (how == Explain::kSeekroute) {
      json.Key("upstream_model").String(candidate.endpoint->upstream_model);
    }
    json.Key("selected").Bool(asked == i + 1);
    const bool marked = stats != nullptr && how == Explain::kSeekroute;
    if (marked && stats->IgnoresCap(provider, candidate.model->id))
      json.Key("ignores_cap").Bool(true);
    json.End();
  }
  json.End().End();
  if (how == Explain::kSeekroute) WriteCandidates(route, row.created, skipped, &json);
  json.Key("attempts").Array();
  for (const AttemptRecord& attempt : row.tried) {
    json.Object();
    json.Key("provider").String(attempt.provider);
    json.Key("model").String(attempt.model.empty() ? row.model : attempt.model);
    json.Key("status").Integer(attempt.status);
    if (!attempt.error.empty()) json.Key("error").String(attempt.error);
    if (how == Explain::kSeekroute) json.Key("ms").Integer(attempt.waited.ns / 1'000'000);
    json.End();
  }
  json.End();
  if (how == Explain::kSeekroute && !limits.empty()) json.Key("limits").Raw(limits);
  json.End();
  return out;
}

namespace {

std::string WriteFirst(const Route& route, std::span<const Skip> skipped, Duration queued,
                       std::string_view shadow_of, size_t most) {
  std::string out;
  JsonWriter json(&out);
  json.Object();
  if (!shadow_of.empty()) json.Key("shadow_of").String(shadow_of);
  json.Key("strategy").String(route.strategy);
  WriteOrder(route, &json);
  WriteAuto(route, most, &json);
  json.Key("candidates").Array();
  for (size_t i = 0; i < std::min(most, route.candidates.size()); ++i) {
    const Candidate& each = route.candidates[i];
    json.Object();
    json.Key("endpoint").String(each.endpoint->tag);
    json.Key("model").String(each.model->id);
    json.Key("expected_usd").Raw(FormatUsd(Rate{each.expected_pico}));
    json.Key("probability").Raw(FormatShare(each.probability));
    const std::string_view word = SkippedFor(skipped, i);
    json.Key("excluded_by");
    word.empty() ? json.Null() : json.String(word);
    if (!word.empty()) json.Key("detail").String(SentenceOf(skipped[i]));
    json.End();
  }
  json.End();
  json.Key("excluded").Array();
  for (size_t i = 0; i < std::min(most, route.excluded.size()); ++i) {
    const OutOfRoute& each = route.excluded[i];
    json.Object();
    json.Key("endpoint").String(each.provider);
    json.Key("model").String(each.model->id);
    json.Key("excluded_by").String(each.reason);
    const Excluded why = each.endpoint != nullptr ? each.why.first() : Excluded::kConfigured;
    json.Key("detail").String(TraitsOf(why).one);
    json.End();
  }
  json.End();
  const auto beyond = [most](size_t size) { return size - std::min(most, size); };
  json.Key("more_candidates").Integer(beyond(route.candidates.size()));
  json.Key("more_excluded").Integer(beyond(route.excluded.size()) + route.more_excluded);
  if (queued.ns > 0) json.Key("queued_ms").Integer(queued.ns / 1'000'000);
  json.End();
  return out;
}

}  // namespace

bool HasLeftOut(const Route& route, std::span<const Skip> skipped) {
  const auto connected = [](const OutOfRoute& each) { return each.endpoint != nullptr; };
  return !skipped.empty() || route.automatic || std::ranges::any_of(route.excluded, connected);
}

std::string WriteStoredRouting(const Route& route, std::span<const Skip> skipped, Duration queued,
                               std::string_view shadow_of) {
  size_t most = 16;
  std::string out = WriteFirst(route, skipped, queued, shadow_of, most);
  while (out.size() > kMaxStoredRouting && most > 0) {
    most /= 2;
    out = WriteFirst(route, skipped, queued, shadow_of, most);
  }
  return out;
}

}  // namespace seekroute
