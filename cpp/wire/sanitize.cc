// A provider's sentence may quote the key it was sent, the address it runs at, or anything else;
// what is not plainly prose is taken out.
#include "wire/sanitize.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/ascii.h"
#include "base/key_shapes.h"
#include "base/letter_case.h"
#include "wire/json/json.h"

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
bool IsHex(char c) { return HexValue(c) >= 0; }

// Characters of keys, hosts, addresses and base64; '=' is left out so that key=value falls apart.
bool IsWordChar(char c) {
  return IsAlnum(c) || std::string_view("-_.:/@+~%*&?#").find(c) != std::string_view::npos;
}

bool EndsUrl(char c) {
  return static_cast<unsigned char>(c) <= 0x20 ||
         std::string_view("\"'<>`(){}[]").find(c) != std::string_view::npos;
}

// "sk-...", wherever in the word it starts.
bool HasKeyPrefix(std::string_view word) {
  for (size_t at = 0; at < word.size(); ++at) {
    const KeyShape* shape = nullptr;
    const size_t head = KeyHeadAt(word, at, &shape);
    const size_t shortest = shape != nullptr && shape->also_cut ? 3 : kShortestKeyRest;
    if (head > 0 && word.size() - at - head >= shortest) return true;
  }
  return false;
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

// What names the operator's account at a provider, or a machine of a provider's own. Each with a
// digit or, behind the prefix, a capital in it: without one it is a word ("org-wide").
bool IsAccountName(std::string_view original, const std::string& word) {
  static constexpr auto kPrefixes = std::to_array<std::string_view>(
      {"org-", "org_", "proj_", "proj-", "project_number:", "projects/", "user-", "acct_", "acct-",
       "team-", "team_", "ws-", "ws_", "workspace-", "tenant-", "arn:", "subscriptions/"});
  return std::any_of(kPrefixes.begin(), kPrefixes.end(), [&](std::string_view prefix) {
    const size_t at = word.find(prefix);
    if (at == std::string::npos || (at > 0 && IsAlnum(word[at - 1]))) return false;
    const std::string_view rest = original.substr(at + prefix.size());
    return std::any_of(rest.begin(), rest.end(), [](char c) { return IsDigit(c) || IsUpper(c); });
  });
}

// Behind one of these, what has a digit is a name: "project 81234", "team `6f1c`"; and whatever is
// quoted.
bool OwnsWhatFollows(std::string_view word) {
  static constexpr auto kOwners = std::to_array<std::string_view>(
      {"organization",    "org",       "team",         "project",    "account",
       "workspace",       "tenant",    "subscription", "deployment", "customer",
       "organization_id", "org_id",    "team_id",      "project_id", "projectid",
       "account_id",      "accountid", "workspace_id", "tenant_id",  "subscription_id"});
  return std::find(kOwners.begin(), kOwners.end(), word) != kOwners.end();
}

// "project id: 81234", "team named x9".
bool StandsBetween(std::string_view word) {
  static constexpr auto kBetween =
      std::to_array<std::string_view>({"id", "name", "named", "number", "no", "is", "with", "of"});
  return std::find(kBetween.begin(), kBetween.end(), word) != kBetween.end();
}

// A host within a provider's own network, or one of those that are named by their tenant.
bool IsInternalHost(std::string_view word) {
  static constexpr auto kEnds = std::to_array<std::string_view>(
      {".internal", ".local", ".svc", ".cluster", ".corp", ".lan", ".intranet", ".consul",
       ".azure.com", ".amazonaws.com", ".run.app", ".modal.run", ".runpod.net", ".hf.space",
       ".huggingface.cloud", ".fly.dev"});
  word = word.substr(0, word.find_first_of(":/?#"));
  return std::any_of(kEnds.begin(), kEnds.end(), [&](std::string_view end) {
    return word.size() > end.size() && word.ends_with(end);
  });
}

bool IsMail(std::string_view word) {
  const size_t at = word.find('@');
  return at != std::string_view::npos && at > 0 && word.find('.', at) != std::string_view::npos;
}

// "sk-...abcd", "xa***", "xxxxabcd": what is left of a key that was hidden already.
bool IsKeyFragment(std::string_view word) {
  const size_t dots = word.find("...");
  const bool elided = dots != std::string_view::npos && dots + 3 < word.size();
  return elided || word.find("**") != std::string_view::npos ||
         word.find("xxxx") != std::string_view::npos || word.find("XXXX") != std::string_view::npos;
}

// As AWS counts accounts and Google projects; no limit or length has so many digits.
bool IsAccountNumber(std::string_view word) {
  return word.size() >= 12 && std::all_of(word.begin(), word.end(), IsDigit);
}

// 8-4-4-4-12 digits of sixteen.
bool IsUuid(std::string_view word) {
  if (word.size() != 36) return false;
  for (size_t i = 0; i < word.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? word[i] != '-' : !IsHex(word[i])) return false;
  }
  return true;
}

bool MustGo(std::string_view word) {
  // A sentence's own punctuation is not the word's.
  while (!word.empty() && std::string_view(".:?").find(word.back()) != std::string_view::npos) {
    word.remove_suffix(1);
  }
  const std::string lower = Lower(word);
  return HasKeyPrefix(word) || LooksRandom(word) || IsIpv4(word) || IsIpv6(word) ||
         IsHostWithPort(word) || IsAccountName(word, lower) || IsInternalHost(lower) ||
         IsMail(word) || IsKeyFragment(word) || IsAccountNumber(word) || IsUuid(word);
}

// The credential of an Authorization header's value: providers quote it without its scheme.
std::string_view Credential(const Secret& secret) {
  constexpr std::string_view kScheme = "Bearer ";
  const std::string_view value = secret.Reveal();
  return value.starts_with(kScheme) ? value.substr(kScheme.size()) : value;
}

// What people give to local servers, which take any key: no secret, and a word of many sentences.
// Shorter than eight characters is no provider's key either: taking it out would leave noise.
bool IsDummy(std::string_view credential) {
  constexpr size_t kShortestKey = 8;
  static constexpr auto kDummies = std::to_array<std::string_view>(
      {"anything",        "dummy-api-key",      "dummy-key",    "dummy_key", "fake-key",
       "lm-studio",       "lmstudio",           "local-key",    "localhost", "no-key-needed",
       "no-key-required", "not-needed",         "not-required", "not-used",  "notneeded",
       "placeholder",     "sk-no-key-required", "test-key",     "undefined", "unused-key",
       "your-api-key",    "your_api_key"});
  if (credential.size() < kShortestKey) return true;
  return std::find(kDummies.begin(), kDummies.end(), Lower(credential)) != kDummies.end();
}

std::string WithoutSecrets(std::string_view text, const std::vector<const Secret*>& secrets) {
  std::string out(text);
  for (const Secret* secret : secrets) {
    const std::string_view credential = secret == nullptr ? "" : Credential(*secret);
    if (IsDummy(credential)) continue;
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

// The end of what is quoted from `at` on, a name at most; `at` where nothing is.
size_t EndOfQuoted(std::string_view text, size_t at) {
  constexpr size_t kMostQuoted = 64;
  if (std::string_view("'\"`").find(text[at]) == std::string_view::npos) return at;
  const size_t end = text.find(text[at], at + 1);
  return end == std::string_view::npos || end - at - 1 > kMostQuoted || end == at + 1 ? at : end;
}

// Keys are hidden with three dots of one character as well.
std::string WithPlainDots(std::string text) {
  constexpr std::string_view kEllipsis = "\xE2\x80\xA6";
  for (size_t at = text.find(kEllipsis); at != std::string::npos; at = text.find(kEllipsis, at)) {
    text.replace(at, kEllipsis.size(), "...");
  }
  return text;
}

}  // namespace

std::string SanitizeUpstreamText(std::string_view raw, const std::vector<const Secret*>& secrets) {
  const std::string text = WithPlainDots(WithoutSecrets(ReplaceInvalidUtf8(raw), secrets));
  std::string out;
  bool after_bearer = false, after_owner = false;
  for (size_t at = 0; at < text.size() && out.size() <= kMaxSanitized;) {
    const char c = text[at];
    const size_t quoted = after_owner ? EndOfQuoted(text, at) : at;
    if (quoted > at) {
      (out += c) += kRedacted;
      out += c;
      at = quoted + 1;
      after_owner = false;
      continue;
    }
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
    const bool owned = after_owner && std::any_of(word.begin(), word.end(), IsDigit);
    out += url || after_bearer || owned || MustGo(word) ? kRedacted : word;
    const std::string lower = Lower(word);
    const std::string_view plain =
        std::string_view(lower).substr(0, lower.find_last_not_of(".:?") + 1);
    after_bearer = plain == "bearer";
    after_owner = OwnsWhatFollows(plain) || (after_owner && StandsBetween(plain));
  }
  CutText(kMaxSanitized, &out);
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

void CutText(size_t most, std::string* text) {
  if (text->size() <= most) return;
  while (most > 0 && (static_cast<unsigned char>((*text)[most]) & 0xC0) == 0x80) --most;
  text->resize(most);
}

std::string WithoutQuotations(std::string_view text) {
  constexpr size_t kMostQuoted = 64;
  const auto is_path_char = [](char c) {
    return IsAlnum(c) || std::string_view("_.-/[]").find(c) != std::string_view::npos;
  };
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const char c = text[at];
    // An apostrophe within a word opens nothing.
    const bool opens = std::string_view("'\"`").find(c) != std::string_view::npos &&
                       (at == 0 || !IsAlnum(text[at - 1]));
    if (!opens) {
      out += c;
      ++at;
      continue;
    }
    // It ends where no word goes on; what never ends is quoted to the end.
    size_t end = text.find(c, at + 1);
    while (end != std::string_view::npos && end + 1 < text.size() && IsAlnum(text[end + 1])) {
      end = text.find(c, end + 1);
    }
    const std::string_view quoted = text.substr(at + 1, end - at - 1);
    const bool plain =
        quoted.size() <= kMostQuoted && std::all_of(quoted.begin(), quoted.end(), is_path_char);
    out += c;
    out += plain ? quoted : std::string_view("...");
    out += c;
    if (end == std::string_view::npos) break;
    at = end + 1;
  }
  return out;
}

}  // namespace seekroute
