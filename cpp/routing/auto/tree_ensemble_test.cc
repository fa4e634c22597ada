#include "routing/auto/tree_ensemble.h"

#include <limits>
#include <random>

#include <gtest/gtest.h>

namespace seekroute {
namespace {

double Walk(const Tree& tree, std::span<const float> features) {
  int16_t at = tree.splits.empty() ? int16_t{~0} : int16_t{0};
  while (at >= 0) {
    const Tree::Split& split = tree.splits[static_cast<size_t>(at)];
    at = features[split.feature] <= split.threshold ? split.left : split.right;
  }
  return tree.leaves[static_cast<size_t>(~at)];
}

constexpr size_t kFeatures = 5;

// Any shape: each new split takes the place of some leaf. Thresholds are whole, so ties happen.
Tree RandomTree(size_t leaves, std::mt19937_64* random) {
  Tree tree;
  const auto below = [&](size_t most) { return static_cast<size_t>((*random)() % most); };
  std::vector<int16_t*> ends;
  tree.splits.reserve(leaves);
  for (size_t i = 0; i + 1 < leaves; ++i) {
    tree.splits.push_back({.feature = static_cast<uint16_t>(below(kFeatures)),
                           .threshold = static_cast<float>(below(5)) - 2.0F});
    if (!ends.empty()) {
      const auto at = static_cast<ptrdiff_t>(below(ends.size()));
      *ends[static_cast<size_t>(at)] = static_cast<int16_t>(i);
      ends.erase(ends.begin() + at);
    }
    ends.push_back(&tree.splits.back().left);
    ends.push_back(&tree.splits.back().right);
  }
  for (size_t i = 0; i < ends.size(); ++i) *ends[i] = static_cast<int16_t>(~static_cast<int>(i));
  for (size_t i = 0; i < leaves; ++i) {
    tree.leaves.push_back(static_cast<double>(below(2001)) / 997 - 1);
  }
  return tree;
}

TEST(TreeEnsemble, SaysWhatTreesSayThatAreWalked) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 60; ++round) {
    std::vector<Tree> trees;
    const size_t count = 1 + random() % 40;
    for (size_t i = 0; i < count; ++i) {
      trees.push_back(RandomTree(1 + random() % TreeEnsemble::kMostLeaves, &random));
    }
    const Result<TreeEnsemble> made = TreeEnsemble::Make(trees, kFeatures);
    ASSERT_TRUE(made.has_value()) << made.error().message;
    std::vector<uint64_t> masks;
    for (int i = 0; i < 50; ++i) {
      std::array<float, kFeatures> features;
      for (float& each : features) each = static_cast<float>(random() % 9) / 2 - 2;
      double walked = 0;
      for (const Tree& tree : trees) walked += Walk(tree, features);
      EXPECT_EQ(made->Sum(features, &masks), walked);
    }
  }
}

TEST(TreeEnsemble, RefusesWhatIsNoTree) {
  const auto refused = [](const Tree& tree) {
    return !TreeEnsemble::Make({tree}, kFeatures).has_value();
  };
  const Tree good{.splits = {{0, 0.5F, 1, ~0}, {1, 0.5F, ~1, ~2}}, .leaves = {1, 2, 3}};
  EXPECT_FALSE(refused(good));
  Tree bad = good;
  bad.splits[1].left = 0;  // a circle
  EXPECT_TRUE(refused(bad));
  bad = good;
  bad.splits[0].left = 2;  // beyond the splits
  EXPECT_TRUE(refused(bad));
  bad = good;
  bad.splits[1].right = ~3;  // beyond the leaves
  EXPECT_TRUE(refused(bad));
  bad = good;
  bad.splits[1].right = ~1;  // a leaf twice
  EXPECT_TRUE(refused(bad));
  bad = good;
  bad.splits[1].feature = kFeatures;
  EXPECT_TRUE(refused(bad));
  bad = good;
  bad.splits[0].threshold = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(refused(bad));
  bad = good;
  bad.leaves[0] = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(refused(bad));
  bad = good;
  bad.leaves.pop_back();
  EXPECT_TRUE(refused(bad));
  EXPECT_TRUE(refused(Tree{}));
  EXPECT_FALSE(refused(Tree{.splits = {}, .leaves = {1}}));
  EXPECT_FALSE(TreeEnsemble::Make(std::vector<Tree>(TreeEnsemble::kMostTrees + 1, good), kFeatures)
                   .has_value());
}

}  // namespace
}  // namespace seekroute
