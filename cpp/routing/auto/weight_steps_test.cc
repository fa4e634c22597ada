#include "routing/auto/weight_steps.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "testing/auto_weights.h"

namespace seekroute {
namespace {

// Counters spread as in prompts of people.
AutoWeights SomeWeights(uint64_t seed, size_t models) {
  AutoWeights weights = testing::SomeAutoWeights(seed, models);
  weights.direction.fill({.mean = 1, .scale = 0.1F});
  return weights;
}

PromptFeatures Look(const std::string& text) {
  TextScanner scanner;
  PromptFeatures features;
  features.text = scanner.Scan(text);
  std::copy(features.text.counters.begin(), features.text.counters.end(), features.dense.begin());
  return features;
}

float QualityOf(const AutoWeights& weights, const PromptFeatures& prompt, size_t model) {
  const AutoScorer scorer = *AutoScorer::Make(weights, nullptr);
  AutoScorer::Scratch scratch;
  PromptScores scores;
  scorer.Score(prompt, true, &scratch, &scores);
  return scores.models[model].members[static_cast<size_t>(AutoMember::kLinear)];
}

std::vector<RatedStep> Steps(size_t count, size_t model, float outcome) {
  return std::vector<RatedStep>(count, RatedStep{.prompt = 0, .model = model, .outcome = outcome});
}

// All that a step may change is put back.
AutoWeights WithRegressionOf(AutoWeights weights, const AutoWeights& other) {
  for (size_t m = 0; m < weights.models.size(); ++m) {
    weights.models[m].linear = other.models[m].linear;
  }
  return weights;
}

TEST(WeightStepsTest, LearnsOfTheRatedModelAndPromptAlone) {
  const AutoWeights before = SomeWeights(1, 3);
  AutoWeights after = before;
  const std::vector<PromptFeatures> prompts = {Look("Prove the theorem about planar graphs.")};
  StepWeights(prompts, Steps(40, 1, 0), &after);
  EXPECT_LT(QualityOf(after, prompts[0], 1), QualityOf(before, prompts[0], 1));
  EXPECT_EQ(after.models[0], before.models[0]);
  EXPECT_EQ(after.models[2], before.models[2]);
  EXPECT_EQ(WithRegressionOf(after, before), before);
  EXPECT_TRUE(CheckAutoWeights(after).ok());
  // Of another prompt, of which it has only what all have in common, less is believed.
  const PromptFeatures other = Look("Translate: good morning, dear friend");
  const auto fall = [&](const PromptFeatures& prompt) {
    return QualityOf(before, prompt, 1) - QualityOf(after, prompt, 1);
  };
  EXPECT_GT(fall(prompts[0]), fall(other));
}

TEST(WeightStepsTest, NothingIsMovedFar) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const AutoWeights before = SomeWeights(seed, 2);
    AutoWeights after = before;
    const std::vector<PromptFeatures> prompts = {Look(std::string(4000, 'x') + " 1 2 3 if"),
                                                 Look("a"), Look("")};
    std::vector<RatedStep> steps = Steps(5000, 0, seed % 2 == 0 ? 0.0F : 1.0F);
    for (size_t i = 0; i < steps.size(); ++i) steps[i].prompt = i % prompts.size();
    StepWeights(prompts, steps, &after);
    ASSERT_TRUE(CheckAutoWeights(after).ok());
    const LinearModel& was = before.models[0].linear;
    const LinearModel& is = after.models[0].linear;
    for (size_t i = 0; i < kWordBuckets; ++i) {
      ASSERT_LE(std::abs(is.words[i] - was.words[i]), kMostMove + 1e-5F) << seed;
    }
  }
}

// Beyond kMostSteps the first ones are as if they had not been.
TEST(WeightStepsTest, TheLatestCount) {
  const std::vector<PromptFeatures> prompts = {Look("What is it?")};
  AutoWeights many = SomeWeights(2, 2), few = many;
  std::vector<RatedStep> steps = Steps(300, 0, 0);
  const std::vector<RatedStep> last = Steps(kMostSteps, 1, 1);
  steps.insert(steps.end(), last.begin(), last.end());
  StepWeights(prompts, steps, &many);
  StepWeights(prompts, last, &few);
  EXPECT_EQ(many, few);
}

// The more was trained on, the less a rating moves.
TEST(WeightStepsTest, MoreRatingsAreMovedLess) {
  const std::vector<PromptFeatures> prompts = {Look("What is the theorem?")};
  const auto moved = [&](uint64_t ratings) {
    AutoWeights before = SomeWeights(3, 2);
    before.ratings = ratings;
    for (AutoWeights::PerModel& each : before.models) each.ratings = ratings;
    AutoWeights after = before;
    StepWeights(prompts, Steps(20, 1, 0), &after);
    return QualityOf(before, prompts[0], 1) - QualityOf(after, prompts[0], 1);
  };
  EXPECT_GT(moved(50), 2 * moved(5000));
  EXPECT_GT(moved(5000), 0);
}

// Of weights of a release that did not say how counters are spread.
TEST(WeightStepsTest, CountersWithoutSpreadStay) {
  AutoWeights before = SomeWeights(4, 2);
  before.direction = {};
  AutoWeights after = before;
  const std::vector<PromptFeatures> prompts = {Look("What is it, if 3 of 5 are 7?")};
  StepWeights(prompts, Steps(20, 0, 0), &after);
  EXPECT_EQ(after.models[0].linear.counters, before.models[0].linear.counters);
  EXPECT_LT(QualityOf(after, prompts[0], 0), QualityOf(before, prompts[0], 0));
}

TEST(WeightStepsTest, WeightsWithoutRegressionStay) {
  AutoWeights before = SomeWeights(5, 2);
  for (AutoWeights::PerModel& each : before.models) {
    each.linear.words.clear();
    each.leads[static_cast<size_t>(AutoMember::kLinear)].clear();
  }
  AutoWeights after = before;
  const std::vector<PromptFeatures> prompts = {Look("What is it?")};
  StepWeights(prompts, Steps(20, 0, 0), &after);
  EXPECT_EQ(after, before);
}

}  // namespace
}  // namespace seekroute
