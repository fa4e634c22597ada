#include "gateway/routing_report.h"

#include "wire/json/json_writer.h"

namespace seekroute {
namespace {

// Of a report of few candidates: it is written at once into a buffer that need not grow.
constexpr size_t kOrdinaryBytes = 512;

// "gpt-5-mini by openai, after groq (429)".
std::string Summary(const ExchangeRecord& row) {
  std::string text = row.model + " by " + row.provider;
  for (size_t i = 0; i + 1 < row.tried.size(); ++i) {
    text += i == 0 ? ", after " : ", ";
    text += row.tried[i].provider;
    text += row.tried[i].status == 0 ? std::string(" (no answer)")
                                     : " (" + std::to_string(row.tried[i].status) + ')';
  }
  return text;
}

}  // namespace

std::string WriteRouting(Explain how, const ExchangeRecord& row, const Route& route,
                         const Snapshot& snapshot, size_t asked, const Stats* stats) {
  std::string out;
  out.reserve(kOrdinaryBytes);
  JsonWriter json = JsonWriter::Members(&out);
  json.Key(how == Explain::kOpenRouter ? JsonName("openrouter_metadata") : JsonName("seekroute"))
      .Object();
  json.Key("requested").String(row.requested_model);
  json.Key("strategy").String(route.strategy);
  json.Key("region").Null();
  json.Key("summary").String(Summary(row));
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
    json.Key("model").String(candidate.endpoint->upstream_model);
    json.Key("selected").Bool(asked == i + 1);
    const bool marked = stats != nullptr && how == Explain::kSeekroute;
    if (marked && stats->IgnoresCap(provider, candidate.model->id))
      json.Key("ignores_cap").Bool(true);
    json.End();
  }
  json.End().End();
  json.Key("attempts").Array();
  for (const AttemptRecord& attempt : row.tried) {
    json.Object();
    json.Key("provider").String(attempt.provider);
    json.Key("model").String(row.model);
    json.Key("status").Integer(attempt.status);
    if (!attempt.error.empty()) json.Key("error").String(attempt.error);
    json.End();
  }
  json.End().End();
  return out;
}

}  // namespace seekroute
