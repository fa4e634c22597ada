// What crosses of routing by content, as bytes: numpy reads numbers there without a copy.
#pragma once

#include <array>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "bindings/dict_fields.h"
#include "bindings/pybind.h"
#include "routing/auto/auto_scorer.h"

namespace seekroute {

template <typename T>
pybind11::bytes BytesOf(const std::vector<T>& numbers) {
  return {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(T)};
}

template <typename T>
std::vector<T> NumbersOf(std::string_view bytes, const char* what) {
  if (bytes.size() % sizeof(T) != 0) {
    throw pybind11::value_error(std::string(what) + ": the bytes are no whole numbers");
  }
  std::vector<T> numbers(bytes.size() / sizeof(T));
  if (!bytes.empty()) std::memcpy(numbers.data(), bytes.data(), bytes.size());
  return numbers;
}

template <typename T>
std::vector<T> Numbers(const pybind11::dict& dict, const char* key) {
  return NumbersOf<T>(std::string_view(Get<pybind11::bytes>(dict, key)), key);
}

// Features as `scan_texts` gives them. Throws value_error where they do not fit together.
std::vector<PromptFeatures> FeaturesFrom(const pybind11::bytes& dense,
                                         const pybind11::bytes& difficulty,
                                         const pybind11::bytes& ends,
                                         const pybind11::bytes& buckets,
                                         const pybind11::bytes& counts);

using Spreads = std::array<AutoWeights::Spread, kDenseFeatures>;
Spreads SpreadsFrom(const std::vector<float>& numbers);

}  // namespace seekroute
