// Internal to bindings/: the members of a Python dict, with an error that names the one at fault.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "bindings/pybind.h"

namespace seekroute {

// Throws ValueError where it is absent or of another type. Needs the GIL, as all here do.
template <typename T>
T Get(const pybind11::dict& dict, const char* key) {
  if (!dict.contains(key)) throw pybind11::value_error(std::string("missing key: ") + key);
  try {
    return dict[key].cast<T>();
  } catch (const pybind11::cast_error&) {
    throw pybind11::value_error(std::string("wrong type for key: ") + key);
  }
}

template <typename T>
std::optional<T> GetOptional(const pybind11::dict& dict, const char* key) {
  if (!dict.contains(key) || dict[key].is_none()) return std::nullopt;
  return Get<T>(dict, key);
}

// The member's value among words; what is absent is `otherwise`.
template <typename T>
T Choice(const pybind11::dict& dict, const char* key, T otherwise,
         std::initializer_list<std::pair<std::string_view, T>> words) {
  const auto word = GetOptional<std::string>(dict, key);
  if (!word) return otherwise;
  std::string expected;
  for (const auto& [name, value] : words) {
    if (name == *word) return value;
    if (!expected.empty()) expected += " or ";
    expected += name;
  }
  throw pybind11::value_error(std::string(key) + ": expected " + expected);
}

}  // namespace seekroute
