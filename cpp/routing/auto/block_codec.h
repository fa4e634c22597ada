// Blocks of numbers of one type, as the files of routing's weights have them: little-endian, their
// count before them.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/varint.h"

namespace seekroute {

static_assert(std::endian::native == std::endian::little, "files are read as they lie in memory");

template <typename T>
void WriteBlock(const std::vector<T>& values, VarintWriter* out) {
  static_assert(std::is_arithmetic_v<T>);
  out->Text({reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)});
}

// Empties `values` and says false where the block is not whole or has a number that is not finite.
template <typename T>
bool ReadBlock(VarintReader* in, std::vector<T>* values) {
  values->clear();
  const std::string_view bytes = in->Text();
  if (!in->ok() || bytes.size() % sizeof(T) != 0) return false;
  values->resize(bytes.size() / sizeof(T));
  if (!bytes.empty()) std::memcpy(values->data(), bytes.data(), bytes.size());
  if constexpr (std::is_floating_point_v<T>) {
    for (const T value : *values) {
      if (std::isfinite(value)) continue;
      values->clear();
      return false;
    }
  }
  return true;
}

}  // namespace seekroute
