// Internal to bindings/: the members of a Python dict, with an error that names the one at fault.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "bindings/pybind.h"

namespace seekroute {

// Null where it is absent. Looked up once: a million keys have fifteen members each. Needs the GIL,
// as all here do.
inline pybind11::handle MemberOf(const pybind11::dict& dict, const char* key) {
  return PyDict_GetItemString(dict.ptr(), key);
}

// Throws ValueError where it is of another type; `key` names it.
template <typename T>
T CastMember(pybind11::handle member, const char* key) {
  try {
    return member.cast<T>();
  } catch (const pybind11::cast_error&) {
    throw pybind11::value_error(std::string("wrong type for key: ") + key);
  }
}

// Throws ValueError where it is absent or of another type.
template <typename T>
T Get(const pybind11::dict& dict, const char* key) {
  const pybind11::handle member = MemberOf(dict, key);
  if (!member) throw pybind11::value_error(std::string("missing key: ") + key);
  return CastMember<T>(member, key);
}

// Nothing where it is null or None.
template <typename T>
std::optional<T> CastOptional(pybind11::handle member, const char* key) {
  if (!member || member.is_none()) return std::nullopt;
  return CastMember<T>(member, key);
}

// Nothing where it is absent or None.
template <typename T>
std::optional<T> GetOptional(const pybind11::dict& dict, const char* key) {
  return CastOptional<T>(MemberOf(dict, key), key);
}

// The member's value among words; what is null or None is `otherwise`.
template <typename T>
T ChoiceOf(pybind11::handle member, const char* key, T otherwise,
           std::initializer_list<std::pair<std::string_view, T>> words) {
  const auto word = CastOptional<std::string_view>(member, key);
  if (!word) return otherwise;
  std::string expected;
  for (const auto& [name, value] : words) {
    if (name == *word) return value;
    if (!expected.empty()) expected += " or ";
    expected += name;
  }
  throw pybind11::value_error(std::string(key) + ": expected " + expected);
}

// The same of a member that may be absent.
template <typename T>
T Choice(const pybind11::dict& dict, const char* key, T otherwise,
         std::initializer_list<std::pair<std::string_view, T>> words) {
  return ChoiceOf(MemberOf(dict, key), key, otherwise, words);
}

}  // namespace seekroute
