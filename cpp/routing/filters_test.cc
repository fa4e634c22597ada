#include "routing/filters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "routing/order.h"
#include "wire/openai/parsed_chat.h"

namespace seekroute {
namespace {

Rates Selling(uint64_t input, uint64_t output) {
  Rates rates;
  rates[PriceClass::kInput] = {input};
  rates[PriceClass::kOutput] = {output};
  return rates;
}

// A route over endpoints of "a/m", called by their tags.
class Filters : public testing::Test {
 protected:
  Filters() {
    model_.id = "a/m";
    model_.context = 8000;
    request_.ask.needs = Need::kChat;
    request_.ask.prompt = TokenEstimate{100, 200};
  }

  Endpoint& Add(const std::string& tag, Rates rates = Selling(1, 1)) {
    Endpoint& endpoint = model_.endpoints.emplace_back(Endpoint{0, "up", PriceTable::Flat(rates)});
    SetDialect(DialectId::kOpenAiChat, &endpoint);
    endpoint.tag = tag;
    endpoint.id = model_.endpoints.size();
    return endpoint;
  }

  Result<Route> Plan(uint64_t seed = 0) {
    const std::vector<PlannedModel> models = {{.model = &model_, .free_only = free_only_}};
    PlanInputs inputs;
    inputs.models = models;
    inputs.request = &request_;
    inputs.preferences.asked = &asked_;
    inputs.rules = rules_;
    inputs.seed = seed;
    return PlanRoute(inputs);
  }

  // "a b" of those that are asked, in the catalog's order; of the others their words by tag.
  std::string Asked() {
    rules_.balance = Balance::kListed;
    const Result<Route> route = Plan();
    std::string tags;
    if (!route) return route.error().message;
    words_.clear();
    for (const OutOfRoute& each : route->excluded) {
      words_[std::string(each.provider)] = std::string(each.reason);
    }
    for (const Candidate& each : route->candidates) {
      tags += (tags.empty() ? "" : " ") + each.endpoint->tag;
    }
    return tags;
  }

  Model model_;
  ParsedChat request_;
  AskedRoute asked_;
  RoutingRules rules_{.max_price_jump = 3};
  bool free_only_ = false;
  std::map<std::string, std::string> words_;
};

TEST_F(Filters, LeaveOutWhomTheClientDoes) {
  Add("a"), Add("b/fp8"), Add("b/bf16"), Add("c");
  asked_.only = {"b", "c"};
  asked_.ignore = {"b/fp8"};
  EXPECT_EQ(Asked(), "b/bf16 c");
  EXPECT_EQ(words_["a"], "only");
  EXPECT_EQ(words_["b/fp8"], "ignored");
}

TEST_F(Filters, KeepToTheOrderWithoutFallbacks) {
  Add("a"), Add("b"), Add("c");
  asked_.order = {"c", "a"};
  EXPECT_EQ(Asked(), "c a b");
  asked_.allow_fallbacks = false;
  EXPECT_EQ(Asked(), "c a");
  EXPECT_EQ(words_["b"], "fallback_off");
  asked_.order.clear();
  EXPECT_EQ(Asked(), "a");
  EXPECT_EQ(words_["c"], "fallback_off");
}

// What is not known of an ability is tried; of a promise it is none.
TEST_F(Filters, TryAnUnknownAbilityAndTrustNoUnknownPromise) {
  Add("unknown");
  Endpoint& able = Add("able");
  able.offers.Add(Trait::kTools);
  able.data = {Known::kNo, Known::kYes};
  Endpoint& unable = Add("unable");
  unable.lacks_traits.Add(Trait::kTools);
  unable.data = {Known::kYes, Known::kNo};
  request_.ask.wants.Add(Trait::kTools);
  EXPECT_EQ(Asked(), "unknown able");
  EXPECT_EQ(words_["unable"], "tools");
  request_.ask.wants = {};
  asked_.zdr = true;
  EXPECT_EQ(Asked(), "able");
  EXPECT_EQ(words_["unknown"], "zdr");
  asked_.zdr = false;
  asked_.deny_data_collection = true;
  EXPECT_EQ(Asked(), "able");
  EXPECT_EQ(words_["unknown"], "data_collection");
}

TEST_F(Filters, NameEachTraitByItsWord) {
  const std::vector<std::pair<Trait, std::string>> words = {
      {Trait::kImageInput, "input"},    {Trait::kAudioInput, "input"},
      {Trait::kVideoInput, "input"},    {Trait::kFileInput, "input"},
      {Trait::kAudioOutput, "output"},  {Trait::kImageOutput, "output"},
      {Trait::kTools, "tools"},         {Trait::kToolChoice, "tools"},
      {Trait::kReasoning, "reasoning"}, {Trait::kStructuredOutput, "structured_output"},
      {Trait::kLogprobs, "logprobs"},   {Trait::kChoices, "choices"},
  };
  EXPECT_EQ(words.size(), size_t{kTraitCount});
  Add("other");
  Add("without");
  for (const auto& [trait, word] : words) {
    model_.endpoints[1].lacks_traits = {};
    model_.endpoints[1].lacks_traits.Add(trait);
    request_.ask.wants = {};
    request_.ask.wants.Add(trait);
    EXPECT_EQ(Asked(), "other");
    EXPECT_EQ(words_["without"], word);
  }
}

TEST_F(Filters, RequireParametersThatAreKnown) {
  Add("unknown");
  Endpoint& knows = Add("knows");
  const size_t seed = *PlaceIn(kParameterNames, "seed");
  knows.takes.Add(seed);
  request_.ask.parameters.Add(seed);
  EXPECT_EQ(Asked(), "unknown knows");
  asked_.require_parameters = true;
  EXPECT_EQ(Asked(), "knows");
  EXPECT_EQ(words_["unknown"], "parameter");
}

TEST_F(Filters, MatchTheWordUnknownOfAQuantization) {
  Add("none");
  Add("eight").quantization = "fp8";
  asked_.quantizations = {"fp8"};
  EXPECT_EQ(Asked(), "eight");
  EXPECT_EQ(words_["none"], "quantization");
  asked_.quantizations = {"unknown"};
  EXPECT_EQ(Asked(), "none");
}

TEST_F(Filters, TakeNobodyWhoseRegionIsUnknownOrAnother) {
  Add("unknown");
  Add("west").region = "eu-west";
  Add("us").region = "us";
  Add("europa").region = "europa";
  asked_.regions = {"eu"};
  EXPECT_EQ(Asked(), "west");
  EXPECT_EQ(words_["unknown"], "region");
  EXPECT_EQ(words_["europa"], "region");
  asked_.regions = {"eu-west", "us"};
  EXPECT_EQ(Asked(), "west us");
  asked_.regions = {"eu-east"};
  EXPECT_THAT(Asked(), testing::HasSubstr("add eu-west to provider.regions"));
}

TEST_F(Filters, CompareLengthsWithWhatIsExpected) {
  Add("long");
  Add("short").context = 100;
  EXPECT_EQ(Asked(), "long");
  EXPECT_EQ(words_["short"], "context");
  model_.endpoints[1].context = 101;  // it fits, just
  model_.endpoints[0].context = 120;
  EXPECT_EQ(Asked(), "long short");
  std::swap(model_.endpoints[0], model_.endpoints[1]);
  EXPECT_EQ(Asked(), "long short");  // the one that is tight goes last
  request_.ask.max_output = 50;
  model_.endpoints[0].max_output = 49;
  EXPECT_EQ(Asked(), "long");
  EXPECT_EQ(words_["short"], "max_output");
  // Where nobody is long enough all stay: the answer is as long as it can be.
  model_.endpoints[1].max_output = 48;
  EXPECT_EQ(Asked(), "long short");
  EXPECT_TRUE(words_.empty());
}

// A rate of 600,000 pico-USD a token is 0.6 USD a million.
TEST_F(Filters, HoldCeilingsExactlyAndWithTheMarkup) {
  Add("at", Selling(1, 600'000));
  Add("above", Selling(1, 600'001));
  PriceTable::Parts marked{.revision = "r", .markup_bps = 1, .variants = {PriceVariant{}}};
  marked.variants[0].rates = Selling(1, 600'000);
  Add("marked").price = *PriceTable::Make(std::move(marked));
  rules_.max_price_jump = 0;
  asked_.max_price.completion = 600'000'000'000;
  EXPECT_EQ(Asked(), "at");
  EXPECT_EQ(words_["above"], "max_price");
  EXPECT_EQ(words_["marked"], "max_price");
  asked_.max_price = {.prompt = 999'999};
  EXPECT_THAT(Asked(), testing::HasSubstr("3 cost more than provider.max_price"));
  asked_.max_price = {.prompt = 1'000'000, .request = 0, .image = 0};
  EXPECT_EQ(Asked(), "at above");  // the markup alone is too much
}

TEST_F(Filters, HoldTheCeilingOfTheAnswerForItsReasoningToo) {
  Rates thinking = Selling(1, 600'000);
  thinking[PriceClass::kReasoning] = Rate{900'000};
  Add("thinks", thinking);
  rules_.max_price_jump = 0;
  asked_.max_price.completion = 600'000'000'000;
  EXPECT_THAT(Asked(), testing::HasSubstr("raise provider.max_price.completion to 0.9"));
  asked_.max_price.completion = 900'000'000'000;
  EXPECT_EQ(Asked(), "thinks");
}

TEST_F(Filters, HoldCeilingsAtTheServiceTierThatIsAskedFor) {
  PriceTable::Parts parts{.revision = "r", .variants = std::vector<PriceVariant>(4)};
  parts.variants[0] = {.service_tier = "priority", .rates = Selling(4, 4)};
  parts.variants[1] = {.service_tier = "flex", .rates = Selling(1, 1)};
  parts.variants[2] = {.service_tier = "batch", .from = UnixSeconds{99}, .rates = Selling(9, 9)};
  parts.variants[3] = {.rates = Selling(2, 2)};
  Add("tiered").price = *PriceTable::Make(std::move(parts));
  rules_.max_price_jump = 0;
  asked_.max_price.completion = 3'000'000;
  EXPECT_EQ(Asked(), "tiered");
  for (const auto* tier : {"flex", "batch", "other"}) {  // answered at it, or as usual
    request_.ask.service_tier = tier;
    EXPECT_EQ(Asked(), "tiered") << tier;
  }
  request_.ask.service_tier = "priority";
  EXPECT_THAT(Asked(), testing::HasSubstr("raise provider.max_price.completion to 0.000004"));
  request_.ask.service_tier = kAnyTier;
  EXPECT_THAT(Asked(), testing::HasSubstr("max_price"));
  asked_.max_price.completion = 4'000'000;
  EXPECT_EQ(Asked(), "tiered");
  asked_.max_price.completion = 1'500'000;
  request_.ask.service_tier = "flex";
  EXPECT_THAT(Asked(), testing::HasSubstr("to 0.000002"));
}

TEST_F(Filters, TakeTheRateOfTheTierThatThePromptIsIn) {
  PriceTable::Parts parts{.revision = "r", .variants = {PriceVariant{}}};
  parts.variants[0].rates = Selling(100, 0);
  parts.variants[0].tiers = {{200'000, Selling(200, 0)}};
  model_.context = 1'000'000;
  Add("tiered").price = *PriceTable::Make(std::move(parts));
  request_.ask.prompt = TokenEstimate{200'000, 200'000};
  EXPECT_EQ(Plan()->candidates[0].expected_pico, 20'000'000u);
  request_.ask.prompt = TokenEstimate{200'001, 200'001};
  EXPECT_EQ(Plan()->candidates[0].expected_pico, 40'000'200u);
}

TEST_F(Filters, LeaveOutWhatCostsManyTimesTheCheapest) {
  Add("cheap", Selling(10, 10)), Add("just", Selling(30, 30)), Add("dear", Selling(31, 31));
  EXPECT_EQ(Asked(), "cheap just");
  EXPECT_EQ(words_["dear"], "price_jump");
  asked_.order = {"dear"};  // the client named it
  EXPECT_EQ(Asked(), "dear cheap just");
  asked_.order.clear();
  rules_.max_price_jump = 0;
  EXPECT_EQ(Asked(), "cheap just dear");
  // What costs nothing is no measure.
  rules_.max_price_jump = 3;
  model_.endpoints[0].price = PriceTable::Flat(Selling(0, 0));
  EXPECT_EQ(Asked(), "cheap just dear");
}

TEST_F(Filters, TakeOnlyWhatIsFree) {
  Add("free", Selling(0, 0)), Add("paid");
  free_only_ = true;
  EXPECT_EQ(Asked(), "free");
  EXPECT_EQ(words_["paid"], "not_free");
}

// The first word in the table's order, whatever else holds.
TEST_F(Filters, NameTheFirstThatHolds) {
  Add("other");
  Endpoint& bad = Add("bad");
  bad.lacks_traits.Add(Trait::kTools);
  bad.max_output = 1;
  request_.ask.wants.Add(Trait::kTools);
  request_.ask.max_output = 2;
  asked_.zdr = true;
  model_.endpoints[0].data.zdr = Known::kYes;
  EXPECT_EQ(Asked(), "other");
  EXPECT_EQ(words_["bad"], "zdr");
}

TEST_F(Filters, SayWhatWouldHelpWhereNobodyIsLeft) {
  for (int i = 0; i < 3; ++i) {
    Endpoint& endpoint = Add("none" + std::to_string(i), Selling(1, 900'000));
    endpoint.lacks_traits.Add(Trait::kTools);
  }
  Add("dear", Selling(1, 900'000)), Add("dearer", Selling(1, 1'000'000));
  request_.ask.wants.Add(Trait::kTools);
  asked_.max_price.completion = 600'000'000'000;
  const Result<Route> refused = Plan();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kNoMatchingEndpoint);
  EXPECT_EQ(refused.error().message,
            "no endpoint of 'a/m' can serve this request: 3 do not offer tools, 2 cost more than "
            "provider.max_price; raise provider.max_price.completion to 0.9");
  EXPECT_THAT(refused.error().availability,
              testing::HasSubstr(R"("model":"a/m","considered":5,"reason":"excluded")"));
  EXPECT_THAT(refused.error().availability,
              testing::HasSubstr(
                  R"({"endpoint":"dear","model":"a/m","excluded_by":"max_price",)"
                  R"("detail":"costs more than provider.max_price","retry_after_ms":null})"));
  EXPECT_THAT(refused.error().availability,
              testing::HasSubstr(R"("help":"raise provider.max_price.completion to 0.9")"));
  asked_.max_price = {};
  model_.endpoints.resize(3);
  EXPECT_THAT(Asked(), testing::EndsWith("3 do not offer tools; leave out tools"));
}

TEST_F(Filters, TellOfABoundedNumber) {
  for (int i = 0; i < 70; ++i) Add("x").lacks_traits.Add(Trait::kTools);
  request_.ask.wants.Add(Trait::kTools);
  const Result<Route> refused = Plan();
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().availability, testing::HasSubstr(R"("considered":70)"));
  EXPECT_THAT(refused.error().availability, testing::HasSubstr(R"("more":38)"));
}

TEST_F(Filters, DrawTheOrderBySeed) {
  Add("a", Selling(10, 10)), Add("b", Selling(10, 10));
  rules_.balance = Balance::kInverseSquare;
  bool first_b = false;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const Result<Route> route = Plan(seed);
    EXPECT_EQ(route->seed, seed);
    EXPECT_NEAR(route->candidates[0].probability, .5, 1e-9);
    first_b = first_b || route->candidates[0].endpoint->tag == "b";
  }
  EXPECT_TRUE(first_b);
}

// Health by the endpoint's id: what is not told is well.
class FewViews : public HealthReader {
 public:
  HealthView ViewOf(uint64_t id, TimePoint) const override {
    const auto found = views.find(id);
    return found != views.end() ? found->second : HealthView();
  }
  std::map<uint64_t, HealthView> views;
};

class Explore : public Filters {
 protected:
  Explore() {
    Add("known", Selling(100, 100)), Add("new", Selling(120, 120)), Add("dear", Selling(126, 126));
    // Nobody but the first is drawn for the first place, unless it is for exploration.
    model_.endpoints[1].weight = model_.endpoints[2].weight = 0;
    views_.views[1].samples = 1000;
    rules_ = {.balance = Balance::kInverseSquare, .explore = 1};
    request_.ask.stream = true;
  }

  std::string First(uint64_t seed = 0) {
    const std::vector<PlannedModel> models = {{.model = &model_}};
    PlanInputs inputs;
    inputs.models = models;
    inputs.request = &request_;
    inputs.preferences.asked = &asked_;
    inputs.preferences.sort = asked_.sort;
    inputs.rules = rules_;
    inputs.health = &views_;
    inputs.seed = seed;
    inputs.keep_views = true;
    const Result<Route> route = PlanRoute(inputs);
    EXPECT_TRUE(route.has_value());
    EXPECT_EQ(route->views.size(), route->candidates.size());
    explored_ = route->explored;
    return route->candidates[0].endpoint->tag;
  }

  FewViews views_;
  bool explored_ = false;
};

TEST_F(Explore, DrawsWhomLittleIsKnownOfIfItCostsHardlyMore) {
  for (uint64_t seed = 0; seed < 50; ++seed) EXPECT_EQ(First(seed), "new");
  EXPECT_TRUE(explored_);
  views_.views[2].samples = 20;
  for (uint64_t seed = 0; seed < 50; ++seed) EXPECT_EQ(First(seed), "known");
  EXPECT_FALSE(explored_);
}

TEST_F(Explore, IsRare) {
  rules_.explore = .01;
  int explored = 0;
  for (uint64_t seed = 0; seed < 20'000; ++seed) explored += First(SplitMix64(seed)) == "new";
  EXPECT_NEAR(explored, 200, 60);
}

TEST_F(Explore, IsNotForWhoAskedForAnOrderACeilingOrAWholeAnswer) {
  asked_.sort = RouteSort::kPrice;
  EXPECT_EQ(First(), "known");
  asked_ = {.order = {"known"}};
  EXPECT_EQ(First(), "known");
  asked_ = {};
  request_.ask.max_cost = Money{1'000'000'000};
  EXPECT_EQ(First(), "known");
  request_.ask.max_cost.reset();
  request_.ask.stream = false;
  EXPECT_EQ(First(), "known");
  request_.ask.stream = true;
  views_.views[2].state = HealthState::kDegraded;
  EXPECT_EQ(First(), "known");
}

TEST_F(Explore, PutsWhoMissesAPreferenceBehindWhoMeetsIt) {
  rules_.explore = 0;
  views_.views[1].ttft_ms.at = {500, 600, 3000, 4000};
  views_.views[3].ttft_ms.at = {500, 600, 900, 4000};
  asked_.max_latency.at[2] = 1;  // p90, in seconds
  rules_.balance = Balance::kListed;
  EXPECT_EQ(Asked(), "known new dear");  // nothing is known without health
  EXPECT_EQ(First(), "dear");
}

}  // namespace
}  // namespace seekroute
