#include "wire/json/lone_halves.h"

#include <charconv>

namespace seekroute {
namespace {

constexpr size_t kEscape = 6;       // \uXXXX
constexpr size_t kReplacement = 3;  // U+FFFD

// The code unit that `escape` stands for; 0 for what is no such escape.
uint16_t UnitOf(std::string_view escape) {
  if (escape.size() != kEscape || !escape.starts_with("\\u")) return 0;
  uint16_t unit = 0;
  const char* const end = escape.data() + escape.size();
  const auto read = std::from_chars(escape.data() + 2, end, unit, 16);
  return read.ptr == end ? unit : uint16_t{0};
}

}  // namespace

LoneHalves HalvesOf(std::string_view string) {
  LoneHalves halves;
  if (string.size() < kEscape + 2) return halves;
  const std::string_view text = string.substr(1, string.size() - 2);
  const uint16_t first = UnitOf(text.substr(0, kEscape));
  if (first >= 0xDC00 && first <= 0xDFFF) halves.first = first;
  const size_t at = text.size() - kEscape;
  const uint16_t last = UnitOf(text.substr(at));
  // Behind a backslash that is escaped itself there is an escape; behind one that is not, letters.
  size_t backslashes = 0;
  while (backslashes < at && text[at - 1 - backslashes] == '\\') ++backslashes;
  if (backslashes % 2 == 0 && last >= 0xD800 && last <= 0xDBFF) halves.last = last;
  return halves;
}

void AppendJoined(std::string_view more, LoneHalves halves, std::string* text, uint16_t* half) {
  if (more.empty()) return;
  if (*half != 0 && halves.first != 0) {
    const uint32_t character = 0x10000u + ((*half - 0xD800u) << 10) + (halves.first - 0xDC00u);
    text->resize(text->size() - kReplacement);
    for (const uint32_t shift : {18u, 12u, 6u, 0u}) {
      const uint32_t lead = shift == 18 ? 0xF0 : 0x80;
      *text += static_cast<char>(lead | ((character >> shift) & (shift == 18 ? 0x07 : 0x3F)));
    }
    more.remove_prefix(kReplacement);
  }
  *text += more;
  *half = halves.last;
}

}  // namespace seekroute
