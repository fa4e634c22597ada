#include "gateway/stats.h"

#include <gtest/gtest.h>

#include <map>

namespace seekroute {
namespace {

// "name{label=value,...}" -> value
std::map<std::string, double> Read(const Stats& stats) {
  std::map<std::string, double> read;
  for (const Sample& sample : stats.Samples()) {
    std::string series = sample.name + "{";
    for (const auto& [label, value] : sample.labels) series += label + "=" + value + ",";
    read[series + "}"] = sample.value;
  }
  return read;
}

ExchangeRecord Served() {
  ExchangeRecord row;
  row.status = 200;
  row.attempts = 1;
  row.provider = "p";
  row.model = "a/m";
  row.prompt_tokens = 10;
  row.completion_tokens = 5;
  row.cost = Money{1500};
  row.total = Duration::Milliseconds(3);
  row.overhead = Duration{60'000};
  return row;
}

TEST(StatsTest, CountsRequestsTokensAndCost) {
  Stats stats;
  stats.CountExchange("chat_completions", Served(), "");
  stats.CountExchange("chat_completions", Served(), "");
  auto read = Read(stats);
  EXPECT_EQ(read["seekroute_http_requests_total{route=chat_completions,method=POST,status=200,}"],
            2);
  EXPECT_EQ(read["seekroute_input_tokens_total{provider=p,model=a/m,}"], 20);
  EXPECT_DOUBLE_EQ(read["seekroute_cost_usd_total{provider=p,model=a/m,}"], 3e-6);
}

TEST(StatsTest, HistogramsAreCumulative) {
  Stats stats;
  stats.CountExchange("chat_completions", Served(), "");
  ExchangeRecord slow = Served();
  slow.overhead = Duration::Seconds(1000);
  stats.CountExchange("chat_completions", slow, "");
  auto read = Read(stats);
  EXPECT_EQ(read["seekroute_overhead_seconds_bucket{le=5e-05,}"], 0);
  EXPECT_EQ(read["seekroute_overhead_seconds_bucket{le=0.0001,}"], 1);
  EXPECT_EQ(read["seekroute_overhead_seconds_bucket{le=120,}"], 1);
  EXPECT_EQ(read["seekroute_overhead_seconds_bucket{le=+Inf,}"], 2);
  EXPECT_EQ(read["seekroute_overhead_seconds_count{}"], 2);
  EXPECT_NEAR(read["seekroute_overhead_seconds_sum{}"], 1000.00006, 1e-9);
}

TEST(StatsTest, RefusalsHaveNoProvider) {
  Stats stats;
  ExchangeRecord refused;
  refused.status = 401;
  stats.CountExchange("chat_completions", refused, "caller_invalid_api_key");
  auto read = Read(stats);
  EXPECT_EQ(read["seekroute_errors_total{error_type=caller_invalid_api_key,}"], 1);
  EXPECT_EQ(read.count("seekroute_input_tokens_total{provider=,model=,}"), 0u);
}

TEST(StatsTest, SeriesWithNeighbouringLabelsStayApart) {
  Stats stats;
  stats.CountFallback("a", "bc", "x");
  stats.CountFallback("ab", "c", "x");
  stats.CountAttempt("p", "m", 429, Duration{});
  stats.CountAttempt("p", "m", 200, Duration{});
  auto read = Read(stats);
  EXPECT_EQ(read["seekroute_fallbacks_total{from=a,to=bc,reason=x,}"], 1);
  EXPECT_EQ(read["seekroute_fallbacks_total{from=ab,to=c,reason=x,}"], 1);
  EXPECT_EQ(read["seekroute_upstream_requests_total{provider=p,model=m,status=429,}"], 1);
}

TEST(StatsTest, WhoIsNotConnectedIsNotCountedAsLeftOut) {
  Stats stats;
  const Model model{.id = "a/m", .endpoints = {{}}};
  stats.CountExcluded({{&model, "off", "no_key"}, {&model, "p", "zdr", model.endpoints.data()}});
  stats.CountExcluded("ejected");
  stats.CountExcluded("ejected");
  stats.CountRetry("overloaded");
  stats.CountRetryBudget();
  auto read = Read(stats);
  EXPECT_EQ(read.count("seekroute_excluded_total{word=no_key,}"), 0U);
  EXPECT_EQ(read["seekroute_excluded_total{word=zdr,}"], 1);
  EXPECT_EQ(read["seekroute_excluded_total{word=ejected,}"], 2);
  EXPECT_EQ(read["seekroute_retries_total{class=overloaded,}"], 1);
  EXPECT_EQ(read["seekroute_retry_budget_exhausted_total{}"], 1);
}

}  // namespace
}  // namespace seekroute
