#include "gateway/routing_report.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "testing/routes.h"

namespace seekroute {
namespace {

using testing::RouteTo;

Snapshot TwoProviders() {
  Snapshot snapshot;
  snapshot.providers.resize(2);
  snapshot.providers[0].id = "groq";
  snapshot.providers[1].id = "openai";
  return snapshot;
}

Model TwoEndpoints() {
  Model model;
  model.id = "openai/gpt-oss-120b";
  model.endpoints.resize(2);
  model.endpoints[0].upstream_model = "gpt-oss";
  model.endpoints[1].provider = 1;
  model.endpoints[1].upstream_model = "gpt-oss-120b";
  return model;
}

Route RouteBy(std::string_view strategy) {
  static const Model kModel = TwoEndpoints();
  Route route = RouteTo(kModel);
  route.strategy = strategy;
  return route;
}

TEST(RoutingReport, NamesCandidatesAttemptsAndWhatWasSelected) {
  ExchangeRecord row;
  row.requested_model = "gpt-oss-120b";
  row.model = "openai/gpt-oss-120b";
  row.provider = "openai";
  row.attempts = 2;
  row.tried = {{"groq", 429, "upstream_rate_limited", {}}, {"openai", 200, "", {}}};
  EXPECT_EQ(
      WriteRouting(Explain::kOpenRouter, row, RouteBy("alias"), TwoProviders(), 2),
      R"("openrouter_metadata":{"requested":"gpt-oss-120b","strategy":"alias","region":null,)"
      R"x("summary":"openai/gpt-oss-120b by openai, after groq (429)","attempt":2,"is_byok":false,)x"
      R"("endpoints":{"total":2,"available":[)"
      R"({"provider":"groq","model":"openai/gpt-oss-120b","selected":false},)"
      R"({"provider":"openai","model":"openai/gpt-oss-120b","selected":true}]},)"
      R"("attempts":[{"provider":"groq","model":"openai/gpt-oss-120b","status":429,)"
      R"("error":"upstream_rate_limited"},)"
      R"({"provider":"openai","model":"openai/gpt-oss-120b","status":200}]})");
}

TEST(RoutingReport, TellsAChoiceInAHeader) {
  AutoRoute chosen;
  chosen.strategy = AutoStrategy::kCost;
  EXPECT_EQ(WriteChoice(chosen, true), "");
  Model model;
  model.id = "openai/gpt-oss-120b";
  AutoVerdict verdict;
  verdict.offer.cost_pico = 4'120'000;
  verdict.quality = 0.71449F;
  verdict.chance = 0.9855;
  verdict.reason = AutoReason::kLastResort;
  chosen.models.push_back({&model, verdict});
  EXPECT_EQ(WriteChoice(chosen, true),
            R"(model="openai/gpt-oss-120b", quality=0.714, expected_usd="0.00000412", )"
            "reason=last_resort, propensity=0.986, strategy=cost");
  chosen.models.front().verdict.quality = 1;
  chosen.models.front().verdict.chance = 1;
  EXPECT_EQ(WriteChoice(chosen, false),
            R"(model="openai/gpt-oss-120b", quality=1, reason=last_resort, propensity=1, )"
            "strategy=cost");
}

TEST(RoutingReport, TellsHowTheOrderCameAbout) {
  Model model = TwoEndpoints();
  Rates rates;
  rates[PriceClass::kInput] = {250'000};
  rates[PriceClass::kOutput] = {1'000'000};
  for (Endpoint& each : model.endpoints) each.price = PriceTable::Flat(rates);
  model.endpoints[0].tag = "groq";
  model.endpoints[1].tag = "openai/fp8";
  Route route = RouteTo(model);
  route.seed = 42;
  route.candidates[0].probability = .25;
  route.candidates[0].expected_pico = 1'500'000;
  route.views.resize(2);
  route.views[0].state = HealthState::kDegraded;
  route.views[0].uptime = 995;
  route.views[0].ttft_ms.at[0] = 800;
  route.views[1].has_room = false;
  ExcludedSet dear;
  dear.Add(Excluded::kMaxPrice);
  route.excluded = {{&model, "dear", "max_price", model.endpoints.data(), dear}};
  route.more_excluded = 3;
  const std::string report = WriteRouting(Explain::kSeekroute, {}, route, TwoProviders(), 1);
  EXPECT_NE(report.find(R"("model":"openai/gpt-oss-120b","upstream_model":"gpt-oss",)"),
            std::string::npos);
  EXPECT_NE(report.find(R"("sort":"default","seed":42,"explored":false,)"), std::string::npos);
  EXPECT_NE(
      report.find(
          R"("candidates":[{"endpoint":"groq","model":"openai/gpt-oss-120b","group":0,)"
          R"("price_usd_per_m":{"in":0.25,"out":1},"expected_usd":0.0000015,"latency_ms":800,)"
          R"("throughput":null,"uptime_30m":0.995,"health":"degraded","weight":1,)"
          R"("probability":0.25,"excluded_by":null},{"endpoint":"openai/fp8",)"),
      std::string::npos)
      << report;
  EXPECT_NE(report.find(R"("excluded_by":"upstream_limit"},{"endpoint":"dear",)"
                        R"("model":"openai/gpt-oss-120b","excluded_by":"max_price",)"
                        R"("detail":"costs more than provider.max_price"}],"more_excluded":3,)"),
            std::string::npos)
      << report;
}

TEST(RoutingReport, TheOneThatLostAgainstAHedgeHasNotFailed) {
  ExchangeRecord row;
  row.model = "a/m";
  row.provider = "quick";
  row.tried = {{"down", 500, "upstream_error", {}},
               {"slow", 0, std::string(kHedgeLost), {}},
               {"quick", 200, "", {}}};
  const std::string report =
      WriteRouting(Explain::kSeekroute, row, RouteBy("auto"), TwoProviders(), 2);
  EXPECT_NE(report.find(R"("summary":"a/m by quick, after down (500), quicker than slow")"),
            std::string::npos)
      << report;
}

TEST(RoutingReport, IsCalledAsOpenRouterCallsItWhereThatIsAsked) {
  const std::string report =
      WriteRouting(Explain::kOpenRouter, {}, RouteBy("auto"), TwoProviders(), 0);
  EXPECT_EQ(report.rfind(R"("openrouter_metadata":{)", 0), 0U);
  EXPECT_NE(report.find(R"("strategy":"auto")"), std::string::npos);
  EXPECT_NE(report.find(R"("attempts":[])"), std::string::npos);
}

Route TaggedRoute(const Model& model) {
  Route route = RouteTo(model);
  route.strategy = "direct";
  route.seed = 7;
  return route;
}

TEST(RoutingReport, WhatARowKeepsTellsWhoWasLeftOutAndPassedOver) {
  Model model = TwoEndpoints();
  model.endpoints[0].tag = "groq";
  model.endpoints[1].tag = "openai/fp8";
  Route route = TaggedRoute(model);
  EXPECT_FALSE(HasLeftOut(route, {}));
  route.excluded = {{&model, "off", "no_key"}};
  EXPECT_FALSE(HasLeftOut(route, {}));  // it is so for every request
  const std::vector<Skip> skipped = {Skip::kEjected, Skip::kNone};
  EXPECT_TRUE(HasLeftOut(route, skipped));
  ExcludedSet dear;
  dear.Add(Excluded::kMaxPrice);
  route.excluded.push_back({&model, "dear", "max_price", model.endpoints.data(), dear});
  EXPECT_TRUE(HasLeftOut(route, {}));
  EXPECT_EQ(
      WriteStoredRouting(route, skipped),
      R"({"strategy":"direct","sort":"default","seed":7,"explored":false,"sticky":"off",)"
      R"("candidates":[)"
      R"({"endpoint":"groq","model":"openai/gpt-oss-120b","expected_usd":0,"probability":1,)"
      R"("excluded_by":"ejected","detail":"failed just now"},)"
      R"({"endpoint":"openai/fp8","model":"openai/gpt-oss-120b","expected_usd":0,)"
      R"("probability":0,"excluded_by":null}],"excluded":[)"
      R"({"endpoint":"off","model":"openai/gpt-oss-120b","excluded_by":"no_key",)"
      R"("detail":"is not connected in this gateway"},)"
      R"({"endpoint":"dear","model":"openai/gpt-oss-120b","excluded_by":"max_price",)"
      R"("detail":"costs more than provider.max_price"}],"more_candidates":0,"more_excluded":0})");
}

TEST(RoutingReport, WhatARowKeepsTellsHowLongTheRequestWaited) {
  const Model model = TwoEndpoints();
  const Route route = TaggedRoute(model);
  EXPECT_EQ(WriteStoredRouting(route, {}).find("queued_ms"), std::string::npos);
  const std::string report = WriteStoredRouting(route, {}, Duration::Milliseconds(1200));
  EXPECT_NE(report.find(R"("more_excluded":0,"queued_ms":1200})"), std::string::npos) << report;
}

TEST(RoutingReport, WhatARowKeepsIsBounded) {
  Model model = TwoEndpoints();
  model.id = "author/" + std::string(500, 'm');
  for (Endpoint& each : model.endpoints) each.tag = std::string(200, 't');
  Route route = TaggedRoute(model);
  const Candidate one = route.candidates.front();
  for (const size_t count : {size_t{1}, size_t{8}, size_t{64}}) {
    route.candidates.assign(count, one);
    const std::string report = WriteStoredRouting(route, {});
    EXPECT_LE(report.size(), kMaxStoredRouting);
    EXPECT_TRUE(CheckJson(report).ok());
  }
  EXPECT_NE(WriteStoredRouting(route, {}).find(R"("more_candidates":60)"), std::string::npos);
}

TEST(RoutingReport, SaysWhichEndpointIgnoredItsCap) {
  Stats stats;
  const auto report = [&stats](Explain how) {
    return WriteRouting(how, {}, RouteBy("alias"), TwoProviders(), 1, {}, &stats);
  };
  constexpr std::string_view kMark = R"("selected":false,"ignores_cap":true})";
  EXPECT_EQ(report(Explain::kSeekroute).find("ignores_cap"), std::string::npos);
  stats.CountCapIgnored("openai", "openai/gpt-oss-120b");
  EXPECT_NE(report(Explain::kSeekroute).find(kMark), std::string::npos);
  EXPECT_EQ(report(Explain::kOpenRouter).find("ignores_cap"), std::string::npos);
  stats.NoteCapKept("openai", "openai/gpt-oss-120b");
  EXPECT_EQ(report(Explain::kSeekroute).find("ignores_cap"), std::string::npos);
}

}  // namespace
}  // namespace seekroute
