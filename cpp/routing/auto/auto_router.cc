#include "routing/auto/auto_router.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>
#include <utility>

#include "routing/auto/odds.h"

namespace seekroute {
namespace {

// How much a prompt of the whole range of difficulty takes off the logarithm of the odds.
constexpr double kDifficultySlope = 2;

// How hard prompts look where no weights say it: near the middle of questions people ask, a letter
// count of e^5 and one marker of a hard request.
constexpr AutoWeights::Spread kLength{.mean = 5, .scale = 1};
constexpr AutoWeights::Spread kKeyword{.mean = 1, .scale = 0.6F};

// That a cost is told as, of what the best model costs: what is beyond is all the same.
constexpr double kMostPart = 1e6;

double DifficultyOf(const TextFeatures& features) {
  return ChanceOf(kLength.Of(features.length) + kKeyword.Of(features.keyword));
}

// What the offers are measured by, of those in service alone.
struct Measure {
  double best = 0;         // quality
  double reference = 0;    // pico-USD: the cheapest of that quality
  uint32_t median_ms = 0;  // of the known latencies of those that are good enough
};

// Saturates.
uint64_t TimesOrMost(uint64_t cost, uint64_t times) {
  constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();
  return cost > kMost / times ? kMost : cost * times;
}

// Whether a model is as good as a choice by cost or speed asks for.
bool IsGoodEnough(double quality, double best, double slack) { return quality >= best - slack; }

double SlackOf(AutoStrategy strategy, const AutoRules& rules) {
  if (strategy == AutoStrategy::kQuality) return AutoRouter::kSameQuality;
  // What a choice by quality takes for as good, the quickest and the cheapest are chosen from.
  return std::max(rules.cost_slack, AutoRouter::kSameQuality);
}

Measure MeasureOf(const std::vector<AutoVerdict>& verdicts, bool any_in_service, double slack) {
  const auto counts = [&](const AutoVerdict& each) {
    return !any_in_service || !each.offer.last_resort;
  };
  Measure measure;
  for (const AutoVerdict& each : verdicts) {
    if (counts(each)) measure.best = std::max(measure.best, static_cast<double>(each.quality));
  }
  uint64_t cheapest = std::numeric_limits<uint64_t>::max();
  std::vector<uint32_t> known;
  for (const AutoVerdict& each : verdicts) {
    const auto quality = static_cast<double>(each.quality);
    if (!counts(each) || !IsGoodEnough(quality, measure.best, slack)) continue;
    if (quality == measure.best) cheapest = std::min(cheapest, each.offer.cost_pico);
    if (each.offer.latency_ms > 0) known.push_back(each.offer.latency_ms);
  }
  measure.reference = static_cast<double>(cheapest);
  if (!known.empty()) {
    const auto middle = known.begin() + static_cast<ptrdiff_t>((known.size() - 1) / 2);
    std::nth_element(known.begin(), middle, known.end());
    measure.median_ms = *middle;
  }
  return measure;
}

// What all strategies but speed choose by, of those in service.
class Picker {
 public:
  Picker(const std::vector<AutoVerdict>& verdicts, const Measure& measure, const AutoRules& rules,
         bool any_in_service)
      : verdicts_(verdicts), measure_(measure), rules_(rules), any_in_service_(any_in_service) {}

  bool Counts(const AutoVerdict& each) const { return !any_in_service_ || !each.offer.last_resort; }

  // In a balance: the quality, less what the cost weighs.
  double BalanceOf(const AutoVerdict& each) const {
    const auto cost = static_cast<double>(each.offer.cost_pico);
    // Where the best costs nothing, whatever costs something is no match for it.
    const bool is_beyond = cost > kMostPart * measure_.reference;
    const double part = is_beyond ? kMostPart : cost == 0 ? 0 : cost / measure_.reference;
    return static_cast<double>(each.quality) - rules_.cost_weight * part;
  }

  // Each no dearer than the one before: what is hardly better is not worth more to a balance than
  // to a choice by quality, nor is more spent to save.
  const AutoVerdict* Pick(AutoStrategy strategy) const {
    const AutoVerdict* chosen = CheapestWithin(AutoRouter::kSameQuality);
    if (strategy == AutoStrategy::kQuality) return chosen;
    TakeCheaper(MostBalanced(), &chosen);
    if (strategy == AutoStrategy::kBalanced) return chosen;
    TakeCheaper(CheapestWithin(SlackOf(AutoStrategy::kCost, rules_)), &chosen);
    return chosen;
  }

 private:
  // Of equals the cheaper, then the better, then the first of the pool.
  static auto CheapestKey(const AutoVerdict& each) {
    return std::tuple(each.offer.cost_pico, -each.quality, each.offer.model);
  }
  // The later choice holds, unless it is dearer.
  static void TakeCheaper(const AutoVerdict* later, const AutoVerdict** chosen) {
    if (later->offer.cost_pico <= (*chosen)->offer.cost_pico) *chosen = later;
  }
  const AutoVerdict* CheapestWithin(double slack) const {
    const AutoVerdict* found = nullptr;
    for (const AutoVerdict& each : verdicts_) {
      const auto quality = static_cast<double>(each.quality);
      if (!Counts(each) || !IsGoodEnough(quality, measure_.best, slack)) continue;
      if (found == nullptr || CheapestKey(each) < CheapestKey(*found)) found = &each;
    }
    return found;
  }
  const AutoVerdict* MostBalanced() const {
    const auto key = [this](const AutoVerdict& each) {
      return std::tuple_cat(std::tuple(-BalanceOf(each)), CheapestKey(each));
    };
    const AutoVerdict* found = nullptr;
    for (const AutoVerdict& each : verdicts_) {
      if (Counts(each) && (found == nullptr || key(each) < key(*found))) found = &each;
    }
    return found;
  }

  const std::vector<AutoVerdict>& verdicts_;
  const Measure& measure_;
  const AutoRules& rules_;
  const bool any_in_service_;
};

void MoveToFront(const AutoOffer& offer, std::vector<AutoVerdict>* verdicts) {
  const auto is_it = [&offer](const AutoVerdict& each) { return each.offer.model == offer.model; };
  const auto found = std::ranges::find_if(*verdicts, is_it);
  std::rotate(verdicts->begin(), found, found + 1);
}

AutoReason ReasonOfFirst(AutoStrategy strategy) {
  switch (strategy) {
    case AutoStrategy::kQuality:
      return AutoReason::kBest;
    case AutoStrategy::kCost:
      return AutoReason::kCheapest;
    case AutoStrategy::kLatency:
      return AutoReason::kQuickest;
    case AutoStrategy::kBalanced:
      break;
  }
  return AutoReason::kBalance;
}

}  // namespace

Result<AutoRouter> AutoRouter::Make(std::vector<PooledModel> pool, AutoRules rules,
                                    std::shared_ptr<const AutoScorer> scorer) {
  const auto invalid = [](std::string why) {
    return MakeError(ErrorCode::kInvalidValue, std::move(why));
  };
  if (pool.empty() || pool.size() > kMostModels) {
    return invalid("expected 1 to " + std::to_string(kMostModels) + " models to choose from");
  }
  if (!(rules.cost_weight >= 0 && rules.cost_weight <= 100)) {
    return invalid("cost_weight: expected 0 to 100");
  }
  if (!(rules.cost_slack >= 0 && rules.cost_slack <= 1)) {
    return invalid("cost_slack: expected 0 to 1");
  }
  if (const double learned = rules.learned_slack.value_or(0); !(learned >= 0 && learned <= 1)) {
    return invalid("learned_slack: expected 0 to 1");
  }
  if (!(rules.stay >= 0 && rules.stay <= 1)) return invalid("stay: expected 0 to 1");
  if (!(rules.explore >= 0 && rules.explore <= kMostExplored)) {
    return invalid("explore: expected 0 to 0.2");
  }
  AutoRouter made(std::move(pool), rules, std::move(scorer));
  for (const PooledModel& each : made.pool_) {
    if (!(each.quality >= 0 && each.quality <= 1)) {
      return invalid("quality of '" + each.id + "': expected 0 to 1");
    }
    if (!(std::abs(each.shift) <= kMostShift)) {
      return invalid("shift of '" + each.id + "': expected -5 to 5");
    }
    std::optional<size_t>& place = made.learned_.emplace_back();
    if (each.learned.empty()) continue;
    const size_t known = made.scorer_ == nullptr ? 0 : made.scorer_->weights().models.size();
    for (size_t i = 0; i < known; ++i) {
      if (made.scorer_->weights().models[i].name == each.learned) place = i;
    }
    if (!place) return invalid("the weights know no model '" + each.learned + "'");
  }
  if (rules.learned_slack) {
    double least = 1;
    for (size_t i = 0; i < made.pool_.size(); ++i) least = std::min(least, made.BeliefIn(i));
    made.rules_.cost_slack += least * (*rules.learned_slack - rules.cost_slack);
  }
  return made;
}

AutoJudgement AutoRouter::Judge(std::string_view excerpt) const {
  PromptScores scores;
  if (excerpt.empty()) return Judged(0.5F, scores);
  AutoScorer::Scratch scratch;
  if (scorer_ == nullptr) {
    return Judged(static_cast<float>(DifficultyOf(scratch.scanner.Scan(excerpt))), scores);
  }
  scorer_->Score(excerpt, true, &scratch, &scores);
  return Judged(scores.prior, scores);
}

AutoJudgement AutoRouter::Judge(const PromptFeatures* features) const {
  PromptScores scores;
  if (features == nullptr) return Judged(0.5F, scores);
  if (scorer_ == nullptr) return Judged(static_cast<float>(DifficultyOf(features->text)), scores);
  AutoScorer::Scratch scratch;
  scorer_->Score(*features, true, &scratch, &scores);
  return Judged(scores.prior, scores);
}

// How far what was learned of a model of the pool counts, against what is said of it.
double AutoRouter::BeliefIn(size_t model) const {
  if (!learned_[model]) return 0;
  const auto ratings = static_cast<double>(scorer_->weights().models[*learned_[model]].ratings);
  return ratings > 0 ? ratings / (ratings + static_cast<double>(scorer_->weights().prior_ratings))
                     : 0;
}

// `scores`: empty where nothing was learned, or there is nothing to look at.
AutoJudgement AutoRouter::Judged(float difficulty, const PromptScores& scores) const {
  AutoJudgement judged;
  if (std::isfinite(difficulty)) judged.difficulty = std::clamp(difficulty, 0.0F, 1.0F);
  judged.quality.reserve(pool_.size());
  for (size_t i = 0; i < pool_.size(); ++i) {
    const double harder = static_cast<double>(judged.difficulty) - 0.5;
    double quality = ChanceOf(LogitOf(pool_[i].quality) - kDifficultySlope * harder);
    if (learned_[i] && *learned_[i] < scores.models.size()) {
      const auto learned = static_cast<double>(scores.models[*learned_[i]].quality);
      const double believed = BeliefIn(i);
      if (std::isfinite(learned) && believed > 0) {
        quality = believed * std::clamp(learned, 0.0, 1.0) + (1 - believed) * quality;
      }
    }
    if (pool_[i].shift != 0) quality = ChanceOf(LogitOf(quality) + pool_[i].shift);
    judged.quality.push_back(static_cast<float>(quality));
  }
  return judged;
}

std::vector<AutoVerdict> AutoRouter::Rank(const AutoJudgement& judged,
                                          std::span<const AutoOffer> offers, AutoStrategy strategy,
                                          std::optional<uint32_t> last) const {
  if (offers.empty()) return {};
  std::vector<AutoVerdict> verdicts;
  verdicts.reserve(offers.size());
  bool any_in_service = false;
  for (const AutoOffer& each : offers) {
    verdicts.push_back({.offer = each, .quality = judged.quality[each.model]});
    any_in_service = any_in_service || !each.last_resort;
  }
  const double slack = SlackOf(strategy, rules_);
  const Measure measure = MeasureOf(verdicts, any_in_service, slack);
  const Picker picker(verdicts, measure, rules_, any_in_service);
  for (AutoVerdict& each : verdicts) {
    const bool balanced = strategy == AutoStrategy::kBalanced;
    each.score = balanced ? picker.BalanceOf(each) : static_cast<double>(each.quality);
  }
  std::optional<AutoOffer> chosen;
  if (strategy != AutoStrategy::kLatency) chosen = picker.Pick(strategy)->offer;
  const auto good = [&](const AutoVerdict& each) {
    return strategy != AutoStrategy::kBalanced &&
           IsGoodEnough(static_cast<double>(each.quality), measure.best, slack);
  };
  // Among those that are good enough cost or speed decides, then and elsewhere the score.
  const auto key = [&](const AutoVerdict& each) {
    const bool is_good = good(each);
    const bool by_speed = is_good && strategy == AutoStrategy::kLatency;
    const uint32_t ms = each.offer.latency_ms > 0 ? each.offer.latency_ms : measure.median_ms;
    return std::tuple(each.offer.last_resort, !is_good, by_speed ? ms : 0,
                      is_good ? 0 : -each.score, each.offer.cost_pico, -each.quality,
                      each.offer.model);
  };
  std::ranges::sort(verdicts, {}, key);
  if (chosen) MoveToFront(*chosen, &verdicts);
  // A cache that knows the conversation makes up for so much of the price, and no more.
  const uint64_t most = strategy == AutoStrategy::kCost
                            ? TimesOrMost(verdicts.front().offer.cost_pico, kStayCost)
                            : std::numeric_limits<uint64_t>::max();
  const bool stayed = last && Stay(*last, any_in_service, most, &verdicts);
  for (AutoVerdict& each : verdicts) {
    const AutoVerdict& first = verdicts.front();
    if (&each == &first) {
      each.reason = verdicts.size() == 1 ? AutoReason::kOnly
                    : stayed             ? AutoReason::kStayed
                                         : ReasonOfFirst(strategy);
    } else if (each.offer.last_resort) {
      each.reason = AutoReason::kLastResort;
    } else if (stayed && each.quality < first.quality) {
      each.reason = AutoReason::kWorse;
    } else if (good(each)) {
      each.reason = strategy == AutoStrategy::kLatency ? AutoReason::kSlower : AutoReason::kDearer;
    } else {
      each.reason = each.quality >= first.quality ? AutoReason::kDearer : AutoReason::kWorse;
    }
  }
  return verdicts;
}

// Whether what answered last comes first for it alone.
bool AutoRouter::Stay(uint32_t last, bool any_in_service, uint64_t most_pico,
                      std::vector<AutoVerdict>* verdicts) const {
  const auto is_last = [last](const AutoVerdict& each) { return each.offer.model == last; };
  const auto found = std::ranges::find_if(*verdicts, is_last);
  if (rules_.stay <= 0 || found == verdicts->end() || found == verdicts->begin()) return false;
  if (any_in_service && found->offer.last_resort) return false;
  double best = found->score;
  for (const AutoVerdict& each : *verdicts) {
    if (!any_in_service || !each.offer.last_resort) best = std::max(best, each.score);
  }
  if (best > found->score + rules_.stay || found->offer.cost_pico > most_pico) return false;
  std::rotate(verdicts->begin(), found, found + 1);
  return true;
}

void AutoRouter::Explore(double drawn, std::vector<AutoVerdict>* ranked) const {
  if (ranked->empty()) return;
  const AutoVerdict& first = ranked->front();
  const uint64_t most = TimesOrMost(first.offer.cost_pico, kExploredCost);
  std::vector<size_t> near;  // the first is one of them
  for (size_t i = 0; i < ranked->size(); ++i) {
    const AutoVerdict& each = (*ranked)[i];
    const double behind = static_cast<double>(first.quality) - static_cast<double>(each.quality);
    const bool is_near = behind <= kExploredGap && each.offer.cost_pico <= most;
    if (i == 0 || (is_near && each.offer.last_resort == first.offer.last_resort)) near.push_back(i);
  }
  const double share = near.size() < 2 ? 0 : rules_.explore;
  for (const size_t i : near) (*ranked)[i].chance = share / static_cast<double>(near.size());
  (*ranked)[0].chance += 1 - share;
  if (drawn >= share) return;
  const auto place = static_cast<size_t>(drawn / share * static_cast<double>(near.size()));
  const size_t taken = near[std::min(place, near.size() - 1)];
  if (taken == 0) return;
  (*ranked)[taken].reason = AutoReason::kExplored;
  const auto begin = ranked->begin();
  std::rotate(begin, begin + static_cast<ptrdiff_t>(taken),
              begin + static_cast<ptrdiff_t>(taken) + 1);
}

}  // namespace seekroute
