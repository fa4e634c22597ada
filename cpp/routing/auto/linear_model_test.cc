#include "routing/auto/linear_model.h"

#include <cmath>
#include <string>

#include <gtest/gtest.h>

namespace seekroute {
namespace {

LinearModel Nothing() { return {.words = std::vector<float>(kWordBuckets)}; }

std::vector<WordWeight> WordsOf(std::string_view text) {
  TextScanner scanner;
  std::vector<WordWeight> words;
  WeighWords(scanner.Scan(text).words, {}, &words);
  return words;
}

TEST(WeighWords, SquaresAddUpToOne) {
  const std::vector<WordCount> words{{1, 1}, {2, 3}};
  std::vector<float> rarity(kWordBuckets, 1);
  rarity[1] = 2;
  std::vector<WordWeight> weighed;
  WeighWords(words, rarity, &weighed);
  ASSERT_EQ(weighed.size(), 2U);
  EXPECT_NEAR(weighed[0].value * weighed[0].value + weighed[1].value * weighed[1].value, 1, 1e-6);
  EXPECT_NEAR(weighed[1].value / weighed[0].value, (1 + std::log(3.0)) / 2, 1e-6);
}

TEST(WeighWords, OfNoneAreNone) {
  std::vector<WordWeight> weighed{{1, 1}};
  WeighWords({}, {}, &weighed);
  EXPECT_TRUE(weighed.empty());
  WeighWords(std::vector<WordCount>{{1, 1}}, std::vector<float>(kWordBuckets), &weighed);
  EXPECT_EQ(weighed[0].value, 0);
}

TEST(LinearModel, Adds) {
  LinearModel model = Nothing();
  model.words[7] = 2;
  model.counters[3] = -1;
  model.bias = 0.5F;
  std::array<float, kCounterCount> counters{};
  counters[3] = 4;
  EXPECT_DOUBLE_EQ(model.Logit(std::vector<WordWeight>{{7, 0.5F}, {8, 1}}, counters), -2.5);
}

TEST(OnlineLinearModel, LearnsWhichWordsAreBad) {
  OnlineLinearModel online(Nothing());
  const std::array<float, kCounterCount> counters{};
  const auto hard = WordsOf("prove the lemma"), easy = WordsOf("say the word");
  for (int i = 0; i < 60; ++i) {
    online.Learn(hard, counters, 0);
    online.Learn(easy, counters, 1);
  }
  EXPECT_LT(online.model().Logit(hard, counters), -1);
  EXPECT_GT(online.model().Logit(easy, counters), 1);
}

TEST(OnlineLinearModel, NoRatingMovesAWeightFar) {
  OnlineLinearModel online(Nothing(), {.rate = 0.25F});
  std::array<float, kCounterCount> counters;
  counters.fill(1e6F);
  online.Learn(WordsOf("one two"), counters, 1e30F);
  for (const float weight : online.model().counters) EXPECT_LE(std::abs(weight), 0.2501F);
  for (const float weight : online.model().words) EXPECT_LE(std::abs(weight), 0.2501F);
  EXPECT_LE(std::abs(online.model().bias), 0.2501F);
}

TEST(OnlineLinearModel, OutcomesInBetweenAreKept) {
  OnlineLinearModel online(Nothing());
  const std::array<float, kCounterCount> counters{};
  const auto words = WordsOf("half");
  for (int i = 0; i < 400; ++i) online.Learn(words, counters, 0.5F);
  EXPECT_NEAR(online.model().Logit(words, counters), 0, 1e-6);
}

}  // namespace
}  // namespace seekroute
