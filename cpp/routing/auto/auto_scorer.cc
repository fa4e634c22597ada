#include "routing/auto/auto_scorer.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "routing/auto/odds.h"
#include "routing/auto/quantile_table.h"

namespace seekroute {

std::array<float, kDenseFeatures> DenseFeaturesOf(std::string_view text,
                                                  const TextFeatures& features,
                                                  const StaticVectors* vectors,
                                                  std::vector<uint16_t>* known) {
  std::array<float, kDenseFeatures> dense{};
  std::copy(features.counters.begin(), features.counters.end(), dense.begin());
  if (vectors != nullptr) {
    const TextVector vector = vectors->VectorOf(text, known);
    std::copy(vector.begin(), vector.end(), dense.begin() + kCounterCount);
  }
  return dense;
}

std::array<int8_t, RatedPrompts::kWidth> DirectionOf(
    const std::array<float, kDenseFeatures>& dense,
    const std::array<AutoWeights::Spread, kDenseFeatures>& spreads) {
  std::array<float, kDenseFeatures> standardized;
  for (size_t i = 0; i < kDenseFeatures; ++i) {
    standardized[i] = static_cast<float>(spreads[i].Of(dense[i]));
  }
  return DirectionOf(std::span<const float>(standardized));
}

Result<AutoScorer> AutoScorer::Make(AutoWeights weights,
                                    std::shared_ptr<const StaticVectors> vectors) {
  const Status status = CheckAutoWeights(weights);
  if (!status) return status.error();
  if (weights.vectors_checksum != (vectors == nullptr ? 0 : vectors->checksum())) {
    return MakeError(ErrorCode::kInvalidValue,
                     weights.vectors_checksum == 0
                         ? "the router was trained without word vectors: leave them out"
                         : "the router was trained with another table of word vectors: give that "
                           "one, or train it again");
  }
  std::vector<TreeEnsemble> trees;
  if (weights.has(AutoMember::kTrees)) {
    for (const AutoWeights::PerModel& model : weights.models) {
      Result<TreeEnsemble> made = TreeEnsemble::Make(model.trees, kDenseFeatures);
      if (!made) return std::move(made).error();
      trees.push_back(*std::move(made));
    }
  }
  Result<Neighbours> neighbours = Neighbours::Make(weights.rated, weights.models.size());
  if (!neighbours) return std::move(neighbours).error();
  return AutoScorer(std::move(weights), std::move(vectors), std::move(trees),
                    *std::move(neighbours));
}

void AutoScorer::Score(std::string_view text, bool ask_neighbours, Scratch* scratch,
                       PromptScores* scores) const {
  const TextFeatures& features = scratch->scanner.Scan(text);
  Score(features, DenseFeaturesOf(text, features, vectors_.get(), &scratch->known_words),
        ask_neighbours, scratch, scores);
}

void AutoScorer::Score(const PromptFeatures& features, bool ask_neighbours, Scratch* scratch,
                       PromptScores* scores) const {
  std::array<float, kDenseFeatures> dense = features.dense;
  if (vectors_ == nullptr) std::fill(dense.begin() + kCounterCount, dense.end(), 0.0F);
  Score(features.text, dense, ask_neighbours, scratch, scores);
}

void AutoScorer::Score(const TextFeatures& features, const std::array<float, kDenseFeatures>& dense,
                       bool ask_neighbours, Scratch* scratch, PromptScores* scores) const {
  scores->prior = static_cast<float>(RankOf(
      weights_.length.Of(features.length) + weights_.keyword.Of(features.keyword), weights_.prior));
  Shares shares{};
  for (size_t i = 0; i < kMemberCount; ++i) {
    const auto member = static_cast<AutoMember>(i);
    if (!weights_.has(member) || (member == AutoMember::kNeighbours && !ask_neighbours)) continue;
    shares[i] = static_cast<double>(weights_.shares[i]);
  }
  scores->models.assign(weights_.models.size(), {});
  AskMembers(features, dense, shares, scratch, &scores->models);
  Blend(shares, scores);
}

void AutoScorer::AskMembers(const TextFeatures& features,
                            const std::array<float, kDenseFeatures>& dense, const Shares& shares,
                            Scratch* scratch, std::vector<ModelScore>* scores) const {
  constexpr auto kLinear = static_cast<size_t>(AutoMember::kLinear);
  constexpr auto kTrees = static_cast<size_t>(AutoMember::kTrees);
  constexpr auto kNeighbours = static_cast<size_t>(AutoMember::kNeighbours);
  if (shares[kLinear] > 0) WeighWords(features.words, weights_.rarity, &scratch->words);
  if (shares[kNeighbours] > 0) {
    neighbours_.Ask(DirectionOf(dense, weights_.direction), &scratch->neighbours,
                    &scratch->outcomes);
  }
  const ModelScore& first = scores->front();
  for (size_t m = 0; m < scores->size(); ++m) {
    ModelScore& score = (*scores)[m];
    if (shares[kLinear] > 0) {
      const LinearModel& linear = weights_.models[m].linear;
      score.members[kLinear] =
          static_cast<float>(ChanceOf(linear.Logit(scratch->words, features.counters)));
      score.leads[kLinear] = score.members[kLinear] - first.members[kLinear];
    }
    if (shares[kTrees] > 0) {
      score.members[kTrees] = static_cast<float>(ChanceOf(trees_[m].Sum(dense, &scratch->masks)));
      score.leads[kTrees] = score.members[kTrees] - first.members[kTrees];
    }
    if (shares[kNeighbours] > 0) {
      score.members[kNeighbours] = scratch->outcomes[m].mean;
      score.leads[kNeighbours] = scratch->outcomes[m].above;
    }
  }
}

void AutoScorer::Blend(const Shares& shares, PromptScores* scores) const {
  const double all_shares = std::accumulate(shares.begin(), shares.end(), 0.0);
  if (!(all_shares > 0)) {
    for (size_t m = 1; m < scores->models.size(); ++m) scores->models[m].rank = scores->prior;
    return;
  }
  const auto ratings = static_cast<double>(weights_.ratings);
  const double learned =
      ratings > 0 ? ratings / (ratings + static_cast<double>(weights_.prior_ratings)) : 0;
  for (size_t m = 0; m < scores->models.size(); ++m) {
    const AutoWeights::PerModel& model = weights_.models[m];
    ModelScore& score = scores->models[m];
    double logit = 0, rank = 0;
    for (size_t i = 0; i < kMemberCount; ++i) {
      if (!(shares[i] > 0)) continue;
      logit += shares[i] * LogitOf(static_cast<double>(score.members[i]));
      if (m > 0) rank += shares[i] * RankOf(static_cast<double>(score.leads[i]), model.leads[i]);
    }
    score.quality = static_cast<float>(ChanceOf(
        static_cast<double>(model.slope) * logit / all_shares + static_cast<double>(model.offset)));
    if (m > 0) {
      score.rank = static_cast<float>(learned * rank / all_shares +
                                      (1 - learned) * static_cast<double>(scores->prior));
    }
  }
}

}  // namespace seekroute
