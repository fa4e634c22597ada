#include "routing/auto/neighbours.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "routing/auto/quantile_table.h"

namespace seekroute {
namespace {

constexpr size_t kWidth = RatedPrompts::kWidth;
using Direction = std::array<int8_t, kWidth>;

Direction RandomDirection(std::mt19937_64* random, int coarse) {
  std::array<float, kWidth> features;
  for (float& each : features) each = static_cast<float>(static_cast<int>((*random)() % 7) - 3);
  Direction direction = DirectionOf(features);
  for (int8_t& each : direction) each = static_cast<int8_t>(each / coarse * coarse);
  return direction;
}

TEST(Neighbours, AreThoseThatASortFinds) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 80; ++round) {
    const size_t count = 1 + random() % 400, models = 1 + random() % 3;
    RatedPrompts prompts{.neighbours = static_cast<uint32_t>(1 + random() % count)};
    for (size_t i = 0; i < count; ++i) {
      const Direction each =
          RandomDirection(&random, 1 + round % 12);  // coarse ones are often equal
      prompts.directions.insert(prompts.directions.end(), each.begin(), each.end());
      for (size_t m = 0; m < models; ++m) {
        prompts.outcomes.push_back(static_cast<uint8_t>(random() % 256));
      }
    }
    const Direction asked = RandomDirection(&random, 1 + round % 12);
    const auto likeness = [&](size_t prompt) {
      int sum = 0;
      for (size_t i = 0; i < kWidth; ++i) {
        sum += asked[i] * prompts.directions[prompt * kWidth + i];
      }
      return sum;
    };
    std::vector<size_t> order(count);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return likeness(a) > likeness(b); });
    const Result<Neighbours> made = Neighbours::Make(prompts, models);
    ASSERT_TRUE(made.has_value()) << made.error().message;
    Neighbours::Scratch scratch;
    std::vector<Neighbours::Outcome> outcomes;
    made->Ask(asked, &scratch, &outcomes);
    ASSERT_EQ(outcomes.size(), models);
    for (size_t m = 0; m < models; ++m) {
      double sum = 0, above = 0;
      int rated = 0, pairs = 0;
      for (size_t i = 0; i < prompts.neighbours; ++i) {
        const uint8_t* const row = &prompts.outcomes[order[i] * models];
        if (row[m] == RatedPrompts::kUnrated) continue;
        sum += row[m];
        ++rated;
        if (row[0] == RatedPrompts::kUnrated) continue;
        above += row[m] - row[0];
        ++pairs;
      }
      EXPECT_EQ(outcomes[m].rated, rated > 0);
      EXPECT_NEAR(outcomes[m].mean, rated > 0 ? sum / rated / 254 : 0.5, 1e-6);
      EXPECT_NEAR(outcomes[m].above, pairs > 0 ? above / pairs / 254 : 0, 1e-6);
    }
  }
}

TEST(Neighbours, TakeAnyBytesForDirections) {
  RatedPrompts prompts{.directions = std::vector<int8_t>(2 * kWidth, -128),
                       .outcomes = {254, 0, 0, 254},
                       .neighbours = 1};
  std::fill_n(prompts.directions.begin(), kWidth, int8_t{127});
  const Result<Neighbours> made = Neighbours::Make(prompts, 2);
  ASSERT_TRUE(made.has_value());
  Neighbours::Scratch scratch;
  std::vector<Neighbours::Outcome> outcomes;
  Direction asked;
  asked.fill(-128);
  made->Ask(asked, &scratch, &outcomes);
  EXPECT_EQ(outcomes[1].above, 1);
  asked.fill(127);
  made->Ask(asked, &scratch, &outcomes);
  EXPECT_EQ(outcomes[1].above, -1);
}

TEST(Neighbours, OfNoneKnowNothing) {
  const Result<Neighbours> made = Neighbours::Make({}, 2);
  ASSERT_TRUE(made.has_value());
  Neighbours::Scratch scratch;
  std::vector<Neighbours::Outcome> outcomes;
  made->Ask({}, &scratch, &outcomes);
  ASSERT_EQ(outcomes.size(), 2U);
  EXPECT_FALSE(outcomes[1].rated);
}

TEST(Neighbours, RefuseWhatDoesNotFit) {
  const RatedPrompts good{
      .directions = std::vector<int8_t>(2 * kWidth), .outcomes = {0, 1, 2, 3}, .neighbours = 2};
  EXPECT_TRUE(Neighbours::Make(good, 2).has_value());
  EXPECT_FALSE(Neighbours::Make(good, 3).has_value());
  EXPECT_FALSE(Neighbours::Make(good, 0).has_value());
  RatedPrompts bad = good;
  bad.neighbours = 3;
  EXPECT_FALSE(Neighbours::Make(bad, 2).has_value());
  bad.neighbours = 0;
  EXPECT_FALSE(Neighbours::Make(bad, 2).has_value());
  bad = good;
  bad.directions.pop_back();
  EXPECT_FALSE(Neighbours::Make(bad, 2).has_value());
}

TEST(Neighbours, NoDirectionOfNothing) {
  EXPECT_EQ(DirectionOf(std::array<float, 3>{}), Direction{});
  EXPECT_EQ(DirectionOf(std::array<float, 2>{3, 4})[1], 102);
}

TEST(QuantileTable, RanksBetweenAndAmongEquals) {
  std::vector<float> table(kQuantiles);
  for (size_t i = 0; i < kQuantiles; ++i) table[i] = static_cast<float>(i);
  ASSERT_TRUE(IsQuantileTable(table));
  EXPECT_DOUBLE_EQ(RankOf(-1, table), 0);
  EXPECT_DOUBLE_EQ(RankOf(0, table), 0);
  EXPECT_DOUBLE_EQ(RankOf(250.5, table), 0.2505);
  EXPECT_DOUBLE_EQ(RankOf(1000, table), 1);
  EXPECT_DOUBLE_EQ(RankOf(1e9, table), 1);
  EXPECT_DOUBLE_EQ(RankOf(std::nan(""), table), 0.5);
  std::fill(table.begin(), table.end(), 1.0F);
  EXPECT_DOUBLE_EQ(RankOf(1, table), 0.5);
  EXPECT_DOUBLE_EQ(RankOf(0.9, table), 0);
  table[3] = 2;
  EXPECT_FALSE(IsQuantileTable(table));
  EXPECT_FALSE(IsQuantileTable(std::span<const float>(table).first(1000)));
}

}  // namespace
}  // namespace seekroute
