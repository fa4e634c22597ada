#include "billing/cost.h"

#include <gtest/gtest.h>

#include <limits>
#include <numeric>

#include "testing/virtual_world.h"

namespace seekroute {
namespace {

using enum PriceClass;

constexpr auto kMostMoney = std::numeric_limits<int64_t>::max();
constexpr auto kDearest = std::numeric_limits<uint64_t>::max();

Rates RatesOf(std::initializer_list<std::pair<PriceClass, uint64_t>> list) {
  Rates rates;
  for (const auto& [c, pico] : list) rates[c] = Rate{pico};
  return rates;
}

// Each class costs a power of ten of its own, in nano-USD, so that a sum shows its parts.
const Rates kRates = RatesOf({{kInput, 3'000'000},
                              {kCacheRead, 300'000},
                              {kCacheWrite, 3'750'000},
                              {kCacheWrite1h, 6'000'000},
                              {kAudioInput, 40'000'000},
                              {kAudioCacheRead, 2'500'000},
                              {kImageInput, 5'000'000},
                              {kOutput, 15'000'000},
                              {kReasoning, 16'000'000},
                              {kAudioOutput, 80'000'000},
                              {kImageOutput, 30'000'000}});

Usage Tokens(int64_t prompt, int64_t completion) {
  Usage usage;
  usage.prompt = prompt;
  usage.completion = completion;
  return usage;
}

Charge Flat(const Usage& usage, const Rates& rates = kRates) {
  return CostOf(usage, *PriceTable::Flat(rates), {}, "");
}

int64_t SumOfClasses(const Breakdown& use, std::initializer_list<PriceClass> classes) {
  int64_t sum = 0;
  for (const PriceClass c : classes) sum += use.units[c];
  return sum;
}

// More digits than a double has: 9,007,199,254,740,993 is the first integer that it misses.
TEST(CostTest, IsExactBeyondADouble) {
  const Rates rates = RatesOf({{kInput, 1'000}, {kOutput, 1}});
  EXPECT_EQ(Flat(Tokens(9'007'199'254'740'991, 1'001), rates).total.nano, 9'007'199'254'740'993);
  EXPECT_EQ(Flat(Tokens(9'007'199'254'740'991, 1'000), rates).total.nano, 9'007'199'254'740'992);
  const Rates odd = RatesOf({{kInput, 123'457}});
  EXPECT_EQ(Flat(Tokens(9'007'199'254'740'991, 0), odd).total.nano, 1'112'001'798'392'558'526);
}

TEST(CostTest, PricesEachClassOnce) {
  EXPECT_EQ(Flat(Tokens(100, 10)).total.nano, 450'000);
  Usage cached = Tokens(100, 10);
  cached.cached = 40;
  EXPECT_EQ(Flat(cached).total.nano, 60 * 3000 + 40 * 300 + 10 * 15000);
  Usage written = cached;
  written.cache_write = 30;
  written.cache_write_1h = 10;
  EXPECT_EQ(Flat(written).total.nano, 30 * 3000 + 40 * 300 + 20 * 3750 + 10 * 6000 + 10 * 15000);
  Usage reasoning = Tokens(100, 110);
  reasoning.reasoning = 100;  // inside completion already
  EXPECT_EQ(Flat(reasoning).total.nano, 100 * 3000 + 100 * 16000 + 10 * 15000);
}

TEST(CostTest, AudioAndImagesHaveTheirOwnRates) {
  Usage usage = Tokens(100, 50);
  usage.audio_prompt = 30;
  usage.image_prompt = 20;
  usage.cached = 25;
  usage.audio_cached = 10;
  usage.audio_completion = 8;
  usage.image_completion = 7;
  const Charge charge = Flat(usage);
  EXPECT_EQ(charge.use.units[kAudioInput], 20);
  EXPECT_EQ(charge.use.units[kAudioCacheRead], 10);
  EXPECT_EQ(charge.use.units[kCacheRead], 15);
  EXPECT_EQ(charge.use.units[kImageInput], 20);
  EXPECT_EQ(charge.use.units[kInput], 35);
  EXPECT_EQ(charge.use.units[kAudioOutput], 8);
  EXPECT_EQ(charge.use.units[kImageOutput], 7);
  EXPECT_EQ(charge.use.units[kOutput], 35);
  EXPECT_FALSE(charge.use.odd);
  EXPECT_EQ(charge.upstream_prompt.nano, 35 * 3000 + 15 * 300 + 10 * 2500 + 20 * 40000 + 20 * 5000);
  EXPECT_EQ(charge.upstream_completion.nano, 35 * 15000 + 8 * 80000 + 7 * 30000);
  EXPECT_EQ(charge.total.nano, charge.upstream_prompt.nano + charge.upstream_completion.nano);
}

TEST(CostTest, OverlapsThatAreNotToldAreAsSmallAsTheCountsAllow) {
  Usage usage = Tokens(100, 0);
  usage.cached = 60;
  usage.audio_prompt = 40;  // 60 + 40 fit side by side
  EXPECT_EQ(Classify(usage).units[kAudioCacheRead], 0);
  usage.audio_prompt = 70;  // 30 of them must have been cached
  Breakdown use = Classify(usage);
  EXPECT_EQ(use.units[kAudioCacheRead], 30);
  EXPECT_EQ(use.units[kCacheRead], 30);
  EXPECT_EQ(use.units[kAudioInput], 40);
  EXPECT_EQ(use.units[kInput], 0);
  EXPECT_FALSE(use.odd);
  // Images in the cache cost what cached text does.
  usage = Tokens(100, 0);
  usage.cached = 60;
  usage.image_prompt = 70;
  use = Classify(usage);
  EXPECT_EQ(use.units[kCacheRead], 60);
  EXPECT_EQ(use.units[kImageInput], 40);
  EXPECT_FALSE(use.odd);
  // Audio that was written, with no audio among the cached.
  usage = Tokens(100, 0);
  usage.audio_prompt = 100;
  usage.audio_cached = 0;
  usage.cache_write = 80;
  use = Classify(usage);
  EXPECT_EQ(use.units[kCacheWrite], 80);
  EXPECT_EQ(use.units[kAudioInput], 20);
  EXPECT_EQ(use.units[kInput], 0);
  EXPECT_FALSE(use.odd);
}

TEST(CostTest, ContradictionsAreCutAndSaid) {
  const auto odd = [](auto&& spoil) {
    Usage usage = Tokens(10, 10);
    spoil(usage);
    const Breakdown use = Classify(usage);
    EXPECT_TRUE(use.odd);
    return use;
  };
  EXPECT_EQ(odd([](Usage& u) { u.cached = 1000; }).units[kCacheRead], 10);
  EXPECT_EQ(odd([](Usage& u) { u.cache_write = 11; }).units[kCacheWrite], 10);
  const Breakdown cache = odd([](Usage& u) {
    u.cached = 6;
    u.cache_write = 6;
  });
  EXPECT_EQ(cache.units[kCacheRead], 6);  // what costs the client less comes first
  EXPECT_EQ(cache.units[kCacheWrite], 4);
  EXPECT_EQ(cache.units[kInput], 0);
  EXPECT_EQ(odd([](Usage& u) { u.cache_write_1h = 1; }).units[kCacheWrite1h], 0);
  EXPECT_EQ(odd([](Usage& u) { u.audio_prompt = 11; }).units[kAudioInput], 10);
  EXPECT_EQ(odd([](Usage& u) { u.audio_cached = 1; }).units[kAudioCacheRead], 0);
  EXPECT_EQ(odd([](Usage& u) { u.reasoning = 11; }).units[kReasoning], 10);
  const Breakdown output = odd([](Usage& u) {
    u.reasoning = 8;
    u.audio_completion = 8;
    u.image_completion = 8;
  });
  EXPECT_EQ(output.units[kReasoning], 8);
  EXPECT_EQ(output.units[kAudioOutput], 2);
  EXPECT_EQ(output.units[kImageOutput], 0);
  EXPECT_EQ(output.units[kOutput], 0);
  EXPECT_EQ(odd([](Usage& u) { u.prompt = -5; }).prompt, 0);
  EXPECT_EQ(odd([](Usage& u) { u.images = -5; }).units[kPerImage], 0);
  EXPECT_EQ(odd([](Usage& u) { u.completion = kMostMoney; }).completion, int64_t{1} << 53);
  EXPECT_FALSE(Classify(Tokens(10, 10)).odd);
  EXPECT_FALSE(Classify(Usage{}).odd);
}

TEST(CostTest, ClassesAlwaysAddUpToTheWhole) {
  testing::SeededRng rng(11);
  const auto any = [&rng](int64_t most) -> std::optional<int64_t> {
    if (rng.OneIn(3)) return std::nullopt;
    return static_cast<int64_t>(rng.Below(static_cast<uint64_t>(most) + 1)) - most / 20;
  };
  for (int i = 0; i < 100'000; ++i) {
    Usage usage;
    usage.prompt = any(100);
    usage.completion = any(100);
    usage.cached = any(120);
    usage.cache_write = any(60);
    usage.cache_write_1h = any(40);
    usage.audio_prompt = any(110);
    usage.audio_cached = any(60);
    usage.image_prompt = any(60);
    usage.reasoning = any(110);
    usage.audio_completion = any(60);
    usage.image_completion = any(60);
    const Breakdown use = Classify(usage);
    for (const int64_t units : use.units.values) ASSERT_GE(units, 0);
    ASSERT_EQ(use.prompt, std::max<int64_t>(usage.prompt.value_or(0), 0));
    ASSERT_EQ(SumOfClasses(use, {kInput, kCacheRead, kCacheWrite, kCacheWrite1h, kAudioInput,
                                 kAudioCacheRead, kImageInput}),
              use.prompt);
    ASSERT_EQ(use.completion, std::max<int64_t>(usage.completion.value_or(0), 0));
    ASSERT_EQ(SumOfClasses(use, {kOutput, kReasoning, kAudioOutput, kImageOutput}), use.completion);
  }
}

TEST(CostTest, RoundsUpOnceAtTheEnd) {
  const Rates cheap = RatesOf({{kInput, 1}, {kOutput, 1}});
  EXPECT_EQ(Flat(Tokens(1, 1), cheap).total.nano, 1);
  EXPECT_EQ(Flat(Tokens(500, 500), cheap).total.nano, 1);
  EXPECT_EQ(Flat(Tokens(500, 501), cheap).total.nano, 2);
  EXPECT_EQ(Flat(Tokens(0, 0), cheap).total.nano, 0);
  EXPECT_EQ(Flat(Tokens(500, 500), cheap).upstream_prompt.nano, 1);
  EXPECT_EQ(Flat(Tokens(500, 500), cheap).upstream_completion.nano, 1);
}

TEST(CostTest, MarkupComesBeforeTheRounding) {
  PriceTable::Parts parts;
  parts.variants.emplace_back().rates = RatesOf({{kInput, 1000}});
  const auto with = [&parts](int32_t bps, int64_t tokens) {
    parts.markup_bps = bps;
    return CostOf(Tokens(tokens, 0), **PriceTable::Make(parts), {}, "");
  };
  EXPECT_EQ(with(550, 100).total.nano, 106);  // 105.5
  EXPECT_EQ(with(550, 100).upstream.nano, 100);
  EXPECT_EQ(with(550, 200).total.nano, 211);
  EXPECT_EQ(with(1, 1).total.nano, 2);
  EXPECT_EQ(with(-5000, 3).total.nano, 2);
  EXPECT_EQ(with(-10'000, 1'000'000).total.nano, 0);
  EXPECT_EQ(with(-10'000, 1'000'000).upstream.nano, 1'000'000);
  parts.variants[0].rates = RatesOf({{kInput, kDearest}});
  EXPECT_EQ(with(PriceTable::kMaxMarkupBps, int64_t{1} << 53).total.nano, kMostMoney);
}

TEST(CostTest, AWholeRequestIsPricedByItsTier) {
  PriceTable::Parts parts;
  PriceVariant& variant = parts.variants.emplace_back();
  variant.rates = RatesOf({{kInput, 1000}, {kCacheRead, 100}, {kOutput, 5000}});
  variant.tiers = {
      {.above = 200, .rates = RatesOf({{kInput, 2000}, {kCacheRead, 200}, {kOutput, 7000}})}};
  const auto table = *PriceTable::Make(parts);
  const auto cost = [&table](const Usage& usage) { return CostOf(usage, *table, {}, ""); };
  EXPECT_EQ(cost(Tokens(200, 10)).total.nano, 200 + 50);
  EXPECT_EQ(cost(Tokens(200, 10)).tier_above, 0);
  EXPECT_EQ(cost(Tokens(201, 10)).total.nano, 402 + 70);
  EXPECT_EQ(cost(Tokens(201, 10)).tier_above, 200);
  Usage cached = Tokens(201, 0);
  cached.cached = 201;  // the threshold counts the cached tokens, too
  EXPECT_EQ(cost(cached).total.nano, 41);
}

TEST(CostTest, TheAnswersTierAndTheMomentChooseTheVariant) {
  PriceTable::Parts parts;
  parts.variants.resize(3);
  parts.variants[0].service_tier = "flex";
  parts.variants[0].rates = RatesOf({{kInput, 1000}});
  parts.variants[1].until = {1000};
  parts.variants[1].rates = RatesOf({{kInput, 2000}});
  parts.variants[2].rates = RatesOf({{kInput, 3000}});
  const auto table = *PriceTable::Make(parts);
  EXPECT_EQ(CostOf(Tokens(1, 0), *table, {999}, "").total.nano, 2);
  EXPECT_EQ(CostOf(Tokens(1, 0), *table, {1000}, "default").total.nano, 3);
  EXPECT_EQ(CostOf(Tokens(1, 0), *table, {1000}, "flex").total.nano, 1);
  EXPECT_EQ(CostOf(Tokens(1, 0), *table, {1000}, "flex").variant, 0u);
  EXPECT_EQ(CostOf(Tokens(1, 0), *table, {1000}, "").variant, 2u);
}

TEST(CostTest, SurvivesAbsurdCounts) {
  Rates dear;
  for (Rate& rate : dear.values) rate = Rate{kDearest};
  Usage absurd = Tokens(kMostMoney, kMostMoney);
  absurd.images = kMostMoney;
  const Charge charge = Flat(absurd, dear);
  EXPECT_EQ(charge.total.nano, kMostMoney);
  EXPECT_EQ(charge.upstream.nano, kMostMoney);
  EXPECT_EQ(charge.upstream_prompt.nano, kMostMoney);
  EXPECT_EQ(charge.upstream_completion.nano, kMostMoney);
  EXPECT_EQ(Flat(Usage{}).total.nano, 0);
}

TEST(CostTest, ImagesAndRequestsHaveTheirOwnRates) {
  const Rates rates = RatesOf({{kPerRequest, 1'000'000'000}, {kPerImage, 30'000'000'000}});
  Usage usage;
  usage.images = 2;
  const Charge charge = Flat(usage, rates);
  EXPECT_EQ(charge.total.nano, 61'000'000);
  EXPECT_EQ(charge.upstream_prompt.nano, 0);
  EXPECT_EQ(charge.upstream_completion.nano, 60'000'000);
}

TEST(CostTest, WhatIsConsistentIsChargedTheSame) {
  testing::SeededRng rng(7);
  const auto draw = [&rng]() -> std::optional<int64_t> {
    if (rng.OneIn(3)) return std::nullopt;
    return static_cast<int64_t>(rng.Below(20));
  };
  int odd = 0;
  for (int i = 0; i < 20'000; ++i) {
    Usage usage;
    for (auto* count :
         {&usage.prompt, &usage.completion, &usage.cached, &usage.cache_write,
          &usage.cache_write_1h, &usage.audio_prompt, &usage.audio_cached, &usage.image_prompt,
          &usage.reasoning, &usage.audio_completion, &usage.image_completion,
          &usage.accepted_predictions, &usage.rejected_predictions, &usage.images}) {
      *count = draw();
    }
    const Usage consistent = Consistent(usage);
    const Breakdown before = Classify(usage);
    const Breakdown after = Classify(consistent);
    ASSERT_FALSE(after.odd);
    ASSERT_EQ(after.units.values, before.units.values);
    ASSERT_EQ(consistent == usage, !before.odd);
    ASSERT_TRUE(Consistent(consistent) == consistent);
    odd += before.odd ? 1 : 0;
  }
  EXPECT_GT(odd, 1000);
}

TEST(CostTest, NothingDeliveredIsNotCharged) {
  EXPECT_TRUE(IsFree(false, ""));
  EXPECT_FALSE(IsFree(false, "content_filter"));
  EXPECT_FALSE(IsFree(true, ""));
  EXPECT_FALSE(IsFree(true, "stop"));
}

TEST(CostTest, EstimatesAreCompleteAndTakeWhatIsExpected) {
  const Usage usage = EstimateUsage({.tokens = 108, .upper = 150}, {.tokens = 1, .upper = 3});
  EXPECT_TRUE(usage.complete());
  EXPECT_EQ(*usage.prompt, 108);
  EXPECT_EQ(*usage.completion, 1);
  EXPECT_EQ(*usage.total, 109);
  EXPECT_FALSE(usage.image_completion.has_value());
  EXPECT_FALSE(usage.audio_completion.has_value());
}

TEST(CostTest, EstimatesCountMediaAsPartsOfTheCompletion) {
  const Usage usage =
      EstimateUsage({.tokens = 7}, {.tokens = 3}, {.pictures = 2, .sound_bytes = 4096});
  EXPECT_EQ(*usage.image_completion, 2 * 1290);
  EXPECT_EQ(*usage.audio_completion, 3);
  EXPECT_EQ(*usage.completion, 3 + 2 * 1290 + 3);
  EXPECT_EQ(*usage.total, 7 + 3 + 2 * 1290 + 3);
  EXPECT_TRUE(CutMedia(usage, 10'000) == usage);

  const Usage cut = CutMedia(usage, 100);
  EXPECT_EQ(*cut.completion, 100);
  EXPECT_EQ(*cut.image_completion, 94);
  EXPECT_EQ(*cut.audio_completion, 3);
  EXPECT_EQ(*cut.total, 107);
  EXPECT_EQ(*CutMedia(usage, 1).completion, 3);  // the text stays
}

}  // namespace
}  // namespace seekroute
