#include "testing/auto_weights.h"

#include <algorithm>
#include <random>
#include <string>
#include <utility>

#include "routing/auto/quantile_table.h"

namespace seekroute::testing {
namespace {

std::vector<float> Quantiles(std::mt19937_64* random) {
  std::vector<float> table(kQuantiles);
  for (float& each : table) each = static_cast<float>((*random)() % 2001) / 1000 - 1;
  std::sort(table.begin(), table.end());
  return table;
}

}  // namespace

std::shared_ptr<const StaticVectors> SomeVectors() {
  std::array<float, kVectorSize> scales;
  scales.fill(0.01F);
  const std::vector<std::string> words{"prove", "theorem", "hello", "s", "what", "is"};
  std::vector<int8_t> numbers;
  for (size_t i = 0; i < words.size() * kVectorSize; ++i) {
    numbers.push_back(static_cast<int8_t>(i * 37 % 251 - 125));
  }
  return std::make_shared<StaticVectors>(*StaticVectors::Make(words, scales, std::move(numbers)));
}

AutoWeights SomeAutoWeights(uint64_t seed, size_t models) {
  std::mt19937_64 random(seed);
  const auto below = [&](size_t most) { return static_cast<size_t>(random() % most); };
  const auto number = [&] { return static_cast<float>(below(2001)) / 1000 - 1; };
  AutoWeights weights;
  weights.revision = "test " + std::to_string(seed);
  weights.ratings = 1000;
  weights.length = {5, 1};
  weights.keyword = {1, 0.5F};
  weights.prior = Quantiles(&random);
  weights.rarity.assign(kWordBuckets, 1);
  for (AutoWeights::Spread& each : weights.direction) each = {number(), 1 + number() / 2};
  for (size_t m = 0; m < models; ++m) {
    AutoWeights::PerModel& model = weights.models.emplace_back();
    model.name = "model-" + std::to_string(m);
    model.ratings = weights.ratings;
    model.linear.words.assign(kWordBuckets, 0);
    for (size_t i = 0; i < 2000; ++i) model.linear.words[below(kWordBuckets)] = number();
    for (float& each : model.linear.counters) each = number() / 10;
    for (size_t i = 0; i < 20; ++i) {
      model.trees.push_back(
          {.splits = {{static_cast<uint16_t>(below(kDenseFeatures)), number(), 1, ~0},
                      {static_cast<uint16_t>(below(kDenseFeatures)), number(), ~1, ~2}},
           .leaves = {static_cast<double>(number()) / 10, static_cast<double>(number()) / 10,
                      static_cast<double>(number()) / 10}});
    }
    if (m > 0) {
      for (std::vector<float>& lead : model.leads) lead = Quantiles(&random);
    }
  }
  constexpr size_t kRated = 40;
  for (size_t i = 0; i < kRated; ++i) {
    std::array<float, kDenseFeatures> features;
    for (float& each : features) each = number();
    const auto direction = DirectionOf(std::span<const float>(features));
    weights.rated.directions.insert(weights.rated.directions.end(), direction.begin(),
                                    direction.end());
    for (size_t m = 0; m < models; ++m) {
      weights.rated.outcomes.push_back(static_cast<uint8_t>(below(256)));
    }
  }
  weights.rated.neighbours = 7;
  return weights;
}

}  // namespace seekroute::testing
