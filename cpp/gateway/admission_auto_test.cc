// Requests whose model is chosen by what they ask.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gateway/admission.h"
#include "gateway/answer_table.h"
#include "gateway/options.h"
#include "routing/auto/auto_router.h"
#include "routing/planner.h"
#include "wire/protocols/protocols.h"

namespace seekroute {
namespace {

constexpr std::string_view kHard =
    "Prove the theorem step by step and explain why the complexity of the algorithm is optimal.";

// What is known of endpoints, by id.
class Views final : public HealthReader {
 public:
  HealthView ViewOf(uint64_t id, TimePoint) const override {
    const auto found = views.find(id);
    return found == views.end() ? HealthView() : found->second;
  }

  std::map<uint64_t, HealthView> views;
};

class AdmitAuto : public ::testing::Test {
 protected:
  AdmitAuto() {
    snapshot_.profiles.emplace("seekroute", Profile());
    snapshot_.default_profile = "seekroute";
    Add("a/weak", 100'000, 0.6);
    Add("b/middle", 1'000'000, 0.7);
    Add("b/strong", 2'000'000, 0.8);
  }

  void Add(const std::string& id, uint64_t pico, std::optional<double> quality) {
    Model model{.id = id, .context = 100'000, .endpoints = {}};
    Rates rates;
    rates[PriceClass::kOutput] = {pico};
    Endpoint endpoint{0, "up", PriceTable::Flat(rates)};
    endpoint.tag = "p";
    endpoint.id = models_.size() + 1;
    endpoint.offers.Add(Trait::kTools);
    model.endpoints.push_back(std::move(endpoint));
    models_.push_back(std::move(model));
    if (quality) pool_.push_back({id, *quality, ""});
  }

  // Of what the members say, the ids of the models that may be asked, in order, or the code and
  // `param` of the refusal.
  std::string Models(const std::string& members, std::string_view text = "Hi",
                     AutoRules rules = {}) {
    return Asked(
        members + R"(,"messages":[{"role":"user","content":")" + std::string(text) + "\"}]", rules);
  }

  // The same of all members.
  std::string Asked(const std::string& members, AutoRules rules = {}) {
    Catalog::Parts parts;
    parts.models = models_;
    for (const Model& each : models_) parts.names[each.id] = each.id;
    parts.auto_names = {"auto", "openrouter/auto"};
    snapshot_.catalog = *Catalog::Make(std::move(parts));
    snapshot_.router = std::make_shared<const AutoRouter>(*AutoRouter::Make(pool_, rules, nullptr));
    KeyRing keys(Secret("pepper"));
    ApiKey key;
    key.key_id = "k";
    if (may_use_) key.models = std::make_shared<std::vector<std::string>>(*may_use_);
    key.limit = key_limit_;
    key.auto_strategy = key_strategy_;
    keys.Put(HmacSha256(Secret("pepper"), "good"), key);
    const std::string body = "{" + members + "}";
    admission_ = {};
    AdmissionRules how{&keys, true, Origin::kServer, {}};
    how.health = &health_;
    how.sticky = &sticky_;
    how.salt = &salt_;
    how.seed = 7;
    how.options = &options_;
    how.answers = &answers_;
    const Status status = Admit(SurfaceOf(SurfaceId::kChat), body, Secret("Bearer good"), snapshot_,
                                how, &admission_);
    if (!status.ok()) {
      message_ = status.error().message;
      return std::string(TraitsOf(status.error().code).name) + ' ' + status.error().param;
    }
    std::string ids;
    for (const Candidate& each : admission_.route.candidates) {
      ids += (ids.empty() ? "" : " ") + each.model->id;
    }
    return ids;
  }

  std::vector<Model> models_;
  std::vector<PooledModel> pool_;
  std::optional<std::vector<std::string>> may_use_;
  std::optional<Money> key_limit_;
  std::optional<AutoStrategy> key_strategy_;
  GatewayOptions options_;
  AnswerTable answers_;
  Views health_;
  StickyTable sticky_{StickyRules()};
  const Secret salt_{"pepper"};
  Snapshot snapshot_;
  Admission admission_;
  std::string message_;
};

TEST_F(AdmitAuto, ChoosesByWhatIsAsked) {
  EXPECT_EQ(Models(R"("model":"auto")", "Hi"), "a/weak b/middle b/strong");
  EXPECT_EQ(admission_.model->id, "a/weak");
  EXPECT_EQ(admission_.route.strategy, "auto");
  EXPECT_TRUE(admission_.automatic);
  EXPECT_EQ(Models(R"("model":"openrouter/auto")", kHard), "b/strong b/middle a/weak");
  ASSERT_TRUE(admission_.route.automatic.has_value());
  const AutoRoute& chosen = *admission_.route.automatic;
  EXPECT_EQ(chosen.strategy, AutoStrategy::kBalanced);
  EXPECT_GT(chosen.difficulty, 0.6F);
  EXPECT_EQ(chosen.models.size(), 3u);
  EXPECT_EQ(chosen.models[0].model->id, "b/strong");
  EXPECT_EQ(chosen.models[0].verdict.offer.cost_pico, admission_.route.candidates[0].expected_pico);
}

// A model whose answers are long costs as much as one that is dear.
TEST_F(AdmitAuto, CountsTheLengthOfEachModelsAnswers) {
  const auto told = [this](const std::string& id) {
    for (const AutoRoute::Each& each : admission_.route.automatic->models) {
      if (each.model->id == id) return each.verdict.offer;
    }
    return AutoOffer();
  };
  const std::string quality = R"("model":"auto","route":"auto/balanced")";
  EXPECT_EQ(Models(quality, kHard), "b/strong b/middle a/weak");
  EXPECT_EQ(told("b/strong").answer_tokens, kGuessedAnswerTokens);
  const float difficulty = admission_.route.automatic->difficulty;
  for (int i = 0; i < 300; ++i) {
    answers_.Learn("b/strong", difficulty, 8000, false);
    answers_.Learn("b/middle", difficulty, 300, false);
    answers_.Learn("a/weak", difficulty, 300, false);
  }
  EXPECT_EQ(Models(quality, kHard).substr(0, 8), "b/middle");
  EXPECT_GT(told("b/strong").answer_tokens, 7000);
  EXPECT_LT(told("a/weak").answer_tokens, 500);
  EXPECT_EQ(told("b/strong").cost_pico,
            2'000'000 * static_cast<uint64_t>(told("b/strong").answer_tokens));
  // What the request itself sets is no longer.
  EXPECT_EQ(Models(quality + R"(,"max_tokens":100)", kHard), "b/strong b/middle a/weak");
  EXPECT_EQ(told("b/strong").answer_tokens, 100);
}

TEST_F(AdmitAuto, ChoosesAsTheRequestSaysElseAsTheOperatorDoes) {
  EXPECT_EQ(Models(R"("model":"auto","route":"auto/quality")"), "b/strong b/middle a/weak");
  EXPECT_EQ(Models(R"("model":"auto","route":"auto/cost")", kHard, {.cost_slack = 1}),
            "a/weak b/middle b/strong");
  EXPECT_EQ(Models(R"("model":"auto")", "Hi", {.strategy = AutoStrategy::kQuality}),
            "b/strong b/middle a/weak");
  EXPECT_EQ(Models(R"("model":"auto","route":"fallback")"), "a/weak b/middle b/strong");
  EXPECT_EQ(Models(R"("model":"auto","route":"auto/best")"), "invalid_value route");
  EXPECT_EQ(message_,
            "route: expected 'fallback', or 'auto/' and one of balanced, cost, latency, quality");
  // It says nothing to who names a model.
  EXPECT_EQ(Models(R"("model":"b/middle","route":"auto/quality")"), "b/middle");
  EXPECT_FALSE(admission_.route.automatic.has_value());
  EXPECT_EQ(admission_.request->ask.excerpt, "");
}

// Who is asked first, and whose word the strategy was.
TEST_F(AdmitAuto, ChoosesAsTheRequestSaysElseItsKeyElseTheOperator) {
  const auto first = [this](const std::string& members, AutoRules rules = {}) {
    const std::string ids = Models(R"("model":"auto")" + members, "Hi", rules);
    const AutoRoute& chosen = *admission_.route.automatic;
    return ids.substr(0, ids.find(' ')) + ' ' + std::string(NameOf(chosen.strategy)) + " of " +
           std::string(NameOf(chosen.strategy_source));
  };
  const std::string tier = R"(,"plugins":[{"id":"auto-router","cost_tier":"low"}])";
  EXPECT_EQ(first(""), "a/weak balanced of default");
  key_strategy_ = AutoStrategy::kQuality;
  EXPECT_EQ(first(""), "b/strong quality of key");
  EXPECT_EQ(first(R"(,"route":"fallback")"), "b/strong quality of key");  // says nothing of it
  EXPECT_EQ(first(R"(,"route":"auto/balanced")"), "a/weak balanced of request");
  EXPECT_EQ(first(tier, {.cost_slack = 1}), "a/weak cost of request");
  key_strategy_ = AutoStrategy::kBalanced;
  EXPECT_EQ(first("", {.strategy = AutoStrategy::kQuality}), "a/weak balanced of key");
  key_strategy_ = std::nullopt;
  EXPECT_EQ(first("", {.strategy = AutoStrategy::kQuality}), "b/strong quality of default");
}

TEST_F(AdmitAuto, ChoosesTheQuickest) {
  for (const uint64_t id : {1u, 2u, 3u}) {
    health_.views[id].ttft_ms.at[0] = static_cast<uint32_t>(400 - 100 * id);
  }
  EXPECT_EQ(Models(R"("model":"auto","route":"auto/latency")", "Hi", {.cost_slack = 1}),
            "b/strong b/middle a/weak");
  EXPECT_EQ(admission_.route.automatic->models[0].verdict.offer.latency_ms, 100u);
}

TEST_F(AdmitAuto, KeepsToTheModelsOfTheKey) {
  may_use_ = {"b/middle", "x/y"};
  EXPECT_EQ(Models(R"("model":"auto")"), "b/middle");
  EXPECT_EQ(admission_.route.strategy, "auto");
  EXPECT_EQ(admission_.route.automatic->models[0].verdict.reason, AutoReason::kOnly);
  may_use_ = {"x/y"};
  EXPECT_EQ(Models(R"("model":"auto")"), "model_not_found model");
  EXPECT_NE(message_.find("none of the models that 'auto' chooses from"), std::string::npos);
}

TEST_F(AdmitAuto, KeepsToThePatternsOfTheRequest) {
  const auto with = [this](const std::string& plugin) {
    return Models(R"("model":"auto","plugins":[{"id":"auto-router",)" + plugin + "}]");
  };
  EXPECT_EQ(with(R"("allowed_models":["B/*"])"), "b/middle b/strong");
  EXPECT_EQ(with(R"("excluded_models":["*/strong","a/weak"])"), "b/middle");
  EXPECT_EQ(with(R"("allowed_models":["b/*"],"excluded_models":["*"])"), "model_not_found plugins");
  EXPECT_NE(message_.find("such as a/weak, b/middle, b/strong"), std::string::npos) << message_;
  EXPECT_EQ(with(R"("allowed_models":[])"), "model_not_found plugins");
  EXPECT_EQ(with(R"("cost_tier":"high")"), "b/strong b/middle a/weak");
  EXPECT_EQ(with(R"("enabled":false,"allowed_models":["b/*"])"), "a/weak b/middle b/strong");
  // A key that may not use a model does not hear of it.
  may_use_ = {"a/weak"};
  EXPECT_EQ(with(R"("allowed_models":["b/*"])"), "model_not_found plugins");
  EXPECT_EQ(message_.find("b/"), std::string::npos) << message_;
}

TEST_F(AdmitAuto, IsOneOfSeveralModels) {
  Add("c/named", 10'000'000, std::nullopt);
  EXPECT_EQ(Models(R"("model":"c/named","models":["auto"])", "Hi"),
            "c/named a/weak b/middle b/strong");
  EXPECT_EQ(admission_.route.strategy, "direct");
  EXPECT_EQ(Models(R"("model":"auto","models":["c/named","auto"])", kHard),
            "b/strong b/middle a/weak c/named");
  // What is named for itself keeps its place.
  EXPECT_EQ(Models(R"("model":"b/middle","models":["auto"])", "Hi"), "b/middle a/weak b/strong");
  may_use_ = {"a/weak", "b/strong"};
  EXPECT_EQ(Models(R"("model":"c/named","models":["auto"])", "Hi"), "a/weak b/strong");
  EXPECT_EQ(admission_.route.strategy, "fallback");
}

TEST_F(AdmitAuto, HasTheOperatorsFallbacksBehindIt) {
  Add("c/last", 3'000'000, std::nullopt);
  snapshot_.lists.after_any["a/weak"] = {"c/last"};
  EXPECT_EQ(Models(R"("model":"auto")", kHard), "b/strong b/middle a/weak c/last");
  EXPECT_EQ(Models(R"("model":"auto")", "Hi"), "a/weak b/middle b/strong c/last");
  // Measured by the dearest of the pool, it is no jump, though it is thirty times the cheapest.
  snapshot_.routing.max_price_jump = 3;
  EXPECT_EQ(Models(R"("model":"auto")", "Hi"), "a/weak b/middle b/strong c/last");
  snapshot_.routing.max_price_jump = 1.2;
  EXPECT_EQ(Models(R"("model":"auto")", "Hi"), "a/weak b/middle b/strong");
}

TEST_F(AdmitAuto, LeavesOutWhoCannotServe) {
  models_[0].endpoints[0].offers = {};
  models_[0].endpoints[0].lacks_traits.Add(Trait::kTools);
  const std::string tools =
      R"("model":"auto","tools":[{"type":"function","function":{"name":"f"}}])";
  EXPECT_EQ(Models(tools, "Hi"), "b/middle b/strong");
  EXPECT_EQ(admission_.route.automatic->models.size(), 2u);
  EXPECT_EQ(Models(R"("model":"auto","provider":{"max_price":{"completion":0.5}})", kHard),
            "a/weak");
  models_[1].context = models_[2].context = 10;
  EXPECT_EQ(Models(R"("model":"auto","route":"auto/quality")", std::string(200, 'a')), "a/weak");
  EXPECT_EQ(Models(R"("model":"auto","provider":{"only":["p"],"max_price":{"completion":0}})"),
            "no_matching_endpoint model");
  EXPECT_NE(message_.find("no endpoint of 'auto' can serve this request"), std::string::npos);
}

TEST_F(AdmitAuto, AsksALastResortLast) {
  health_.views[1].last_resort = true;
  health_.views[1].state = HealthState::kEjected;
  EXPECT_EQ(Models(R"("model":"auto")", "Hi"), "b/middle b/strong a/weak");
  EXPECT_EQ(admission_.route.automatic->models.back().verdict.reason, AutoReason::kLastResort);
}

// Whatever keeps its endpoints from being asked: neither is the model chosen, nor are others
// measured by it.
TEST_F(AdmitAuto, ChoosesNoModelThatIsOutOfService) {
  const HealthView well = health_.views[3];
  const std::vector<void (*)(HealthView*)> ways = {
      [](HealthView* view) { view->state = HealthState::kEjected; },
      [](HealthView* view) { view->state = HealthState::kOut; },
      [](HealthView* view) { view->has_live_key = false; },
      [](HealthView* view) { view->has_room = false; }};
  for (size_t i = 0; i < ways.size(); ++i) {
    SCOPED_TRACE(i);
    health_.views[3] = well;
    EXPECT_EQ(Models(R"("model":"auto","route":"auto/quality")"), "b/strong b/middle a/weak");
    ways[i](&health_.views[3]);
    EXPECT_EQ(Models(R"("model":"auto","route":"auto/quality")"), "b/middle a/weak b/strong");
    EXPECT_EQ(Models(R"("model":"auto","route":"auto/cost")", "Hi", {.cost_slack = 0.1}),
              "a/weak b/middle b/strong");
    health_.views[3].state = HealthState::kHalfOpen;
  }
}

TEST_F(AdmitAuto, KeepsEightModelsOfALargePool) {
  for (int i = 0; i < 29; ++i) {
    Add("x/" + std::to_string(i), 50'000 + 1000 * static_cast<uint64_t>(i), 0.2);
  }
  EXPECT_EQ(Models(R"("model":"auto","route":"auto/quality")").substr(0, 27),
            "b/strong b/middle a/weak x/");
  EXPECT_EQ(admission_.route.candidates.size(), kMostRouteModels);
  EXPECT_EQ(admission_.route.automatic->models.size(), 32u);
  EXPECT_EQ(Models(R"("model":"x/3","models":["x/4","auto"],"route":"auto/quality")").substr(0, 20),
            "x/3 x/4 b/strong b/m");
  EXPECT_EQ(admission_.route.candidates.size(), kMostRouteModels);
}

TEST_F(AdmitAuto, SortsEndpointsWithinTheChosenModel) {
  Endpoint dear = models_[0].endpoints[0];
  Rates rates;
  rates[PriceClass::kOutput] = {200'000};
  dear.price = PriceTable::Flat(rates);
  dear.id = 99;
  models_[0].endpoints.insert(models_[0].endpoints.begin(), dear);
  EXPECT_EQ(Models(R"("model":"auto:floor")", "Hi"), "a/weak a/weak b/middle b/strong");
  EXPECT_EQ(admission_.route.candidates[0].endpoint->id, 1u);
  // One list of them all is for models that the client names.
  EXPECT_EQ(
      Models(R"("model":"auto","provider":{"sort":{"by":"price","partition":"none"}})", kHard),
      "b/strong b/middle a/weak a/weak");
}

// Whose cache knows the prompt is asked of the model that was chosen.
TEST_F(AdmitAuto, FollowsAConversationWithinTheChosenModel) {
  Endpoint cached = models_[0].endpoints[0];
  Rates rates;
  rates[PriceClass::kInput] = {100'000};
  rates[PriceClass::kOutput] = {100'000};
  rates[PriceClass::kCacheRead] = {10'000};
  cached.price = PriceTable::Flat(rates);
  models_[0].endpoints = {cached, cached};
  models_[0].endpoints[1].id = 99;
  const std::string session = R"("model":"auto","session_id":"s")";
  EXPECT_EQ(Models(session, "Hi"), "a/weak a/weak b/middle b/strong");
  EXPECT_EQ(admission_.route.sticky, "miss");
  EXPECT_EQ(admission_.route.candidates[0].endpoint->id, 1u);
  ASSERT_TRUE(admission_.sticky.valid());
  sticky_.Put(admission_.sticky, 99, TimePoint{});
  EXPECT_EQ(Models(session, "Hi"), "a/weak a/weak b/middle b/strong");
  EXPECT_EQ(admission_.route.sticky, "hit");
  EXPECT_EQ(admission_.route.candidates[0].endpoint->id, 99u);
  // What has answered is not much worse for another prompt of the conversation...
  EXPECT_EQ(Models(session, kHard), "a/weak a/weak b/strong b/middle");
  EXPECT_EQ(admission_.route.automatic->models[0].verdict.reason, AutoReason::kStayed);
  // ...but where each prompt is judged anew.
  EXPECT_EQ(Models(session, kHard, {.stay = 0}), "b/strong b/middle a/weak a/weak");
  EXPECT_EQ(admission_.route.sticky, "yielded:model");
}

// A conversation is one by its beginning, whoever's cache knows it and whatever is said last.
TEST_F(AdmitAuto, KeepsTheModelOfAConversationThatNobodyNames) {
  const std::string turns = R"("model":"auto","messages":[{"role":"user","content":"Begin."},)"
                            R"({"role":"assistant","content":"Yes."},{"role":"user","content":")";
  const auto first = [&](std::string_view last, std::string_view behind, AutoRules rules = {}) {
    const std::string all =
        Asked(turns + std::string(last) + "\"}" + std::string(behind) + ']', rules);
    return all.substr(0, all.find(' '));
  };
  EXPECT_EQ(first(kHard, ""), "b/strong");
  EXPECT_TRUE(admission_.keeps_model);
  ASSERT_TRUE(admission_.sticky.valid());
  sticky_.Put(admission_.sticky, 2, TimePoint{});  // of b/middle
  EXPECT_EQ(first(kHard, ""), "b/middle");
  EXPECT_EQ(admission_.route.automatic->models[0].verdict.reason, AutoReason::kStayed);
  EXPECT_EQ(admission_.route.sticky, "miss");  // it has no price of cached tokens
  EXPECT_EQ(first("Hi", ""), "b/middle");
  EXPECT_EQ(first(kHard, R"(,{"role":"assistant","tool_calls":[{"id":"t","type":"function",)"
                         R"("function":{"name":"f","arguments":"{}"}}]},)"
                         R"({"role":"tool","tool_call_id":"t","content":"42"})"),
            "b/middle");
  // Who asks the same once more begins a conversation.
  EXPECT_EQ(Models(R"("model":"auto")", "Begin."), "a/weak b/middle b/strong");
  EXPECT_EQ(Asked(R"("model":"auto","messages":[{"role":"user","content":"Begin."}])"),
            "a/weak b/middle b/strong");
  health_.views[2].state = HealthState::kEjected;
  EXPECT_EQ(first(kHard, ""), "b/strong");
  health_.views.clear();
  EXPECT_EQ(first(kHard, "", {.stay = 0.001}), "b/strong");
  EXPECT_EQ(first(kHard, "", {.stay = 0}), "b/strong");
  EXPECT_FALSE(admission_.keeps_model);
}

// What the request cannot pay is not chosen while there is another that it can.
TEST_F(AdmitAuto, LeavesOutWhatTheRequestCannotPay) {
  const auto words = [&] {
    std::string all;
    for (const OutOfRoute& each : admission_.route.excluded) {
      all += each.model->id + ':' + std::string(each.reason) + ' ';
    }
    return all;
  };
  // 256 tokens, the least answer, are 25,600 nano-USD of a/weak and 256,000 of b/middle.
  const std::string asked = R"("model":"auto","route":"auto/quality","max_cost":)";
  EXPECT_EQ(Models(asked + "0.001"), "b/strong b/middle a/weak");
  EXPECT_EQ(Models(asked + "0.0003"), "b/middle a/weak");
  EXPECT_EQ(words(), "b/strong:budget ");
  EXPECT_EQ(Models(asked + "0.00003"), "a/weak");
  EXPECT_EQ(words(), "b/middle:budget b/strong:budget ");
  // All are too dear: it is refused later, for the cheapest.
  EXPECT_EQ(Models(asked + "0.000001"), "b/strong b/middle a/weak");
  options_.credits = true;
  key_limit_ = Money{300'000};
  EXPECT_EQ(Models(R"("model":"auto","route":"auto/quality")"), "b/middle a/weak");
}

TEST_F(AdmitAuto, ChoosesAmongThoseThatCostNothingFirst) {
  models_[1].endpoints[0].price = PriceTable::Flat(Rates());
  EXPECT_EQ(Models(R"("model":"auto:free")", kHard), "b/middle");
  EXPECT_EQ(Models(R"("model":"auto:free","models":["auto"])", kHard), "b/middle b/strong a/weak");
  EXPECT_EQ(Models(R"("model":"auto","models":["auto:free"])", "Hi"), "b/middle a/weak b/strong");
  models_[1].endpoints[0].price = models_[2].endpoints[0].price;
  EXPECT_EQ(Models(R"("model":"auto:free","models":["auto"])", kHard), "b/strong a/weak b/middle");
  EXPECT_EQ(admission_.route.automatic->models.size(), 3u);
}

TEST_F(AdmitAuto, PatternsMatchAliasesToo) {
  pool_[1].aliases = {"gpt-mid", "middle"};
  const auto plugin = [](const std::string& lists) {
    return R"("model":"auto","plugins":[{"id":"auto-router",)" + lists + "}]";
  };
  EXPECT_EQ(Models(plugin(R"("allowed_models":["gpt-*"])")), "b/middle");
  EXPECT_EQ(Models(plugin(R"("excluded_models":["middle"])")), "a/weak b/strong");
}

// The default model is only for gateways without a pool.
TEST_F(AdmitAuto, NeedsNoDefaultModel) {
  EXPECT_EQ(Models(R"("model":"auto")"), "a/weak b/middle b/strong");
  snapshot_.router = nullptr;
  Admission admission;
  const KeyRing keys(Secret("pepper"));
  const Status status =
      Admit(SurfaceOf(SurfaceId::kChat),
            R"({"model":"auto","messages":[{"role":"user","content":"Hi"}]})", std::nullopt,
            snapshot_, {&keys, false, Origin::kInProcess, {}}, &admission);
  EXPECT_EQ(status.error().code, ErrorCode::kModelNotFound);
}

// Whatever is wanted of whichever models: who is asked could be asked by name, too.
TEST_F(AdmitAuto, KeepsEveryGate) {
  std::mt19937_64 random(11);
  for (int i = 0; i < 1000; ++i) {
    models_.clear();
    pool_.clear();
    health_.views.clear();
    const size_t size = 1 + random() % 8;
    for (size_t m = 0; m < size; ++m) {
      Add("m/" + std::to_string(m), 1 + random() % 3'000'000,
          static_cast<double>(random() % 101) / 100);
      Endpoint& endpoint = models_[m].endpoints[0];
      if (random() % 3 == 0) {
        endpoint.offers = {};
        endpoint.lacks_traits.Add(Trait::kTools);
      }
      if (random() % 2 == 0) endpoint.data.zdr = Known::kYes;
      if (random() % 4 == 0) models_[m].context = 20;
      if (random() % 5 == 0) models_[m].endpoints.clear();
    }
    std::string members = R"("max_tokens":10)";
    if (random() % 2 == 0) members += R"(,"tools":[{"type":"function","function":{"name":"f"}}])";
    std::string provider;
    if (random() % 2 == 0) provider += R"("zdr":true)";
    if (random() % 3 == 0) {
      provider += provider.empty() ? "" : ",";
      provider += R"("max_price":{"completion":1.5})";
    }
    members += ",\"provider\":{" + provider + "}";
    may_use_.reset();
    if (random() % 2 == 0) {
      may_use_.emplace();
      for (size_t m = 0; m < size; m += 1 + random() % 2) may_use_->push_back(models_[m].id);
    }
    const std::string text(random() % 300, 'a');
    const char* const routes[] = {"balanced", "cost", "latency", "quality"};
    const std::string chosen = Models(
        R"("model":"auto","route":"auto/)" + std::string(routes[random() % 4]) + "\"," + members,
        text);
    const bool served = !admission_.route.candidates.empty();
    std::vector<std::string> ids;
    for (const Candidate& each : admission_.route.candidates) ids.push_back(each.model->id);
    // A prompt that is too long for all is asked all the same; no other gate gives way.
    bool any = false;
    for (const Model& each : models_) {
      const std::string alone = Models("\"model\":\"" + each.id + "\"," + members, text);
      const bool could = alone == each.id;
      any = any || could;
      const bool asked = std::ranges::find(ids, each.id) != ids.end();
      EXPECT_TRUE(could || !asked) << i << ' ' << each.id << ": " << chosen;
    }
    EXPECT_EQ(served, any) << i << ' ' << chosen;
  }
}

}  // namespace
}  // namespace seekroute
