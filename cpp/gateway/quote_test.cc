#include "gateway/quote.h"

#include <gtest/gtest.h>

#include <memory>

#include "billing/cost_bound.h"
#include "gateway/spend_bound.h"
#include "store/store.h"
#include "testing/routes.h"
#include "wire/openai/chat_prompt.h"
#include "wire/openai/parsed_chat.h"
#include "wire/openai/prompt_parts.h"

namespace seekroute {
namespace {

using testing::RouteTo;

Endpoint At(uint32_t provider, uint64_t input, uint64_t output) {
  Rates rates;
  rates[PriceClass::kInput] = {input};
  rates[PriceClass::kOutput] = {output};
  Endpoint endpoint;
  endpoint.provider = provider;
  endpoint.upstream_model = "m";
  endpoint.price = PriceTable::Flat(rates);
  return endpoint;
}

struct Quoted {
  Snapshot snapshot;
  Model model;
  Profile profile;
  Admission admission;
  Ask ask;

  Quoted() {
    snapshot.providers.resize(2);
    snapshot.providers[0].id = "cheap";
    snapshot.providers[1].id = "dear";
    model.id = "a/m";
    model.endpoints = {At(0, 1'000'000, 2'000'000), At(1, 3'000'000, 4'000'000)};
    model.excluded = {{"off", "no_key"}};
    admission.profile = &profile;
    admission.model = &model;
    ask.model = "a/m";
    ask.strict_prompt = 16;
    ask.prompt = EstimateChatPrompt(R"({"messages":[{"role":"user","content":"Hi"}]})");
  }

  std::string Write() {
    admission.route = RouteTo(model);
    auto parsed = std::make_unique<ParsedChat>();
    parsed->ask = ask;
    admission.request = std::move(parsed);
    return *WriteQuote(admission, snapshot, GatewayOptions(), UnixSeconds{7});
  }
};

TEST(Quote, HasNoMaximumWhereNothingBoundsTheAnswer) {
  const std::string quote = Quoted().Write();
  EXPECT_NE(quote.find(R"("completion_tokens":{"expected":400,"max":null})"), std::string::npos);
  EXPECT_NE(quote.find(R"("max":null},"hold":{"min":)"), std::string::npos) << quote;
  EXPECT_NE(quote.find(R"("excluded":[{"provider":"off","model":"a/m","reason":"no_key"}])"),
            std::string::npos);
}

TEST(Quote, TakesTheSmallestOfTheLimits) {
  Quoted quoted;
  quoted.model.max_output = 50;
  quoted.ask.max_output = 60;
  quoted.ask.choices = 3;
  EXPECT_NE(quoted.Write().find(R"("completion_tokens":{"expected":150,"max":150})"),
            std::string::npos);
  quoted.model.context = 1;  // shorter than the prompt: that is for the provider to judge
  EXPECT_NE(quoted.Write().find(R"("completion_tokens":{"expected":3,"max":3})"),
            std::string::npos);
}

// Each candidate within its own bounds; the route as long as the longest of them.
TEST(Quote, TakesTheBoundsOfEachEndpoint) {
  Quoted quoted;
  quoted.model.context = 1;
  quoted.model.max_output = 50;
  quoted.model.endpoints[0].context = 100'000;
  quoted.model.endpoints[0].max_output = 5000;
  quoted.model.endpoints[1].context = 100'000;
  std::string quote = quoted.Write();
  EXPECT_NE(quote.find(R"("completion_tokens":{"expected":400,"max":5000})"), std::string::npos)
      << quote;
  // 2 and 4 micro-USD a token: 5000 of the first are dearer than 50 of the second.
  EXPECT_NE(quote.find(R"("max":0.0100)"), std::string::npos) << quote;
  EXPECT_NE(quote.find(R"("max":0.0002)"), std::string::npos) << quote;
  quoted.model.endpoints[1].context = 1;
  quoted.ask.max_output = 7000;
  quote = quoted.Write();
  EXPECT_NE(quote.find(R"("completion_tokens":{"expected":400,"max":5000})"), std::string::npos)
      << quote;
}

TEST(Quote, CountsImagesByThePiece) {
  Quoted quoted;
  Rates rates;
  rates[PriceClass::kPerImage] = {40'000'000'000};
  quoted.model.endpoints.resize(1);
  quoted.model.endpoints[0].price = PriceTable::Flat(rates);
  SetDialect(DialectId::kOpenAiImages, &quoted.model.endpoints[0]);
  quoted.ask.choices = 2;
  EXPECT_NE(quoted.Write().find(R"("cost":{"min":0.08,"expected":0.08,"max":0.08})"),
            std::string::npos);
}

// What is set aside where nobody names a length and nobody's money ends: all that an answer may
// take.
TEST(Quote, HoldsAsTheRequestWould) {
  Quoted quoted;
  quoted.model.endpoints.resize(1);
  quoted.model.context = 10'000;
  for (const bool limited : {false, true}) {
    for (const bool named : {false, true}) {
      ApiKey key;
      key.credit_line = limited ? Money{} : kUnlimitedLine;
      quoted.admission.key = std::make_shared<const ApiKey>(key);
      quoted.ask.max_output.reset();
      if (named) quoted.ask.max_output = 300;
      const Route route = RouteTo(quoted.model);
      const SpendBound bound(quoted.ask, route, {}, {});
      const Money held = limited || named ? bound.At(bound.longest()) : bound.Worst(std::nullopt);
      EXPECT_EQ(held == bound.At(bound.longest()), limited || named);
      EXPECT_NE(quoted.Write().find(",\"max\":" + FormatUsd(held) + "},\"candidates\""),
                std::string::npos)
          << quoted.Write();
    }
  }
}

TEST(Quote, TakesWhatIsWrittenAroundToolsIntoTheMaximum) {
  Quoted quoted;
  quoted.model.endpoints.resize(1);
  quoted.ask.max_output = 300;
  quoted.ask.preamble = kToolPreambleTokens;
  const Route route = RouteTo(quoted.model);
  const SpendBound bound(quoted.ask, route, {}, {});
  EXPECT_NE(quoted.Write().find(",\"max\":" + FormatUsd(bound.At(300)) + "},\"hold\""),
            std::string::npos)
      << quoted.Write();
}

}  // namespace
}  // namespace seekroute
