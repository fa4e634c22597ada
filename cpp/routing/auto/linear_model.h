// Logistic regression on words and counters: one for each model.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "routing/auto/text_features.h"

namespace seekroute {

// A word of a text, and how much it counts there: the squares of all add up to 1.
struct WordWeight {
  uint16_t bucket = 0;
  float value = 0;
};

// (1 + ln count) * rarity, over the length of all. `rarity`: kWordBuckets of them; where it is
// empty all words are as rare.
void WeighWords(std::span<const WordCount> words, std::span<const float> rarity,
                std::vector<WordWeight>* weighed);

// The probability that a model serves a prompt well.
struct LinearModel {
  std::vector<float> words;  // kWordBuckets
  std::array<float, kCounterCount> counters{};
  float bias = 0;

  // The logarithm of the odds.
  double Logit(std::span<const WordWeight> words_of_text,
               const std::array<float, kCounterCount>& counters_of_text) const;
  friend bool operator==(const LinearModel&, const LinearModel&) = default;
};

// How OnlineLinearModel learns.
struct LearningRates {
  float rate = 0.25F;
  float decay = 1e-4F;  // of the weights that a rating touches, each time (L2)
  float first_square =
      0.05F;  // of gradients, as if it had been there before: damps the first steps
};

// A linear model that goes on learning: a step of AdaGrad for each rating. Its counters are scaled
// by the caller to a spread near 0.1. Not thread-safe; 0.5 MiB.
class OnlineLinearModel {
 public:
  // `start`: of kWordBuckets words.
  explicit OnlineLinearModel(LinearModel start, LearningRates rates = {});
  // `squares`: of the gradients of each weight, as if they had been there before; each above 0.
  OnlineLinearModel(LinearModel start, LinearModel squares, LearningRates rates);

  // `outcome`: 0 (bad) to 1 (good); of another the nearest of these. No weight moves by more than
  // `rate` (and its decay), whatever the text. O(words of the text).
  void Learn(std::span<const WordWeight> words, const std::array<float, kCounterCount>& counters,
             float outcome);

  const LinearModel& model() const { return model_; }

 private:
  void Step(float gradient, float* weight, float* squares) const;

  LinearModel model_;
  LinearModel squares_;  // of the gradients of each weight, summed
  LearningRates rates_;
};

}  // namespace seekroute
