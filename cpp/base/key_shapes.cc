#include "base/key_shapes.h"

#include <algorithm>
#include <array>

namespace seekroute {
namespace {

using enum KeyShape::Case;

// clang-format off
constexpr std::array kShapes = std::to_array<KeyShape>({
    // head              separators
    {"sk",               "-_", kAny, true},  // OpenAI, Anthropic, OpenRouter, DeepSeek, ours
    {"sr",               "-_", kAny, true},
    {"pk",               "-_", kAny, true},
    {"rk",               "-_", kAny, true},
    {"gsk",              "_",  kAny, true},  // Groq
    {"gsk",              "-",  kAny, false},
    {"xai",              "-",  kAny, true},
    {"hf",               "_",  kAny, true},  // Hugging Face
    {"hf",               "-",  kAny, false},  // begins words of a provider
    {"nvapi",            "-",  kAny, true},
    {"pplx",             "-",  kAny, true},
    {"aiza",             "",   kAny, true},  // Google
    {"ya29",             ".",  kAny, true},
    {"eyj",              "",   kAny, true},  // a JWT: `{"` in base64
    {"ghp",              "_",  kAny, true},  // GitHub
    {"ghp",              "-",  kAny, false},
    {"gho",              "_",  kAny, false},
    {"ghu",              "_",  kAny, false},
    {"ghs",              "_",  kAny, false},
    {"ghr",              "_",  kAny, false},
    {"github_pat",       "_",  kAny, false},
    {"glpat",            "-",  kAny, false},
    {"fw",               "-_", kAny, false},  // Fireworks
    {"r8",               "_",  kAny, false},  // Replicate
    {"csk",              "-",  kAny, false},  // Cerebras
    {"tgp",              "_",  kAny, false},  // Together
    {"rpa",              "_",  kAny, false},  // RunPod
    {"vck",              "_",  kAny, false},  // Vercel
    {"dop",              "_",  kAny, false},  // DigitalOcean
    {"jina",             "_",  kAny, false},
    {"tvly",             "-",  kAny, false},
    {"lsv2",             "_",  kAny, false},  // LangSmith
    {"whsec",            "_",  kAny, false},
    {"xoxb",             "-",  kAny, false},  // Slack
    {"xoxp",             "-",  kAny, false},
    {"xapp",             "-",  kAny, false},
    {"bedrock-api-key",  "-",  kAny, false},
    {"ABSK",             "",   kExact, false},  // Bedrock
    {"AKIA",             "",   kExact, false},  // AWS; as words these are written small
    {"ASIA",             "",   kExact, false},
    {"dapi",             "",   kAny, false},  // Databricks
});
// clang-format on

// Ours: words, then at least so many letters and digits; a checksum is among them.
constexpr size_t kOwnRest = 49;
constexpr size_t kMostOwnWords = 32;  // with their separators

char Small(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
bool IsLetter(char c) { return Small(c) >= 'a' && Small(c) <= 'z'; }
bool IsAlnum(char c) { return IsLetter(c) || (c >= '0' && c <= '9'); }

bool IsHex(char c) { return (c >= '0' && c <= '9') || (Small(c) >= 'a' && Small(c) <= 'f'); }

// Nothing of a word is before `at`: a digit, or the end of an escape ("%2Fsk-..."), is none.
bool IsAtStart(std::string_view text, size_t at) {
  if (at == 0 || !IsLetter(text[at - 1])) return true;
  return at >= 3 && text[at - 3] == '%' && IsHex(text[at - 2]) && IsHex(text[at - 1]);
}

bool IsRest(char c) { return IsAlnum(c) || std::string_view("-_.~+").find(c) != std::string::npos; }

bool StartsWith(std::string_view text, const KeyShape& shape) {
  if (text.size() < shape.head.size()) return false;
  return std::equal(shape.head.begin(), shape.head.end(), text.begin(), [&](char own, char c) {
    return own == (shape.letters == kAny ? Small(c) : c);
  });
}

// The length of the separator at the front of `text`, 0 where there is none of them.
size_t SeparatorAt(std::string_view text, std::string_view separators) {
  if (text.empty()) return 0;
  if (separators.find(text[0]) != std::string_view::npos) return 1;
  if (text.size() < 3 || text[0] != '%') return 0;
  const char high = text[1], low = Small(text[2]);
  const char meant = high == '2' && low == 'd' ? '-' : high == '5' && low == 'f' ? '_' : '\0';
  return meant != '\0' && separators.find(meant) != std::string_view::npos ? 3 : 0;
}

size_t EndOfRest(std::string_view text, size_t at) {
  while (at < text.size() && IsRest(text[at])) ++at;
  return at;
}

// Whether letters and digits without anything between them are no word, name or version.
bool IsRandomRun(std::string_view run) {
  constexpr size_t kShortest = 8;  // of a key that has separators in it: base64url, a UUID
  if (run.size() >= kShortestKeyRest) return true;
  bool digit = false, small = false, capital = false, hex = true;
  for (const char c : run) {
    hex = hex && IsHex(c);
    (!IsLetter(c) ? digit : c == Small(c) ? small : capital) = true;
  }
  const bool mixed = digit && small && capital, of_uuid = hex && digit && (small || capital);
  return run.size() >= kShortest && (mixed || of_uuid);
}

// Whether what stands behind the beginning of a key may be one's: names of models begin like keys
// too ("xai-grok-4-fast-reasoning"), but go on in words.
bool HasRandomRun(std::string_view rest) {
  for (size_t at = 0; at < rest.size();) {
    size_t end = at;
    while (end < rest.size() && IsAlnum(rest[end])) ++end;
    if (IsRandomRun(rest.substr(at, end - at))) return true;
    at = end + 1;
  }
  return false;
}

// The end of the key that begins at `at`; `at` where none does.
size_t EndOfKnown(std::string_view text, size_t at) {
  const KeyShape* shape = nullptr;
  const size_t rest = at + KeyHeadAt(text, at, &shape);
  if (rest == at || rest == text.size()) return at;
  if (shape->separators.empty() && !IsAlnum(text[rest])) return at;
  const size_t end = EndOfRest(text, rest);
  const bool key = end - rest >= kShortestKeyRest && HasRandomRun(text.substr(rest, end - rest));
  return key ? end : at;
}

// Likewise, of a key with any words before 49 letters and digits: "acme_...".
size_t EndOfOwn(std::string_view text, size_t at) {
  if (!IsLetter(text[at])) return at;
  const size_t most = std::min(text.size(), at + kMostOwnWords);
  for (size_t i = at + 1; i < most; ++i) {
    if (!IsAlnum(text[i]) && text[i] != '-' && text[i] != '_') return at;
    if (IsAlnum(text[i])) continue;
    size_t end = i + 1;
    while (end < text.size() && IsAlnum(text[end])) ++end;
    if (end - i - 1 >= kOwnRest) return end;
  }
  return at;
}

struct Found {
  size_t begin = 0;
  size_t end = 0;  // of nothing: `begin`
};

// The first key in `text` at or behind `at`.
Found FindKey(std::string_view text, size_t at) {
  for (; at < text.size(); ++at) {
    if (!IsAtStart(text, at)) continue;
    const size_t known = EndOfKnown(text, at);
    const size_t end = known > at ? known : EndOfOwn(text, at);
    if (end > at) return {at, end};
  }
  return {text.size(), text.size()};
}

}  // namespace

std::span<const KeyShape> KeyShapes() { return kShapes; }

size_t KeyHeadAt(std::string_view text, size_t at, const KeyShape** shape) {
  if (!IsAtStart(text, at)) return 0;
  for (const KeyShape& each : kShapes) {
    if (!StartsWith(text.substr(at), each)) continue;
    const size_t separator = SeparatorAt(text.substr(at + each.head.size()), each.separators);
    if (separator == 0 && !each.separators.empty()) continue;
    if (shape != nullptr) *shape = &each;
    return each.head.size() + separator;
  }
  return 0;
}

std::string WithoutKeys(std::string_view text) {
  std::string out;
  size_t done = 0;
  for (Found key = FindKey(text, 0); key.end > key.begin; key = FindKey(text, done)) {
    out.append(text, done, key.begin - done).append("[key]");
    done = key.end;
  }
  return out.append(text, done);
}

bool HasKey(std::string_view text) {
  const Found key = FindKey(text, 0);
  return key.end > key.begin;
}

}  // namespace seekroute
