#include "routing/auto/tree_ensemble.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <string>
#include <tuple>
#include <utility>

namespace seekroute {
namespace {

constexpr uint64_t kAllLeaves = ~uint64_t{0};

// Bits `first` to `end`, the latter not included; both at most 64.
uint64_t Bits(size_t first, size_t end) {
  const uint64_t below_end = end >= 64 ? kAllLeaves : (uint64_t{1} << end) - 1;
  const uint64_t below_first = first >= 64 ? kAllLeaves : (uint64_t{1} << first) - 1;
  return below_end & ~below_first;
}

// The first and the end of the leaves below each split, and the leaves, from left to right.
struct Order {
  std::vector<std::pair<size_t, size_t>> left;  // by split: those of its left side
  std::vector<double> leaves;
};

// Of a tree that IsTree(). No deeper than it has splits, of which there are 63 at most.
void Walk(const Tree& tree, int16_t at, Order* order) {
  if (at < 0) {
    order->leaves.push_back(tree.leaves[static_cast<size_t>(-1 - at)]);
    return;
  }
  const Tree::Split& split = tree.splits[static_cast<size_t>(at)];
  const size_t first = order->leaves.size();
  Walk(tree, split.left, order);
  order->left[static_cast<size_t>(at)] = {first, order->leaves.size()};
  Walk(tree, split.right, order);
}

// Every split but the first, and every leaf, hangs on exactly one split before it.
bool IsTree(const Tree& tree, size_t features) {
  const size_t splits = tree.splits.size();
  if (tree.leaves.size() != splits + 1 || tree.leaves.size() > TreeEnsemble::kMostLeaves) {
    return false;
  }
  uint64_t split_seen = 0, leaf_seen = 0;
  for (size_t i = 0; i < splits; ++i) {
    const Tree::Split& split = tree.splits[i];
    if (split.feature >= features || !std::isfinite(split.threshold)) return false;
    for (const int16_t child : {split.left, split.right}) {
      const bool leaf = child < 0;
      const auto place = static_cast<size_t>(leaf ? ~child : child);
      if (place >= (leaf ? splits + 1 : splits) || (!leaf && place <= i)) return false;
      uint64_t& seen = leaf ? leaf_seen : split_seen;
      if ((seen >> place & 1) != 0) return false;
      seen |= uint64_t{1} << place;
    }
  }
  return std::all_of(tree.leaves.begin(), tree.leaves.end(),
                     [](double leaf) { return std::isfinite(leaf); });
}

}  // namespace

Result<TreeEnsemble> TreeEnsemble::Make(std::vector<Tree> trees, size_t features) {
  const auto refuse = [](std::string why) {
    return MakeError(ErrorCode::kInvalidValue, std::move(why) + ": train the router again");
  };
  if (trees.size() > kMostTrees) {
    return refuse("there are " + std::to_string(trees.size()) + " trees, and " +
                  std::to_string(kMostTrees) + " at most");
  }
  TreeEnsemble made;
  std::vector<std::pair<uint16_t, Cut>> cuts;
  for (size_t t = 0; t < trees.size(); ++t) {
    const Tree& tree = trees[t];
    if (!IsTree(tree, features)) return refuse("tree " + std::to_string(t) + " is none");
    Order order;
    order.left.resize(tree.splits.size());
    Walk(tree, tree.splits.empty() ? int16_t{~0} : int16_t{0}, &order);
    for (size_t i = 0; i < tree.splits.size(); ++i) {
      const auto [first, end] = order.left[i];
      cuts.emplace_back(tree.splits[i].feature, Cut{.threshold = tree.splits[i].threshold,
                                                    .tree = static_cast<uint32_t>(t),
                                                    .left_over = ~Bits(first, end)});
    }
    made.offsets_.push_back(static_cast<uint32_t>(made.leaves_.size()));
    made.leaves_.insert(made.leaves_.end(), order.leaves.begin(), order.leaves.end());
  }
  std::stable_sort(cuts.begin(), cuts.end(), [](const auto& a, const auto& b) {
    return std::tie(a.first, a.second.threshold) < std::tie(b.first, b.second.threshold);
  });
  made.ends_.assign(features, 0);
  for (const auto& [feature, cut] : cuts) {
    made.cuts_.push_back(cut);
    ++made.ends_[feature];
  }
  for (size_t f = 1; f < features; ++f) made.ends_[f] += made.ends_[f - 1];
  made.trees_ = std::move(trees);
  return made;
}

double TreeEnsemble::Sum(std::span<const float> features, std::vector<uint64_t>* masks) const {
  masks->assign(offsets_.size(), kAllLeaves);
  size_t at = 0;
  for (size_t f = 0; f < ends_.size(); ++f) {
    const float value = features[f];
    for (; at < ends_[f] && value > cuts_[at].threshold; ++at) {
      (*masks)[cuts_[at].tree] &= cuts_[at].left_over;
    }
    at = ends_[f];
  }
  // The leaf that is reached is the leftmost of those that are left.
  double sum = 0;
  for (size_t t = 0; t < offsets_.size(); ++t) {
    sum += leaves_[offsets_[t] + static_cast<size_t>(std::countr_zero((*masks)[t]))];
  }
  return sum;
}

}  // namespace seekroute
