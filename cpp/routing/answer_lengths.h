// How long the answers of models were, and how long the next one is expected to be. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/varint.h"

namespace seekroute {

// Of a model whose answers are unknown, in tokens.
inline constexpr int64_t kGuessedAnswerTokens = 400;

// Running means of the answers to prompts that were about as hard. Where a model has few of its
// own, those of its answers to other prompts stand in, then those of all models, then
// kGuessedAnswerTokens: what is expected lies between the shortest and the longest of these. An
// answer counts half after some 350 newer ones of its model. Not thread-safe; 72 bytes a model and
// its name.
class AnswerLengths {
 public:
  static constexpr size_t kClasses = 4;       // of difficulty
  static constexpr size_t kMostModels = 128;  // beyond, who answered longest ago is forgotten
  static constexpr size_t kMostNameBytes = 256;
  // An answer counts as at most so many times what was expected of it: one alone moves little.
  static constexpr double kMostTimes = 8;

  // The mean that is expected, at least 1 token. `difficulty`: 0 (easy) to 1 (hard).
  int64_t Expect(std::string_view model, float difficulty) const;

  // `tokens`: of one whole answer, 0 or more. `cut`: it ended at a length that was set for it, and
  // would have been longer: it counts as no less than what was expected. A model whose name is
  // longer than kMostNameBytes is left out.
  void Learn(std::string_view model, float difficulty, int64_t tokens, bool cut);

  // What outlives a restart: thousandths of answers, and of tokens.
  struct KeptTally {
    uint64_t answers = 0, tokens = 0;
    friend bool operator==(const KeptTally&, const KeptTally&) = default;
  };
  using KeptTallies = std::array<KeptTally, kClasses>;
  struct KeptModel {
    std::string name;
    KeptTallies tallies;
    friend bool operator==(const KeptModel&, const KeptModel&) = default;
  };
  struct Kept {
    KeptTallies all = {};
    std::vector<KeptModel> models;  // kMostModels at most; who answered last, last
    friend bool operator==(const Kept&, const Kept&) = default;
  };
  Kept Keep() const;
  // In the place of all that is known.
  void Restore(const Kept& kept);

 private:
  struct Tally {
    double answers = 0, tokens = 0;
    // Their mean, drawn to `expected` as by so many answers that are as expected.
    double Toward(double expected) const;
  };
  struct Tallies {
    std::array<Tally, kClasses> of;
    Tally Sum() const;
    void Add(size_t place, double tokens);
  };
  struct Model {
    std::string name;
    Tallies tallies;
  };

  static size_t ClassOf(float difficulty);
  double MeanOf(const Tallies* own, size_t place) const;
  const Model* Find(std::string_view model) const;

  Tallies all_;
  std::vector<Model> models_;  // who answered last, last
};

void WriteAnswerLengths(const AnswerLengths::Kept& kept, VarintWriter* out);

// Of bytes that are something else `in` is not ok() any more. Figures are within their bounds,
// whatever the bytes are. Linear.
AnswerLengths::Kept ReadAnswerLengths(VarintReader* in);

}  // namespace seekroute
