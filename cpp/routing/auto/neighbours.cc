#include "routing/auto/neighbours.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace seekroute {
namespace {

constexpr size_t kWidth = RatedPrompts::kWidth;
// Directions are 127 long, and a rounding longer; products of two are sorted into this many steps.
constexpr int32_t kMostSimilarity = 130 * 130;
constexpr int32_t kStep = 32;
constexpr size_t kSteps = 2 * kMostSimilarity / kStep + 2;

size_t StepOf(int32_t similarity) {
  return static_cast<size_t>(
      (std::clamp(similarity, -kMostSimilarity, kMostSimilarity) + kMostSimilarity) / kStep);
}

int32_t Product(const int16_t* a, const int16_t* b) {
  int32_t sum = 0;
  for (size_t i = 0; i < kWidth; ++i) sum += static_cast<int32_t>(a[i]) * b[i];
  return sum;
}

}  // namespace

std::array<int8_t, kWidth> DirectionOf(std::span<const float> features) {
  std::array<int8_t, kWidth> direction{};
  double square = 0;
  for (const float each : features) square += static_cast<double>(each) * static_cast<double>(each);
  const double size = std::sqrt(square);
  if (!(size > 0) || !std::isfinite(size)) return direction;
  for (size_t i = 0; i < std::min(features.size(), kWidth); ++i) {
    direction[i] =
        static_cast<int8_t>(std::lround(127.0 * static_cast<double>(features[i]) / size));
  }
  return direction;
}

Result<Neighbours> Neighbours::Make(RatedPrompts prompts, size_t models) {
  const auto refuse = [](std::string why) {
    return MakeError(ErrorCode::kInvalidValue,
                     "the rated prompts " + std::move(why) + ": train the router again");
  };
  const size_t count = prompts.directions.size() / kWidth;
  if (prompts.directions.size() % kWidth != 0 || models == 0 ||
      prompts.outcomes.size() != count * models) {
    return refuse("and their outcomes are not as many");
  }
  if (count > RatedPrompts::kMostPrompts) {
    return refuse("are " + std::to_string(count) + ", and " +
                  std::to_string(RatedPrompts::kMostPrompts) + " at most");
  }
  if (prompts.neighbours > count || (count > 0 && prompts.neighbours == 0)) {
    return refuse("are " + std::to_string(count) + ", of which " +
                  std::to_string(prompts.neighbours) + " cannot be asked");
  }
  Neighbours made;
  made.models_ = models;
  made.wide_.assign(prompts.directions.begin(), prompts.directions.end());
  made.prompts_ = std::move(prompts);
  return made;
}

void Neighbours::Ask(const std::array<int8_t, kWidth>& direction, Scratch* scratch,
                     std::vector<Outcome>* outcomes) const {
  outcomes->assign(models_, {});
  const size_t count = wide_.size() / kWidth;
  if (count == 0) return;
  std::array<int16_t, kWidth> wide;
  std::copy(direction.begin(), direction.end(), wide.begin());
  scratch->similarity.resize(count);
  scratch->counts.assign(kSteps, 0);
  for (size_t i = 0; i < count; ++i) {
    const int32_t similarity = Product(wide.data(), wide_.data() + i * kWidth);
    scratch->similarity[i] = similarity;
    ++scratch->counts[StepOf(similarity)];
  }
  // All above one step, and of that step the most alike.
  size_t edge = kSteps - 1, above = 0;
  while (above + scratch->counts[edge] < prompts_.neighbours) above += scratch->counts[edge--];

  std::vector<Sum>& sums = scratch->sums;
  sums.assign(models_, {});
  const auto add = [&](size_t prompt) {
    const uint8_t* const row = prompts_.outcomes.data() + prompt * models_;
    for (size_t m = 0; m < models_; ++m) {
      if (row[m] == RatedPrompts::kUnrated) continue;
      ++sums[m].count;
      sums[m].outcome += row[m];
      if (row[0] == RatedPrompts::kUnrated) continue;
      ++sums[m].pairs;
      sums[m].difference += static_cast<int32_t>(row[m]) - static_cast<int32_t>(row[0]);
    }
  };
  scratch->edge.clear();
  for (size_t i = 0; i < count; ++i) {
    const size_t step = StepOf(scratch->similarity[i]);
    if (step > edge) add(i);
    if (step == edge) scratch->edge.push_back(static_cast<uint32_t>(i));
  }
  const size_t rest = prompts_.neighbours - above;
  const auto closer = [&](uint32_t a, uint32_t b) {
    const int32_t of_a = scratch->similarity[a], of_b = scratch->similarity[b];
    return of_a != of_b ? of_a > of_b : a < b;
  };
  if (rest < scratch->edge.size()) {
    std::nth_element(scratch->edge.begin(), scratch->edge.begin() + static_cast<ptrdiff_t>(rest),
                     scratch->edge.end(), closer);
  }
  for (size_t i = 0; i < rest; ++i) add(scratch->edge[i]);

  const auto share = [](auto sum, uint32_t of) {
    return static_cast<float>(sum) / (254.0F * static_cast<float>(of));
  };
  for (size_t m = 0; m < models_; ++m) {
    Outcome& outcome = (*outcomes)[m];
    outcome.rated = sums[m].count > 0;
    if (outcome.rated) outcome.mean = share(sums[m].outcome, sums[m].count);
    if (sums[m].pairs > 0) outcome.above = share(sums[m].difference, sums[m].pairs);
  }
}

}  // namespace seekroute
