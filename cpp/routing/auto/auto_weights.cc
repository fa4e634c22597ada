#include "routing/auto/auto_weights.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <set>
#include <utility>

#include "base/crc32c.h"
#include "base/varint.h"
#include "routing/auto/block_codec.h"
#include "routing/auto/quantile_table.h"

namespace seekroute {
namespace {

constexpr std::string_view kMagic = "SRAW";
// 1: of counters that a mistyped letter changed; 2: without ratings of each model.
constexpr uint64_t kVersion = 3;
constexpr size_t kCrcBytes = 4;

using PerModel = AutoWeights::PerModel;
using Spread = AutoWeights::Spread;

Error Refuse(std::string why) {
  return MakeError(ErrorCode::kInvalidValue,
                   "the router's weights " + std::move(why) + ": train them again");
}

bool AreFinite(std::initializer_list<float> numbers) {
  return std::all_of(numbers.begin(), numbers.end(),
                     [](float each) { return std::isfinite(each); });
}

bool AreFinite(const auto& numbers) {
  return std::all_of(numbers.begin(), numbers.end(),
                     [](float each) { return std::isfinite(each); });
}

// Features are small numbers: what is spread by these stays far from the end of a float.
bool IsSmall(const Spread& spread) {
  return std::abs(spread.mean) <= 1e6F && std::abs(spread.scale) <= 1e6F;
}

// Of the model at `place`.
Status CheckModel(const AutoWeights& weights, size_t place) {
  const PerModel& model = weights.models[place];
  const std::string of = " of model " + std::to_string(place);
  if (model.name.empty() || model.name.size() > AutoWeights::kMostNameBytes) {
    return Refuse("have a name" + of + " that is empty or above " +
                  std::to_string(AutoWeights::kMostNameBytes) + " bytes");
  }
  const bool linear = weights.has(AutoMember::kLinear);
  if (model.linear.words.size() != (linear ? kWordBuckets : 0)) {
    return Refuse("have another number of words" + of);
  }
  if (!AreFinite(model.linear.words) || !AreFinite(model.linear.counters) ||
      !AreFinite({model.linear.bias, model.slope, model.offset})) {
    return Refuse("have a number that is not finite" + of);
  }
  if (model.trees.empty() == weights.has(AutoMember::kTrees)) {
    return Refuse("have trees of some models only, not of all");
  }
  const Result<TreeEnsemble> trees = TreeEnsemble::Make(model.trees, kDenseFeatures);
  if (!trees) return trees.error();
  for (size_t i = 0; i < kMemberCount; ++i) {
    const bool wanted = place > 0 && weights.has(static_cast<AutoMember>(i));
    const std::vector<float>& lead = model.leads[i];
    if (wanted ? !IsQuantileTable(lead) : !lead.empty()) {
      return Refuse("have a wrong table of quantiles" + of);
    }
  }
  return {};
}

std::string CrcOf(std::string_view bytes) {
  const uint32_t crc = Crc32c(bytes);
  std::string out;
  for (size_t i = 0; i < kCrcBytes; ++i) out.push_back(static_cast<char>(crc >> (8 * i)));
  return out;
}

// Words whose weight is not 0, which are few: where the next one is, and its weight.
void WriteWords(const std::vector<float>& words, VarintWriter* out) {
  std::vector<float> values;
  VarintWriter gaps;
  size_t next = 0;
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i] == 0 && !std::signbit(words[i])) continue;
    gaps.Number(i - next);
    values.push_back(words[i]);
    next = i + 1;
  }
  out->Number(words.size());
  out->Text(gaps.bytes);
  WriteBlock(values, out);
}

bool ReadWords(VarintReader* in, std::vector<float>* words) {
  const size_t size = in->Number(kWordBuckets);
  VarintReader gaps(in->Text());
  std::vector<float> values;
  if (!in->ok() || !ReadBlock(in, &values)) return false;
  words->assign(size, 0);
  size_t next = 0;
  for (const float value : values) {
    next += gaps.Number(kWordBuckets);
    if (!gaps.ok() || next >= size) return false;
    (*words)[next++] = value;
  }
  return gaps.done();
}

void WriteTrees(const std::vector<Tree>& trees, VarintWriter* out) {
  std::vector<uint8_t> sizes;
  std::vector<uint16_t> features;
  std::vector<float> thresholds;
  std::vector<int16_t> children;
  std::vector<double> leaves;
  for (const Tree& tree : trees) {
    sizes.push_back(static_cast<uint8_t>(tree.leaves.size()));
    for (const Tree::Split& split : tree.splits) {
      features.push_back(split.feature);
      thresholds.push_back(split.threshold);
      children.push_back(split.left);
      children.push_back(split.right);
    }
    leaves.insert(leaves.end(), tree.leaves.begin(), tree.leaves.end());
  }
  WriteBlock(sizes, out);
  WriteBlock(features, out);
  WriteBlock(thresholds, out);
  WriteBlock(children, out);
  WriteBlock(leaves, out);
}

bool ReadTrees(VarintReader* in, std::vector<Tree>* trees) {
  std::vector<uint8_t> sizes;
  std::vector<uint16_t> features;
  std::vector<float> thresholds;
  std::vector<int16_t> children;
  std::vector<double> leaves;
  if (!ReadBlock(in, &sizes) || !ReadBlock(in, &features) || !ReadBlock(in, &thresholds) ||
      !ReadBlock(in, &children) || !ReadBlock(in, &leaves)) {
    return false;
  }
  size_t splits = 0;
  for (const uint8_t size : sizes) {
    if (size == 0) return false;
    splits += size - 1U;
  }
  if (sizes.size() > TreeEnsemble::kMostTrees || features.size() != splits ||
      thresholds.size() != splits || children.size() != 2 * splits ||
      leaves.size() != splits + sizes.size()) {
    return false;
  }
  size_t split = 0, leaf = 0;
  for (const uint8_t size : sizes) {
    Tree tree;
    for (size_t i = 0; i + 1 < size; ++i, ++split) {
      tree.splits.push_back({.feature = features[split],
                             .threshold = thresholds[split],
                             .left = children[2 * split],
                             .right = children[2 * split + 1]});
    }
    for (size_t i = 0; i < size; ++i) tree.leaves.push_back(leaves[leaf++]);
    trees->push_back(std::move(tree));
  }
  return true;
}

void WriteModel(const PerModel& model, VarintWriter* out) {
  out->Text(model.name);
  out->Number(model.ratings);
  WriteWords(model.linear.words, out);
  std::vector<float> rest(model.linear.counters.begin(), model.linear.counters.end());
  rest.insert(rest.end(), {model.linear.bias, model.slope, model.offset});
  WriteBlock(rest, out);
  WriteTrees(model.trees, out);
  for (const std::vector<float>& lead : model.leads) WriteBlock(lead, out);
}

bool ReadModel(VarintReader* in, PerModel* model) {
  model->name = in->Text();
  model->ratings = in->Number(AutoWeights::kMostRatings);
  std::vector<float> rest;
  if (!ReadWords(in, &model->linear.words) || !ReadBlock(in, &rest) ||
      rest.size() != kCounterCount + 3 || !ReadTrees(in, &model->trees)) {
    return false;
  }
  std::copy_n(rest.begin(), kCounterCount, model->linear.counters.begin());
  model->linear.bias = rest[kCounterCount];
  model->slope = rest[kCounterCount + 1];
  model->offset = rest[kCounterCount + 2];
  return std::all_of(model->leads.begin(), model->leads.end(),
                     [in](std::vector<float>& lead) { return ReadBlock(in, &lead); });
}

bool ReadBody(VarintReader* in, AutoWeights* weights) {
  weights->revision = in->Text();
  weights->ratings = in->Number(AutoWeights::kMostRatings);
  weights->vectors_checksum =
      static_cast<uint32_t>(in->Number(std::numeric_limits<uint32_t>::max()));
  std::vector<float> head, spreads;
  if (!ReadBlock(in, &head) || head.size() != 5 + kMemberCount || !ReadBlock(in, &spreads) ||
      spreads.size() != 2 * kDenseFeatures || !ReadBlock(in, &weights->prior) ||
      !ReadWords(in, &weights->rarity)) {
    return false;
  }
  weights->prior_ratings = head[0];
  weights->length = {head[1], head[2]};
  weights->keyword = {head[3], head[4]};
  std::copy_n(head.begin() + 5, kMemberCount, weights->shares.begin());
  for (size_t i = 0; i < kDenseFeatures; ++i) {
    weights->direction[i] = {spreads[2 * i], spreads[2 * i + 1]};
  }
  const size_t models = in->Number(AutoWeights::kMostModels);
  for (size_t i = 0; i < models; ++i) {
    if (!ReadModel(in, &weights->models.emplace_back())) return false;
  }
  weights->rated.neighbours = static_cast<uint32_t>(in->Number(RatedPrompts::kMostPrompts));
  return ReadBlock(in, &weights->rated.directions) && ReadBlock(in, &weights->rated.outcomes) &&
         in->ok() && in->done();
}

}  // namespace

bool AutoWeights::has(AutoMember member) const {
  switch (member) {
    case AutoMember::kLinear:
      return !models.empty() && !models.front().linear.words.empty();
    case AutoMember::kTrees:
      return !models.empty() && !models.front().trees.empty();
    case AutoMember::kNeighbours:
      break;
  }
  return !rated.outcomes.empty();
}

Status CheckAutoWeights(const AutoWeights& weights) {
  if (weights.models.size() < 2 || weights.models.size() > AutoWeights::kMostModels) {
    return Refuse("are of " + std::to_string(weights.models.size()) + " models, not of 2 to " +
                  std::to_string(AutoWeights::kMostModels));
  }
  if (weights.revision.size() > AutoWeights::kMostNameBytes) return Refuse("have a long revision");
  if (weights.ratings > AutoWeights::kMostRatings) return Refuse("have too many ratings");
  if (!AreFinite({weights.prior_ratings}) || weights.prior_ratings < 0 ||
      !IsSmall(weights.length) || !IsSmall(weights.keyword) ||
      !std::all_of(weights.direction.begin(), weights.direction.end(), IsSmall)) {
    return Refuse("have a number that is not finite, or too large");
  }
  if (!IsQuantileTable(weights.prior)) return Refuse("have a wrong table of the prior");
  if ((!weights.rarity.empty() && weights.rarity.size() != kWordBuckets) ||
      !AreFinite(weights.rarity)) {
    return Refuse("have a wrong table of words");
  }
  for (const float share : weights.shares) {
    if (!(share >= 0 && share <= 1)) return Refuse("give a member a share beyond 0 to 1");
  }
  std::set<std::string_view> names;
  for (size_t place = 0; place < weights.models.size(); ++place) {
    Status status = CheckModel(weights, place);
    if (!status) return status;
    if (!names.insert(weights.models[place].name).second) return Refuse("have a model twice");
    if (weights.models[place].ratings > weights.ratings) return Refuse("have too many ratings");
  }
  const Result<Neighbours> rated = Neighbours::Make(weights.rated, weights.models.size());
  if (!rated) return rated.error();
  return {};
}

std::string WriteAutoWeights(const AutoWeights& weights) {
  VarintWriter out;
  out.bytes = kMagic;
  out.Number(kVersion);
  out.Text(weights.revision);
  out.Number(weights.ratings);
  out.Number(weights.vectors_checksum);
  std::vector<float> head{weights.prior_ratings, weights.length.mean, weights.length.scale,
                          weights.keyword.mean, weights.keyword.scale};
  head.insert(head.end(), weights.shares.begin(), weights.shares.end());
  WriteBlock(head, &out);
  std::vector<float> spreads;
  for (const Spread& each : weights.direction) {
    spreads.insert(spreads.end(), {each.mean, each.scale});
  }
  WriteBlock(spreads, &out);
  WriteBlock(weights.prior, &out);
  WriteWords(weights.rarity, &out);
  out.Number(weights.models.size());
  for (const PerModel& model : weights.models) WriteModel(model, &out);
  out.Number(weights.rated.neighbours);
  WriteBlock(weights.rated.directions, &out);
  WriteBlock(weights.rated.outcomes, &out);
  out.bytes += CrcOf(out.bytes);
  return std::move(out.bytes);
}

Result<AutoWeights> ReadAutoWeights(std::string_view bytes) {
  if (!bytes.starts_with(kMagic) || bytes.size() < kMagic.size() + kCrcBytes) {
    return Refuse("are none: the file begins with other bytes");
  }
  const std::string_view body = bytes.substr(0, bytes.size() - kCrcBytes);
  VarintReader in(body.substr(kMagic.size()));
  const uint64_t version = in.Number();
  if (in.ok() && version != kVersion) {
    return Refuse("are of version " + std::to_string(version) +
                  ", and this release reads version " + std::to_string(kVersion));
  }
  if (CrcOf(body) != bytes.substr(body.size())) return Refuse("are damaged");
  AutoWeights weights;
  if (!ReadBody(&in, &weights)) return Refuse("are damaged");
  const Status status = CheckAutoWeights(weights);
  if (!status) return status.error();
  return weights;
}

}  // namespace seekroute
