#include "gateway/spend_bound.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <utility>

#include "testing/routes.h"
#include "wire/openai/parsed_chat.h"
#include "wire/openai/prompt_parts.h"

namespace seekroute {
namespace {

using testing::RouteTo;

constexpr int64_t kInputNano = 1000;  // a token
constexpr int64_t kOpening = 16;      // tokens of any prompt
constexpr TokenEstimate kPrompt{5, 10};

std::shared_ptr<const PriceTable> Prices(int64_t output_nano) {
  Rates rates;
  rates[PriceClass::kInput] = Rate{kInputNano * 1000};
  rates[PriceClass::kOutput] = Rate{static_cast<uint64_t>(output_nano) * 1000};
  return PriceTable::Flat(rates);
}

Model ModelOf(std::initializer_list<int64_t> output_nanos) {
  Model model{.id = "a/m", .context = 100'000, .max_output = 500, .endpoints = {}};
  for (const int64_t nano : output_nanos) model.endpoints.push_back({0, "up", Prices(nano)});
  return model;
}

Ask RequestOf(int64_t choices = 1) {
  Ask request;
  request.choices = choices;
  request.prompt = kPrompt;
  request.strict_prompt = 56;
  return request;
}

// Of a prompt that is expected so.
Ask Estimated(Ask request, const TokenEstimate& prompt) {
  request.prompt = prompt;
  return request;
}

TEST(SpendBoundTest, IsThatOfTheDearestCandidate) {
  for (const auto& order : {std::pair{2000, 9000}, std::pair{9000, 2000}}) {
    const Model model = ModelOf({order.first, order.second});
    const Route route = RouteTo(model);
    const SpendBound bound(RequestOf(), route, {}, {});
    EXPECT_EQ(bound.At(100).nano, kPrompt.upper * kInputNano + 100 * 9000);
    // A budget buys of each what that sells for it.
    const Money budget{kPrompt.upper * kInputNano + 100 * 9000 + 8999};
    for (const Candidate& each : route.candidates) {
      const bool dear = CostBound({.completion = 1}, each.price(), {}).nano == 9000;
      EXPECT_EQ(bound.WithinAt(each, budget), dear ? 100 : 454);
    }
    EXPECT_EQ(bound.Within(budget), 454);
  }
}

// Of any model of the route: the longest answer, and the dearest token.
TEST(SpendBoundTest, IsThatOfTheDearestModel) {
  Model cheap = ModelOf({2000});
  cheap.max_output = 900;
  const Model dear = ModelOf({9000});
  using Models = std::array<const Model*, 2>;
  for (const Models& models : {Models{&cheap, &dear}, Models{&dear, &cheap}}) {
    const Route route = *PlanRoute(models, ParsedChat());
    const SpendBound bound(RequestOf(), route, {}, {});
    EXPECT_EQ(bound.longest(), 900);
    EXPECT_EQ(bound.At(900).nano, kPrompt.upper * kInputNano + 500 * 9000);
    // A client is told of the model that it asked for.
    EXPECT_EQ(bound.Within(bound.At(100)), models[0] == &dear ? 100 : 450);
  }
}

// A budget leaves out whoever is too dear for it, and shortens each of the others by itself.
TEST(SpendBoundTest, ABudgetIsOfEachCandidateByItself) {
  const Model first = ModelOf({9000, 2000});
  const Model second = ModelOf({100});
  const std::array<const Model*, 2> models{&first, &second};
  const Route route = *PlanRoute(models, ParsedChat());
  const Candidate& dear = route.candidates[0];
  const Candidate& cheap = route.candidates[1];
  const Candidate& other = route.candidates[2];
  const SpendBound bound(RequestOf(), route, {}, {});
  const int64_t prompt = kPrompt.upper * kInputNano;
  const struct {
    int64_t budget;
    bool affords_dear, affords_cheap, affords_other;
    int64_t amount;
    int64_t at_least;  // -1: none of the first model
  } cases[] = {
      {prompt + 500 * 9000, true, true, true, prompt + 500 * 9000, prompt + 256 * 2000},
      {prompt + 256 * 9000, true, true, true, prompt + 256 * 9000, prompt + 256 * 2000},
      {prompt + 256 * 9000 - 1, false, true, true, prompt + 500 * 2000, prompt + 256 * 2000},
      {prompt + 256 * 2000, false, true, true, prompt + 256 * 2000, prompt + 256 * 2000},
      {prompt + 256 * 2000 - 1, false, false, true, prompt + 500 * 100, -1},
      {prompt - 1, false, false, false, 0, -1},
  };
  for (const auto& c : cases) {
    for (const bool granted : {false, true}) {
      Spending spending{.tells = true};
      (granted ? spending.granted : spending.max_cost) = Money{c.budget};
      EXPECT_EQ(bound.Affords(dear, spending), c.affords_dear) << c.budget;
      EXPECT_EQ(bound.Affords(cheap, spending), c.affords_cheap) << c.budget;
      EXPECT_EQ(bound.Affords(other, spending), c.affords_other) << c.budget;
      EXPECT_EQ(bound.Amount(spending).nano, c.amount) << c.budget;
      EXPECT_EQ(bound.AtLeast(spending).value_or(Money{-1}).nano, c.at_least) << c.budget;
      for (const Candidate& each : route.candidates) {
        if (!bound.Affords(each, spending)) continue;
        EXPECT_LE(bound.WorstAt(each, bound.CapAt(each, spending)).nano, c.budget);
      }
    }
    // Who has named a length gets it whole of the hold, or goes to whoever gives it.
    const Spending whole{.tells = true, .granted = Money{c.budget}, .shares = false};
    EXPECT_EQ(bound.Affords(dear, whole), c.budget >= prompt + 500 * 9000) << c.budget;
    EXPECT_EQ(bound.Affords(cheap, whole), c.budget >= prompt + 500 * 2000) << c.budget;
  }
}

// All that one name stands for were asked for, whichever is drawn to be the first.
TEST(SpendBoundTest, AnyModelOfANameMayBeTheCheapest) {
  Model cheap = ModelOf({2000});
  Model dear = ModelOf({9000});
  dear.id = "a/dear";
  const ParsedChat request;
  const auto least = [&](bool same_name) {
    const PlannedModel planned[] = {{.model = &dear}, {.model = &cheap, .same_name = same_name}};
    const Route route = *PlanRoute({.models = planned, .request = &request});
    return SpendBound(RequestOf(), route, {}, {}).AtLeast({.tells = true})->nano;
  };
  const int64_t prompt = kPrompt.upper * kInputNano;
  EXPECT_EQ(least(true), prompt + kLeastAnswerTokens * 2000);
  EXPECT_EQ(least(false), prompt + kLeastAnswerTokens * 9000);
}

TEST(SpendBoundTest, CountsEveryChoice) {
  const Model model = ModelOf({2000});
  const Route route = RouteTo(model);
  const SpendBound bound(RequestOf(3), route, {}, {});
  EXPECT_EQ(bound.longest(), 500);
  EXPECT_EQ(bound.At(100).nano, kPrompt.upper * kInputNano + 3 * 100 * 2000);
  EXPECT_EQ(bound.Within({kPrompt.upper * kInputNano + 3 * 100 * 2000}), 100);
}

// Where the cap leaves thinking out, whatever may be thought is held for beside the answer.
TEST(SpendBoundTest, CountsThinkingThatTheCapLeavesOut) {
  const struct {
    bool excludes;
    const char* field;
    int64_t longest;  // thinking that is known of the endpoint
    std::optional<int64_t> named;
    int64_t told;  // thinking beside an answer of 300 tokens
    int64_t untold;
  } cases[] = {
      {false, "", 0, std::nullopt, 0, 0},
      {false, "thinking_budget", 900, 700, 0, 0},
      // Nothing bounds it: as much as is known, else as the longest answer.
      {true, "", 900, std::nullopt, 900, 900},
      {true, "", 900, 10, 900, 900},
      {true, "", 0, std::nullopt, 500, 500},
      {true, "", 1'000'000, std::nullopt, 100'000, 100'000},  // no more than the context
      // A budget is told: as much as the answer, or what the client named.
      {true, "thinking_budget", 900, std::nullopt, 300, 900},
      {true, "thinking_budget", 200, std::nullopt, 200, 200},
      {true, "thinking_budget", 900, 700, 700, 700},
      {true, "thinking_budget", 900, 10, 10, 10},
      {true, "thinking_budget", 900, 5000, 900, 900},
  };
  for (const auto& c : cases) {
    for (const int64_t choices : {1, 3}) {
      Model model = ModelOf({2000});
      model.endpoints[0].cap_excludes_reasoning = c.excludes;
      model.endpoints[0].form.reasoning_budget_field = c.field;
      model.endpoints[0].max_reasoning = c.longest;
      Ask request = RequestOf(choices);
      request.reasoning.most = c.named;
      const Route route = RouteTo(model);
      const SpendBound bound(request, route, {}, {});
      const int64_t prompt = kPrompt.upper * kInputNano;
      const std::string what = std::string(c.field) + std::to_string(c.longest);
      EXPECT_EQ(bound.At(300).nano, prompt + choices * (300 + c.told) * 2000) << what;
      EXPECT_EQ(bound.Worst(std::nullopt).nano, prompt + choices * (500 + c.untold) * 2000) << what;
      EXPECT_EQ(bound.Within(bound.At(300)), 300) << what;
      EXPECT_EQ(bound.CompletionAt(route.candidates[0], 300), 300 + c.told) << what;
    }
  }
  // A short answer leaves room for a thought.
  Model model = ModelOf({2000});
  model.endpoints[0].cap_excludes_reasoning = true;
  model.endpoints[0].form.reasoning_budget_field = "thinking_budget";
  const AskedReasoning asked = RequestOf().reasoning;
  EXPECT_EQ(ReasoningAt({&model, &model.endpoints[0]}, asked).Beside(1), kLeastAnswerTokens);
}

// One that does not think by itself does as soon as a request may ask it to.
TEST(SpendBoundTest, CountsThinkingOfWhatThinksIfAskedWhenItIsAsked) {
  for (const bool if_asked : {false, true}) {
    for (const bool asks : {false, true}) {
      Model model = ModelOf({2000});
      model.endpoints[0].cap_excludes_reasoning = true;
      model.endpoints[0].thinks_if_asked = if_asked;
      model.endpoints[0].max_reasoning = 900;
      Ask request = RequestOf();
      request.reasoning.any = asks;
      const Route route = RouteTo(model);
      const SpendBound bound(request, route, {}, {});
      EXPECT_EQ(bound.CompletionAt(route.candidates[0], 300), if_asked && !asks ? 300 : 1200)
          << if_asked << asks;
    }
  }
}

// An endpoint has a context and a longest answer of its own, shorter or longer than the model's.
TEST(SpendBoundTest, IsBoundedByTheEndpointWhereThatSaysMoreThanTheModel) {
  const TokenEstimate prompt{5000, 5000};
  Ask request = RequestOf();
  request.strict_prompt = 1'000'016;
  const struct {
    int64_t context;
    int64_t max_output;
    int64_t prompt;   // tokens of it that are held for
    int64_t longest;  // answer
    int64_t untold;   // likewise, where nobody says how long
  } cases[] = {
      {0, 0, 2000, 256, 500},     // the model's: no more than its context, which the prompt fills
      {9000, 0, 5000, 500, 500},  // longer
      {9000, 3000, 5000, 3000, 3000},  // likewise, and its answers
      {9000, 8000, 5000, 4000, 8000},  // what its context has left
      {1000, 8000, 1000, 256, 1000},   // shorter
      {9000, 100, 5000, 100, 100},     // likewise its answers
  };
  for (const auto& c : cases) {
    Model model = ModelOf({2000});
    model.context = 2000;
    model.endpoints[0].context = c.context;
    model.endpoints[0].max_output = c.max_output;
    const Route route = RouteTo(model);
    const SpendBound bound(Estimated(request, prompt), route, {}, {});
    const std::string what = std::to_string(c.context) + " " + std::to_string(c.max_output);
    EXPECT_EQ(bound.longest(), c.longest) << what;
    EXPECT_EQ(bound.LongestAt(route.candidates[0]), c.longest) << what;
    EXPECT_EQ(bound.BesidesAt(route.candidates[0]).prompt, c.prompt) << what;
    EXPECT_EQ(bound.At(1'000'000).nano, c.prompt * kInputNano + c.longest * 2000) << what;
    EXPECT_EQ(bound.Worst(std::nullopt).nano, c.prompt * kInputNano + c.untold * 2000) << what;
  }
}

// The route is as long as its longest endpoint; each costs what it can answer in.
TEST(SpendBoundTest, ADearEndpointThatAnswersShortDoesNotShortenTheRoute) {
  Model model = ModelOf({1000, 50'000});
  model.endpoints[0].max_output = 10'000;
  model.endpoints[1].max_output = 100;
  const Route route = RouteTo(model);
  const SpendBound bound(RequestOf(), route, {}, {});
  const int64_t prompt = kPrompt.upper * kInputNano;
  EXPECT_EQ(bound.longest(), 10'000);
  EXPECT_EQ(bound.At(50).nano, prompt + 50 * 50'000);
  EXPECT_EQ(bound.At(200).nano, prompt + 100 * 50'000);
  EXPECT_EQ(bound.At(10'000).nano, prompt + 10'000 * 1000);
  EXPECT_EQ(bound.Within(bound.At(10'000)), 10'000);
  EXPECT_EQ(bound.Within({prompt + 100 * 50'000}), 5000);
  EXPECT_EQ(bound.Within({prompt + 90 * 50'000}), 4500);
}

TEST(SpendBoundTest, ToolsLeaveRoomForWhatAProviderWritesAroundThem) {
  const Model model = ModelOf({2000});
  Ask request = RequestOf();
  const Route route = RouteTo(model);
  const SpendBound without(request, route, {}, {});
  request.preamble = kToolPreambleTokens;
  const SpendBound with(request, route, {}, {});
  EXPECT_EQ(with.At(0).nano - without.At(0).nano, kToolPreambleTokens * kInputNano);
}

TEST(SpendBoundTest, TheStrictBoundIsAByteAToken) {
  const Model model = ModelOf({2000});
  GatewayOptions options;
  options.strict_bound = true;
  const Route route = RouteTo(model);
  const SpendBound bound(RequestOf(), route, options, {});
  EXPECT_EQ(bound.At(0).nano, (40 + kOpening) * kInputNano);
}

TEST(SpendBoundTest, ABudgetBelowThePromptBuysNothing) {
  const Model model = ModelOf({2000});
  const Route route = RouteTo(model);
  const SpendBound bound(RequestOf(), route, {}, {});
  EXPECT_EQ(bound.Within({kPrompt.upper * kInputNano - 1}), std::nullopt);
  EXPECT_EQ(bound.Within({kPrompt.upper * kInputNano}), 0);
}

// An answer without a length, as vectors and pictures are, can be no shorter.
TEST(SpendBoundTest, SpeaksOfAShortAnswerOnlyWhereAnswersHaveALength) {
  Model model = ModelOf({2000});
  const auto words = [&model] {
    const Route route = RouteTo(model);
    return SpendBound(RequestOf(), route, {}, {}).MaxCostExceeded({1}).message;
  };
  EXPECT_EQ(words(),
            "this request may cost 0.000522 USD even with a short answer, which is more than its "
            "max_cost");
  model.endpoints[0].token_answer = false;
  EXPECT_EQ(words(), "this request may cost 0.00001 USD, which is more than its max_cost");
}

// A context shortens a named length only where that cannot fit, and then, as any length that nobody
// named, so that it fits also beside a prompt a quarter longer than expected; a prompt that
// nearly fills the context leaves half of the rest.
TEST(SpendBoundTest, TheContextLeavesWhatIsExpectedOfThePrompt) {
  Model model = ModelOf({2000});
  model.max_output = 0;
  Ask request = RequestOf();
  request.strict_prompt = 1'000'016;
  const struct {
    int64_t context;
    std::optional<int64_t> named;
    int64_t longest;
  } cases[] = {
      {10'000, 9000, 9000},
      {10'000, 9001, 8750},
      {10'000, std::nullopt, 8750},
      {10'000, 50'000, 8750},
      {1800, std::nullopt, 550},
      {1500, std::nullopt, 256},
      {1512, std::nullopt, 262},
      {1200, std::nullopt, 256},
      {1200, 200, 200},
      {1200, 201, 201},
      {100, std::nullopt, 100},
      {100, 200, 100},
      {100'000, std::nullopt, 98'750},
      {0, 1'000'000, 1'000'000},
  };
  for (const auto& c : cases) {
    for (const bool strict : {false, true}) {
      model.context = c.context;
      request.max_output = c.named;
      GatewayOptions options;
      options.strict_bound = strict;
      const Route route = RouteTo(model);
      const SpendBound bound(Estimated(request, {1000, 500'000}), route, options, {});
      EXPECT_EQ(bound.longest(), c.longest) << c.context << " " << c.named.value_or(0);
    }
  }
  // What nearly fills the context, with tools and without.
  for (const int64_t tools : {0, 1}) {
    request.preamble = tools * kToolPreambleTokens;
    request.max_output.reset();
    model.context = 128'000 + tools * kToolPreambleTokens;
    EXPECT_EQ(SpendBound(Estimated(request, {110'818, 500'000}), RouteTo(model), {}, {}).longest(),
              8591);
    EXPECT_EQ(SpendBound(Estimated(request, {128'000, 500'000}), RouteTo(model), {}, {}).longest(),
              256);
    EXPECT_EQ(SpendBound(Estimated(request, {60'000, 500'000}), RouteTo(model), {}, {}).longest(),
              53'000);
  }
  request.preamble = 0;
  // No more than the prompt can have.
  model.context = 10'000;
  request.max_output.reset();
  EXPECT_EQ(SpendBound(Estimated(request, {1000, 1100}), RouteTo(model), {}, {}).longest(), 8900);
}

}  // namespace
}  // namespace seekroute
