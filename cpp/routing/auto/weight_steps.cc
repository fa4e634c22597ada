#include "routing/auto/weight_steps.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

namespace seekroute {
namespace {

// Smaller than where nothing was trained: steps are of few ratings, and the next training has all.
constexpr LearningRates kRates{.rate = 0.1F};

// What the square of a gradient is at the end of a training, on the mean: of an error, of one times
// a word's share in its text, and of one times a counter of spread 0.1.
constexpr double kErrorSquare = 0.15;
constexpr double kWordSquare = 0.03 * kErrorSquare;
constexpr double kCounterSquare = 0.01 * kErrorSquare;

// Of a counter whose spread is unknown: its steps are nothing.
constexpr float kStill = 1e30F;

// A direction gives a counter the spread 1 / sqrt(kCounterCount) at most; here it has 0.1.
const float kOfDirection = 0.1F * std::sqrt(static_cast<float>(kCounterCount));

using Counters = std::array<float, kCounterCount>;
using Spreads = std::array<AutoWeights::Spread, kCounterCount>;

Spreads SpreadsOf(const AutoWeights& weights) {
  Spreads spreads;
  for (size_t i = 0; i < kCounterCount; ++i) {
    const auto [mean, scale] = weights.direction[i];
    spreads[i] =
        scale > 0 ? AutoWeights::Spread{mean, scale * kOfDirection} : AutoWeights::Spread{0, 1};
  }
  return spreads;
}

Counters Scaled(const Counters& counters, const Spreads& spreads) {
  Counters scaled;
  for (size_t i = 0; i < kCounterCount; ++i) {
    scaled[i] = static_cast<float>(spreads[i].Of(counters[i]));
  }
  return scaled;
}

// The same model, on scaled counters.
LinearModel OnScaled(const LinearModel& raw, const Spreads& spreads) {
  LinearModel scaled = raw;
  for (size_t i = 0; i < kCounterCount; ++i) {
    scaled.bias += raw.counters[i] * spreads[i].mean;
    scaled.counters[i] = raw.counters[i] / spreads[i].scale;
  }
  return scaled;
}

// The squares that the training would have left, had it been steps.
LinearModel SquaresOf(const AutoWeights& weights, size_t model) {
  const auto ratings = static_cast<double>(weights.models[model].ratings);
  const auto square = [](double ratings_with, double of_each) {
    return static_cast<float>(static_cast<double>(kRates.first_square) + ratings_with * of_each);
  };
  LinearModel squares;
  squares.words.assign(kWordBuckets, square(0, 0));
  for (size_t i = 0; i < weights.rarity.size(); ++i) {
    // The rarity of a word is ln((1 + texts) / (1 + texts with it)) + 1.
    const double part = std::exp(1 - static_cast<double>(weights.rarity[i]));
    squares.words[i] = square(ratings * std::min(part, 1.0), kWordSquare);
  }
  for (size_t i = 0; i < kCounterCount; ++i) {
    const bool is_spread = weights.direction[i].scale > 0;
    squares.counters[i] = is_spread ? square(ratings, kCounterSquare) : kStill;
  }
  squares.bias = square(ratings, kErrorSquare);
  return squares;
}

// How far a weight may go from where it was.
float Moved(float learned, float start) {
  return std::clamp(learned - start, -kMostMove, kMostMove);
}

// Moves a model as one on scaled counters was.
void Move(const LinearModel& learned, const LinearModel& start, const Spreads& spreads,
          LinearModel* raw) {
  for (size_t i = 0; i < raw->words.size(); ++i) {
    raw->words[i] += Moved(learned.words[i], start.words[i]);
  }
  raw->bias += Moved(learned.bias, start.bias);
  for (size_t i = 0; i < kCounterCount; ++i) {
    const float moved = Moved(learned.counters[i], start.counters[i]) * spreads[i].scale;
    raw->counters[i] += moved;
    raw->bias -= moved * spreads[i].mean;
  }
}

}  // namespace

void StepWeights(std::span<const PromptFeatures> prompts, std::span<const RatedStep> steps,
                 AutoWeights* weights) {
  if (!weights->has(AutoMember::kLinear)) return;
  if (steps.size() > kMostSteps) steps = steps.last(kMostSteps);
  const Spreads spreads = SpreadsOf(*weights);
  std::vector<WordWeight> words;
  for (size_t model = 0; model < weights->models.size(); ++model) {
    const auto is_of_it = [model](const RatedStep& each) { return each.model == model; };
    if (std::ranges::none_of(steps, is_of_it)) continue;
    LinearModel& raw = weights->models[model].linear;
    const LinearModel start = OnScaled(raw, spreads);
    OnlineLinearModel learner(start, SquaresOf(*weights, model), kRates);
    for (const RatedStep& step : steps) {
      if (step.model != model) continue;
      const TextFeatures& text = prompts[step.prompt].text;
      WeighWords(text.words, weights->rarity, &words);
      learner.Learn(words, Scaled(text.counters, spreads), step.outcome);
    }
    Move(learner.model(), start, spreads, &raw);
  }
}

}  // namespace seekroute
