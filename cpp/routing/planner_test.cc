#include "routing/planner.h"

#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <string>
#include <vector>

#include "wire/openai/parsed_chat.h"

namespace seekroute {
namespace {

Model ModelOf(std::string id, std::initializer_list<uint32_t> providers) {
  Model model;
  model.id = std::move(id);
  for (const uint32_t provider : providers) {
    model.endpoints.push_back({provider, "up", PriceTable::Flat(Rates{})});
  }
  return model;
}

std::vector<std::string> Names(const Route& route) {
  std::vector<std::string> names;
  for (const Candidate& each : route.candidates) {
    names.push_back(each.model->id + " at " + std::to_string(each.endpoint->provider));
  }
  return names;
}

TEST(PlanRoute, TakesTheEndpointsOfEachModelInOrder) {
  Model first = ModelOf("a/first", {3, 1});
  first.excluded = {{"off", "no_key"}};
  const Model second = ModelOf("a/second", {2});
  const Result<Route> route = PlanRoute({{&first, &second}}, ParsedChat());
  ASSERT_TRUE(route.has_value());
  EXPECT_EQ(Names(*route),
            (std::vector<std::string>{"a/first at 3", "a/first at 1", "a/second at 2"}));
  ASSERT_EQ(route->excluded.size(), 1u);
  EXPECT_EQ(route->excluded[0].model, &first);
  EXPECT_EQ(route->excluded[0].provider, "off");
  EXPECT_EQ(route->excluded[0].reason, "no_key");
}

TEST(PlanRoute, FailsWhereNobodyServesAnyOfTheModels) {
  const Model unserved = ModelOf("a/unserved", {});
  const Result<Route> route = PlanRoute({{&unserved, &unserved}}, ParsedChat());
  ASSERT_FALSE(route.has_value());
  EXPECT_EQ(route.error().code, ErrorCode::kNoMatchingEndpoint);
  EXPECT_EQ(route.error().param, "model");
  EXPECT_NE(route.error().message.find("'a/unserved'"), std::string::npos);
  const Model served = ModelOf("a/served", {0});
  EXPECT_EQ(Names(*PlanRoute({{&unserved, &served}}, ParsedChat())),
            (std::vector<std::string>{"a/served at 0"}));
}

// A model with very many endpoints does not hide those behind it.
TEST(PlanRoute, SharesItsRoomAmongTheModels) {
  Model many = ModelOf("a/many", {}), some = ModelOf("a/some", {}), few = ModelOf("a/few", {1, 2});
  const auto fill = [](Model* model, uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) {
      Rates rates;
      rates[PriceClass::kOutput] = {1'000'000 + i};
      model->endpoints.push_back({static_cast<uint32_t>(i), "up", PriceTable::Flat(rates)});
    }
  };
  fill(&many, 100);
  fill(&some, 30);
  const PlannedModel models[] = {{&many}, {&some}, {&few}};
  const ParsedChat request;
  PlanInputs inputs{.models = models, .request = &request};
  inputs.preferences.sort = RouteSort::kPrice;
  const Route route = *PlanRoute(inputs);
  std::map<const Model*, size_t> counts;
  for (const Candidate& each : route.candidates) {
    const size_t number = counts[each.model]++;
    if (each.model != &few) {
      EXPECT_EQ(each.endpoint->provider, number);  // its cheapest
    }
  }
  EXPECT_EQ(route.candidates.size(), Route::kMostCandidates);
  EXPECT_EQ(counts[&few], 2u);
  EXPECT_EQ(counts[&some], 21u);
  EXPECT_EQ(counts[&many], 41u);
  EXPECT_EQ(route.candidates.front().model, &many);
  EXPECT_EQ(route.candidates.back().model, &few);
}

// By id; the others are well.
class OneIsOut : public HealthReader {
 public:
  HealthView ViewOf(uint64_t id, TimePoint /*now*/) const override {
    return id == out ? view : HealthView();
  }
  uint64_t out = 0;
  HealthView view;
};

TEST(PlanRoute, WithoutFallbacksKeepsTheFirstThatIsInService) {
  Model model = ModelOf("a/m", {0, 1});
  for (Endpoint& each : model.endpoints) each.id = 10 + each.provider;
  AskedRoute asked;
  asked.allow_fallbacks = false;
  const PlannedModel planned{&model};
  const ParsedChat request;
  OneIsOut health;
  PlanInputs inputs{.models = std::span(&planned, 1), .request = &request};
  inputs.preferences.asked = &asked;
  inputs.rules.balance = Balance::kListed;
  inputs.health = &health;
  const auto kept = [&] { return Names(*PlanRoute(inputs)); };
  const std::vector<std::string> first{"a/m at 0"}, second{"a/m at 1"};
  EXPECT_EQ(kept(), first);
  health.out = 10;
  for (const HealthState state :
       {HealthState::kEjected, HealthState::kHalfOpen, HealthState::kOut}) {
    health.view = {.state = state};
    EXPECT_EQ(kept(), second);
  }
  health.view = {.has_live_key = false};
  EXPECT_EQ(kept(), second);
  health.view = {.has_room = false};
  EXPECT_EQ(kept(), second);
  model.endpoints.pop_back();  // it is the only one
  EXPECT_EQ(kept(), first);
}

TEST(PlanRoute, PassesOverWhoLacksWhatTheRequestNeeds) {
  Model model = ModelOf("a/m", {0, 1});
  SetDialect(DialectId::kOpenAiImages, &model.endpoints[0]);
  ParsedChat request;
  request.ask.needs = Need::kChat;
  EXPECT_EQ(Names(*PlanRoute({{&model}}, request)),
            (std::vector<std::string>{"a/m at 0", "a/m at 1"}));
  request.ask.needs.Add(Need::kNoPromptText);
  EXPECT_EQ(Names(*PlanRoute({{&model}}, request)), (std::vector<std::string>{"a/m at 1"}));
  SetDialect(DialectId::kOpenAiImages, &model.endpoints[1]);
  const Result<Route> refused = PlanRoute({{&model}}, request);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidValue);
  EXPECT_EQ(refused.error().param, "messages");
  EXPECT_EQ(refused.error().message, "expected text in the last user message, to draw from");
  request.ask.needs = NeedSet(Need::kChat) | Need::kOddPromptText;
  EXPECT_EQ(PlanRoute({{&model}}, request).error().code, ErrorCode::kInvalidUnicode);
}

TEST(PlanRoute, SaysWhereAModelOfAnotherKindIsAsked) {
  Model chats = ModelOf("a/chats", {0});
  SetDialect(DialectId::kOpenAiChat, &chats.endpoints[0]);
  Model embeds = ModelOf("a/embeds", {0});
  SetDialect(DialectId::kOpenAiEmbeddings, &embeds.endpoints[0]);
  ParsedChat request;
  const auto refusal = [&request](const Model& model, Need need) {
    request.ask.needs = need;
    const Result<Route> refused = PlanRoute({{&model}}, request);
    EXPECT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::kNoMatchingEndpoint);
    EXPECT_EQ(refused.error().param, "model");
    return refused.error().message;
  };
  EXPECT_EQ(refusal(embeds, Need::kChat),
            "the model 'a/embeds' makes embeddings: it is asked at POST /v1/embeddings");
  EXPECT_EQ(refusal(chats, Need::kEmbedding),
            "the model 'a/chats' makes no embeddings: it is asked at POST /v1/chat/completions");
  SetDialect(DialectId::kOpenAiImages, &chats.endpoints[0]);
  EXPECT_NE(refusal(chats, Need::kEmbedding), "");
  request.ask.needs = Need::kEmbedding;
  EXPECT_EQ(Names(*PlanRoute({{&chats, &embeds}}, request)),
            (std::vector<std::string>{"a/embeds at 0"}));
}

// A batch of texts is as long as it likes: each of them fits, or does not.
TEST(Candidate, HasAContextForEachTextWhereEndpointsGiveThemOne) {
  Model model = ModelOf("a/embeds", {0, 1, 2, 3});
  model.context = 8192;
  model.endpoints[1].context = 4096;
  for (Endpoint& each : model.endpoints) SetDialect(DialectId::kOpenAiEmbeddings, &each);
  SetDialect(DialectId::kOpenAiChat, &model.endpoints[2]);
  model.endpoints[3].context = std::numeric_limits<int64_t>::max() / 2;
  ParsedChat request;
  request.ask.inputs = 3;
  const Route route = *PlanRoute({{&model}}, request);
  EXPECT_EQ(route.candidates[0].context(), 3 * 8192);
  EXPECT_EQ(route.candidates[1].context(), 3 * 4096);
  EXPECT_EQ(route.candidates[2].context(), 8192);  // which all of them share
  EXPECT_EQ(route.candidates[3].context(), std::numeric_limits<int64_t>::max());
  model.context = 0;  // unknown
  EXPECT_EQ(PlanRoute({{&model}}, request)->candidates[0].context(), 0);
}

// What an endpoint does not say of itself is its own model's.
TEST(Candidate, HasTheBoundsOfItsOwnModel) {
  Model first = ModelOf("a/first", {0});
  first.context = 1000;
  first.max_output = 100;
  Model second = ModelOf("a/second", {0});
  second.context = 2000;
  second.endpoints[0].max_output = 7;
  const Route route = *PlanRoute({{&first, &second}}, ParsedChat());
  EXPECT_EQ(route.candidates[0].context(), 1000);
  EXPECT_EQ(route.candidates[0].max_output(), 100);
  EXPECT_EQ(route.candidates[1].context(), 2000);
  EXPECT_EQ(route.candidates[1].max_output(), 7);
}

}  // namespace
}  // namespace seekroute
