#include "gateway/admission.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gateway/sticky_table.h"
#include "routing/order.h"
#include "wire/protocols/protocols.h"

namespace seekroute {
namespace {

Snapshot OneModel() {
  Snapshot snapshot;
  snapshot.profiles.emplace("seekroute", Profile());
  snapshot.default_profile = "seekroute";
  Model model{.id = "a/m", .endpoints = {}};
  model.endpoints.push_back({0, "up", PriceTable::Flat({})});
  Catalog::Parts parts;
  parts.models.push_back(std::move(model));
  parts.names = {{"a/m", "a/m"}, {"m", "a/m"}};
  parts.auto_names = {"auto"};
  parts.default_model = "a/m";
  snapshot.catalog = *Catalog::Make(std::move(parts));
  return snapshot;
}

TEST(Admit, SaysHowTheModelWasFound) {
  const Snapshot snapshot = OneModel();
  const KeyRing keys(Secret("pepper"));
  const auto strategy = [&](const std::string& model) {
    const std::string body =
        R"({"model":")" + model + R"(","messages":[{"role":"user","content":"Hi"}]})";
    Admission admission;
    EXPECT_TRUE(Admit(SurfaceOf(SurfaceId::kChat), body, std::nullopt, snapshot,
                      {&keys, false, Origin::kInProcess, {}}, &admission)
                    .ok());
    EXPECT_EQ(admission.route.candidates.size(), 1u);
    return admission.route.strategy;
  };
  EXPECT_EQ(strategy("auto"), "auto");
  EXPECT_EQ(strategy("a/m"), "direct");
  EXPECT_EQ(strategy("m"), "alias");
}

// Also to whom it serves nothing: a report of the refusal says it.
TEST(Admit, SaysHowTheModelWasFoundWhereItRefuses) {
  const Snapshot snapshot = OneModel();
  KeyRing keys(Secret("pepper"));
  ApiKey key;
  key.key_id = "k";
  key.models = std::make_shared<std::vector<std::string>>(1, "a/other");
  keys.Put(HmacSha256(Secret("pepper"), "good"), key);
  Admission admission;
  const Status refused = Admit(
      SurfaceOf(SurfaceId::kChat), R"({"model":"m","messages":[{"role":"user","content":"Hi"}]})",
      Secret("Bearer good"), snapshot, {&keys, true, Origin::kServer, {}}, &admission);
  EXPECT_EQ(refused.error().code, ErrorCode::kModelNotFound);
  EXPECT_EQ(admission.route.strategy, "alias");
  EXPECT_TRUE(admission.route.candidates.empty());
}

// Whether or not there is a default model, which is one for chats: no other model is named.
TEST(Admit, SaysThatAutoIsForChatsWhereEmbeddingsAreAsked) {
  Snapshot with = OneModel(), without = OneModel();
  Catalog::Parts parts;
  parts.auto_names = {"auto"};
  without.catalog = *Catalog::Make(std::move(parts));
  const KeyRing keys(Secret("pepper"));
  for (const Snapshot* snapshot : {&with, &without}) {
    Admission admission;
    const Status refused =
        Admit(SurfaceOf(SurfaceId::kEmbeddings), R"({"model":"auto","input":"Hi"})", std::nullopt,
              *snapshot, {&keys, false, Origin::kInProcess, {}}, &admission);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, ErrorCode::kNoMatchingEndpoint);
    EXPECT_EQ(refused.error().param, "model");
    EXPECT_EQ(refused.error().message,
              "'auto' chooses a model for chats: ask for embeddings by a model's name; "
              "GET /v1/models?output_modalities=embeddings lists those that make them");
    EXPECT_EQ(admission.model, nullptr);
  }
}

TEST(Admit, TellsNoCandidatesWhereItRefuses) {
  const Snapshot snapshot = OneModel();
  const KeyRing keys(Secret("pepper"));
  Admission admission;
  const Status refused = Admit(
      SurfaceOf(SurfaceId::kChat), R"({"model":"x","messages":[{"role":"user","content":"Hi"}]})",
      std::nullopt, snapshot, {&keys, false, Origin::kInProcess, {}}, &admission);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kModelNotFound);
  EXPECT_EQ(admission.model, nullptr);
  EXPECT_TRUE(admission.route.candidates.empty());
  EXPECT_NE(admission.profile, nullptr);
}

// Three models, each at one endpoint; the last is dear.
Snapshot ThreeModels() {
  Snapshot snapshot;
  snapshot.profiles.emplace("seekroute", Profile());
  snapshot.default_profile = "seekroute";
  Catalog::Parts parts;
  for (const char* const name : {"one", "two", "three"}) {
    Model model{.id = "a/" + std::string(name), .endpoints = {}};
    Rates rates;
    rates[PriceClass::kOutput] = {model.id == "a/three" ? uint64_t{9'000'000} : 1'000'000};
    Endpoint endpoint{0, "up", PriceTable::Flat(rates)};
    endpoint.tag = "p";
    model.endpoints.push_back(std::move(endpoint));
    parts.names[model.id] = model.id;
    parts.names[name] = model.id;
    parts.models.push_back(std::move(model));
  }
  parts.names["odd:free"] = "a/three";
  snapshot.catalog = *Catalog::Make(std::move(parts));
  snapshot.routing.max_price_jump = 3;
  return snapshot;
}

class AdmitModels : public ::testing::Test {
 protected:
  // The ids of the models that may be asked, in order, or the code and `param` of the refusal.
  std::string Models(const std::string& members) {
    KeyRing keys(Secret("pepper"));
    ApiKey key;
    key.key_id = "k";
    if (may_use_) key.models = std::make_shared<std::vector<std::string>>(*may_use_);
    keys.Put(HmacSha256(Secret("pepper"), "good"), key);
    const std::string body = "{" + members + R"(,"messages":[{"role":"user","content":"Hi"}]})";
    admission_ = {};
    AdmissionRules rules{&keys, true, Origin::kServer, {}, {}, nullptr, nullptr, seed_};
    rules.simulate = simulate_;
    const Status status = Admit(SurfaceOf(SurfaceId::kChat), body, Secret("Bearer good"), snapshot_,
                                rules, &admission_);
    if (!status.ok()) {
      message_ = status.error().message;
      return std::string(status.error().name()) + ' ' + status.error().param;
    }
    std::string ids;
    for (const Candidate& each : admission_.route.candidates) {
      ids += (ids.empty() ? "" : " ") + each.model->id;
    }
    return ids;
  }

  Snapshot snapshot_ = ThreeModels();
  uint64_t seed_ = 0;
  int simulate_ = 0;
  std::optional<std::vector<std::string>> may_use_;
  Admission admission_;
  std::string message_;
};

TEST_F(AdmitModels, TakesFurtherModelsInOrderAndEachOnce) {
  EXPECT_EQ(Models(R"("model":"two","models":["a/two","three","two","one"])"),
            "a/two a/three a/one");
  EXPECT_EQ(Models(R"("model":"two")"), "a/two");
}

// Whatever names it.
TEST_F(AdmitModels, AsksNoModelThatTheKeyMayNotUse) {
  may_use_ = {"a/one", "a/two"};
  EXPECT_EQ(Models(R"("model":"one","models":["three","two"])"), "a/one a/two");
  EXPECT_EQ(Models(R"("model":"three","models":["two"])"), "a/two");
  EXPECT_EQ(admission_.route.strategy, "fallback");
  EXPECT_EQ(admission_.model->id, "a/two");
  EXPECT_EQ(Models(R"("model":"three","models":["three"])"), "model_not_found model");
}

// A fallback is held to it like the first.
TEST_F(AdmitModels, HoldsEachModelToTheCeiling) {
  EXPECT_EQ(Models(R"("model":"one","models":["three","two"],)"
                   R"("provider":{"max_price":{"completion":1}})"),
            "a/one a/two");
  EXPECT_EQ(Models(R"("model":"three","models":["one"],)"
                   R"("provider":{"max_price":{"completion":0.5}})"),
            "no_matching_endpoint model");
  EXPECT_NE(message_.find("raise provider.max_price.completion to 1"), std::string::npos)
      << message_;
}

TEST_F(AdmitModels, RefusesAModelThatThereIsNot) {
  EXPECT_EQ(Models(R"("model":"one","models":["two","four"])"), "model_not_found models[1]");
}

TEST_F(AdmitModels, TakesASuffixOffANameThatIsNone) {
  EXPECT_EQ(Models(R"("model":"one:floor")"), "a/one");
  EXPECT_EQ(admission_.route.sort, RouteSort::kPrice);
  EXPECT_EQ(admission_.route.strategy, "alias");
  EXPECT_EQ(Models(R"("model":"a/one:nitro")"), "a/one");
  EXPECT_EQ(admission_.route.sort, RouteSort::kThroughput);
  EXPECT_EQ(admission_.route.strategy, "direct");
  EXPECT_EQ(Models(R"("model":"one:free")"), "no_matching_endpoint model");
  EXPECT_EQ(Models(R"("model":"odd:free")"), "a/three");  // a name of its own
  EXPECT_EQ(Models(R"("model":"one:turbo")"), "model_not_found model");
  EXPECT_NE(message_.find(":floor, :nitro or :free"), std::string::npos);
}

// What is free for the first is not what the others cost.
TEST_F(AdmitModels, CountASuffixOfEachModel) {
  EXPECT_EQ(Models(R"("model":"one","models":["two:free","three"])"), "a/one a/three");
  EXPECT_EQ(Models(R"("model":"one:free","models":["two"])"), "a/two");
  EXPECT_EQ(Models(R"("model":"one","models":["two:floor"])"), "invalid_value models[0]");
}

// Whoever names it without the suffix as well takes it at any price behind that.
TEST_F(AdmitModels, TakeAModelForNothingAndThenAtAPrice) {
  EXPECT_EQ(Models(R"("model":"one:free","models":["one"])"), "a/one");
  EXPECT_EQ(Models(R"("model":"one","models":["one:free"])"), "a/one");
}

TEST_F(AdmitModels, RefusesWhatContradictsItselfBeforeAnyFilter) {
  EXPECT_EQ(Models(R"("model":"one:free","provider":{"only":["p"],"ignore":["p"]})"),
            "invalid_value provider.ignore");
  EXPECT_EQ(Models(R"("model":"one","provider":{"order":["q"]})"),
            "invalid_value provider.order[0]");
}

TEST_F(AdmitModels, MeasuresAModelThatIsNamedByItsOwnPrice) {
  // Nine times dearer than the first, and named.
  EXPECT_EQ(Models(R"("model":"one","models":["three"])"), "a/one a/three");
}

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
