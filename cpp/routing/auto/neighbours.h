// The most similar of prompts that were rated before, and how models did on them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace seekroute {

// Rated prompts as they are stored.
struct RatedPrompts {
  static constexpr size_t kWidth = 48;      // bytes of a direction
  static constexpr uint8_t kUnrated = 255;  // else 0 (wrong) to 254 (right)
  static constexpr size_t kMostPrompts = 10'000;

  std::vector<int8_t> directions;  // kWidth of each: Direction() of its features
  std::vector<uint8_t> outcomes;   // one for each model, of each
  uint32_t neighbours = 0;         // how many are asked
  friend bool operator==(const RatedPrompts&, const RatedPrompts&) = default;
};

// The direction of `features`, kWidth of them at most, in bytes; all 0 where they are.
std::array<int8_t, RatedPrompts::kWidth> DirectionOf(std::span<const float> features);

// Immutable, thread-safe.
class Neighbours {
 public:
  // Of one model, over the prompts that are asked.
  struct Sum {
    uint32_t count = 0, outcome = 0, pairs = 0;
    int32_t difference = 0;
  };
  // Memory to work in.
  struct Scratch {
    std::vector<int32_t> similarity;
    std::vector<uint32_t> counts, edge;
    std::vector<Sum> sums;
  };
  // What the neighbours say of one model.
  struct Outcome {
    float mean = 0.5F;   // of all that rate it
    float above = 0;     // mean of its outcome less the first model's, where both are rated
    bool rated = false;  // by any neighbour
  };

  // Fails where sizes do not agree or are beyond their bounds.
  static Result<Neighbours> Make(RatedPrompts prompts, size_t models);

  // Asks the prompts of the highest cosine similarity; of equals, those that are stored first.
  // Linear in the prompts. `outcomes` becomes one for each model.
  void Ask(const std::array<int8_t, RatedPrompts::kWidth>& direction, Scratch* scratch,
           std::vector<Outcome>* outcomes) const;

  const RatedPrompts& prompts() const { return prompts_; }
  bool empty() const { return prompts_.outcomes.empty(); }

 private:
  Neighbours() = default;

  size_t models_ = 0;
  RatedPrompts prompts_;
  std::vector<int16_t> wide_;  // the directions, in the width that is multiplied fastest
};

}  // namespace seekroute
