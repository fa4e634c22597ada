// What a text is about, as sixteen numbers: the sum of a stored vector for each of its words.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "routing/auto/vocabulary.h"

namespace seekroute {

inline constexpr size_t kVectorSize = 16;
using TextVector = std::array<float, kVectorSize>;

// A vocabulary with its vectors, each number of which is a byte times the scale of its dimension.
// Immutable, thread-safe.
class StaticVectors {
 public:
  // Fails where sizes do not agree, a scale is not finite, or the vocabulary is none.
  static Result<StaticVectors> Make(std::vector<std::string> words,
                                    const std::array<float, kVectorSize>& scales,
                                    std::vector<int8_t> numbers);
  // Of what Write() gave, or of any bytes: then it fails, and says what to do.
  static Result<StaticVectors> Read(std::string_view bytes);
  std::string Write() const;

  // Of length 1, or 0 of a text without a known word. Looks at kMostExcerpt bytes. `known` is
  // memory to work in.
  TextVector VectorOf(std::string_view text, std::vector<uint16_t>* known) const;

  // Of all bytes: tells one table from another.
  uint32_t checksum() const { return checksum_; }

 private:
  StaticVectors(Vocabulary vocabulary, const std::array<float, kVectorSize>& scales,
                std::vector<int8_t> numbers)
      : vocabulary_(std::move(vocabulary)), scales_(scales), numbers_(std::move(numbers)) {}

  Vocabulary vocabulary_;
  std::array<float, kVectorSize> scales_;
  std::vector<int8_t> numbers_;  // kVectorSize of each word
  uint32_t checksum_ = 0;
};

}  // namespace seekroute
