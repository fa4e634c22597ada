#include "routing/answer_lengths.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>

namespace seekroute {
namespace {

TEST(AnswerLengthsTest, KnowsNothingAndGuesses) {
  const AnswerLengths lengths;
  for (const float difficulty : {-1.0F, 0.0F, 0.5F, 1.0F, 2.0F, std::nanf("")}) {
    EXPECT_EQ(lengths.Expect("m", difficulty), kGuessedAnswerTokens);
  }
}

TEST(AnswerLengthsTest, EachModelComesToItsOwnMean) {
  AnswerLengths lengths;
  for (int i = 0; i < 400; ++i) {
    lengths.Learn("short", 0.4F, 50, false);
    lengths.Learn("long", 0.4F, 3000, false);
  }
  EXPECT_NEAR(static_cast<double>(lengths.Expect("short", 0.4F)), 50, 50);
  EXPECT_NEAR(static_cast<double>(lengths.Expect("long", 0.4F)), 3000, 150);
}

TEST(AnswerLengthsTest, HarderPromptsHaveTheirOwn) {
  AnswerLengths lengths;
  for (int i = 0; i < 200; ++i) {
    lengths.Learn("m", 0.1F, 100, false);
    lengths.Learn("m", 0.9F, 900, false);
  }
  EXPECT_LT(lengths.Expect("m", 0.1F), 200);
  EXPECT_GT(lengths.Expect("m", 0.9F), 800);
  // Nothing is known of the third quarter: between the two.
  EXPECT_NEAR(static_cast<double>(lengths.Expect("m", 0.6F)), 500, 100);
}

TEST(AnswerLengthsTest, AModelWithoutAnswersIsLikeTheOthers) {
  AnswerLengths lengths;
  for (int i = 0; i < 300; ++i) lengths.Learn("m", 0.4F, 2000, false);
  EXPECT_GT(lengths.Expect("new", 0.4F), 1800);
  // Its first answers count little, then more.
  lengths.Learn("new", 0.4F, 20, false);
  EXPECT_GT(lengths.Expect("new", 0.4F), 1300);
  for (int i = 0; i < 100; ++i) lengths.Learn("new", 0.4F, 20, false);
  EXPECT_LT(lengths.Expect("new", 0.4F), 100);
}

TEST(AnswerLengthsTest, AnAnswerThatWasCutIsNoShortOne) {
  AnswerLengths lengths;
  for (int i = 0; i < 100; ++i) lengths.Learn("m", 0.4F, 1000, false);
  const int64_t before = lengths.Expect("m", 0.4F);
  for (int i = 0; i < 100; ++i) lengths.Learn("m", 0.4F, 16, true);
  EXPECT_NEAR(static_cast<double>(lengths.Expect("m", 0.4F)), static_cast<double>(before), 60);
  for (int i = 0; i < 100; ++i) lengths.Learn("m", 0.4F, 4000, true);
  EXPECT_GT(lengths.Expect("m", 0.4F), 2 * before);
}

TEST(AnswerLengthsTest, OneAnswerMovesLittle) {
  AnswerLengths lengths;
  for (int i = 0; i < 200; ++i) lengths.Learn("m", 0.4F, 300, false);
  const int64_t before = lengths.Expect("m", 0.4F);
  lengths.Learn("m", 0.4F, 1'000'000'000, false);
  EXPECT_LT(static_cast<double>(lengths.Expect("m", 0.4F)), 1.06 * static_cast<double>(before));
}

TEST(AnswerLengthsTest, FollowsAModelThatChanges) {
  AnswerLengths lengths;
  for (int i = 0; i < 2000; ++i) lengths.Learn("m", 0.4F, 300, false);
  for (int i = 0; i < 1000; ++i) lengths.Learn("m", 0.4F, 1200, false);
  EXPECT_GT(lengths.Expect("m", 0.4F), 1000);
}

// Whatever is learned: no expectation is beyond what was seen and the guess, a longer answer makes
// none shorter, and all of it is the same after a restart.
TEST(AnswerLengthsTest, IsBetweenTheShortestAndTheLongest) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 rng(seed);
    AnswerLengths lengths;
    int64_t shortest = kGuessedAnswerTokens, longest = kGuessedAnswerTokens;
    const auto draw = [&rng](unsigned below) { return static_cast<unsigned>(rng() % below); };
    const auto model = [&] { return "m" + std::to_string(draw(3)); };
    const auto difficulty = [&] { return static_cast<float>(draw(101)) / 100.0F; };
    for (unsigned i = draw(150); i > 0; --i) {
      const auto tokens = static_cast<int64_t>(draw(1U << draw(16)) + 1);
      shortest = std::min(shortest, tokens);
      longest = std::max(longest, tokens);
      const std::string name = model();
      const float hard = difficulty();
      AnswerLengths shorter = lengths;
      shorter.Learn(name, hard, tokens / 2, false);
      lengths.Learn(name, hard, tokens, draw(4) == 0);
      const std::string other = model();
      EXPECT_GE(lengths.Expect(other, hard), shorter.Expect(other, hard)) << seed;
    }
    AnswerLengths restored;
    restored.Restore(lengths.Keep());
    EXPECT_EQ(restored.Keep(), lengths.Keep()) << seed;
    VarintWriter out;
    WriteAnswerLengths(lengths.Keep(), &out);
    VarintReader in(out.bytes);
    EXPECT_EQ(ReadAnswerLengths(&in), lengths.Keep()) << seed;
    EXPECT_TRUE(in.ok() && in.done()) << seed;
    for (int i = 0; i < 20; ++i) {
      const std::string name = model();
      const float hard = difficulty();
      const int64_t expected = lengths.Expect(name, hard);
      EXPECT_GE(expected, shortest) << seed;
      EXPECT_LE(expected, longest) << seed;
      EXPECT_NEAR(static_cast<double>(restored.Expect(name, hard)), static_cast<double>(expected),
                  1)
          << seed;
    }
  }
}

TEST(AnswerLengthsTest, IsBounded) {
  AnswerLengths lengths;
  lengths.Learn("first", 0.4F, 10, false);
  for (size_t i = 0; i < AnswerLengths::kMostModels; ++i) {
    lengths.Learn("m" + std::to_string(i), 0.4F, 10, false);
  }
  lengths.Learn(std::string(AnswerLengths::kMostNameBytes + 1, 'm'), 0.4F, 10, false);
  const AnswerLengths::Kept kept = lengths.Keep();
  EXPECT_EQ(kept.models.size(), AnswerLengths::kMostModels);
  EXPECT_EQ(kept.models.front().name, "m0");
}

// What docs/auto.md tells: four models with lengths that are drawn around a mean of their own,
// which grows with how hard the prompt is, but for one; the error is that of the mean.
TEST(AnswerLengthsTest, ExpectsBetterThanAGuess) {
  constexpr int kLearned = 400;
  struct Error {
    double sum = 0;
    int count = 0;
    void Add(double told, double truth) {
      sum += std::abs(told - truth) / truth;
      ++count;
    }
    double mean() const { return sum / count; }
  };
  Error guessed, one_mean, expected;
  for (unsigned seed = 0; seed < 20; ++seed) {
    std::mt19937 rng(seed);
    std::uniform_real_distribution<float> uniform(0, 1);
    std::normal_distribution<double> normal;
    const std::array<std::string, 4> names = {"flash", "plain", "wordy", "thinking"};
    const std::array<double, 4> means = {120, 300, 700, 1500};
    const auto mean_of = [&](size_t model, float difficulty) {
      return means[model] * (model == 0 ? 1 : std::exp2(2.0 * static_cast<double>(difficulty) - 1));
    };
    AnswerLengths lengths;
    std::array<double, 4> sums{};
    std::array<int, 4> counts{};
    for (int i = 0; i < kLearned; ++i) {
      // The first is asked most, the last least.
      const auto model = static_cast<size_t>(4 * uniform(rng) * uniform(rng));
      const float difficulty = uniform(rng);
      constexpr double kSpread = 0.7;
      const double tokens =
          mean_of(model, difficulty) * std::exp(kSpread * normal(rng) - kSpread * kSpread / 2);
      lengths.Learn(names[model], difficulty, std::llround(tokens), false);
      sums[model] += tokens;
      ++counts[model];
    }
    for (size_t model = 0; model < names.size(); ++model) {
      for (int i = 0; i < 100; ++i) {
        const float difficulty = static_cast<float>(i) / 100.0F;
        const double truth = mean_of(model, difficulty);
        guessed.Add(static_cast<double>(kGuessedAnswerTokens), truth);
        one_mean.Add(counts[model] == 0 ? 400 : sums[model] / counts[model], truth);
        expected.Add(static_cast<double>(lengths.Expect(names[model], difficulty)), truth);
      }
    }
  }
  RecordProperty("guessed", std::to_string(guessed.mean()));
  RecordProperty("one_mean", std::to_string(one_mean.mean()));
  RecordProperty("expected", std::to_string(expected.mean()));
  EXPECT_LT(expected.mean(), 0.3 * guessed.mean());
  EXPECT_LT(expected.mean(), one_mean.mean());
}

}  // namespace
}  // namespace seekroute
