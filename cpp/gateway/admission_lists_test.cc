// The models that the operator lists: those that a virtual one stands for, and fallbacks.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "gateway/admission.h"
#include "gateway/sticky_table.h"
#include "routing/order.h"
#include "testing/admission_fixture.h"
#include "wire/protocols/protocols.h"

namespace seekroute {
namespace {

using testing::AdmitModels;

class AdmitLists : public AdmitModels {
 protected:
  AdmitLists() { snapshot_.routing.max_price_jump = 0; }

  // The first of many draws, counted by the model's id.
  std::map<std::string, int> Firsts(int draws) {
    std::map<std::string, int> firsts;
    for (int seed = 0; seed < draws; ++seed) {
      seed_ = SplitMix64(static_cast<uint64_t>(seed));
      const std::string ids = Models(R"("model":"team/any")");
      ++firsts[ids.substr(0, ids.find(' '))];
    }
    return firsts;
  }
};

TEST_F(AdmitLists, DrawTheModelsOfANameByWeight) {
  snapshot_.lists.virtual_models["team/any"] = {
      .members = {{"a/one", "", 3}, {"a/two", "", 1}, {"a/three", "", 0}}};
  std::map<std::string, int> firsts = Firsts(4000);
  EXPECT_NEAR(firsts["a/one"], 3000, 120);
  EXPECT_NEAR(firsts["a/two"], 1000, 120);
  EXPECT_EQ(firsts.size(), 2u);
  EXPECT_EQ(admission_.route.candidates.size(), 3u);
  EXPECT_EQ(admission_.route.strategy, "virtual");
  may_use_ = {"a/two"};
  EXPECT_EQ(Models(R"("model":"team/any")"), "a/two");
  may_use_ = {"a/none"};
  EXPECT_EQ(Models(R"("model":"team/any")"), "model_not_found model");
}

TEST_F(AdmitLists, TellTheChanceOfEachOfTheWholeRequest) {
  snapshot_.lists.virtual_models["team/any"] = {
      .members = {{"a/one", "", 3}, {"a/two", "", 1}, {"a/three", "", 0}}};
  for (seed_ = 1; seed_ < 20; ++seed_) {
    Models(R"("model":"team/any")");
    for (const Candidate& each : admission_.route.candidates) {
      const double chance = each.model->id == "a/one" ? 0.75 : each.model->id == "a/two" ? 0.25 : 0;
      EXPECT_DOUBLE_EQ(each.probability, chance) << each.model->id;
    }
  }
  may_use_ = {"a/two", "a/three"};
  EXPECT_EQ(Models(R"("model":"team/any")"), "a/two a/three");
  EXPECT_DOUBLE_EQ(admission_.route.candidates[0].probability, 1);
}

// A session keeps to the model that has answered it, whatever is drawn, while that serves.
TEST_F(AdmitLists, KeepASessionAtTheModelThatAnsweredIt) {
  class Views : public HealthReader {
   public:
    HealthView ViewOf(uint64_t id, TimePoint) const override {
      return id == out ? HealthView{.state = HealthState::kEjected} : HealthView();
    }
    uint64_t out = 0;
  };
  Catalog::Parts parts;
  for (uint64_t id = 1; id <= 2; ++id) {
    Model model{.id = id == 1 ? "a/one" : "a/two", .endpoints = {}};
    Rates rates;
    rates[PriceClass::kInput] = rates[PriceClass::kOutput] = {1'000'000};
    rates[PriceClass::kCacheRead] = {100'000};
    Endpoint endpoint{0, "up", PriceTable::Flat(rates)};
    endpoint.id = id;
    model.endpoints.push_back(std::move(endpoint));
    parts.names[model.id] = model.id;
    parts.models.push_back(std::move(model));
  }
  snapshot_.catalog = *Catalog::Make(std::move(parts));
  snapshot_.lists.virtual_models["team/any"] = {.members = {{"a/one"}, {"a/two"}}};
  Views health;
  StickyTable table{StickyRules()};
  const Secret salt("pepper");
  const KeyRing keys(Secret("pepper"));
  std::map<std::string, std::map<std::string, int>> firsts;  // by what the report says
  const auto ask = [&](uint64_t seed, const std::string& model = "team/any") {
    AdmissionRules rules{&keys, false, Origin::kInProcess, {}};
    rules.seed = SplitMix64(seed);
    rules.sticky = &table;
    rules.salt = &salt;
    rules.health = &health;
    admission_ = {};
    const std::string body = R"({"model":")" + model +
                             R"(","session_id":"s","messages":[{"role":"user","content":"Hi"}]})";
    ASSERT_TRUE(
        Admit(SurfaceOf(SurfaceId::kChat), body, std::nullopt, snapshot_, rules, &admission_).ok());
    const Route& route = admission_.route;
    EXPECT_EQ(admission_.model, route.candidates.front().model);
    ++firsts[std::string(route.sticky)][route.candidates.front().model->id];
  };
  for (uint64_t seed = 0; seed < 100; ++seed) ask(seed);
  EXPECT_EQ(firsts["miss"].size(), 2u);  // each is drawn
  table.Put(admission_.sticky, 2, TimePoint{});
  for (uint64_t seed = 0; seed < 100; ++seed) ask(seed);
  EXPECT_EQ(firsts["hit"], (std::map<std::string, int>{{"a/two", 100}}));
  ask(1, "team/any:nitro");
  EXPECT_EQ(firsts["hit"]["a/two"], 101);
  health.out = 2;
  for (uint64_t seed = 0; seed < 100; ++seed) ask(seed);
  EXPECT_EQ(firsts["yielded:ejected"].size(), 2u);
  EXPECT_EQ(firsts.size(), 3u);
}

TEST_F(AdmitLists, DrawTheModelsAnewInASimulation) {
  snapshot_.lists.virtual_models["team/any"] = {.members = {{"a/one", "", 3}, {"a/two", "", 1}}};
  simulate_ = 4000;
  Models(R"("model":"team/any")");
  ASSERT_EQ(admission_.first_places.size(), 2U);
  for (const Admission::FirstPlace& each : admission_.first_places) {
    EXPECT_NEAR(each.draws, each.model->id == "a/one" ? 3000 : 1000, 120);
  }
}

TEST_F(AdmitLists, AskAnEndpointThatIsListedTwiceOnce) {
  VirtualModel& named = snapshot_.lists.virtual_models["team/any"];
  named.strategy = VirtualModel::Strategy::kOrder;
  named.members = {{"a/three", "p"}, {"a/three"}, {"a/one"}};
  EXPECT_EQ(Models(R"("model":"team/any")"), "a/three a/one");
}

TEST_F(AdmitLists, LeaveNobodyOutForAFallbackThatIsNotAsked) {
  snapshot_.routing.max_price_jump = 3;
  Catalog::Parts parts;
  for (const char* const id : {"a/short", "a/dear"}) {
    Model model{.id = id, .endpoints = {}};
    const bool dear = model.id == "a/dear";
    Rates rates;
    rates[PriceClass::kOutput] = {uint64_t{dear ? 9'000'000U : 1'000'000U}};
    Endpoint endpoint{0, "up", PriceTable::Flat(rates)};
    endpoint.max_output = dear ? 0 : 100;
    endpoint.token_answer = true;
    model.endpoints.push_back(std::move(endpoint));
    parts.names[model.id] = model.id;
    parts.models.push_back(std::move(model));
  }
  snapshot_.catalog = *Catalog::Make(std::move(parts));
  snapshot_.lists.after_any["a/short"] = {"a/dear"};
  EXPECT_EQ(Models(R"("model":"a/short","max_tokens":101)"), "a/short");
  snapshot_.routing.max_price_jump = 0;
  EXPECT_EQ(Models(R"("model":"a/short","max_tokens":101)"), "a/dear");
}

TEST_F(AdmitLists, AskTheModelsOfANameAsListedOrByPrice) {
  VirtualModel& named = snapshot_.lists.virtual_models["team/any"];
  named.strategy = VirtualModel::Strategy::kOrder;
  named.members = {{"a/three"}, {"a/one"}, {"a/two", "q"}};
  EXPECT_EQ(Models(R"("model":"team/any")"), "a/three a/one");  // nobody serves the last at q
  named.strategy = VirtualModel::Strategy::kPrice;
  EXPECT_EQ(Models(R"("model":"team/any")"), "a/one a/three");
  EXPECT_EQ(admission_.route.candidates[0].name, admission_.route.candidates[1].name);
  EXPECT_EQ(admission_.route.sort, RouteSort::kPrice);
  // Among themselves, where they are not all that is asked.
  EXPECT_EQ(Models(R"("model":"team/any","models":["two"])"), "a/one a/three a/two");
  named.members = {{"a/two"}, {"a/one"}};
  EXPECT_EQ(Models(R"("model":"three","models":["team/any"])"), "a/three a/two a/one");
  EXPECT_EQ(admission_.route.sort, RouteSort::kDefault);
}

TEST_F(AdmitLists, AskTheModelsOfANameAsItsSuffixSays) {
  VirtualModel& named = snapshot_.lists.virtual_models["team/any"];
  named.strategy = VirtualModel::Strategy::kOrder;
  named.members = {{"a/three"}, {"a/one"}};
  // The suffix sorts the endpoints of each, and their order stays.
  EXPECT_EQ(Models(R"("model":"team/any:floor")"), "a/three a/one");
  EXPECT_EQ(admission_.route.sort, RouteSort::kPrice);
  EXPECT_EQ(admission_.route.strategy, "virtual");
  EXPECT_EQ(Models(R"("model":"team/any:nitro")"), "a/three a/one");
  EXPECT_EQ(admission_.route.sort, RouteSort::kThroughput);
  EXPECT_EQ(Models(R"("model":"team/any:free")"), "no_matching_endpoint model");
  EXPECT_EQ(Models(R"("model":"team/any:fast")"), "model_not_found model");
  EXPECT_EQ(Models(R"("model":"two","models":["team/any:free"])"), "a/two");
  EXPECT_EQ(Models(R"("model":"two","models":["team/any:floor"])"), "invalid_value models[0]");
  EXPECT_EQ(Models(R"("model":"two:floor","models":["team/any:floor"])"), "a/two a/three a/one");
  // A name of its own wins.
  snapshot_.lists.virtual_models["team/any:floor"] = {.members = {{"a/two"}}};
  EXPECT_EQ(Models(R"("model":"team/any:floor")"), "a/two");
}

TEST_F(AdmitLists, AskOperatorsModelsBehindThoseThatAreNamed) {
  snapshot_.lists.after_any["a/one"] = {"a/two", "a/one"};
  snapshot_.lists.after_any["a/two"] = {"a/three"};  // one level: not read for a fallback
  EXPECT_EQ(Models(R"("model":"one")"), "a/one a/two");
  EXPECT_NE(admission_.route.candidates[0].name, admission_.route.candidates[1].name);
  EXPECT_EQ(Models(R"("model":"one","models":["two"])"), "a/one a/two a/three");
  may_use_ = {"a/one"};
  EXPECT_EQ(Models(R"("model":"one")"), "a/one");
}

// Who asks for what costs nothing does not pay for a fallback.
TEST_F(AdmitLists, AskNoFallbackThatCostsMoneyBehindWhatIsFree) {
  Catalog::Parts parts;
  for (const char* const id : {"a/none", "a/paid", "a/gift"}) {
    Model model{.id = id, .endpoints = {}};
    Rates rates;
    rates[PriceClass::kOutput] = {model.id == "a/paid" ? uint64_t{1'000'000} : 0};
    model.endpoints.push_back({0, "up", PriceTable::Flat(rates)});
    parts.names[model.id] = model.id;
    parts.models.push_back(std::move(model));
  }
  snapshot_.catalog = *Catalog::Make(std::move(parts));
  snapshot_.lists.after_any["a/none"] = {"a/paid", "a/gift"};
  EXPECT_EQ(Models(R"("model":"a/none")"), "a/none a/paid a/gift");
  EXPECT_EQ(Models(R"("model":"a/none:free")"), "a/none a/gift");
}

// Its client wants no other endpoint than those that it names.
TEST_F(AdmitLists, AskNoFallbackOfTheOperatorsWhereTheClientForbidsFallbacks) {
  for (FallbackList* const list : {&snapshot_.lists.after_any, &snapshot_.lists.after_context}) {
    (*list)["a/one"] = {"a/two"};
    const std::string here = R"("provider":{"order":["p"],"allow_fallbacks":false})";
    EXPECT_EQ(Models(R"("model":"one",)" + here), "a/one");
    ASSERT_EQ(admission_.route.excluded.size(), 1u);
    EXPECT_EQ(admission_.route.excluded[0].reason, "fallback_off");
    // What it names itself is none.
    EXPECT_EQ(Models(R"("model":"one","models":["three"],)" + here), "a/one a/three");
    EXPECT_EQ(Models(R"("model":"one","provider":{"order":["p"]})"), "a/one a/two");
    EXPECT_EQ(Models(R"("model":"one","provider":{"max_price":{"completion":0.5},)"
                     R"("allow_fallbacks":false})"),
              "no_matching_endpoint model");
    list->clear();
  }
}

// Nor comes a model twice, or an endpoint that is left out.
TEST_F(AdmitLists, AskNoFallbackWhereAVirtualModelNamesItsProvider) {
  Catalog::Parts parts;
  for (const char* const id : {"a/one", "a/two"}) {
    Model model{.id = id, .endpoints = {}};
    for (const char* const tag : {"p", "q"}) {
      model.endpoints.push_back({0, "up", PriceTable::Flat(Rates{})});
      model.endpoints.back().tag = tag;
    }
    model.excluded = {{"off", "disabled"}, {"q", "no_key"}};
    parts.names[model.id] = model.id;
    parts.models.push_back(std::move(model));
  }
  snapshot_.catalog = *Catalog::Make(std::move(parts));
  VirtualModel& named = snapshot_.lists.virtual_models["team/any"];
  named.strategy = VirtualModel::Strategy::kOrder;
  named.members = {{"a/one"}, {"a/two", "q"}};
  snapshot_.lists.after_any["a/one"] = {"a/two"};
  EXPECT_EQ(Models(R"("model":"team/any")"), "a/one a/one a/two");
  EXPECT_EQ(admission_.route.candidates[2].endpoint->tag, "q");
  const auto left_out = [this] {
    std::vector<std::string> found;
    for (const OutOfRoute& each : admission_.route.excluded) {
      found.push_back(each.model->id + ' ' + std::string(each.provider));
    }
    return found;
  };
  EXPECT_EQ(left_out(), (std::vector<std::string>{"a/one off", "a/one q", "a/two q"}));
  // Named by the client as well, it is asked elsewhere behind that, and each is told of once.
  EXPECT_EQ(Models(R"("model":"team/any","models":["a/two"],"provider":{"ignore":["q"]})"),
            "a/one a/two");
  EXPECT_EQ(left_out(), (std::vector<std::string>{"a/one q", "a/one off", "a/one q", "a/two q",
                                                  "a/two q", "a/two off"}));
}

// The help is for what was asked for.
TEST_F(AdmitLists, TellThePriceOfTheModelThatIsAskedForAndNotOfItsFallback) {
  snapshot_.lists.after_any["a/three"] = {"a/one"};
  EXPECT_EQ(Models(R"("model":"three","provider":{"max_price":{"completion":0.5}})"),
            "no_matching_endpoint model");
  EXPECT_NE(message_.find("raise provider.max_price.completion to 9"), std::string::npos)
      << message_;
  // Where the fallback can be asked, that begins.
  EXPECT_EQ(Models(R"("model":"three","provider":{"max_price":{"completion":1}})"), "a/one");
}

TEST_F(AdmitLists, HoldFallbacksToThePriceOfTheFirst) {
  snapshot_.lists.after_any["a/one"] = {"a/three"};
  EXPECT_EQ(Models(R"("model":"one")"), "a/one a/three");
  EXPECT_FALSE(admission_.route.candidates[0].of_any_list);
  EXPECT_TRUE(admission_.route.candidates[1].of_any_list);
  EXPECT_EQ(Models(R"("model":"one","models":["three"])"), "a/one a/three");
  EXPECT_FALSE(admission_.route.candidates[1].of_any_list);
  snapshot_.routing.max_price_jump = 3;
  EXPECT_EQ(Models(R"("model":"one")"), "a/one");
}

TEST_F(AdmitLists, AskAModelOfSeveralListsAfterEach) {
  snapshot_.lists.after_any["a/one"] = {"a/two"};
  snapshot_.lists.after_context["a/one"] = {"a/two", "a/three"};
  snapshot_.lists.after_content_policy["a/one"] = {"a/three"};
  EXPECT_EQ(Models(R"("model":"one")"), "a/one a/two a/three");
  const std::vector<Candidate>& found = admission_.route.candidates;
  EXPECT_EQ(found[0].also_after, 0);
  EXPECT_TRUE(found[1].of_any_list);
  EXPECT_EQ(found[1].also_after, BitOf(AskedAfter::kContextTooLong));
  EXPECT_EQ(found[2].after, AskedAfter::kContextTooLong);
  EXPECT_EQ(found[2].also_after, BitOf(AskedAfter::kContentPolicy));
}

TEST_F(AdmitLists, KeepSomeForTheirFailureAlone) {
  snapshot_.lists.after_context["a/one"] = {"a/two"};
  snapshot_.lists.after_content_policy["a/one"] = {"a/three"};
  EXPECT_EQ(Models(R"("model":"one")"), "a/one a/two a/three");
  EXPECT_EQ(admission_.route.candidates[0].after, AskedAfter::kAny);
  EXPECT_EQ(admission_.route.candidates[1].after, AskedAfter::kContextTooLong);
  EXPECT_EQ(admission_.route.candidates[2].after, AskedAfter::kContentPolicy);
  // A ceiling that leaves nobody to begin with leaves nobody.
  EXPECT_EQ(Models(R"("model":"one","provider":{"max_price":{"completion":0.5}})"),
            "no_matching_endpoint model");
}

}  // namespace
}  // namespace seekroute
