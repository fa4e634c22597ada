#include "routing/answer_lengths.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace seekroute {
namespace {

// Answers that what is expected without any counts as.
constexpr double kPrior = 10;
constexpr double kKeptPart = 1.0 - 1.0 / 512;  // of what is known, with each answer
constexpr double kMostAnswers = 512;           // that the parts of all add up to
constexpr double kMostTokens = 1e7;            // of an answer
constexpr double kThousand = 1000;

}  // namespace

double AnswerLengths::Tally::Toward(double expected) const {
  return (tokens + kPrior * expected) / (answers + kPrior);
}

AnswerLengths::Tally AnswerLengths::Tallies::Sum() const {
  Tally sum;
  for (const Tally& each : of) {
    sum.answers += each.answers;
    sum.tokens += each.tokens;
  }
  return sum;
}

void AnswerLengths::Tallies::Add(size_t place, double tokens) {
  for (Tally& each : of) {
    each.answers *= kKeptPart;
    each.tokens *= kKeptPart;
  }
  of[place].answers += 1;
  of[place].tokens += tokens;
}

size_t AnswerLengths::ClassOf(float difficulty) {
  if (!(difficulty > 0)) return 0;
  const auto place = static_cast<size_t>(std::min(difficulty, 1.0F) * static_cast<float>(kClasses));
  return std::min(place, kClasses - 1);
}

// `own`: of the model; null: none is known.
double AnswerLengths::MeanOf(const Tallies* own, size_t place) const {
  const double guessed = static_cast<double>(kGuessedAnswerTokens);
  const double of_all = all_.of[place].Toward(all_.Sum().Toward(guessed));
  return own == nullptr ? of_all : own->of[place].Toward(own->Sum().Toward(of_all));
}

const AnswerLengths::Model* AnswerLengths::Find(std::string_view model) const {
  const auto found = std::ranges::find(models_, model, &Model::name);
  return found == models_.end() ? nullptr : &*found;
}

int64_t AnswerLengths::Expect(std::string_view model, float difficulty) const {
  const Model* const known = Find(model);
  const double mean = MeanOf(known == nullptr ? nullptr : &known->tallies, ClassOf(difficulty));
  return std::max<int64_t>(1, std::llround(mean));
}

void AnswerLengths::Learn(std::string_view model, float difficulty, int64_t tokens, bool cut) {
  if (model.size() > kMostNameBytes) return;
  const size_t place = ClassOf(difficulty);
  auto known = std::ranges::find(models_, model, &Model::name);
  const double expected = MeanOf(known == models_.end() ? nullptr : &known->tallies, place);
  const double most = std::min(kMostTimes * expected, kMostTokens);
  const double least = cut ? std::min(expected, most) : 0;
  const double counted = std::clamp(static_cast<double>(tokens), least, most);
  if (known == models_.end()) {
    if (models_.size() == kMostModels) models_.erase(models_.begin());
    models_.push_back({std::string(model), {}});
  } else {
    std::rotate(known, known + 1, models_.end());
  }
  models_.back().tallies.Add(place, counted);
  all_.Add(place, counted);
}

namespace {

AnswerLengths::KeptTally KeptOf(double answers, double tokens) {
  return {static_cast<uint64_t>(std::llround(answers * kThousand)),
          static_cast<uint64_t>(std::llround(tokens * kThousand))};
}

}  // namespace

AnswerLengths::Kept AnswerLengths::Keep() const {
  const auto keep = [](const Tallies& tallies) {
    KeptTallies kept;
    for (size_t i = 0; i < kClasses; ++i) {
      kept[i] = KeptOf(tallies.of[i].answers, tallies.of[i].tokens);
    }
    return kept;
  };
  Kept kept{.all = keep(all_), .models = {}};
  for (const Model& each : models_) kept.models.push_back({each.name, keep(each.tallies)});
  return kept;
}

void AnswerLengths::Restore(const Kept& kept) {
  const auto restore = [](const KeptTallies& tallies) {
    Tallies restored;
    for (size_t i = 0; i < kClasses; ++i) {
      restored.of[i] = {static_cast<double>(tallies[i].answers) / kThousand,
                        static_cast<double>(tallies[i].tokens) / kThousand};
    }
    return restored;
  };
  all_ = restore(kept.all);
  models_.clear();
  for (const KeptModel& each : kept.models) {
    if (models_.size() == kMostModels) break;
    models_.push_back({each.name, restore(each.tallies)});
  }
}

namespace {

void WriteTallies(const AnswerLengths::KeptTallies& tallies, VarintWriter* out) {
  for (const AnswerLengths::KeptTally& each : tallies) {
    out->Number(each.answers);
    out->Number(each.tokens);
  }
}

AnswerLengths::KeptTallies ReadTallies(VarintReader* in) {
  AnswerLengths::KeptTallies tallies;
  for (AnswerLengths::KeptTally& each : tallies) {
    each.answers = in->Number(static_cast<uint64_t>(kMostAnswers * kThousand));
    // No mean is longer than an answer can be.
    const double most = static_cast<double>(each.answers) * kMostTokens;
    each.tokens = in->Number(static_cast<uint64_t>(most));
  }
  return tallies;
}

}  // namespace

void WriteAnswerLengths(const AnswerLengths::Kept& kept, VarintWriter* out) {
  WriteTallies(kept.all, out);
  out->Number(kept.models.size());
  for (const AnswerLengths::KeptModel& each : kept.models) {
    out->Text(each.name);
    WriteTallies(each.tallies, out);
  }
}

AnswerLengths::Kept ReadAnswerLengths(VarintReader* in) {
  AnswerLengths::Kept kept{.all = ReadTallies(in), .models = {}};
  kept.models = in->List<AnswerLengths::KeptModel>([in] {
    AnswerLengths::KeptModel model;
    model.name = std::string(in->Text());
    model.tallies = ReadTallies(in);
    return model;
  });
  return kept;
}

}  // namespace seekroute
