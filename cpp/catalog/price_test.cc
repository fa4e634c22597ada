#include "catalog/price.h"

#include <gtest/gtest.h>

#include <functional>

namespace seekroute {
namespace {

constexpr int64_t kHour = 3600;
constexpr int64_t kMidnight = 1'700'006'400;  // 2023-11-15 00:00:00 UTC

PriceTable::Parts Valid() {
  PriceTable::Parts parts;
  parts.revision = "r1";
  parts.variants.resize(2);
  parts.variants[0].service_tier = "flex";
  return parts;
}

TEST(PriceTest, TakesTheFirstVariantThatHolds) {
  PriceTable::Parts parts = Valid();
  parts.variants.insert(parts.variants.begin(), parts.variants[0]);
  parts.variants[0].from = {100};
  parts.variants[0].until = {200};
  const auto table = *PriceTable::Make(parts);
  EXPECT_EQ(table->IndexAt({99}, "flex"), 1u);
  EXPECT_EQ(table->IndexAt({100}, "flex"), 0u);
  EXPECT_EQ(table->IndexAt({199}, "flex"), 0u);
  EXPECT_EQ(table->IndexAt({200}, "flex"), 1u);
  EXPECT_EQ(table->IndexAt({150}, ""), 2u);
  EXPECT_EQ(table->IndexAt({150}, "Flex"), 2u);
  EXPECT_EQ(table->IndexAt({150}, "priority"), 2u);
  EXPECT_EQ(table->revision(), "r1");
}

TEST(PriceTest, WindowsOfTheDayAreHalfOpenAndMayWrapMidnight) {
  PriceVariant day;
  day.day_start = 60;
  day.day_end = 120;
  EXPECT_FALSE(day.HoldsAt({kMidnight + kHour - 1}, ""));
  EXPECT_TRUE(day.HoldsAt({kMidnight + kHour}, ""));
  EXPECT_TRUE(day.HoldsAt({kMidnight + 2 * kHour - 1}, ""));
  EXPECT_FALSE(day.HoldsAt({kMidnight + 2 * kHour}, ""));
  PriceVariant night;
  night.day_start = 22 * 60;
  night.day_end = 6 * 60;
  EXPECT_TRUE(night.HoldsAt({kMidnight - 1}, ""));
  EXPECT_TRUE(night.HoldsAt({kMidnight}, ""));
  EXPECT_TRUE(night.HoldsAt({kMidnight + 6 * kHour - 1}, ""));
  EXPECT_FALSE(night.HoldsAt({kMidnight + 6 * kHour}, ""));
  EXPECT_FALSE(night.HoldsAt({kMidnight + 22 * kHour - 1}, ""));
  EXPECT_TRUE(night.HoldsAt({kMidnight + 22 * kHour}, ""));
  EXPECT_TRUE(night.HoldsAt({-1}, "")) << "23:59:59 of the last day before 1970";
  PriceVariant last_hour;
  last_hour.day_start = 23 * 60;
  last_hour.day_end = 24 * 60;
  EXPECT_TRUE(last_hour.HoldsAt({kMidnight - 1}, ""));
  EXPECT_FALSE(last_hour.HoldsAt({kMidnight}, ""));
}

TEST(PriceTest, TiersBeginAboveTheirThreshold) {
  PriceVariant variant;
  EXPECT_EQ(variant.TierFor(1'000'000), nullptr);
  variant.tiers = {{.above = 100, .rates = {}}, {.above = 200, .rates = {}}};
  EXPECT_EQ(variant.TierFor(100), nullptr);
  EXPECT_EQ(variant.TierFor(101), &variant.tiers[0]);
  EXPECT_EQ(variant.TierFor(200), &variant.tiers[0]);
  EXPECT_EQ(variant.TierFor(201), &variant.tiers[1]);
}

TEST(PriceTest, RefusesTablesThatCannotBeMeant) {
  EXPECT_TRUE(PriceTable::Make(Valid()).has_value());
  const struct {
    std::string path;
    std::function<void(PriceTable::Parts&)> spoil;
  } kCases[] = {
      {"revision", [](auto& p) { p.revision.assign(PriceTable::kMaxRevisionBytes + 1, 'r'); }},
      {"markup_bps", [](auto& p) { p.markup_bps = PriceTable::kMinMarkupBps - 1; }},
      {"markup_bps", [](auto& p) { p.markup_bps = PriceTable::kMaxMarkupBps + 1; }},
      {"variants", [](auto& p) { p.variants.clear(); }},
      {"variants", [](auto& p) { p.variants.resize(PriceTable::kMaxVariants + 1); }},
      {"variants[0].day_start", [](auto& p) { p.variants[0].day_start = -1; }},
      {"variants[0].day_start", [](auto& p) { p.variants[0].day_start = 1441; }},
      {"variants[0].day_end", [](auto& p) { p.variants[0].day_end = -1; }},
      {"variants[0].day_end", [](auto& p) { p.variants[0].day_end = 1441; }},
      {"variants[0].until",
       [](auto& p) {
         p.variants[0].from = {5};
         p.variants[0].until = {5};
       }},
      {"variants[0].tiers", [](auto& p) { p.variants[0].tiers.resize(PriceTable::kMaxTiers + 1); }},
      {"variants[0].tiers[0].above", [](auto& p) { p.variants[0].tiers.resize(1); }},
      {"variants[0].tiers[1].above",
       [](auto& p) {
         p.variants[0].tiers = {{.above = 5, .rates = {}}, {.above = 5, .rates = {}}};
       }},
      {"variants[1]", [](auto& p) { p.variants[1].service_tier = "flex"; }},
      {"variants[1]", [](auto& p) { p.variants[1].from = {1}; }},
      {"variants[1]", [](auto& p) { p.variants[1].until = {1}; }},
      {"variants[1]", [](auto& p) { p.variants[1].day_end = 1; }},
  };
  for (const auto& refused : kCases) {
    PriceTable::Parts parts = Valid();
    refused.spoil(parts);
    const auto made = PriceTable::Make(std::move(parts));
    ASSERT_FALSE(made.has_value()) << refused.path;
    EXPECT_EQ(made.error().param, refused.path);
    EXPECT_EQ(made.error().message.find(refused.path + ": "), 0u) << made.error().message;
  }
}

TEST(PriceTest, EveryClassHasItsOwnName) {
  for (size_t i = 0; i < kPriceClassCount; ++i) {
    EXPECT_FALSE(NameOf(static_cast<PriceClass>(i)).empty());
    for (size_t k = 0; k < i; ++k) {
      EXPECT_NE(NameOf(static_cast<PriceClass>(i)), NameOf(static_cast<PriceClass>(k)));
    }
  }
  EXPECT_EQ(NameOf(PriceClass::kPerRequest), "per_request");
  EXPECT_EQ(NameOf(PriceClass::kCacheWrite1h), "cache_write_1h");
}

}  // namespace
}  // namespace seekroute
