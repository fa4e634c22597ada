#include "routing/auto/linear_model.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace seekroute {

void WeighWords(std::span<const WordCount> words, std::span<const float> rarity,
                std::vector<WordWeight>* weighed) {
  weighed->clear();
  double square = 0;
  for (const WordCount& word : words) {
    float value = word.count <= 1 ? 1.0F : 1.0F + std::log(static_cast<float>(word.count));
    if (!rarity.empty()) value *= rarity[word.bucket];
    weighed->push_back({word.bucket, value});
    square += static_cast<double>(value) * static_cast<double>(value);
  }
  if (!(square > 0)) return;
  const auto scale = static_cast<float>(1 / std::sqrt(square));
  for (WordWeight& each : *weighed) each.value *= scale;
}

double LinearModel::Logit(std::span<const WordWeight> words_of_text,
                          const std::array<float, kCounterCount>& counters_of_text) const {
  double sum = static_cast<double>(bias);
  for (size_t i = 0; i < kCounterCount; ++i) {
    sum += static_cast<double>(counters[i]) * static_cast<double>(counters_of_text[i]);
  }
  for (const WordWeight& each : words_of_text) {
    sum += static_cast<double>(words[each.bucket]) * static_cast<double>(each.value);
  }
  return sum;
}

OnlineLinearModel::OnlineLinearModel(LinearModel start, LearningRates rates)
    : model_(std::move(start)), rates_(rates) {
  squares_.words.assign(model_.words.size(), rates_.first_square);
  squares_.counters.fill(rates_.first_square);
  squares_.bias = rates_.first_square;
}

OnlineLinearModel::OnlineLinearModel(LinearModel start, LinearModel squares, LearningRates rates)
    : model_(std::move(start)), squares_(std::move(squares)), rates_(rates) {}

void OnlineLinearModel::Step(float gradient, float* weight, float* squares) const {
  gradient += rates_.decay * *weight;
  *squares += gradient * gradient;
  *weight -= rates_.rate * gradient / std::sqrt(*squares);
}

void OnlineLinearModel::Learn(std::span<const WordWeight> words,
                              const std::array<float, kCounterCount>& counters, float outcome) {
  const double chance = 1 / (1 + std::exp(-model_.Logit(words, counters)));
  const float error = static_cast<float>(chance) - std::clamp(outcome, 0.0F, 1.0F);
  Step(error, &model_.bias, &squares_.bias);
  for (size_t i = 0; i < kCounterCount; ++i) {
    if (counters[i] == 0) continue;
    Step(error * counters[i], &model_.counters[i], &squares_.counters[i]);
  }
  for (const WordWeight& each : words) {
    Step(error * each.value, &model_.words[each.bucket], &squares_.words[each.bucket]);
  }
}

}  // namespace seekroute
