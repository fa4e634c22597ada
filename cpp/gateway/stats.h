// Counters and histograms of a gateway, in Prometheus' terms.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/time.h"
#include "routing/route.h"
#include "store/store.h"

namespace seekroute {

// One line of an exposition. Histograms are given as their _bucket (with label le), _sum and
// _count.
struct Sample {
  std::string name;
  std::vector<std::pair<std::string, std::string>> labels;
  double value = 0;
};

// Thread-safe. Label values come from configuration and from the error table, never from clients,
// so the number of series is bounded.
class Stats {
 public:
  // A refused or ended exchange: status, error and times; tokens and cost where there are any.
  void CountExchange(std::string_view route, const ExchangeRecord& row,
                     std::string_view error_type);

  // One attempt: the provider's HTTP status, 0 when it gave none.
  void CountAttempt(std::string_view provider, std::string_view model, int status,
                    Duration latency);

  // A failure that is no client's answer: the store's, say.
  void CountError(std::string_view error_type);

  // A finished answer that did not wait for its settlement any longer.
  void CountLateSettle();

  // An answer that went on far beyond the length that its provider was told. It marks the endpoint
  // (seekroute_endpoint_ignores_cap) until one of its answers ends at its cap.
  void CountCapIgnored(std::string_view provider, std::string_view model);
  void NoteCapKept(std::string_view provider, std::string_view model);
  bool IgnoresCap(std::string_view provider, std::string_view model) const;

  // A second call beside a slow one: "won", "lost", or "skipped" where there was none to make.
  void CountHedge(std::string_view result);
  // A request that had to wait for room in its limits, however that ended.
  void CountQueueWait(Duration waited);
  // A failed attempt was followed by another one: with which key, where, and of what model is told
  // by the second, if it was another endpoint's.
  void CountRetry(std::string_view failure_class);

  // By the first word of Route::sticky; "off" is not counted.
  void CountSticky(std::string_view result);
  void CountFallback(std::string_view from, std::string_view to, std::string_view reason);

  // A call was not made again: too much of its provider's work is already.
  void CountRetryBudget();

  // An endpoint was not asked, or passed over: by its word (exclusion.h, Skip).
  void CountExcluded(std::string_view word);
  void CountExcluded(const std::vector<OutOfRoute>& excluded);

  std::vector<Sample> Samples() const;

 private:
  using Labels = std::vector<std::pair<std::string, std::string>>;
  using LabelViews = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  // From 50 microseconds: the gateway's own overhead is of that size.
  static constexpr std::array<double, 16> kBuckets = {
      0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
      0.05,    0.1,    0.25,    0.5,    1,     5,      30,    120};
  struct Counter {
    std::string name;
    Labels labels;
    uint64_t value = 0;
  };
  struct Histogram {
    std::string name;
    Labels labels;
    std::array<uint64_t, kBuckets.size()> counts{};
    uint64_t count = 0;
    double sum = 0;
  };

  static void PutKey(std::string_view name, LabelViews labels, std::string* key);

  // The series of that name and those labels, made at its first use. After that a request costs
  // no allocation: the key is put together in key_.
  template <typename Series>
  Series& Find(std::unordered_map<std::string, Series>& all, std::string_view name,
               LabelViews labels) SR_REQUIRES(mu_);
  void Add(std::string_view name, LabelViews labels, uint64_t amount) SR_REQUIRES(mu_);
  void Observe(std::string_view name, LabelViews labels, Duration value) SR_REQUIRES(mu_);

  mutable Mutex mu_;
  std::string key_ SR_GUARDED_BY(mu_);
  std::unordered_map<std::string, Counter> counters_ SR_GUARDED_BY(mu_);
  std::unordered_map<std::string, Histogram> histograms_ SR_GUARDED_BY(mu_);
};

}  // namespace seekroute
