// What ratings teach that came after a training: the regression of weights takes a step for each.
#pragma once

#include <cstddef>
#include <span>

#include "routing/auto/auto_scorer.h"
#include "routing/auto/auto_weights.h"

namespace seekroute {

// A rating: how well a model did on a prompt.
struct RatedStep {
  size_t prompt = 0;  // its place in the features
  size_t model = 0;   // its place in the weights
  float outcome = 0;  // 0 (bad) to 1 (good)
};

// Beyond these the trained regression is not left behind, whatever is rated.
inline constexpr size_t kMostSteps = 512;
inline constexpr float kMostMove = 0.5F;

// Steps of AdaGrad (OnlineLinearModel), in that order, of the last kMostSteps, as small as if what
// the weights were trained on had been steps before. No weight moves further than kMostMove from
// where it is: of a counter, that of its spread. Trees, neighbours, tables and calibration stay. Of
// weights without that member nothing changes. Requires CheckAutoWeights(*weights), and places that
// are there. O(words of the prompts); 0.5 MiB a model.
void StepWeights(std::span<const PromptFeatures> prompts, std::span<const RatedStep> steps,
                 AutoWeights* weights);

}  // namespace seekroute
