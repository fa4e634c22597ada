#include "gateway/health_samples.h"

#include <array>
#include <string>
#include <utility>

namespace seekroute {
namespace {

using Labels = std::vector<std::pair<std::string, std::string>>;

constexpr std::array<const char*, kPercentileCount> kQuantiles = {"0.5", "0.75", "0.9", "0.99"};
constexpr std::array<const char*, 3> kResults = {"ok", "failed", "unsaid"};

Labels With(Labels labels, const char* name, std::string value) {
  labels.emplace_back(name, std::move(value));
  return labels;
}

}  // namespace

void AddHealthSamples(const std::vector<HealthRow>& rows, std::vector<Sample>* samples) {
  const auto add = [samples](const char* name, Labels labels, double value) {
    samples->push_back({name, std::move(labels), value});
  };
  for (const HealthRow& row : rows) {
    if (row.is_key) {
      const Labels key = {{"provider", row.provider}, {"key", row.key}};
      add("seekroute_provider_key_state", With(key, "state", std::string(row.shown())), 1);
      continue;
    }
    const Labels labels = {{"provider", row.provider},
                           {"model", row.model},
                           {"upstream_model", row.upstream_model},
                           {"endpoint", row.tag}};
    add("seekroute_endpoint_state", With(labels, "state", std::string(row.shown())), 1);
    add("seekroute_endpoint_inflight", labels, row.in_flight);
    add("seekroute_endpoint_out_until_seconds", labels, row.retry_in.ms() / 1000);
    if (row.uptime_30m >= 0) add("seekroute_endpoint_uptime_ratio", labels, row.uptime_30m);
    for (size_t i = 0; i < kPercentileCount; ++i) {
      const Labels quantile = With(labels, "quantile", kQuantiles[i]);
      if (row.ttft_ms.known()) {
        add("seekroute_endpoint_ttft_seconds", quantile, row.ttft_ms.at[i] / 1000.0);
      }
      if (row.tokens_per_second.known()) {
        add("seekroute_endpoint_throughput", quantile, row.tokens_per_second.at[i]);
      }
    }
    for (size_t i = 1; i < kEjectedForCount; ++i) {
      add("seekroute_ejections_total",
          With(labels, "reason", std::string(NameOf(static_cast<EjectedFor>(i)))),
          static_cast<double>(row.ejections[i]));
    }
    for (size_t i = 0; i < kResults.size(); ++i) {
      add("seekroute_probes_total", With(labels, "result", kResults[i]),
          static_cast<double>(row.probes[i]));
    }
  }
}

}  // namespace seekroute
