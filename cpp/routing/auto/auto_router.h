// Which model of a pool serves a prompt: how well it would, against what it costs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/auto_strategy.h"
#include "base/result.h"
#include "routing/auto/auto_scorer.h"
#include "routing/auto/auto_verdict.h"

namespace seekroute {

// What the operator says of a choice.
struct AutoRules {
  AutoStrategy strategy = AutoStrategy::kBalanced;  // of requests that name none
  // In a balance: what a request costs that is as dear as with the best model, in quality.
  double cost_weight = 0.2;
  // By so much less than the best a model may serve and still be chosen for its cost or its speed.
  double cost_slack = 0.05;
  // What that comes to as models are learned of; nothing: it stays.
  std::optional<double> learned_slack = std::nullopt;
  // What has answered a conversation stays unless the score of another is better by more; 0: each
  // prompt is judged anew.
  double stay = 0.1;
  // The share of requests whose first model is drawn among those that are nearly as good as the
  // choice and not much dearer, so that others than the favourite are rated too.
  double explore = 0;
  bool learn = false;  // what was chosen is kept until it is taken, prompt included, and rated
};

// A model that may be chosen.
struct PooledModel {
  std::string id;       // in the catalog
  double quality = 0;   // how well it serves a prompt of middling difficulty, 0 to 1
  std::string learned;  // its name in the weights; empty: they do not know it
  // By how much the logarithm of its odds is raised: how it has done of late, against what was
  // expected of it.
  double shift = 0;
  std::vector<std::string> aliases = {};  // other names that lead to it
};

// Immutable and thread-safe.
class AutoRouter {
 public:
  static constexpr size_t kMostModels = AutoWeights::kMostModels;
  // Between two models that are no further apart the price decides, whatever the strategy.
  static constexpr double kSameQuality = 0.01;
  static constexpr double kMostExplored = 0.2;  // of all requests
  // Who may be drawn is worse than the choice by no more than this, and at most so many times as
  // dear.
  static constexpr double kExploredGap = 0.15;
  static constexpr uint64_t kExploredCost = 2;
  static constexpr double kMostShift = 5;
  // By cost, what has answered a conversation stays where it costs at most so many times the
  // choice.
  static constexpr uint64_t kStayCost = 2;

  // `scorer`: what was learned; null: nothing was. Fails with kInvalidValue, and says of what,
  // where the pool is empty or too large, a figure is out of its range, or `scorer` does not know a
  // model by the name it is said to have learned.
  static Result<AutoRouter> Make(std::vector<PooledModel> pool, AutoRules rules,
                                 std::shared_ptr<const AutoScorer> scorer);

  // How well each model of the pool would serve a prompt that has this excerpt, any bytes: what is
  // learned, as far as it is, and else what is said of the model, less the harder the prompt looks.
  // Of an empty excerpt the latter alone. Never fails; of the same excerpt the same.
  AutoJudgement Judge(std::string_view excerpt) const;
  // The same of features that were found before, with the table of the weights; null: of an empty
  // excerpt.
  AutoJudgement Judge(const PromptFeatures* features) const;

  // The offers, the chosen one first and those to fall back on behind it. Whoever is a last resort
  // comes after all others. Requires of `judged` that it is this router's, of each offer another
  // model. Of equals the cheaper comes first, then the one that stands first in the pool. Of the
  // same offers a choice by cost is never dearer than the balanced one, nor that than one by
  // quality. `last`: what has answered the conversation; it may stay by AutoRules::stay.
  std::vector<AutoVerdict> Rank(const AutoJudgement& judged, std::span<const AutoOffer> offers,
                                AutoStrategy strategy,
                                std::optional<uint32_t> last = std::nullopt) const;

  // Draws who comes first of what Rank() gave, by a number from 0 to 1, and fills the chances.
  void Explore(double drawn, std::vector<AutoVerdict>* ranked) const;

  std::span<const PooledModel> pool() const { return pool_; }
  // Its cost_slack is what holds: between the two, by the model of which least is known.
  const AutoRules& rules() const { return rules_; }
  // Of the weights; empty: nothing was learned.
  std::string_view revision() const {
    return scorer_ == nullptr ? std::string_view() : scorer_->weights().revision;
  }

 private:
  AutoRouter(std::vector<PooledModel> pool, AutoRules rules,
             std::shared_ptr<const AutoScorer> scorer)
      : pool_(std::move(pool)), rules_(rules), scorer_(std::move(scorer)) {}

  bool Stay(uint32_t last, bool any_in_service, uint64_t most_pico,
            std::vector<AutoVerdict>* verdicts) const;
  AutoJudgement Judged(float difficulty, const PromptScores& scores) const;
  double BeliefIn(size_t model) const;

  std::vector<PooledModel> pool_;
  AutoRules rules_;
  std::shared_ptr<const AutoScorer> scorer_;
  std::vector<std::optional<size_t>> learned_;  // by pool: the place in the weights
};

}  // namespace seekroute
