// The weights of routing by content: written, and stepped.
#include <algorithm>
#include <cmath>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "bindings/auto_numbers.h"
#include "bindings/convert.h"
#include "bindings/core_error.h"
#include "bindings/released_gil.h"
#include "routing/auto/weight_steps.h"

namespace py = pybind11;

namespace seekroute {

std::vector<PromptFeatures> FeaturesFrom(const py::bytes& dense, const py::bytes& difficulty,
                                         const py::bytes& ends, const py::bytes& buckets,
                                         const py::bytes& counts) {
  const auto rows = NumbersOf<float>(std::string_view(dense), "dense");
  const auto looks = NumbersOf<float>(std::string_view(difficulty), "difficulty");
  const auto stops = NumbersOf<uint32_t>(std::string_view(ends), "ends");
  const auto words = NumbersOf<uint16_t>(std::string_view(buckets), "buckets");
  const auto times = NumbersOf<uint16_t>(std::string_view(counts), "counts");
  if (rows.size() != stops.size() * kDenseFeatures || looks.size() != 2 * stops.size() ||
      words.size() != times.size()) {
    throw py::value_error("features: their lists are not of one length");
  }
  std::vector<PromptFeatures> made(stops.size());
  size_t at = 0;
  for (size_t i = 0; i < stops.size(); ++i) {
    PromptFeatures& each = made[i];
    if (stops[i] < at || stops[i] > words.size()) throw py::value_error("ends: not in order");
    const auto begin = rows.begin() + static_cast<ptrdiff_t>(i * kDenseFeatures);
    std::copy_n(begin, kDenseFeatures, each.dense.begin());
    std::copy_n(begin, kCounterCount, each.text.counters.begin());
    each.text.length = looks[2 * i];
    each.text.keyword = looks[2 * i + 1];
    for (; at < stops[i]; ++at) each.text.words.push_back({words[at], times[at]});
  }
  return made;
}

Spreads SpreadsFrom(const std::vector<float>& numbers) {
  if (numbers.size() != 2 * kDenseFeatures) throw py::value_error("direction: not 43 pairs");
  Spreads spreads;
  for (size_t i = 0; i < kDenseFeatures; ++i) {
    spreads[i] = {numbers[2 * i], numbers[2 * i + 1]};
  }
  return spreads;
}

namespace {

AutoWeights::Spread SpreadFrom(const py::dict& dict, const char* key) {
  const auto [mean, scale] = Get<std::pair<float, float>>(dict, key);
  return {mean, scale};
}

Tree TreeFrom(const py::dict& dict) {
  const auto features = Numbers<uint16_t>(dict, "features");
  const auto thresholds = Numbers<float>(dict, "thresholds");
  const auto left = Numbers<int16_t>(dict, "left");
  const auto right = Numbers<int16_t>(dict, "right");
  if (thresholds.size() != features.size() || left.size() != features.size() ||
      right.size() != features.size()) {
    throw py::value_error("tree: its lists are not of one length");
  }
  Tree tree;
  for (size_t i = 0; i < features.size(); ++i) {
    tree.splits.push_back(
        {.feature = features[i], .threshold = thresholds[i], .left = left[i], .right = right[i]});
  }
  tree.leaves = Numbers<double>(dict, "leaves");
  return tree;
}

AutoWeights::PerModel ModelFrom(const py::dict& dict) {
  AutoWeights::PerModel model;
  model.name = Get<std::string>(dict, "name");
  model.ratings = Get<uint64_t>(dict, "ratings");
  model.linear.words = Numbers<float>(dict, "words");
  const auto counters = Numbers<float>(dict, "counters");
  if (counters.size() != kCounterCount) throw py::value_error("counters: not 27");
  std::copy(counters.begin(), counters.end(), model.linear.counters.begin());
  model.linear.bias = Get<float>(dict, "bias");
  model.slope = Get<float>(dict, "slope");
  model.offset = Get<float>(dict, "offset");
  for (const auto& tree : Get<std::vector<py::dict>>(dict, "trees")) {
    model.trees.push_back(TreeFrom(tree));
  }
  const auto leads = Get<std::array<py::bytes, kMemberCount>>(dict, "leads");
  for (size_t i = 0; i < kMemberCount; ++i) {
    model.leads[i] = NumbersOf<float>(std::string_view(leads[i]), "leads");
  }
  return model;
}

py::bytes WriteWeights(const py::dict& dict) {
  AutoWeights weights;
  weights.revision = Get<std::string>(dict, "revision");
  weights.ratings = Get<uint64_t>(dict, "ratings");
  weights.prior_ratings = Get<float>(dict, "prior_ratings");
  weights.length = SpreadFrom(dict, "length");
  weights.keyword = SpreadFrom(dict, "keyword");
  weights.prior = Numbers<float>(dict, "prior");
  weights.vectors_checksum = Get<uint32_t>(dict, "vectors_checksum");
  weights.rarity = Numbers<float>(dict, "rarity");
  weights.direction = SpreadsFrom(Numbers<float>(dict, "direction"));
  weights.shares = Get<std::array<float, kMemberCount>>(dict, "shares");
  for (const auto& model : Get<std::vector<py::dict>>(dict, "models")) {
    weights.models.push_back(ModelFrom(model));
  }
  weights.rated.directions = Numbers<int8_t>(dict, "rated_directions");
  weights.rated.outcomes = Numbers<uint8_t>(dict, "rated_outcomes");
  weights.rated.neighbours = Get<uint32_t>(dict, "neighbours");
  const Status status = CheckAutoWeights(weights);
  if (!status) ThrowError(status.error());
  return {WriteAutoWeights(weights)};
}

// `revision`: added to that of the weights. `steps`: (prompt, model, outcome).
py::bytes StepWeightBytes(const py::bytes& bytes, const std::string& revision,
                          const std::vector<PromptFeatures>& prompts,
                          const std::vector<std::tuple<size_t, size_t, float>>& steps) {
  AutoWeights weights = Unwrap(ReadAutoWeights(std::string_view(bytes)));
  std::vector<RatedStep> rated;
  for (const auto& [prompt, model, outcome] : steps) {
    if (prompt >= prompts.size() || model >= weights.models.size() || !std::isfinite(outcome)) {
      throw py::value_error("steps: there is no such prompt, model or outcome");
    }
    rated.push_back({prompt, model, outcome});
  }
  std::string written;
  {
    const ReleasedGil released;
    StepWeights(prompts, rated, &weights);
    weights.revision += revision;
    if (CheckAutoWeights(weights)) written = WriteAutoWeights(weights);
  }
  if (written.empty()) ThrowError(CheckAutoWeights(weights).error());
  return {written};
}

}  // namespace

void BindAutoWeights(py::module_& m) {
  m.def("write_auto_weights", &WriteWeights, py::arg("weights"));
  m.def(
      "step_auto_weights",
      [](const py::bytes& weights, const std::string& revision, const py::bytes& dense,
         const py::bytes& difficulty, const py::bytes& ends, const py::bytes& buckets,
         const py::bytes& counts, const std::vector<std::tuple<size_t, size_t, float>>& steps) {
        return StepWeightBytes(weights, revision,
                               FeaturesFrom(dense, difficulty, ends, buckets, counts), steps);
      },
      py::arg("weights"), py::arg("revision"), py::arg("dense"), py::arg("difficulty"),
      py::arg("ends"), py::arg("buckets"), py::arg("counts"), py::arg("steps"));
}

}  // namespace seekroute
