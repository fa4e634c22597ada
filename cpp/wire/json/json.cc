#include "wire/json/json.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <limits>

#include "wire/json/json_scan.h"

namespace seekroute {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// One step of a UTF-8 decoder: how many bytes it takes, and whether they are a character.
struct Utf8Step {
  size_t length;
  bool valid;
};

// Reads the sequence at `at`. An invalid one is as long as its longest valid prefix, at least one
// byte: the "maximal subpart" that the WHATWG decoder replaces by one U+FFFD.
Utf8Step DecodeUtf8(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(at);
  if (lead < 0x80) return {1, true};
  size_t need = 0;
  unsigned char low = 0x80, high = 0xBF;  // bounds of the second byte
  if (lead >= 0xC2 && lead <= 0xDF) {
    need = 1;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    need = 2;
    if (lead == 0xE0) low = 0xA0;   // no overlong forms
    if (lead == 0xED) high = 0x9F;  // no surrogates
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    need = 3;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;  // at most U+10FFFF
  } else {
    return {1, false};
  }
  for (size_t i = 1; i <= need; ++i) {
    if (at + i >= text.size() || byte(at + i) < low || byte(at + i) > high) return {i, false};
    low = 0x80;
    high = 0xBF;
  }
  return {need + 1, true};
}

// The first position from `at` on that is not ASCII, or the size.
size_t SkipAscii(std::string_view text, size_t at) {
  constexpr uint64_t kHighBits = 0x8080808080808080u;
  while (text.size() - at >= 32) {
    uint64_t words[4];
    std::memcpy(words, text.data() + at, sizeof words);
    if (((words[0] | words[1] | words[2] | words[3]) & kHighBits) != 0) break;
    at += 32;
  }
  while (at < text.size() && static_cast<unsigned char>(text[at]) < 0x80) ++at;
  return at;
}

// Whether text of JSON needs more than this byte itself: an escape, or a look at its sequence.
constexpr bool IsPlain(unsigned char c) { return c >= 0x20 && c < 0x80 && c != '"' && c != '\\'; }

// Likewise of eight bytes at once: true when all are plain.
bool ArePlain(uint64_t bytes) {
  constexpr uint64_t kOnes = 0x0101010101010101u;
  // Sets a high bit where a byte is zero, and none where no byte is.
  constexpr auto zeros = [](uint64_t word) { return (word - kOnes) & ~word; };
  const uint64_t controls = (bytes - 0x20 * kOnes) & ~bytes;
  const uint64_t marks = zeros(bytes ^ ('"' * kOnes)) | zeros(bytes ^ ('\\' * kOnes));
  return ((controls | marks | bytes) & (0x80 * kOnes)) == 0;
}

// The first position from `at` on that is not plain, or the size.
size_t SkipPlain(std::string_view text, size_t at) {
  constexpr size_t kWord = sizeof(uint64_t);
  const auto is_plain_word = [text](size_t begin) {
    uint64_t bytes = 0;
    std::memcpy(&bytes, text.data() + begin, kWord);
    return ArePlain(bytes);
  };
  if (text.size() - at >= kWord) {
    while (text.size() - at > kWord && is_plain_word(at)) at += kWord;
    // The last word may overlap what is known to be plain.
    if (text.size() - at <= kWord && is_plain_word(text.size() - kWord)) return text.size();
  }
  while (at < text.size() && IsPlain(static_cast<unsigned char>(text[at]))) ++at;
  return at;
}

// The first invalid sequence from `at` on, or the size.
size_t FindInvalidUtf8(std::string_view text, size_t at) {
  while (at < text.size()) {
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      at = SkipAscii(text, at);
      continue;
    }
    const Utf8Step step = DecodeUtf8(text, at);
    if (!step.valid) return at;
    at += step.length;
  }
  return at;
}

// Reads nothing: CheckJson() only wants the scan's own rules.
class NullSink : public JsonSink {
 public:
  Step OnOpen(const JsonPlace&, JsonType) override { return Step::kSkip; }
  bool OnClose(const JsonPlace&, const JsonValue&) override { return true; }
  bool OnScalar(const JsonPlace&, const JsonValue&) override { return true; }
};

void AppendEscape(unsigned char c, std::string* out) {
  switch (c) {
    case '"':
      *out += "\\\"";
      return;
    case '\\':
      *out += "\\\\";
      return;
    case '\n':
      *out += "\\n";
      return;
    case '\r':
      *out += "\\r";
      return;
    case '\t':
      *out += "\\t";
      return;
    default: {
      constexpr char kHex[] = "0123456789abcdef";
      *out += "\\u00";
      *out += kHex[c >> 4];
      *out += kHex[c & 15];
    }
  }
}

}  // namespace

bool IsValidUtf8(std::string_view text) { return FindInvalidUtf8(text, 0) == text.size(); }

std::string ReplaceInvalidUtf8(std::string_view text) {
  std::string out;
  size_t done = 0;
  while (done < text.size()) {
    const size_t bad = FindInvalidUtf8(text, done);
    out += text.substr(done, bad - done);
    done = bad;
    if (bad < text.size()) {
      out += kReplacement;
      done += DecodeUtf8(text, bad).length;
    }
  }
  return out;
}

void AppendJsonString(std::string_view text, std::string* out) {
  size_t at = SkipPlain(text, 0);
  if (FindInvalidUtf8(text, at) < text.size()) {
    return AppendJsonString(ReplaceInvalidUtf8(text), out);
  }
  *out += '"';
  size_t done = 0;
  for (; at < text.size(); at = SkipPlain(text, at + 1)) {
    const auto c = static_cast<unsigned char>(text[at]);
    if (c >= 0x80) continue;
    *out += text.substr(done, at - done);
    AppendEscape(c, out);
    done = at + 1;
  }
  *out += text.substr(done);
  *out += '"';
}

Decimal ReadDecimal(std::string_view number) {
  Decimal decimal;
  decimal.is_negative = number.starts_with('-');
  if (decimal.is_negative) number.remove_prefix(1);
  const size_t mark = std::min(number.find_first_of("eE"), number.size());
  if (mark < number.size()) {
    std::string_view exponent = number.substr(mark + 1);
    if (exponent.starts_with('+')) exponent.remove_prefix(1);
    int64_t& power = decimal.power;
    const auto read = std::from_chars(exponent.data(), exponent.data() + exponent.size(), power);
    if (read.ec == std::errc::result_out_of_range) {
      power = exponent[0] == '-' ? -Decimal::kMostPower : Decimal::kMostPower;
    }
    power = std::clamp(power, -Decimal::kMostPower, Decimal::kMostPower);
  }
  std::string& digits = decimal.digits;
  digits = number.substr(0, mark);
  if (const size_t point = digits.find('.'); point != std::string::npos) {
    decimal.power -= static_cast<int64_t>(digits.size() - point - 1);
    digits.erase(point, 1);
  }
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
  if (digits.empty()) return {};
  const size_t last = digits.find_last_not_of('0');
  decimal.power += static_cast<int64_t>(digits.size() - last - 1);
  digits.resize(last + 1);
  return decimal;
}

std::optional<int64_t> Decimal::Integer() const {
  constexpr int64_t kMostDigits = std::numeric_limits<int64_t>::digits10 + 1;
  if (digits.empty()) return 0;
  if (power < 0 || power > kMostDigits || std::ssize(digits) + power > kMostDigits) {
    return std::nullopt;
  }
  const std::string text =
      (is_negative ? "-" : "") + digits + std::string(static_cast<size_t>(power), '0');
  int64_t value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc{}) return std::nullopt;
  return value;
}

std::optional<int64_t> ReadInteger(std::string_view number) {
  int64_t value = 0;
  const char* const end = number.data() + number.size();
  const auto plain = std::from_chars(number.data(), end, value);
  if (plain.ec == std::errc{} && plain.ptr == end) return value;
  return ReadDecimal(number).Integer();
}

Status CheckJson(std::string_view text) {
  NullSink sink;
  return ScanJson(text, JsonKeys::kUnique, &sink);
}

bool IsProvidersJson(std::string_view text) {
  NullSink sink;
  return ScanJson(text, JsonKeys::kAny, &sink).ok();
}

}  // namespace seekroute
