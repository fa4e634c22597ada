#include "gateway/stats.h"

#include <algorithm>
#include <cstdio>

namespace seekroute {
namespace {

// Money is counted in nano-USD and shown in USD: the one series that is scaled on the way out.
constexpr std::string_view kCost = "seekroute_cost_usd_total";

constexpr std::string_view kIgnoresCap = "seekroute_endpoint_ignores_cap";  // 0 or 1

constexpr std::string_view kExcluded = "seekroute_excluded_total";

std::string Bound(double value) {
  std::array<char, 32> text{};
  const int size = std::snprintf(text.data(), text.size(), "%g", value);
  return std::string(text.data(), static_cast<size_t>(size));
}

}  // namespace

void Stats::PutKey(std::string_view name, LabelViews labels, std::string* key) {
  *key = name;
  for (const auto& [label, value] : labels) {
    // NUL stands in no label's value: they come from configuration and tables.
    *key += '\0';
    *key += label;
    *key += '\0';
    *key += value;
  }
}

template <typename Series>
Series& Stats::Find(std::unordered_map<std::string, Series>& all, std::string_view name,
                    LabelViews labels) {
  PutKey(name, labels, &key_);
  const auto [found, added] = all.try_emplace(key_);
  if (added) {
    found->second.name = name;
    for (const auto& [label, value] : labels) found->second.labels.emplace_back(label, value);
  }
  return found->second;
}

void Stats::Add(std::string_view name, LabelViews labels, uint64_t amount) {
  Find(counters_, name, labels).value += amount;
}

void Stats::Observe(std::string_view name, LabelViews labels, Duration value) {
  Histogram& histogram = Find(histograms_, name, labels);
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

void Stats::CountExchange(std::string_view route, const ExchangeRecord& row,
                          std::string_view error_type) {
  const std::string status = std::to_string(row.status);
  MutexLock lock(&mu_);
  Add("seekroute_http_requests_total", {{"route", route}, {"method", "POST"}, {"status", status}},
      1);
  Observe("seekroute_http_request_duration_seconds", {{"route", route}}, row.total);
  if (!error_type.empty()) Add("seekroute_errors_total", {{"error_type", error_type}}, 1);
  if (row.attempts == 0) return;
  Observe("seekroute_overhead_seconds", {}, row.overhead);
  const LabelViews served = {{"provider", row.provider}, {"model", row.model}};
  if (row.first_content.ns > 0) {
    Observe("seekroute_time_to_first_token_seconds", served, row.first_content);
  }
  Add("seekroute_input_tokens_total", served, static_cast<uint64_t>(row.prompt_tokens));
  Add("seekroute_output_tokens_total", served, static_cast<uint64_t>(row.completion_tokens));
  Add("seekroute_cache_read_tokens_total", served, static_cast<uint64_t>(row.cached_tokens));
  Add(kCost, served, static_cast<uint64_t>(row.cost.nano));
}

void Stats::CountAttempt(std::string_view provider, std::string_view model, int status,
                         Duration latency) {
  const std::string text = std::to_string(status);
  MutexLock lock(&mu_);
  Add("seekroute_upstream_requests_total",
      {{"provider", provider}, {"model", model}, {"status", text}}, 1);
  Observe("seekroute_upstream_latency_seconds", {{"provider", provider}}, latency);
}

void Stats::CountError(std::string_view error_type) {
  MutexLock lock(&mu_);
  Add("seekroute_errors_total", {{"error_type", error_type}}, 1);
}

void Stats::CountLateSettle() {
  MutexLock lock(&mu_);
  Add("seekroute_settle_late_total", {}, 1);
}

void Stats::CountCapIgnored(std::string_view provider, std::string_view model) {
  const LabelViews endpoint = {{"provider", provider}, {"model", model}};
  MutexLock lock(&mu_);
  Add("seekroute_cap_ignored_total", endpoint, 1);
  Find(counters_, kIgnoresCap, endpoint).value = 1;
}

void Stats::NoteCapKept(std::string_view provider, std::string_view model) {
  MutexLock lock(&mu_);
  Find(counters_, kIgnoresCap, {{"provider", provider}, {"model", model}}).value = 0;
}

bool Stats::IgnoresCap(std::string_view provider, std::string_view model) const {
  std::string key;
  PutKey(kIgnoresCap, {{"provider", provider}, {"model", model}}, &key);
  MutexLock lock(&mu_);
  const auto found = counters_.find(key);
  return found != counters_.end() && found->second.value != 0;
}

void Stats::CountQueueWait(Duration waited) {
  MutexLock lock(&mu_);
  Observe("seekroute_queue_wait_seconds", {}, waited);
}

void Stats::CountFallback(std::string_view from, std::string_view to, std::string_view reason) {
  MutexLock lock(&mu_);
  Add("seekroute_fallbacks_total", {{"from", from}, {"to", to}, {"reason", reason}}, 1);
}

void Stats::CountSticky(std::string_view result) {
  if (result == "off") return;
  MutexLock lock(&mu_);
  Add("seekroute_sticky_total", {{"result", result.substr(0, result.find(':'))}}, 1);
}

void Stats::CountHedge(std::string_view result) {
  MutexLock lock(&mu_);
  Add("seekroute_hedges_total", {{"result", result}}, 1);
}

void Stats::CountRetry(std::string_view failure_class) {
  MutexLock lock(&mu_);
  Add("seekroute_retries_total", {{"class", failure_class}}, 1);
}

void Stats::CountRetryBudget() {
  MutexLock lock(&mu_);
  Add("seekroute_retry_budget_exhausted_total", {}, 1);
}

void Stats::CountExcluded(std::string_view word) {
  MutexLock lock(&mu_);
  Add(kExcluded, {{"word", word}}, 1);
}

// But for providers that are not connected: they are left out of every request alike.
void Stats::CountExcluded(const std::vector<OutOfRoute>& excluded) {
  const auto counts = [](const OutOfRoute& each) { return each.endpoint != nullptr; };
  if (std::ranges::none_of(excluded, counts)) return;
  MutexLock lock(&mu_);
  for (const OutOfRoute& each : excluded) {
    if (counts(each)) Add(kExcluded, {{"word", each.reason}}, 1);
  }
}

std::vector<Sample> Stats::Samples() const {
  std::vector<Sample> samples;
  {
    MutexLock lock(&mu_);
    for (const auto& [key, counter] : counters_) {
      const double scale = counter.name == kCost ? 1e-9 : 1;
      samples.push_back({counter.name, counter.labels, static_cast<double>(counter.value) * scale});
    }
    for (const auto& entry : histograms_) {
      const Histogram& histogram = entry.second;
      uint64_t running = 0;
      const auto bucket = [&](std::string bound) {
        Labels with_bound = histogram.labels;
        with_bound.emplace_back("le", std::move(bound));
        samples.push_back(
            {histogram.name + "_bucket", std::move(with_bound), static_cast<double>(running)});
      };
      for (size_t i = 0; i < kBuckets.size(); ++i) {
        running += histogram.counts[i];
        bucket(Bound(kBuckets[i]));
      }
      running = histogram.count;
      bucket("+Inf");
      samples.push_back({histogram.name + "_sum", histogram.labels, histogram.sum});
      samples.push_back(
          {histogram.name + "_count", histogram.labels, static_cast<double>(histogram.count)});
    }
  }
  // Families together; within a histogram's series the buckets keep their order.
  std::stable_sort(samples.begin(), samples.end(),
                   [](const Sample& a, const Sample& b) { return a.name < b.name; });
  return samples;
}

}  // namespace seekroute
