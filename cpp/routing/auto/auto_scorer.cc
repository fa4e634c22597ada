#include "routing/auto/auto_scorer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "routing/auto/quantile_table.h"

namespace seekroute {
namespace {

// Beyond these a member is not believed.
constexpr double kLeastChance = 0.01;

double ChanceOf(double logit) { return 1 / (1 + std::exp(-logit)); }

double LogitOf(double chance) {
  chance = std::clamp(chance, kLeastChance, 1 - kLeastChance);
  return std::log(chance / (1 - chance));
}

double Spreaded(float value, const AutoWeights::Spread& spread) {
  return (static_cast<double>(value) - static_cast<double>(spread.mean)) *
         static_cast<double>(spread.scale);
}

}  // namespace

std::array<float, kDenseFeatures> DenseFeaturesOf(std::string_view text,
                                                  const TextFeatures& features,
                                                  const StaticVectors* vectors,
                                                  std::vector<uint16_t>* pieces) {
  std::array<float, kDenseFeatures> dense{};
  std::copy(features.counters.begin(), features.counters.end(), dense.begin());
  if (vectors != nullptr) {
    const TextVector vector = vectors->VectorOf(text, pieces);
    std::copy(vector.begin(), vector.end(), dense.begin() + kCounterCount);
  }
  return dense;
}

std::array<int8_t, RatedPrompts::kWidth> DirectionOf(
    const std::array<float, kDenseFeatures>& dense,
    const std::array<AutoWeights::Spread, kDenseFeatures>& spreads) {
  std::array<float, kDenseFeatures> spread;
  for (size_t i = 0; i < kDenseFeatures; ++i) {
    spread[i] = static_cast<float>(Spreaded(dense[i], spreads[i]));
  }
  return DirectionOf(std::span<const float>(spread));
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
  const auto dense = DenseFeaturesOf(text, features, vectors_.get(), &scratch->pieces);
  scores->prior = static_cast<float>(RankOf(
      Spreaded(features.length, weights_.length) + Spreaded(features.keyword, weights_.keyword),
      weights_.prior));

  std::array<double, kMemberCount> shares{};
  double all_shares = 0;
  for (size_t i = 0; i < kMemberCount; ++i) {
    const auto member = static_cast<AutoMember>(i);
    if (!weights_.has(member) || (member == AutoMember::kNeighbours && !ask_neighbours)) continue;
    shares[i] = static_cast<double>(weights_.shares[i]);
    all_shares += shares[i];
  }
  const auto share = [&](AutoMember member) { return shares[static_cast<size_t>(member)]; };
  if (share(AutoMember::kLinear) > 0) WeighWords(features.words, weights_.rarity, &scratch->words);
  if (share(AutoMember::kNeighbours) > 0) {
    neighbours_.Ask(DirectionOf(dense, weights_.direction), &scratch->neighbours,
                    &scratch->outcomes);
  }

  const auto ratings = static_cast<double>(weights_.ratings);
  const auto prior_ratings = static_cast<double>(weights_.prior_ratings);
  const double learned = all_shares > 0 && ratings > 0 ? ratings / (ratings + prior_ratings) : 0;
  scores->models.assign(weights_.models.size(), {});
  for (size_t m = 0; m < weights_.models.size(); ++m) {
    const AutoWeights::PerModel& model = weights_.models[m];
    ModelScore& score = scores->models[m];
    const ModelScore& first = scores->models.front();
    double logits = 0, ranks = 0;
    for (size_t i = 0; i < kMemberCount; ++i) {
      if (shares[i] == 0) continue;
      double chance = 0.5, lead = 0;
      switch (static_cast<AutoMember>(i)) {
        case AutoMember::kLinear:
          chance = ChanceOf(model.linear.Logit(scratch->words, features.counters));
          break;
        case AutoMember::kTrees:
          chance = ChanceOf(trees_[m].Sum(dense, &scratch->masks));
          break;
        case AutoMember::kNeighbours:
          chance = static_cast<double>(scratch->outcomes[m].mean);
          lead = static_cast<double>(scratch->outcomes[m].above);
          break;
      }
      score.members[i] = static_cast<float>(chance);
      if (static_cast<AutoMember>(i) != AutoMember::kNeighbours) {
        lead = static_cast<double>(score.members[i]) - static_cast<double>(first.members[i]);
      }
      score.leads[i] = static_cast<float>(lead);
      logits += shares[i] * LogitOf(chance);
      if (m > 0) ranks += shares[i] * RankOf(lead, model.leads[i]);
    }
    if (all_shares > 0) {
      score.quality =
          static_cast<float>(ChanceOf(static_cast<double>(model.slope) * logits / all_shares +
                                      static_cast<double>(model.offset)));
      ranks /= all_shares;
    }
    if (m > 0) {
      score.rank =
          static_cast<float>(learned * ranks + (1 - learned) * static_cast<double>(scores->prior));
    }
  }
}

}  // namespace seekroute
