#include "routing/auto/static_vectors.h"

#include <cmath>
#include <utility>

#include "base/crc32c.h"
#include "base/varint.h"
#include "routing/auto/block_codec.h"
#include "routing/auto/code_points.h"
#include "routing/auto/text_features.h"

namespace seekroute {
namespace {

constexpr std::string_view kMagic = "SRWV";
constexpr uint64_t kVersion = 1;

Error Refuse(std::string why) {
  return MakeError(ErrorCode::kInvalidValue,
                   "the table of word vectors " + std::move(why) + ": build it again");
}

}  // namespace

Result<StaticVectors> StaticVectors::Make(std::vector<std::string> words,
                                          const std::array<float, kVectorSize>& scales,
                                          std::vector<int8_t> numbers) {
  if (numbers.size() != words.size() * kVectorSize) {
    return Refuse("has " + std::to_string(numbers.size()) + " numbers for " +
                  std::to_string(words.size()) + " words of 16");
  }
  for (const float scale : scales) {
    if (!std::isfinite(scale)) return Refuse("has a scale that is not finite");
  }
  Result<Vocabulary> vocabulary = Vocabulary::Make(std::move(words));
  if (!vocabulary) return std::move(vocabulary).error();
  StaticVectors made(*std::move(vocabulary), scales, std::move(numbers));
  made.checksum_ = Crc32c(made.Write());
  return made;
}

Result<StaticVectors> StaticVectors::Read(std::string_view bytes) {
  if (!bytes.starts_with(kMagic)) return Refuse("is none: it begins with other bytes");
  VarintReader in(bytes.substr(kMagic.size()));
  const uint64_t version = in.Number();
  if (in.ok() && version != kVersion) {
    return Refuse("is of version " + std::to_string(version) + ", and this release reads version " +
                  std::to_string(kVersion));
  }
  const size_t count = in.Number(Vocabulary::kMostWords);
  std::vector<float> scales;
  std::vector<int8_t> numbers;
  if (!ReadBlock(&in, &scales) || scales.size() != kVectorSize || !ReadBlock(&in, &numbers)) {
    return Refuse("is damaged");
  }
  std::vector<std::string> words;
  for (size_t i = 0; i < count && in.ok(); ++i) words.emplace_back(in.Text());
  if (!in.ok() || !in.done()) return Refuse("is damaged");
  std::array<float, kVectorSize> scale_of;
  std::copy(scales.begin(), scales.end(), scale_of.begin());
  return Make(std::move(words), scale_of, std::move(numbers));
}

std::string StaticVectors::Write() const {
  VarintWriter out;
  out.bytes = kMagic;
  out.Number(kVersion);
  out.Number(vocabulary_.words().size());
  WriteBlock(std::vector<float>(scales_.begin(), scales_.end()), &out);
  WriteBlock(numbers_, &out);
  for (const std::string& word : vocabulary_.words()) out.Text(word);
  return std::move(out.bytes);
}

TextVector StaticVectors::VectorOf(std::string_view text, std::vector<uint16_t>* known) const {
  known->clear();
  vocabulary_.Find(CutAtCharacter(text, kMostExcerpt), known);
  std::array<int32_t, kVectorSize> sums{};  // of 4096 bytes at most
  for (const uint16_t word : *known) {
    const int8_t* const row = numbers_.data() + size_t{word} * kVectorSize;
    for (size_t i = 0; i < kVectorSize; ++i) sums[i] += row[i];
  }
  // In doubles, for a scale may be large.
  std::array<double, kVectorSize> values;
  double square = 0;
  for (size_t i = 0; i < kVectorSize; ++i) {
    values[i] = static_cast<double>(sums[i]) * static_cast<double>(scales_[i]);
    square += values[i] * values[i];
  }
  if (!(square > 0)) return {};
  const double size = std::sqrt(square);
  TextVector vector;
  for (size_t i = 0; i < kVectorSize; ++i) vector[i] = static_cast<float>(values[i] / size);
  return vector;
}

}  // namespace seekroute
