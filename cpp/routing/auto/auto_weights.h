// All that `auto` has learned, as values and as bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "routing/auto/linear_model.h"
#include "routing/auto/neighbours.h"
#include "routing/auto/static_vectors.h"
#include "routing/auto/text_features.h"
#include "routing/auto/tree_ensemble.h"

namespace seekroute {

// What trees and neighbours look at: the counters, then the numbers of the vector.
inline constexpr size_t kDenseFeatures = kCounterCount + kVectorSize;
static_assert(kDenseFeatures <= RatedPrompts::kWidth);

// Who judges how well a model would serve a prompt.
enum class AutoMember : uint8_t { kLinear, kTrees, kNeighbours };
inline constexpr size_t kMemberCount = 3;

// The first model is the reference: the others are ranked by how much better than it they are.
// Value type.
struct AutoWeights {
  static constexpr size_t kMostModels = 32;
  static constexpr size_t kMostNameBytes = 256;
  static constexpr uint64_t kMostRatings = 1'000'000'000;

  // Of one number of all texts: (number - mean) * scale has a spread of 1.
  struct Spread {
    float mean = 0;
    float scale = 0;

    double Of(float value) const {
      return (static_cast<double>(value) - static_cast<double>(mean)) * static_cast<double>(scale);
    }
    friend bool operator==(const Spread&, const Spread&) = default;
  };
  struct PerModel {
    std::string name;
    // Of the rated prompts, those whose outcome with this model was known.
    uint64_t ratings = 0;
    LinearModel linear;       // on counters as they are; without words: that member is absent
    std::vector<Tree> trees;  // the logarithm of the odds
    // Of the members' mean logarithm of the odds, to that of what was seen: slope * x + offset.
    float slope = 1, offset = 0;
    // Of this model's lead before the first: a quantile table for each member that is there, empty
    // for the others, and all of the first model.
    std::array<std::vector<float>, kMemberCount> leads;
    friend bool operator==(const PerModel&, const PerModel&) = default;
  };

  std::string revision;  // who trained this when, in words of the trainer; kMostNameBytes
  uint64_t ratings = 0;  // rated prompts that it was learned from
  // The prior of length and keywords counts as much as so many rated prompts.
  float prior_ratings = 200;
  Spread length, keyword;
  std::vector<float> prior;  // quantile table of the two, spread and added
  // Of the table of word vectors that it was trained with; 0: with none.
  uint32_t vectors_checksum = 0;
  std::vector<float> rarity;  // of words (WeighWords); kWordBuckets, or none
  // What a feature is before directions are taken.
  std::array<Spread, kDenseFeatures> direction;
  std::array<float, kMemberCount> shares{0.5F, 1.0F, 1.0F};
  std::vector<PerModel> models;
  RatedPrompts rated;

  bool has(AutoMember member) const;
  friend bool operator==(const AutoWeights&, const AutoWeights&) = default;
};

// Fails, and says of what, where sizes do not agree or a number is not finite or beyond its bounds.
Status CheckAutoWeights(const AutoWeights& weights);

// With a magic number, a version, and a checksum. Requires CheckAutoWeights(weights).
std::string WriteAutoWeights(const AutoWeights& weights);

// Of what WriteAutoWeights() gave, or of any bytes: then it fails, and says what to do. What is
// read passes CheckAutoWeights(). Takes memory in proportion to the bytes, and 256 KiB for each
// model.
Result<AutoWeights> ReadAutoWeights(std::string_view bytes);

}  // namespace seekroute
