// Characters of UTF-8 text in the few classes that routing's features know. No table of Unicode:
// blocks, so that every text has one reading on every machine.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/ascii.h"

namespace seekroute {

enum class CharClass : uint8_t {
  kSpace,
  kPunctuation,
  kDigit,
  kUpper,   // of ASCII
  kLetter,  // of any script that puts spaces between its words
  kDense,   // of a script that does not: Han, Kana, Thai, Lao, Khmer, Burmese
};

struct CodePoint {
  uint32_t value = 0;
  uint8_t size = 1;  // bytes, 1 to 4
};

// The character at `at`, which is below text.size(). A byte that begins no whole character is one
// of its own, with the value U+FFFD.
inline CodePoint CodePointAt(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[at + i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const uint8_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || at + size > text.size()) return {0xfffd, 1};
  uint32_t value = lead & (0xffU >> (size + 1));
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {0xfffd, 1};
    value = value << 6 | (byte(i) & 0x3fU);
  }
  return {value, size};
}

// `text` without what is over `most` bytes; a character is not cut in two.
inline std::string_view CutAtCharacter(std::string_view text, size_t most) {
  if (text.size() <= most) return text;
  size_t end = most;
  while (end > 0 && end + 4 > most && (static_cast<uint8_t>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end);
}

constexpr bool IsDenseScript(uint32_t c) {
  return (c >= 0x0e00 && c <= 0x0eff) || (c >= 0x1000 && c <= 0x109f) ||
         (c >= 0x1780 && c <= 0x17ff) || (c >= 0x3041 && c <= 0x30ff) ||
         (c >= 0x3400 && c <= 0x9fff) || (c >= 0xf900 && c <= 0xfaff) ||
         (c >= 0x20000 && c <= 0x3ffff);
}

// Han alone, each character of which BERT's tokenizer takes for a word.
constexpr bool IsHan(uint32_t c) {
  return (c >= 0x3400 && c <= 0x4dbf) || (c >= 0x4e00 && c <= 0x9fff) ||
         (c >= 0xf900 && c <= 0xfaff) || (c >= 0x20000 && c <= 0x3ffff);
}

inline constexpr std::array<CharClass, 128> kAsciiClasses = [] {
  std::array<CharClass, 128> classes{};
  for (size_t i = 0; i < classes.size(); ++i) {
    const char c = static_cast<char>(i);
    classes[i] = IsLower(c)             ? CharClass::kLetter
                 : IsUpper(c)           ? CharClass::kUpper
                 : IsDigit(c)           ? CharClass::kDigit
                 : c <= ' ' || c == 127 ? CharClass::kSpace
                                        : CharClass::kPunctuation;
  }
  return classes;
}();

constexpr CharClass ClassOf(uint32_t c) {
  if (c < 0x80) return kAsciiClasses[c];
  if (c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200b) || c == 0x2028 || c == 0x2029 ||
      c == 0x202f || c == 0x205f || c == 0x3000 || c == 0xfeff || (c >= 0x80 && c < 0xa0)) {
    return CharClass::kSpace;
  }
  const bool latin_sign = c <= 0xbf && c != 0xaa && c != 0xb5 && c != 0xba;
  if (latin_sign || c == 0xd7 || c == 0xf7 || (c >= 0x2010 && c <= 0x206f) ||
      (c >= 0x20a0 && c <= 0x20cf) || (c >= 0x2190 && c <= 0x2bff) ||
      (c >= 0x3001 && c <= 0x3040) || (c >= 0xff01 && c <= 0xff0f) ||
      (c >= 0xff1a && c <= 0xff20) || c == 0xfffd || (c >= 0x1f000 && c <= 0x1faff)) {
    return CharClass::kPunctuation;
  }
  return IsDenseScript(c) ? CharClass::kDense : CharClass::kLetter;
}

}  // namespace seekroute
