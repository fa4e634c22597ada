// SanitizeUpstreamText() of wire/error_body.h. A provider's sentence may quote the key it was sent,
// the address it runs at, or anything else; what is not plainly prose is taken out.
#include <algorithm>
#include <array>
#include <cctype>

#include "wire/error_body.h"
#include "wire/json.h"

namespace seekroute {
namespace {

constexpr std::string_view kRedacted = "[redacted]";
constexpr size_t kMaxSanitized = 500;
// A run of letters and digits of this length with both in it is a token, not a word.
constexpr size_t kLongRun = 16;
// Any word of this length is taken out when it has a digit or nothing but letters: no prose is so
// long.
constexpr size_t kLongWord = 40;

bool IsAlnum(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsHex(char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; }

// Characters of keys, hosts, addresses and base64; '=' is left out so that key=value falls apart.
bool IsWordChar(char c) {
  return IsAlnum(c) || std::string_view("-_.:/@+~%*&?#").find(c) != std::string_view::npos;
}

bool EndsUrl(char c) {
  return static_cast<unsigned char>(c) <= 0x20 ||
         std::string_view("\"'<>`(){}[]").find(c) != std::string_view::npos;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

// "sk-...", wherever in the word it starts.
bool HasKeyPrefix(const std::string& word) {
  static constexpr auto kPrefixes = std::to_array<std::string_view>(
      {"sk-", "sk_", "sr-", "sr_", "pk-", "pk_", "rk-", "rk_", "gsk_", "xai-", "ghp_", "hf_",
       "aiza", "nvapi-", "pplx-", "ya29.", "eyj"});
  return std::any_of(kPrefixes.begin(), kPrefixes.end(), [&](std::string_view prefix) {
    for (size_t at = word.find(prefix); at != std::string::npos; at = word.find(prefix, at + 1)) {
      const bool at_start = at == 0 || !IsAlnum(word[at - 1]);
      if (at_start && word.size() > at + prefix.size() + 2) return true;
    }
    return false;
  });
}

bool LooksRandom(std::string_view word) {
  const bool digit = std::any_of(word.begin(), word.end(), IsDigit);
  if (word.size() >= kLongWord) return digit || std::all_of(word.begin(), word.end(), IsAlnum);
  if (!digit) return false;
  size_t run = 0;
  bool letter = false, number = false;
  for (const char c : word) {
    if (!IsAlnum(c)) {
      run = 0;
      letter = number = false;
      continue;
    }
    ++run;
    (IsDigit(c) ? number : letter) = true;
    if (run >= kLongRun && letter && number) return true;
  }
  return false;
}

// Four numbers and dots, with or without a port.
bool IsIpv4(std::string_view word) {
  word = word.substr(0, word.find_first_of(":/"));
  int dots = 0;
  size_t digits = 0;
  for (const char c : word) {
    if (c == '.') {
      if (digits == 0) return false;
      ++dots;
      digits = 0;
    } else if (IsDigit(c)) {
      if (++digits > 3) return false;
    } else {
      return false;
    }
  }
  return dots == 3 && digits > 0;
}

bool IsIpv6(std::string_view word) {
  if (word.find_first_not_of("0123456789abcdefABCDEF:.%") != std::string_view::npos) return false;
  const auto colons = std::count(word.begin(), word.end(), ':');
  return colons == 7 ||
         (colons >= 2 && word.find("::") != std::string_view::npos &&
          std::any_of(word.begin(), word.end(), IsHex)) ||
         word == "::";
}

bool IsHostWithPort(std::string_view word) {
  word = word.substr(0, word.find('/'));
  const size_t colon = word.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == word.size()) return false;
  const std::string_view port = word.substr(colon + 1);
  const std::string_view host = word.substr(0, colon);
  return port.size() >= 2 && port.size() <= 5 && std::all_of(port.begin(), port.end(), IsDigit) &&
         std::any_of(host.begin(), host.end(), [](char c) { return IsAlnum(c) && !IsDigit(c); }) &&
         host.find_first_of(":@?#&%*") == std::string_view::npos;
}

bool MustGo(std::string_view word) {
  // A sentence's own punctuation is not the word's.
  while (!word.empty() && std::string_view(".:?").find(word.back()) != std::string_view::npos) {
    word.remove_suffix(1);
  }
  return HasKeyPrefix(Lower(word)) || LooksRandom(word) || IsIpv4(word) || IsIpv6(word) ||
         IsHostWithPort(word);
}

// The credential of an Authorization header's value: providers quote it without its scheme.
std::string_view Credential(const Secret& secret) {
  constexpr std::string_view kScheme = "Bearer ";
  const std::string_view value = secret.Reveal();
  return value.starts_with(kScheme) ? value.substr(kScheme.size()) : value;
}

std::string WithoutSecrets(std::string_view text, const std::vector<const Secret*>& secrets) {
  std::string out(text);
  for (const Secret* secret : secrets) {
    const std::string_view credential = secret == nullptr ? "" : Credential(*secret);
    if (credential.empty()) continue;
    std::string without;
    size_t done = 0;
    for (size_t at = out.find(credential); at != std::string::npos;
         at = out.find(credential, done)) {
      without.append(out, done, at - done);
      without += kRedacted;
      done = at + credential.size();
    }
    without.append(out, done, std::string::npos);
    out = std::move(without);
  }
  return out;
}

// Takes the word, or the whole URL, at `at`.
std::string_view WordAt(std::string_view text, size_t at) {
  size_t end = at;
  while (end < text.size() && IsWordChar(text[end])) ++end;
  if (text.substr(at, end - at).find("://") != std::string_view::npos) {
    while (end < text.size() && !EndsUrl(text[end])) ++end;
  }
  return text.substr(at, end - at);
}

}  // namespace

std::string SanitizeUpstreamText(std::string_view raw, const std::vector<const Secret*>& secrets) {
  const std::string text = WithoutSecrets(ReplaceInvalidUtf8(raw), secrets);
  std::string out;
  bool after_bearer = false;
  for (size_t at = 0; at < text.size() && out.size() <= kMaxSanitized;) {
    const char c = text[at];
    if (!IsWordChar(c)) {
      const bool space = static_cast<unsigned char>(c) <= 0x20 || c == 0x7F;
      if (!space) out += c;
      if (space && !out.empty() && out.back() != ' ') out += ' ';
      ++at;
      continue;
    }
    const std::string_view word = WordAt(text, at);
    at += word.size();
    const bool url = word.find("://") != std::string_view::npos;
    out += url || after_bearer || MustGo(word) ? kRedacted : word;
    after_bearer = Lower(word) == "bearer" || Lower(word) == "bearer:";
  }
  if (out.size() > kMaxSanitized) {
    size_t cut = kMaxSanitized;
    while (cut > 0 && (static_cast<unsigned char>(out[cut]) & 0xC0) == 0x80) --cut;
    out.resize(cut);
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

}  // namespace seekroute
