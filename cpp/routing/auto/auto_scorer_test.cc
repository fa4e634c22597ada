#include "routing/auto/auto_scorer.h"

#include <cmath>
#include <limits>
#include <string>

#include <gtest/gtest.h>

#include "testing/auto_weights.h"

namespace seekroute {
namespace {

using testing::SomeAutoWeights;
using testing::SomeVectors;

std::vector<std::string> Texts() {
  return {"",
          "Hello",
          "Prove the theorem step by step. Why is it true?\nA. yes\nB. no",
          std::string(1'000'000, 'x'),
          "\xe4\xba\xba\xe5\xb7\xa5\xe6\x99\xba\xe8\x83\xbd",
          "\xff\xfe\x00 odd",
          "def f(x): return x == 1"};
}

PromptScores ScoresOf(const AutoScorer& scorer, std::string_view text, bool neighbours = true) {
  AutoScorer::Scratch scratch;
  PromptScores scores;
  scorer.Score(text, neighbours, &scratch, &scores);
  return scores;
}

bool Same(const PromptScores& a, const PromptScores& b) {
  if (a.prior != b.prior || a.models.size() != b.models.size()) return false;
  for (size_t m = 0; m < a.models.size(); ++m) {
    const ModelScore &x = a.models[m], &y = b.models[m];
    if (x.rank != y.rank || x.quality != y.quality || x.members != y.members) return false;
  }
  return true;
}

TEST(AutoWeights, BytesAndBack) {
  for (uint64_t seed = 0; seed < 5; ++seed) {
    const AutoWeights weights = SomeAutoWeights(seed, 2 + seed);
    const Status status = CheckAutoWeights(weights);
    ASSERT_TRUE(status.ok()) << status.error().message;
    const std::string bytes = WriteAutoWeights(weights);
    const Result<AutoWeights> read = ReadAutoWeights(bytes);
    ASSERT_TRUE(read.has_value()) << read.error().message;
    EXPECT_EQ(*read, weights);
    EXPECT_EQ(WriteAutoWeights(*read), bytes);
  }
}

TEST(AutoWeights, RefuseOtherBytes) {
  const std::string bytes = WriteAutoWeights(SomeAutoWeights(1));
  const auto refusal = [](std::string_view from) {
    const Result<AutoWeights> read = ReadAutoWeights(from);
    return read.has_value() ? std::string() : read.error().message;
  };
  for (size_t size = 0; size < bytes.size(); size += 1 + size / 20) {
    EXPECT_NE(refusal(std::string_view(bytes).substr(0, size)), "") << size;
  }
  EXPECT_NE(refusal(bytes + "x"), "");
  std::string flipped = bytes;
  flipped[bytes.size() / 2] = static_cast<char>(flipped[bytes.size() / 2] ^ 1);
  EXPECT_EQ(refusal(flipped), "the router's weights are damaged: train them again");
  std::string later = bytes;
  later[4] = 9;
  EXPECT_EQ(refusal(later),
            "the router's weights are of version 9, and this release reads version 3: train them "
            "again");
  EXPECT_NE(refusal("GIF89a, which is none").find("other bytes"), std::string::npos);
}

TEST(AutoWeights, RefuseWhatDoesNotFit) {
  const AutoWeights good = SomeAutoWeights(2);
  const auto refused = [&](const auto& spoil) {
    AutoWeights bad = good;
    spoil(&bad);
    return !CheckAutoWeights(bad).ok();
  };
  EXPECT_FALSE(refused([](AutoWeights*) {}));
  EXPECT_TRUE(refused([](AutoWeights* w) { w->models.pop_back(); }));
  EXPECT_TRUE(refused([](AutoWeights* w) { w->models[1].name = w->models[0].name; }));
  EXPECT_TRUE(refused([](AutoWeights* w) { w->models[1].name.clear(); }));
  EXPECT_TRUE(refused([](AutoWeights* w) { w->models[1].linear.words.pop_back(); }));
  EXPECT_TRUE(refused([](AutoWeights* w) { w->models[1].linear.words[3] = std::nanf(""); }));
  EXPECT_TRUE(refused([](AutoWeights* w) { w->models[1].linear.counters[3] = std::nanf(""); }));
  EXPECT_TRUE(refused([](AutoWeights* w) { w->models[1].trees.clear(); }));
  EXPECT_TRUE(refused([](AutoWeights* w) { w->models[1].trees[0].splits[0].left = 0; }));
  EXPECT_TRUE(refused([](AutoWeights* w) { w->models[1].leads[0].clear(); }));
  EXPECT_TRUE(refused([](AutoWeights* w) { w->models[0].leads[0] = w->models[1].leads[0]; }));
  EXPECT_TRUE(refused([](AutoWeights* w) { w->models[1].leads[2].front() = 5; }));
  EXPECT_TRUE(
      refused([](AutoWeights* w) { w->models[1].slope = std::numeric_limits<float>::infinity(); }));
  EXPECT_TRUE(refused([](AutoWeights* w) { w->prior.pop_back(); }));
  EXPECT_TRUE(refused([](AutoWeights* w) { w->prior_ratings = -1; }));
  EXPECT_TRUE(refused([](AutoWeights* w) { w->rarity.pop_back(); }));
  EXPECT_TRUE(refused([](AutoWeights* w) { w->shares[1] = 2; }));
  EXPECT_TRUE(refused([](AutoWeights* w) { w->shares[1] = std::nanf(""); }));
  EXPECT_TRUE(refused([](AutoWeights* w) { w->direction[4].scale = 1e30F; }));
  EXPECT_TRUE(refused([](AutoWeights* w) { w->rated.outcomes.pop_back(); }));
  EXPECT_TRUE(refused([](AutoWeights* w) { w->rated.neighbours = 41; }));
}

TEST(AutoScorer, SaysTheSameOfTheSame) {
  AutoWeights weights = SomeAutoWeights(3, 3);
  const auto vectors = SomeVectors();
  weights.vectors_checksum = vectors->checksum();
  const auto one = AutoScorer::Make(weights, vectors);
  const auto other = AutoScorer::Make(*ReadAutoWeights(WriteAutoWeights(weights)), vectors);
  ASSERT_TRUE(one.has_value() && other.has_value());
  AutoScorer::Scratch scratch;
  PromptScores scores;
  for (const std::string& text : Texts()) {
    one->Score(text, true, &scratch, &scores);  // the memory has seen the texts before
    EXPECT_TRUE(Same(scores, ScoresOf(*other, text)));
    for (const ModelScore& each : scores.models) {
      EXPECT_TRUE(each.rank >= 0 && each.rank <= 1) << each.rank;
      EXPECT_TRUE(each.quality >= 0 && each.quality <= 1) << each.quality;
    }
    EXPECT_EQ(scores.models.front().rank, 0);
  }
}

TEST(AutoScorer, WantsTheVectorsOfItsTraining) {
  AutoWeights weights = SomeAutoWeights(4);
  EXPECT_FALSE(AutoScorer::Make(weights, SomeVectors()).has_value());
  weights.vectors_checksum = SomeVectors()->checksum();
  EXPECT_TRUE(AutoScorer::Make(weights, SomeVectors()).has_value());
  EXPECT_FALSE(AutoScorer::Make(weights, nullptr).has_value());
}

TEST(AutoScorer, IsThePriorWhereNothingIsLearned) {
  AutoWeights weights = SomeAutoWeights(5);
  weights.ratings = 0;
  for (AutoWeights::PerModel& each : weights.models) each.ratings = 0;
  const auto scorer = AutoScorer::Make(weights, nullptr);
  ASSERT_TRUE(scorer.has_value());
  for (const std::string& text : Texts()) {
    const PromptScores scores = ScoresOf(*scorer, text);
    EXPECT_EQ(scores.models[1].rank, scores.prior);
  }
}

TEST(AutoScorer, WorksWithoutAnyMember) {
  AutoWeights weights = SomeAutoWeights(6);
  weights.rated = {};
  for (AutoWeights::PerModel& model : weights.models) {
    model.linear.words.clear();
    model.trees.clear();
    model.leads = {};
  }
  const auto scorer = AutoScorer::Make(weights, nullptr);
  ASSERT_TRUE(scorer.has_value()) << scorer.error().message;
  const PromptScores scores = ScoresOf(*scorer, "Prove it");
  EXPECT_EQ(scores.models[1].rank, scores.prior);
  EXPECT_EQ(scores.models[1].quality, 0.5F);
}

TEST(AutoScorer, NeighboursThatAreNotAskedSayNothing) {
  const AutoWeights weights = SomeAutoWeights(7);
  AutoWeights without = weights;
  without.rated = {};
  for (AutoWeights::PerModel& model : without.models) {
    model.leads[static_cast<size_t>(AutoMember::kNeighbours)].clear();
  }
  const auto scorer = AutoScorer::Make(weights, nullptr);
  const auto other = AutoScorer::Make(without, nullptr);
  ASSERT_TRUE(scorer.has_value() && other.has_value());
  for (const std::string& text : Texts()) {
    EXPECT_TRUE(Same(ScoresOf(*scorer, text, false), ScoresOf(*other, text)));
  }
}

// A model more changes nothing between those that were there.
TEST(AutoScorer, AnotherModelChangesNothing) {
  AutoWeights more = SomeAutoWeights(8, 3);
  AutoWeights fewer = more;
  fewer.models.pop_back();
  fewer.rated.outcomes.clear();
  for (size_t i = 0; i < more.rated.outcomes.size(); ++i) {
    if (i % 3 != 2) fewer.rated.outcomes.push_back(more.rated.outcomes[i]);
  }
  const auto with = AutoScorer::Make(more, nullptr), without = AutoScorer::Make(fewer, nullptr);
  ASSERT_TRUE(with.has_value() && without.has_value());
  for (const std::string& text : Texts()) {
    const PromptScores three = ScoresOf(*with, text), two = ScoresOf(*without, text);
    for (size_t m = 0; m < 2; ++m) EXPECT_EQ(three.models[m].rank, two.models[m].rank);
  }
}

}  // namespace
}  // namespace seekroute
