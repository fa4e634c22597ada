#include "routing/preferences.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace seekroute {
namespace {

Catalog SomeProviders() {
  Catalog::Parts parts;
  Model& model = parts.models.emplace_back();
  model.id = "a/m";
  for (const char* const tag : {"groq", "nebius/fp8", "nebius/bf16", "azure"}) {
    Endpoint endpoint{0, "up", PriceTable::Flat(Rates{})};
    endpoint.tag = tag;
    model.endpoints.push_back(std::move(endpoint));
  }
  return *Catalog::Make(std::move(parts));
}

// The `param` of what is refused, or nothing.
std::string Refused(const AskedRoute& asked, Suffix suffix = Suffix::kNone) {
  const Catalog catalog = SomeProviders();
  const Result<Preferences> read = ReadPreferences(&asked, suffix, catalog);
  if (read) return "";
  EXPECT_EQ(read.error().code, ErrorCode::kInvalidValue);
  return read.error().param;
}

TEST(Preferences, RefusesWhatContradictsItself) {
  EXPECT_EQ(Refused({.only = {"groq"}, .ignore = {"groq"}}), "provider.ignore");
  EXPECT_EQ(Refused({.only = {"nebius/fp8"}, .ignore = {"nebius"}}), "provider.ignore");
  EXPECT_EQ(Refused({.only = {"nebius"}, .ignore = {"nebius/fp8"}}), "");
  EXPECT_EQ(Refused({.order = {"groq", "azure"}, .ignore = {"azure", "groq"}}), "provider.order");
  EXPECT_EQ(Refused({.order = {"groq", "azure"}, .ignore = {"groq"}}), "");
  EXPECT_EQ(Refused({.order = {"groq"}, .only = {"azure"}}), "provider.order");
  EXPECT_EQ(Refused({.order = {"nebius"}, .only = {"nebius/fp8"}}), "");
  EXPECT_EQ(Refused({.has_order = true, .allow_fallbacks = false}), "provider.order");
  EXPECT_EQ(Refused({.has_order = true}), "");
}

TEST(Preferences, RefusesASortThatTheSuffixDoesNotSay) {
  EXPECT_EQ(Refused({.sort = RouteSort::kLatency}, Suffix::kNitro), "provider.sort");
  EXPECT_EQ(Refused({.sort = RouteSort::kPrice}, Suffix::kNitro), "provider.sort");
  EXPECT_EQ(Refused({.sort = RouteSort::kThroughput}, Suffix::kNitro), "");
  EXPECT_EQ(Refused({.sort = RouteSort::kLatency}, Suffix::kFree), "");
}

TEST(Preferences, RefusesAProviderThatThereIsNot) {
  const Catalog catalog = SomeProviders();
  const AskedRoute asked{.order = {"groq", "nebula"}};
  const Result<Preferences> read = ReadPreferences(&asked, Suffix::kNone, catalog);
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().param, "provider.order[1]");
  EXPECT_EQ(read.error().message,
            "there is no provider 'nebula' at this gateway; did you mean nebius, nebius/bf16, "
            "nebius/fp8?");
  EXPECT_EQ(Refused({.only = {"nebius/fp4"}}), "provider.only[0]");
}

TEST(Preferences, TakeASuffixForASort) {
  const Catalog catalog = SomeProviders();
  EXPECT_EQ(ReadPreferences(nullptr, Suffix::kFloor, catalog)->sort, RouteSort::kPrice);
  EXPECT_EQ(ReadPreferences(nullptr, Suffix::kNitro, catalog)->sort, RouteSort::kThroughput);
  EXPECT_EQ(ReadPreferences(nullptr, Suffix::kFree, catalog)->sort, RouteSort::kDefault);
  EXPECT_EQ(ReadPreferences(nullptr, Suffix::kNone, catalog)->sort, RouteSort::kDefault);
}

TEST(Preferences, KnowSuffixesByTheirLastWord) {
  EXPECT_EQ(TakeSuffix("a/m:free").name, "a/m");
  EXPECT_EQ(TakeSuffix("a/m:free").suffix, Suffix::kFree);
  EXPECT_EQ(TakeSuffix("a/m:x:nitro").name, "a/m:x");
  EXPECT_EQ(TakeSuffix(":free").suffix, Suffix::kNone);
  EXPECT_TRUE(HasUnknownSuffix("a/m:turbo"));
  EXPECT_FALSE(HasUnknownSuffix("a/m:floor"));
  EXPECT_FALSE(HasUnknownSuffix("a/m"));
}

TEST(Preferences, MeanAllOfAProviderOrOneEndpoint) {
  Endpoint endpoint;
  endpoint.tag = "Nebius/FP8-eu";
  EXPECT_TRUE(Means("nebius", endpoint));
  EXPECT_TRUE(Means("nebius/fp8-eu", endpoint));
  EXPECT_FALSE(Means("nebius/fp8", endpoint));
  EXPECT_FALSE(Means("neb", endpoint));
  EXPECT_FALSE(Means("", endpoint));
}

}  // namespace
}  // namespace seekroute
