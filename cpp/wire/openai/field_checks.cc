#include "wire/openai/field_checks.h"

#include <cstddef>
#include <string>

#include "wire/ask.h"
#include "wire/usage.h"

namespace seekroute {
namespace {

using enum ErrorCode;

// No catalog has longer names; a bound keeps them out of logs and errors.
constexpr size_t kMaxModelName = 256;

bool IsNameByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.';
}

// `name` stands in `text` as a word.
bool Names(std::string_view text, std::string_view name) {
  for (size_t at = text.find(name); at != std::string_view::npos; at = text.find(name, at + 1)) {
    const size_t end = at + name.size();
    const bool begins = at == 0 || !IsNameByte(text[at - 1]);
    if (begins && (end == text.size() || !IsNameByte(text[end]))) return true;
  }
  return false;
}

}  // namespace

std::optional<Error> RefuseModelName(const JsonValue& value, const JsonPlace& place) {
  if (value.lone_surrogate) {
    return MakeError(kInvalidUnicode, "expected text without lone surrogates", place.Path());
  }
  if (value.text.empty() || value.text.size() > kMaxModelName) {
    return MakeError(kInvalidValue,
                     "expected a model name of 1 to " + std::to_string(kMaxModelName) +
                         " bytes, got " + std::to_string(value.text.size()),
                     place.Path());
  }
  return std::nullopt;
}

Error WrongTypeError(const JsonPlace& place, std::string_view expected, JsonType got) {
  return MakeError(kInvalidType,
                   "expected " + std::string(expected) + ", got " + std::string(NameOf(got)),
                   place.Path());
}

bool AsksForNothing(const JsonValue& value) {
  constexpr size_t kBrackets = 2;
  const bool is_container = value.type == JsonType::kObject || value.type == JsonType::kArray;
  const bool is_empty = is_container && value.range.end - value.range.begin == kBrackets;
  return value.type == JsonType::kNull || is_empty;
}

std::string TierAskedFor(const JsonValue& value) {
  if (value.type != JsonType::kString || value.text == "default") return {};
  const bool is_name = !value.text.empty() && IsTierName(value.text);
  return std::string(is_name ? value.text : kAnyTier);
}

Error WithField(Error error) {
  if (!error.param.empty() && !Names(error.message, error.param)) {
    error.message = error.param + ": " + error.message;
  }
  return error;
}

}  // namespace seekroute
