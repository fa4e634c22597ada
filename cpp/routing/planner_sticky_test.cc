#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "routing/planner.h"
#include "wire/openai/parsed_chat.h"

namespace seekroute {
namespace {

// A model at four endpoints, with ids from 1; the first is the cheapest and the last the dearest.
class PlannerStickyTest : public ::testing::Test, public HealthReader {
 protected:
  PlannerStickyTest() {
    for (uint64_t id = 1; id <= 4; ++id) {
      Rates rates;
      rates[PriceClass::kInput] = rates[PriceClass::kOutput] = Rate{1'000'000 * id};
      Endpoint& endpoint = model_.endpoints.emplace_back();
      endpoint.provider = static_cast<uint32_t>(id);
      endpoint.price = PriceTable::Flat(rates);
      endpoint.id = id;
      endpoint.tag = "p" + std::to_string(id);
    }
    model_.id = "a/m";
  }

  HealthView ViewOf(uint64_t id, TimePoint) const override {
    const auto found = views_.find(id);
    return found != views_.end() ? found->second : HealthView();
  }

  Route Plan(uint64_t sticky) {
    std::vector<PlannedModel> models = {{&model_}};
    PlanInputs inputs;
    inputs.models = models;
    inputs.request = &request_;
    inputs.preferences = preferences_;
    inputs.rules = rules_;
    inputs.health = this;
    inputs.seed = seed_++;
    inputs.sticky = sticky;
    inputs.sticky_at = answered_at_;
    return *PlanRoute(inputs);
  }
  static uint64_t First(const Route& route) { return route.candidates.front().endpoint->id; }

  Model model_;
  ParsedChat request_;
  Preferences preferences_;
  RoutingRules rules_;
  std::map<uint64_t, HealthView> views_;
  uint64_t seed_ = 1;
  TimePoint answered_at_{50};
};

TEST_F(PlannerStickyTest, WhoseCacheKnowsThePromptGoesFirstAndTheOthersFollow) {
  for (int i = 0; i < 200; ++i) {
    const Route route = Plan(4);
    EXPECT_EQ(First(route), 4u);
    EXPECT_EQ(route.sticky, "hit");
    EXPECT_FALSE(route.explored);
    EXPECT_EQ(route.candidates.size(), 4u);
  }
  EXPECT_EQ(Plan(0).sticky, "off");
}

TEST_F(PlannerStickyTest, WhoCannotServeGivesWay) {
  using enum HealthState;
  for (const auto& [state, word] : {std::pair{kDegraded, "yielded:degraded"},
                                    {kEjected, "yielded:ejected"},
                                    {kHalfOpen, "yielded:ejected"},
                                    {kOut, "yielded:out_until"}}) {
    views_[2].state = state;
    EXPECT_EQ(Plan(2).sticky, word);
  }
  views_[2] = {};
  views_[2].has_live_key = false;
  EXPECT_EQ(Plan(2).sticky, "yielded:dead_key");
  views_[2] = {};
  views_[2].has_room = false;
  EXPECT_EQ(Plan(2).sticky, "yielded:upstream_limit");
}

// Its cache is cold, and it is to come back slowly.
TEST_F(PlannerStickyTest, WhatWasAnsweredBeforeAnEjectionIsForgotten) {
  views_[4].state = HealthState::kSlowStart;
  views_[4].slow_start = .5F;
  views_[4].ejected_at = TimePoint{100};
  answered_at_ = TimePoint{99};
  EXPECT_EQ(Plan(4).sticky, "miss");
  int first = 0;
  for (int i = 0; i < 200; ++i) first += First(Plan(4)) == 4 ? 1 : 0;
  EXPECT_LT(first, 40);
  views_[4] = {};
  views_[4].ejected_at = TimePoint{100};  // long ago
  EXPECT_EQ(Plan(4).sticky, "miss");
  answered_at_ = TimePoint{101};
  views_[4].state = HealthState::kSlowStart;
  EXPECT_EQ(Plan(4).sticky, "hit") << "it has answered since it is back";
  EXPECT_EQ(First(Plan(4)), 4u);
}

TEST_F(PlannerStickyTest, WhoIsNotInTheRouteIsNotAsked) {
  EXPECT_EQ(Plan(9).sticky, "yielded:gone");
  rules_.max_price_jump = 3;  // it costs more than three times the cheapest
  const Route route = Plan(4);
  EXPECT_EQ(route.sticky, "yielded:gone");
  EXPECT_EQ(route.candidates.size(), 3u);
}

TEST_F(PlannerStickyTest, TheClientsOwnOrderCounts) {
  auto asked = std::make_shared<AskedRoute>();
  asked->order = {"p3", "p1"};
  asked->has_order = true;
  request_.ask.route = asked;
  preferences_.asked = asked.get();
  const Route route = Plan(2);
  EXPECT_EQ(route.sticky, "yielded:order");
  EXPECT_EQ(First(route), 3u);
}

TEST_F(PlannerStickyTest, ItComesBeforeASort) {
  preferences_.sort = RouteSort::kPrice;
  EXPECT_EQ(First(Plan(0)), 1u);
  EXPECT_EQ(First(Plan(3)), 3u);
}

}  // namespace
}  // namespace seekroute
