#include "billing/cost_bound.h"

#include <gtest/gtest.h>

#include <random>

#include "billing/cost.h"

namespace seekroute {
namespace {

std::shared_ptr<const PriceTable> TableOf(std::vector<PriceVariant> variants, int32_t markup = 0) {
  PriceTable::Parts parts;
  parts.markup_bps = markup;
  parts.variants = std::move(variants);
  auto table = PriceTable::Make(std::move(parts));
  EXPECT_TRUE(table);
  return *table;
}

PriceVariant Flat(uint64_t input, uint64_t output) {
  PriceVariant variant;
  variant.rates[PriceClass::kInput] = {input};
  variant.rates[PriceClass::kOutput] = {output};
  return variant;
}

TEST(CostBound, TakesTheDearestClassOfEachSide) {
  PriceVariant variant = Flat(1'000'000, 2'000'000);
  variant.rates[PriceClass::kCacheWrite1h] = {3'000'000};
  variant.rates[PriceClass::kReasoning] = {5'000'000};
  EXPECT_EQ(CostBound({10, 20, 0}, *TableOf({variant}), {}).nano, 10 * 3000 + 20 * 5000);
}

TEST(CostBound, ReachesATierOnlyWhenThePromptMay) {
  PriceVariant variant = Flat(1'000'000, 0);
  Rates dearer;
  dearer[PriceClass::kInput] = {2'000'000};
  variant.tiers = {{100, dearer}};
  const auto table = TableOf({variant});
  EXPECT_EQ(CostBound({100, 0, 0}, *table, {}).nano, 100 * 1000);
  EXPECT_EQ(CostBound({101, 0, 0}, *table, {}).nano, 101 * 2000);
}

TEST(CostBound, IsTheMarkedUpPriceOfImagesAndOfTheRequest) {
  PriceVariant variant;
  variant.rates[PriceClass::kPerImage] = {40'000'000'000};
  variant.rates[PriceClass::kPerRequest] = {1'000'000'000};
  EXPECT_EQ(CostBound({5, 0, 2}, *TableOf({variant}, 5000), {}).nano, 81'000'000 * 3 / 2);
}

TEST(CostBound, TakesTheVariantThatHoldsNow) {
  PriceVariant night = Flat(500'000, 0);
  night.day_start = 60;
  night.day_end = 120;
  const auto table = TableOf({night, Flat(1'000'000, 0)});
  EXPECT_EQ(CostBound({10, 0, 0}, *table, UnixSeconds{90 * 60}).nano, 5'000);
  EXPECT_EQ(CostBound({10, 0, 0}, *table, UnixSeconds{0}).nano, 10'000);
}

// What the bound is for: no usage within it costs more.
TEST(CostBound, IsNeverExceeded) {
  std::mt19937_64 random(1);
  const auto below = [&random](int64_t n) {
    return static_cast<int64_t>(random() % static_cast<uint64_t>(n));
  };
  const auto rates = [&below] {
    Rates made;
    for (Rate& rate : made.values) rate.pico = static_cast<uint64_t>(below(10'000'000));
    // Its promise leaves audio and images in answers out.
    for (const PriceClass c : {PriceClass::kAudioInput, PriceClass::kAudioCacheRead,
                               PriceClass::kAudioOutput, PriceClass::kImageOutput}) {
      made[c] = {};
    }
    return made;
  };
  for (int round = 0; round < 20'000; ++round) {
    PriceVariant variant;
    variant.rates = rates();
    if (below(2) == 0) variant.tiers = {{1 + below(1000), rates()}};
    const auto table = TableOf({variant}, static_cast<int32_t>(below(20'000)) - 10'000);
    const UseBound bound{below(2000), below(2000), below(3)};
    const Money most = CostBound(bound, *table, {});
    Usage usage;
    usage.prompt = below(bound.prompt + 1);
    usage.completion = below(bound.completion + 1);
    usage.images = below(bound.images + 1);
    if (below(2) == 0) usage.cached = below(*usage.prompt + 1);
    if (below(2) == 0) usage.cache_write = below(*usage.prompt + 1);
    if (usage.cache_write) usage.cache_write_1h = below(*usage.cache_write + 1);
    if (below(2) == 0) usage.image_prompt = below(*usage.prompt + 1);
    if (below(2) == 0) usage.reasoning = below(*usage.completion + 1);
    ASSERT_LE(CostOf(usage, *table, {}, {}).total.nano, most.nano) << "round " << round;
  }
}

TEST(CostBound, CountsSoundAndEveryServiceTierWhenTold) {
  PriceVariant priority = Flat(9'000'000, 1'000'000);
  priority.service_tier = "priority";
  PriceVariant usual = Flat(1'000'000, 2'000'000);
  usual.rates[PriceClass::kAudioInput] = {30'000'000};
  usual.rates[PriceClass::kImageOutput] = {40'000'000};
  const auto table = TableOf({priority, usual});
  UseBound bound{10, 20, 0};
  EXPECT_EQ(CostBound(bound, *table, {}).nano, 10 * 1000 + 20 * 2000);
  bound.any_tier = true;
  EXPECT_EQ(CostBound(bound, *table, {}).nano, 10 * 9000 + 20 * 2000);
  bound.any_input = true;
  EXPECT_EQ(CostBound(bound, *table, {}).nano, 10 * 30'000 + 20 * 2000);
  bound.any_output = true;
  EXPECT_EQ(CostBound(bound, *table, {}).nano, 10 * 30'000 + 20 * 40'000);
}

TEST(CostBound, LeavesOutATierWhosePricesNoLongerHold) {
  PriceVariant past = Flat(9'000'000, 1'000'000);
  past.service_tier = "priority";
  past.until = {1000};
  const auto table = TableOf({past, Flat(1'000'000, 2'000'000)});
  UseBound bound{10, 20, 0};
  bound.any_tier = true;
  EXPECT_EQ(CostBound(bound, *table, {999}).nano, 10 * 9000 + 20 * 2000);
  EXPECT_EQ(CostBound(bound, *table, {1000}).nano, 10 * 1000 + 20 * 2000);
}

TEST(CostBound, FindsTheLongestAnswerWithinABudget) {
  const auto table = TableOf({Flat(1'000'000, 3'000'000)});
  const UseBound prompt{10, 0, 0};  // 10,000 nano-USD
  EXPECT_EQ(LongestWithin({9'999}, prompt, 2, 100, *table, {}), std::nullopt);
  EXPECT_EQ(LongestWithin({10'000}, prompt, 2, 100, *table, {}), 0);
  EXPECT_EQ(LongestWithin({10'000 + 2 * 3000 * 7 + 5999}, prompt, 2, 100, *table, {}), 7);
  EXPECT_EQ(LongestWithin({10'000 + 2 * 3000 * 100}, prompt, 2, 100, *table, {}), 100);
  EXPECT_EQ(LongestWithin({int64_t{1} << 60}, prompt, 2, 100, *table, {}), 100);
  const UseBound predicted{10, 30, 0};  // paid for before anything is written
  EXPECT_EQ(LongestWithin({99'999}, predicted, 2, 100, *table, {}), std::nullopt);
  EXPECT_EQ(LongestWithin({100'000 + 2 * 3000 * 7}, predicted, 2, 100, *table, {}), 7);
}

}  // namespace
}  // namespace seekroute
