// How well each model would serve a prompt, by what was learned.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "routing/auto/auto_weights.h"

namespace seekroute {

// What is known of a model for one prompt.
struct ModelScore {
  // Where its lead before the first model stands in the traffic that was trained on: 0 where it is
  // least worth to be asked instead of it, 1 where it is most. Of the first model 0.
  float rank = 0;
  float quality = 0.5F;  // the probability that it serves well; 0.5 where nothing was learned
  // What each member says: of `quality`, uncalibrated, and of the lead before the first model.
  std::array<float, kMemberCount> members{}, leads{};
};

struct PromptScores {
  std::vector<ModelScore> models;  // as in AutoWeights
  float prior = 0;                 // rank of how hard the prompt looks by length and keywords
};

// What is looked at of a prompt.
struct PromptFeatures {
  TextFeatures text;
  std::array<float, kDenseFeatures> dense{};  // the counters, then the vector or zeros
};

// Weights, ready for use. Immutable and thread-safe: what a call writes to is its caller's.
class AutoScorer {
 public:
  // Memory to work in, for one thread; it does not pass from one call to another what it has seen.
  struct Scratch {
    TextScanner scanner;
    std::vector<uint16_t> known_words;
    std::vector<WordWeight> words;
    std::vector<uint64_t> masks;
    Neighbours::Scratch neighbours;
    std::vector<Neighbours::Outcome> outcomes;
  };

  // `vectors`: those that the weights were trained with, or null where they were with none. Fails
  // on others, and on weights that CheckAutoWeights() refuses.
  static Result<AutoScorer> Make(AutoWeights weights, std::shared_ptr<const StaticVectors> vectors);

  // Scores `text`, any bytes, of which kMostExcerpt are looked at. `ask_neighbours` false leaves
  // that member out, which costs more than the others together. Never fails; of the same text and
  // weights the same.
  void Score(std::string_view text, bool ask_neighbours, Scratch* scratch,
             PromptScores* scores) const;
  // The same of features that were found before, with the same table of word vectors; where the
  // weights are of none, with any.
  void Score(const PromptFeatures& features, bool ask_neighbours, Scratch* scratch,
             PromptScores* scores) const;

  const AutoWeights& weights() const { return weights_; }

 private:
  using Shares = std::array<double, kMemberCount>;  // 0 of members that are not asked

  AutoScorer(AutoWeights weights, std::shared_ptr<const StaticVectors> vectors,
             std::vector<TreeEnsemble> trees, Neighbours neighbours)
      : weights_(std::move(weights)),
        vectors_(std::move(vectors)),
        trees_(std::move(trees)),
        neighbours_(std::move(neighbours)) {}

  void Score(const TextFeatures& text, const std::array<float, kDenseFeatures>& dense,
             bool ask_neighbours, Scratch* scratch, PromptScores* scores) const;
  // Fills members and leads of `scores`, which are as many as models.
  void AskMembers(const TextFeatures& features, const std::array<float, kDenseFeatures>& dense,
                  const Shares& shares, Scratch* scratch, std::vector<ModelScore>* scores) const;
  // Makes ranks and qualities of the prior, members and leads.
  void Blend(const Shares& shares, PromptScores* scores) const;

  AutoWeights weights_;
  std::shared_ptr<const StaticVectors> vectors_;
  std::vector<TreeEnsemble> trees_;  // by model, or none
  Neighbours neighbours_;
};

// The features of a text that trees and neighbours look at. `vectors` may be null: zeros. `known`
// is memory to work in.
std::array<float, kDenseFeatures> DenseFeaturesOf(std::string_view text,
                                                  const TextFeatures& features,
                                                  const StaticVectors* vectors,
                                                  std::vector<uint16_t>* known);

// Where neighbours are looked for, given such features.
std::array<int8_t, RatedPrompts::kWidth> DirectionOf(
    const std::array<float, kDenseFeatures>& dense,
    const std::array<AutoWeights::Spread, kDenseFeatures>& spreads);

}  // namespace seekroute
