// Boosted trees, evaluated without walking them: each split that fails rules leaves out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"

namespace seekroute {

// A tree as its trainer sees it.
struct Tree {
  struct Split {
    uint16_t feature = 0;
    // The way of whoever is not above it is `left`.
    float threshold = 0;
    // A split behind this one, or ~leaf.
    int16_t left = 0;
    int16_t right = 0;
    friend bool operator==(const Split&, const Split&) = default;
  };
  std::vector<Split> splits;
  std::vector<double> leaves;  // one more than splits
  friend bool operator==(const Tree&, const Tree&) = default;
};

// The sum of what trees say. Immutable, thread-safe.
class TreeEnsemble {
 public:
  static constexpr size_t kMostTrees = 1000;
  static constexpr size_t kMostLeaves = 64;

  // Fails where there are too many, one is not a tree, a feature is not below `features`, or a
  // number is not finite.
  static Result<TreeEnsemble> Make(std::vector<Tree> trees, size_t features);

  // The same to the last bit as when each tree is walked, and what it says added in its order.
  // `features`: as many as Make() was told, none of them NaN. `masks` is memory to work in.
  double Sum(std::span<const float> features, std::vector<uint64_t>* masks) const;

  std::span<const Tree> trees() const { return trees_; }

 private:
  // A split, from the side of its feature: whoever is above the threshold reaches none of the
  // leaves whose bits are 0. This is QuickScorer (Lucchese et al., 2015).
  struct Cut {
    float threshold;
    uint32_t tree;
    uint64_t left_over;
  };

  TreeEnsemble() = default;

  std::vector<Tree> trees_;
  std::vector<Cut> cuts_;          // by feature, and by threshold
  std::vector<uint32_t> ends_;     // by feature: behind its last cut
  std::vector<double> leaves_;     // of each tree from left to right
  std::vector<uint32_t> offsets_;  // by tree: its first leaf
};

}  // namespace seekroute
