#include "wire/openai/usage_object.h"

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

#include "wire/json/json_writer.h"

namespace seekroute {
namespace {

struct Detail {
  JsonName name;
  std::optional<int64_t> count;
};

void WriteDetails(JsonName name, std::initializer_list<Detail> details, JsonWriter* json) {
  if (std::none_of(details.begin(), details.end(), [](const Detail& d) { return !!d.count; })) {
    return;
  }
  json->Key(name).Object();
  for (const Detail& detail : details) {
    if (detail.count) json->Key(detail.name).Integer(*detail.count);
  }
  json->End();
}

enum class Sides : uint8_t { kBoth, kPrompt };

void Write(const UsageReport& report, Sides sides, JsonWriter* json) {
  const Usage& usage = report.usage;
  const int64_t prompt = usage.prompt.value_or(0);
  const int64_t completion = usage.completion.value_or(0);
  json->Object();
  json->Key("prompt_tokens").Integer(prompt);
  if (sides == Sides::kBoth) json->Key("completion_tokens").Integer(completion);
  json->Key("total_tokens").Integer(usage.total.value_or(prompt + completion));
  WriteDetails("prompt_tokens_details",
               {{"cached_tokens", usage.cached},
                {"cache_write_tokens", usage.cache_write},
                {"audio_tokens", usage.audio_prompt},
                {"image_tokens", usage.image_prompt}},
               json);
  if (sides == Sides::kBoth) {
    WriteDetails("completion_tokens_details",
                 {{"reasoning_tokens", usage.reasoning},
                  {"audio_tokens", usage.audio_completion},
                  {"image_tokens", usage.image_completion},
                  {"accepted_prediction_tokens", usage.accepted_predictions},
                  {"rejected_prediction_tokens", usage.rejected_predictions}},
                 json);
  }
  if (report.reported) {
    json->Key("reported");
    Write({*report.reported, {}, {}}, sides, json);
  }
  if (report.cost) {
    const CostReport& cost = *report.cost;
    json->Key("cost").Usd(cost.cost);
    if (cost.details) {
      json->Key("cost_details").Object();
      json->Key("upstream_inference_cost").Usd(cost.upstream);
      json->Key("upstream_inference_prompt_cost").Usd(cost.upstream_prompt);
      json->Key("upstream_inference_completions_cost").Usd(cost.upstream_completion);
      json->End();
    }
  }
  json->End();
}

}  // namespace

void WriteUsage(const UsageReport& report, JsonWriter* json) { Write(report, Sides::kBoth, json); }

void WritePromptUsage(const UsageReport& report, JsonWriter* json) {
  Write(report, Sides::kPrompt, json);
}

std::string WriteUsage(const UsageReport& report) {
  std::string out;
  out.reserve(512);  // of all that there is
  JsonWriter json(&out);
  WriteUsage(report, &json);
  return out;
}

}  // namespace seekroute
