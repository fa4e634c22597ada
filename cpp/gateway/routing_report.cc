#include "gateway/routing_report.h"

#include "wire/json/json.h"

namespace seekroute {
namespace {

void AppendMember(std::string_view name, std::string_view value, std::string* out) {
  if (out->back() != '{') *out += ',';
  *out += '"';
  *out += name;
  *out += "\":";
  AppendJsonString(value, out);
}

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

std::string_view StrategyOf(std::string_view requested, const Model& model, bool automatic) {
  if (automatic) return "auto";
  return requested == model.id ? "direct" : "alias";
}

std::string WriteRouting(Explain how, const ExchangeRecord& row, const Model& model,
                         const Snapshot& snapshot, bool automatic, size_t asked,
                         const Stats* stats) {
  std::string out = how == Explain::kOpenRouter ? "\"openrouter_metadata\":{" : "\"seekroute\":{";
  AppendMember("requested", row.requested_model, &out);
  AppendMember("strategy", StrategyOf(row.requested_model, model, automatic), &out);
  out += ",\"region\":null";
  AppendMember("summary", Summary(row), &out);
  out += ",\"attempt\":" + std::to_string(row.attempts) + ",\"is_byok\":false,\"endpoints\":{";
  out += "\"total\":" + std::to_string(model.endpoints.size()) + ",\"available\":[";
  for (size_t i = 0; i < model.endpoints.size(); ++i) {
    const std::string& provider = snapshot.providers[model.endpoints[i].provider].id;
    out += i == 0 ? "{" : ",{";
    AppendMember("provider", provider, &out);
    AppendMember("model", model.endpoints[i].upstream_model, &out);
    const bool selected = asked == i + 1;
    out += selected ? ",\"selected\":true" : ",\"selected\":false";
    const bool marked = stats != nullptr && how == Explain::kSeekroute;
    if (marked && stats->IgnoresCap(provider, model.id)) out += ",\"ignores_cap\":true";
    out += '}';
  }
  out += "]},\"attempts\":[";
  for (size_t i = 0; i < row.tried.size(); ++i) {
    const AttemptRecord& attempt = row.tried[i];
    out += i == 0 ? "{" : ",{";
    AppendMember("provider", attempt.provider, &out);
    AppendMember("model", row.model, &out);
    out += ",\"status\":" + std::to_string(attempt.status);
    if (!attempt.error.empty()) AppendMember("error", attempt.error, &out);
    out += '}';
  }
  return out + "]}";
}

}  // namespace seekroute
