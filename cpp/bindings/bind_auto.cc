// Numbers cross as bytes: numpy reads them there without a copy.
#include <chrono>
#include <cmath>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "bindings/auto_numbers.h"
#include "bindings/convert.h"
#include "bindings/core_error.h"
#include "bindings/dict_fields.h"
#include "bindings/pybind.h"
#include "bindings/released_gil.h"
#include "routing/auto/auto_router.h"
#include "routing/auto/auto_scorer.h"
#include "wire/openai/excerpt.h"

namespace py = pybind11;

namespace seekroute {
namespace {

using Vectors = std::shared_ptr<const StaticVectors>;

// The bytes stay where they are for as long as the list, which its caller holds.
std::vector<std::string_view> ViewsOf(const std::vector<py::bytes>& texts) {
  std::vector<std::string_view> views;
  views.reserve(texts.size());
  for (const py::bytes& text : texts) views.emplace_back(text);
  return views;
}

py::tuple ScanTexts(const std::vector<py::bytes>& texts, const Vectors& vectors) {
  const std::vector<std::string_view> views = ViewsOf(texts);
  std::vector<float> dense, difficulty;
  std::vector<uint32_t> ends;
  std::vector<uint16_t> buckets, counts;
  {
    const ReleasedGil released;
    TextScanner scanner;
    std::vector<uint16_t> known;
    for (const std::string_view text : views) {
      const TextFeatures& features = scanner.Scan(text);
      const auto row = DenseFeaturesOf(text, features, vectors.get(), &known);
      dense.insert(dense.end(), row.begin(), row.end());
      difficulty.insert(difficulty.end(), {features.length, features.keyword});
      for (const WordCount& word : features.words) {
        buckets.push_back(word.bucket);
        counts.push_back(word.count);
      }
      ends.push_back(static_cast<uint32_t>(buckets.size()));
    }
  }
  return py::make_tuple(BytesOf(dense), BytesOf(difficulty), BytesOf(ends), BytesOf(buckets),
                        BytesOf(counts));
}

py::bytes Directions(const py::bytes& dense, const py::bytes& direction) {
  const auto numbers = NumbersOf<float>(std::string_view(dense), "dense");
  const Spreads spreads = SpreadsFrom(NumbersOf<float>(std::string_view(direction), "direction"));
  std::vector<int8_t> rows;
  for (size_t at = 0; at + kDenseFeatures <= numbers.size(); at += kDenseFeatures) {
    std::array<float, kDenseFeatures> row;
    std::copy_n(numbers.begin() + static_cast<ptrdiff_t>(at), kDenseFeatures, row.begin());
    const auto one = DirectionOf(row, spreads);
    rows.insert(rows.end(), one.begin(), one.end());
  }
  return BytesOf(rows);
}

// For each prompt, text or features: ranks, qualities, members and leads of all models; the prior;
// nanoseconds.
template <typename Prompts>
py::tuple ScorePrompts(const AutoScorer& scorer, const Prompts& prompts, bool ask_neighbours) {
  std::vector<float> ranks, qualities, members, leads, priors;
  std::vector<int64_t> spans;
  {
    const ReleasedGil released;
    AutoScorer::Scratch scratch;
    PromptScores scores;
    for (const auto& prompt : prompts) {
      const auto start = std::chrono::steady_clock::now();
      scorer.Score(prompt, ask_neighbours, &scratch, &scores);
      const auto end = std::chrono::steady_clock::now();
      spans.push_back(std::chrono::nanoseconds(end - start).count());
      for (const ModelScore& each : scores.models) {
        ranks.push_back(each.rank);
        qualities.push_back(each.quality);
        members.insert(members.end(), each.members.begin(), each.members.end());
        leads.insert(leads.end(), each.leads.begin(), each.leads.end());
      }
      priors.push_back(scores.prior);
    }
  }
  return py::make_tuple(BytesOf(ranks), BytesOf(qualities), BytesOf(members), BytesOf(leads),
                        BytesOf(priors), BytesOf(spans));
}

// The models of the weights in the order in which `auto` would ask them, by its own rules. `costs`:
// of a request, in pico-USD, by model. `quality`: what is said of each of them before anything is
// learned.
py::tuple RankModels(const std::shared_ptr<AutoScorer>& scorer, const py::bytes& excerpt,
                     const std::vector<uint64_t>& costs, double quality,
                     const std::string& strategy) {
  const auto named = AutoStrategyNamed(strategy);
  if (!named) throw py::value_error("there is no such strategy");
  std::vector<PooledModel> pool;
  std::vector<AutoOffer> offers;
  for (const AutoWeights::PerModel& model : scorer->weights().models) {
    if (pool.size() == costs.size()) break;
    offers.push_back(
        {.model = static_cast<uint32_t>(pool.size()), .cost_pico = costs[pool.size()]});
    pool.push_back({model.name, quality, model.name});
  }
  if (costs.size() != scorer->weights().models.size()) {
    throw py::value_error("costs: not one for each model");
  }
  const AutoRouter router = Unwrap(AutoRouter::Make(std::move(pool), {}, scorer));
  const AutoJudgement judged = router.Judge(std::string_view(excerpt));
  py::list ranked;
  for (const AutoVerdict& verdict : router.Rank(judged, offers, *named)) {
    ranked.append(py::make_tuple(verdict.offer.model, verdict.quality, verdict.score,
                                 NameOf(verdict.reason)));
  }
  return py::make_tuple(judged.difficulty, ranked);
}

// What a server chooses by, without one.
using Router = std::shared_ptr<const AutoRouter>;

// Of each prompt: its difficulty, and the quality of each model of the pool. `is_text`: a byte a
// prompt, 0 where it had no text.
py::tuple JudgePrompts(const Router& router, const std::vector<PromptFeatures>& prompts,
                       std::string_view is_text) {
  if (is_text.size() != prompts.size()) throw py::value_error("is_text: not one a prompt");
  std::vector<float> difficulties, qualities;
  {
    const ReleasedGil released;
    for (size_t i = 0; i < prompts.size(); ++i) {
      const AutoJudgement judged = router->Judge(is_text[i] != 0 ? &prompts[i] : nullptr);
      difficulties.push_back(judged.difficulty);
      qualities.insert(qualities.end(), judged.quality.begin(), judged.quality.end());
    }
  }
  return py::make_tuple(BytesOf(difficulties), BytesOf(qualities));
}

// `offers`: (place in the pool, pico-USD, ms or 0, whether it is a last resort).
py::list RankOffers(const Router& router, const std::vector<float>& quality,
                    const std::vector<std::tuple<uint32_t, uint64_t, uint32_t, bool>>& offers,
                    const std::string& strategy) {
  const auto named = AutoStrategyNamed(strategy);
  if (!named) throw py::value_error("there is no such strategy");
  const size_t pool = router->pool().size();
  if (quality.size() != pool) throw py::value_error("quality: not one a model");
  std::vector<AutoOffer> made;
  for (const auto& [model, cost, latency, last_resort] : offers) {
    if (model >= pool) throw py::value_error("offers: there is no such model in the pool");
    made.push_back({model, cost, latency, last_resort});
  }
  py::list ranked;
  for (const AutoVerdict& each : router->Rank({.quality = quality}, made, *named)) {
    ranked.append(py::make_tuple(each.offer.model, each.score, NameOf(each.reason)));
  }
  return ranked;
}

// A linear model that learns of texts one after the other. All words are as rare.
class OnlineTexts {
 public:
  // `spreads`: of the counters, mean and scale of each.
  explicit OnlineTexts(const std::vector<float>& spreads)
      : model_({.words = std::vector<float>(kWordBuckets)}) {
    if (spreads.size() != 2 * kCounterCount) throw py::value_error("spreads: not 27 pairs");
    for (size_t i = 0; i < kCounterCount; ++i) {
      spreads_[i] = {spreads[2 * i], spreads[2 * i + 1]};
    }
  }

  // Before it learns of it, the probability of each text; then of its outcome, unless that is NaN.
  std::vector<float> Follow(const std::vector<std::string_view>& texts,
                            const std::vector<float>& outcomes) {
    std::vector<float> probabilities;
    for (size_t i = 0; i < texts.size(); ++i) {
      const TextFeatures& features = scanner_.Scan(texts[i]);
      WeighWords(features.words, {}, &words_);
      std::array<float, kCounterCount> counters;
      for (size_t c = 0; c < kCounterCount; ++c) {
        counters[c] = (features.counters[c] - spreads_[c].mean) * spreads_[c].scale;
      }
      const double logit = model_.model().Logit(words_, counters);
      probabilities.push_back(static_cast<float>(1 / (1 + std::exp(-logit))));
      if (!std::isnan(outcomes[i])) model_.Learn(words_, counters, outcomes[i]);
    }
    return probabilities;
  }

  // What `write_auto_weights` takes of a model, on counters as they are.
  py::dict Weights() const {
    LinearModel raw = model_.model();
    for (size_t c = 0; c < kCounterCount; ++c) {
      raw.counters[c] *= spreads_[c].scale;
      raw.bias -= raw.counters[c] * spreads_[c].mean;
    }
    py::dict weights;
    weights["words"] = BytesOf(raw.words);
    weights["counters"] = BytesOf(std::vector<float>(raw.counters.begin(), raw.counters.end()));
    weights["bias"] = raw.bias;
    return weights;
  }

 private:
  OnlineLinearModel model_;
  std::array<AutoWeights::Spread, kCounterCount> spreads_;
  TextScanner scanner_;
  std::vector<WordWeight> words_;
};

}  // namespace

void BindAuto(py::module_& m) {
  py::class_<StaticVectors, std::shared_ptr<StaticVectors>>(m, "WordVectors", py::is_final())
      .def(py::init([](const py::bytes& table) {
             return std::make_shared<StaticVectors>(
                 Unwrap(StaticVectors::Read(std::string_view(table))));
           }),
           py::arg("table"))
      .def_property_readonly("checksum", &StaticVectors::checksum);

  py::class_<AutoScorer, std::shared_ptr<AutoScorer>>(m, "AutoScorer", py::is_final())
      .def(py::init([](const py::bytes& weights, std::shared_ptr<StaticVectors> vectors) {
             return Unwrap(AutoScorer::Make(Unwrap(ReadAutoWeights(std::string_view(weights))),
                                            std::move(vectors)));
           }),
           py::arg("weights"), py::arg("vectors"))
      .def_property_readonly("models",
                             [](const AutoScorer& scorer) {
                               std::vector<std::string> names;
                               for (const auto& model : scorer.weights().models) {
                                 names.push_back(model.name);
                               }
                               return names;
                             })
      .def_property_readonly("revision",
                             [](const AutoScorer& scorer) { return scorer.weights().revision; })
      .def_property_readonly("ratings",
                             [](const AutoScorer& scorer) { return scorer.weights().ratings; })
      .def_property_readonly("shares",
                             [](const AutoScorer& scorer) {
                               const auto& shares = scorer.weights().shares;
                               return py::make_tuple(shares[0], shares[1], shares[2]);
                             })
      .def_property_readonly("members",
                             [](const AutoScorer& scorer) {
                               const AutoWeights& weights = scorer.weights();
                               return py::make_tuple(weights.has(AutoMember::kLinear),
                                                     weights.has(AutoMember::kTrees),
                                                     weights.has(AutoMember::kNeighbours));
                             })
      .def(
          "score",
          [](const AutoScorer& scorer, const std::vector<py::bytes>& texts, bool ask_neighbours) {
            return ScorePrompts(scorer, ViewsOf(texts), ask_neighbours);
          },
          py::arg("texts"), py::arg("ask_neighbours"))
      .def(
          "score_features",
          [](const AutoScorer& scorer, const py::bytes& dense, const py::bytes& difficulty,
             const py::bytes& ends, const py::bytes& buckets, const py::bytes& counts,
             bool ask_neighbours) {
            return ScorePrompts(scorer, FeaturesFrom(dense, difficulty, ends, buckets, counts),
                                ask_neighbours);
          },
          py::arg("dense"), py::arg("difficulty"), py::arg("ends"), py::arg("buckets"),
          py::arg("counts"), py::arg("ask_neighbours"))
      .def("rank", &RankModels, py::arg("excerpt"), py::arg("costs"), py::arg("quality"),
           py::arg("strategy"));

  py::class_<AutoRouter, std::shared_ptr<AutoRouter>>(m, "AutoRouter", py::is_final())
      .def(py::init([](const py::dict& router) {
             return std::const_pointer_cast<AutoRouter>(AutoRouterFrom(router));
           }),
           py::arg("router"))
      .def(
          "judge",
          [](const std::shared_ptr<AutoRouter>& router, const py::bytes& dense,
             const py::bytes& difficulty, const py::bytes& ends, const py::bytes& buckets,
             const py::bytes& counts, const py::bytes& is_text) {
            return JudgePrompts(router, FeaturesFrom(dense, difficulty, ends, buckets, counts),
                                std::string_view(is_text));
          },
          py::arg("dense"), py::arg("difficulty"), py::arg("ends"), py::arg("buckets"),
          py::arg("counts"), py::arg("is_text"))
      .def(
          "rank",
          [](const std::shared_ptr<AutoRouter>& router, const std::vector<float>& quality,
             const std::vector<std::tuple<uint32_t, uint64_t, uint32_t, bool>>& offers,
             const std::string& strategy) { return RankOffers(router, quality, offers, strategy); },
          py::arg("quality"), py::arg("offers"), py::arg("strategy"));

  py::class_<OnlineTexts>(m, "OnlineLinearModel", py::is_final())
      .def(py::init([](const py::bytes& spreads) {
             return OnlineTexts(NumbersOf<float>(std::string_view(spreads), "spreads"));
           }),
           py::arg("spreads"))
      .def(
          "follow",
          [](OnlineTexts& model, const std::vector<py::bytes>& texts, const py::bytes& outcomes) {
            const auto numbers = NumbersOf<float>(std::string_view(outcomes), "outcomes");
            if (numbers.size() != texts.size()) throw py::value_error("outcomes: not one a text");
            return BytesOf(model.Follow(ViewsOf(texts), numbers));
          },
          py::arg("texts"), py::arg("outcomes"))
      .def("weights", &OnlineTexts::Weights);

  m.def("auto_counters", [] {
    std::vector<std::pair<std::string_view, bool>> counters;
    for (const CounterName& each : CounterNames()) counters.emplace_back(each.name, each.is_log);
    return counters;
  });
  m.def(
      "excerpt_of",
      [](const py::bytes& content) { return py::bytes(ExcerptOf(std::string_view(content))); },
      py::arg("content"));
  m.def(
      "auto_vectors_checksum",
      [](const py::bytes& weights) {
        return Unwrap(ReadAutoWeights(std::string_view(weights))).vectors_checksum;
      },
      py::arg("weights"));
  m.def(
      "auto_problem",
      [](const py::object& router) -> std::string {
        try {
          AutoRouterFrom(router);
          return {};
        } catch (const py::value_error& error) {
          return error.what();
        }
      },
      py::arg("router"));
  m.def(
      "scan_texts",
      [](const std::vector<py::bytes>& texts, std::shared_ptr<StaticVectors> vectors) {
        return ScanTexts(texts, vectors);
      },
      py::arg("texts"), py::arg("vectors"));
  m.def(
      "build_word_vectors",
      [](const std::vector<std::string>& words, const std::array<float, kVectorSize>& scales,
         const py::bytes& numbers) {
        const StaticVectors made = Unwrap(StaticVectors::Make(
            words, scales, NumbersOf<int8_t>(std::string_view(numbers), "numbers")));
        return py::bytes(made.Write());
      },
      py::arg("words"), py::arg("scales"), py::arg("numbers"));
  m.def("text_directions", &Directions, py::arg("dense"), py::arg("direction"));
}

}  // namespace seekroute
