#include "wire/openai/usage_object.h"

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

namespace seekroute {
namespace {

void AppendMember(std::string_view name, std::string_view value, std::string* out) {
  if (out->back() != '{') *out += ',';
  *out += '"';
  *out += name;
  *out += "\":";
  *out += value;
}

void AppendMember(std::string_view name, int64_t value, std::string* out) {
  AppendMember(name, std::to_string(value), out);
}

struct Detail {
  std::string_view name;
  std::optional<int64_t> count;
};

void AppendDetails(std::string_view name, std::initializer_list<Detail> details, std::string* out) {
  if (std::none_of(details.begin(), details.end(), [](const Detail& d) { return !!d.count; })) {
    return;
  }
  AppendMember(name, "{", out);
  for (const Detail& detail : details) {
    if (detail.count) AppendMember(detail.name, *detail.count, out);
  }
  *out += '}';
}

}  // namespace

std::string WriteUsage(const UsageReport& report) {
  const Usage& usage = report.usage;
  const int64_t prompt = usage.prompt.value_or(0);
  const int64_t completion = usage.completion.value_or(0);
  std::string out = "{";
  AppendMember("prompt_tokens", prompt, &out);
  AppendMember("completion_tokens", completion, &out);
  AppendMember("total_tokens", usage.total.value_or(prompt + completion), &out);
  AppendDetails("prompt_tokens_details",
                {{"cached_tokens", usage.cached},
                 {"cache_write_tokens", usage.cache_write},
                 {"audio_tokens", usage.audio_prompt},
                 {"image_tokens", usage.image_prompt}},
                &out);
  AppendDetails("completion_tokens_details",
                {{"reasoning_tokens", usage.reasoning},
                 {"audio_tokens", usage.audio_completion},
                 {"image_tokens", usage.image_completion},
                 {"accepted_prediction_tokens", usage.accepted_predictions},
                 {"rejected_prediction_tokens", usage.rejected_predictions}},
                &out);
  if (report.reported) AppendMember("reported", WriteUsage({*report.reported, {}, {}}), &out);
  if (report.cost) {
    const CostReport& cost = *report.cost;
    AppendMember("cost", FormatUsd(cost.cost), &out);
    if (cost.details) {
      AppendMember("cost_details", "{", &out);
      AppendMember("upstream_inference_cost", FormatUsd(cost.upstream), &out);
      AppendMember("upstream_inference_prompt_cost", FormatUsd(cost.upstream_prompt), &out);
      AppendMember("upstream_inference_completions_cost", FormatUsd(cost.upstream_completion),
                   &out);
      out += '}';
    }
  }
  out += '}';
  return out;
}

}  // namespace seekroute
