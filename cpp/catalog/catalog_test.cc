#include "catalog/catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace seekroute {
namespace {

Catalog::Parts TwoModels() {
  Catalog::Parts parts;
  parts.models = {{.id = "openai/gpt-4o", .endpoints = {}}, {.id = "a/image", .endpoints = {}}};
  parts.names = {
      {"openai/gpt-4o", "openai/gpt-4o"}, {"gpt-4o", "openai/gpt-4o"}, {"a/image", "a/image"}};
  parts.auto_names = {"auto"};
  parts.default_model = "openai/gpt-4o";
  return parts;
}

TEST(CatalogTest, FindsEverySpellingAndNothingElse) {
  Result<Catalog> catalog = Catalog::Make(TwoModels());
  ASSERT_TRUE(catalog.has_value());
  EXPECT_EQ(catalog->Find("gpt-4o"), catalog->Find("openai/gpt-4o"));
  EXPECT_EQ(catalog->Find("a/image")->id, "a/image");
  EXPECT_EQ(catalog->Find("GPT-4o"), nullptr);
  EXPECT_EQ(catalog->Find(""), nullptr);
}

TEST(CatalogTest, AutoTakesTheDefaultModel) {
  Result<Catalog> catalog = Catalog::Make(TwoModels());
  EXPECT_EQ(catalog->Find("auto")->id, "openai/gpt-4o");
  Catalog::Parts parts = TwoModels();
  parts.default_model.clear();
  EXPECT_EQ(Catalog::Make(std::move(parts))->Find("auto"), nullptr);
}

TEST(CatalogTest, RefusesAnEndpointWithoutAPrice) {
  Catalog::Parts parts = TwoModels();
  parts.models[1].endpoints.push_back({0, "up", PriceTable::Flat(Rates{})});
  EXPECT_TRUE(Catalog::Make(parts).has_value());
  parts.models[1].endpoints.push_back({0, "other", nullptr});
  const Result<Catalog> refused = Catalog::Make(std::move(parts));
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message.find("'a/image', endpoint 'other' has no price"),
            std::string::npos);
}

// Health and stickiness are kept under it: it may never change.
TEST(CatalogTest, KnowsAnEndpointAcrossRestarts) {
  // sha256("groq\0llama\0us\0fp8"), its first eight bytes.
  EXPECT_EQ(EndpointIdOf("groq", "llama", "us", "fp8"), 0x0896f78db683f1cdULL);
  EXPECT_NE(EndpointIdOf("groq", "llama", "us", ""), EndpointIdOf("groq", "llama", "", "us"));
}

TEST(CatalogTest, KnowsProvidersByTagInSmallLetters) {
  Catalog::Parts parts = TwoModels();
  Endpoint endpoint{0, "up", PriceTable::Flat(Rates{})};
  endpoint.tag = "Nebius/fp8";
  parts.models[1].endpoints.push_back(endpoint);
  parts.models[1].excluded = {{"groq", "no_key"}};
  const Result<Catalog> catalog = Catalog::Make(std::move(parts));
  ASSERT_TRUE(catalog.has_value());
  EXPECT_TRUE(catalog->KnowsProvider("nebius"));
  EXPECT_TRUE(catalog->KnowsProvider("nebius/fp8"));
  EXPECT_TRUE(catalog->KnowsProvider("groq"));
  EXPECT_FALSE(catalog->KnowsProvider("nebius/fp4"));
  EXPECT_EQ(catalog->Find("a/image")->endpoints[0].quantization, kUnknownQuantization);
  EXPECT_THAT(catalog->NearestProviders("nebula"), testing::ElementsAre("nebius", "nebius/fp8"));
}

TEST(CatalogTest, RefusesDanglingNamesAndTwins) {
  Catalog::Parts parts = TwoModels();
  parts.names["x"] = "no/such";
  EXPECT_FALSE(Catalog::Make(std::move(parts)).has_value());
  parts = TwoModels();
  parts.models.push_back(parts.models[0]);
  EXPECT_FALSE(Catalog::Make(std::move(parts)).has_value());
  parts = TwoModels();
  parts.default_model = "no/such";
  EXPECT_FALSE(Catalog::Make(std::move(parts)).has_value());
}

TEST(CatalogTest, TakesDatesOffNames) {
  using testing::ElementsAre;
  using testing::IsEmpty;
  EXPECT_THAT(NamesWithoutDate("claude-sonnet-4-20250514"), ElementsAre("claude-sonnet-4"));
  EXPECT_THAT(NamesWithoutDate("a/gpt-4o-2024-11-20"), ElementsAre("a/gpt-4o-2024", "a/gpt-4o"));
  EXPECT_THAT(NamesWithoutDate("gpt-4-0613"), ElementsAre("gpt-4"));
  EXPECT_THAT(NamesWithoutDate("gemini-2.5-pro-05-06"), ElementsAre("gemini-2.5-pro"));
  EXPECT_THAT(NamesWithoutDate("gpt-3.5-turbo-16k"), IsEmpty());
  EXPECT_THAT(NamesWithoutDate("claude-opus-4-1"), IsEmpty());
  EXPECT_THAT(NamesWithoutDate("o-1-2-3-4-5"), ElementsAre());
  EXPECT_THAT(NamesWithoutDate("m-123456789"), IsEmpty());
  EXPECT_THAT(NamesWithoutDate("20250514"), IsEmpty());
  EXPECT_THAT(NamesWithoutDate("-20250514"), IsEmpty());
  EXPECT_THAT(NamesWithoutDate("a/-20250514"), IsEmpty());
  EXPECT_THAT(NamesWithoutDate(""), IsEmpty());
}

TEST(CatalogTest, NamesTheNearestThatMayBeUsed) {
  Catalog::Parts parts;
  for (const char* id :
       {"openai/gpt-4o", "openai/gpt-4o-mini", "openai/gpt-5", "x/gpu", "x/claude"}) {
    Model model;
    model.id = id;
    model.endpoints = {{.price = PriceTable::Flat({})}};
    parts.models.push_back(model);
  }
  Model known;
  known.id = "openai/gpt-4o-max";
  parts.models.push_back(known);  // nobody serves it
  const Catalog catalog = *Catalog::Make(std::move(parts));
  using Ids = std::vector<std::string_view>;
  const auto any = [](std::string_view) { return true; };
  EXPECT_EQ(catalog.Nearest("openai/GPT-4o-minni", any),
            (Ids{"openai/gpt-4o-mini", "openai/gpt-4o"}));
  EXPECT_EQ(catalog.Nearest("gpt-9", any),
            (Ids{"openai/gpt-4o", "openai/gpt-4o-mini", "openai/gpt-5"}));
  EXPECT_EQ(catalog.Nearest("gpt-4o", [](std::string_view id) { return id == "openai/gpt-5"; }),
            (Ids{"openai/gpt-5"}));
  EXPECT_EQ(catalog.Nearest("cl", any), Ids{});
  EXPECT_EQ(catalog.Nearest("", any), Ids{});
}

}  // namespace
}  // namespace seekroute
