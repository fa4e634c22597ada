#include "gateway/stats.h"

#include <cstdio>

namespace seekroute {
namespace {

// Money is counted in nano-USD and shown in USD: the one series that is scaled on the way out.
constexpr std::string_view kCost = "seekroute_cost_usd_total";

std::string Bound(double value) {
  std::array<char, 32> text{};
  const int size = std::snprintf(text.data(), text.size(), "%g", value);
  return std::string(text.data(), static_cast<size_t>(size));
}

}  // namespace

void Stats::Add(const char* name, Labels labels, uint64_t amount) {
  counters_[{name, std::move(labels)}] += amount;
}

void Stats::Observe(const char* name, Labels labels, Duration value) {
  Histogram& histogram = histograms_[{name, std::move(labels)}];
  const double seconds = static_cast<double>(value.ns) / 1e9;
  for (size_t i = 0; i < kBuckets.size(); ++i) {
    if (seconds <= kBuckets[i]) {
      ++histogram.counts[i];
      break;
    }
  }
  ++histogram.count;
  histogram.sum += seconds;
}

void Stats::CountExchange(const ExchangeRow& row, std::string_view error_type) {
  MutexLock lock(&mu_);
  Add("seekroute_http_requests_total",
      {{"route", "chat_completions"}, {"method", "POST"}, {"status", std::to_string(row.status)}},
      1);
  Observe("seekroute_http_request_duration_seconds", {{"route", "chat_completions"}}, row.total);
  if (!error_type.empty()) {
    Add("seekroute_errors_total", {{"error_type", std::string(error_type)}}, 1);
  }
  if (row.attempts == 0) return;
  Observe("seekroute_overhead_seconds", {}, row.overhead);
  const Labels served = {{"provider", row.provider}, {"model", row.model}};
  if (row.first_content.ns > 0) {
    Observe("seekroute_time_to_first_token_seconds", served, row.first_content);
  }
  Add("seekroute_input_tokens_total", served, static_cast<uint64_t>(row.prompt_tokens));
  Add("seekroute_output_tokens_total", served, static_cast<uint64_t>(row.completion_tokens));
  Add("seekroute_cache_read_tokens_total", served, static_cast<uint64_t>(row.cached_tokens));
  Add(kCost.data(), served, static_cast<uint64_t>(row.cost.nano));
}

void Stats::CountAttempt(std::string_view provider, std::string_view model, int status,
                         Duration latency) {
  MutexLock lock(&mu_);
  Add("seekroute_upstream_requests_total",
      {{"provider", std::string(provider)},
       {"model", std::string(model)},
       {"status", std::to_string(status)}},
      1);
  Observe("seekroute_upstream_latency_seconds", {{"provider", std::string(provider)}}, latency);
}

void Stats::CountFallback(std::string_view from, std::string_view to, std::string_view reason) {
  MutexLock lock(&mu_);
  Add("seekroute_fallbacks_total",
      {{"from", std::string(from)}, {"to", std::string(to)}, {"reason", std::string(reason)}}, 1);
}

std::vector<Sample> Stats::Samples() const {
  std::vector<Sample> samples;
  MutexLock lock(&mu_);
  for (const auto& [series, value] : counters_) {
    const double scale = series.first == kCost ? 1e-9 : 1;
    samples.push_back({series.first, series.second, static_cast<double>(value) * scale});
  }
  for (const auto& [series, histogram] : histograms_) {
    uint64_t running = 0;
    const auto bucket = [&, &labels = series.second, &name = series.first](std::string bound) {
      Labels with_bound = labels;
      with_bound.emplace_back("le", std::move(bound));
      samples.push_back({name + "_bucket", std::move(with_bound), static_cast<double>(running)});
    };
    for (size_t i = 0; i < kBuckets.size(); ++i) {
      running += histogram.counts[i];
      bucket(Bound(kBuckets[i]));
    }
    running = histogram.count;
    bucket("+Inf");
    samples.push_back({series.first + "_sum", series.second, histogram.sum});
    samples.push_back(
        {series.first + "_count", series.second, static_cast<double>(histogram.count)});
  }
  return samples;
}

}  // namespace seekroute
