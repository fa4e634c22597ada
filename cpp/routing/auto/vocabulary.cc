#include "routing/auto/vocabulary.h"

#include <bit>
#include <utility>

#include "routing/auto/code_points.h"

namespace seekroute {
namespace {

uint32_t HashOf(std::string_view word) {
  uint32_t hash = 2166136261;
  for (const char c : word) hash = (hash ^ static_cast<uint8_t>(c)) * 16777619;
  return hash ^ hash >> 15;
}

// U+00C0 to U+017F in small letters without their accents; '.' where a letter has no such form, and
// stays.
constexpr std::string_view kPlainLatin =
    "aaaaaa.ceeeeiiii.nooooo..uuuuy..aaaaaa.ceeeeiiii.nooooo..uuuuy.y"
    "aaaaaaccccccccdd..eeeeeeeeeegggggggghh..iiiiiiiii...jjkk.llllll....nnnnnn...oooooo..rrrrrr"
    "sssssssstttt..uuuuuuuuuuuuwwyyyzzzzzz.";
static_assert(kPlainLatin.size() == 0x180 - 0xc0);

// The letter as the vocabulary spells it; 0: nothing at all.
uint32_t Plain(uint32_t c) {
  if (c < 0x80) return static_cast<uint8_t>(LowerCase(static_cast<char>(c)));
  if (c >= 0x300 && c <= 0x36f) return 0;  // an accent of its own
  if (c >= 0xc0 && c < 0x180) {
    const char plain = kPlainLatin[c - 0xc0];
    if (plain != '.') return static_cast<uint8_t>(plain);
    if (c < 0xdf) return c + 0x20;
    const bool upper = c == 0x110 || c == 0x126 || c == 0x132 || c == 0x14a || c == 0x152 ||
                       c == 0x166 || c == 0x13f || c == 0x141;
    return upper ? c + 1 : c;
  }
  if (c >= 0x391 && c <= 0x3a9) return c + 0x20;
  if (c >= 0x400 && c <= 0x40f) c += 0x50;
  if (c >= 0x410 && c <= 0x42f) c += 0x20;
  if (c == 0x439) return 0x438;
  if (c == 0x450 || c == 0x451) return 0x435;
  return c;
}

void AppendPlain(uint32_t letter, std::string* out) {
  const uint32_t c = Plain(letter);
  if (c == 0) return;
  const auto push = [&](uint32_t byte) { out->push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    push(c);
  } else if (c < 0x800) {
    push(0xc0 | c >> 6);
    push(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    push(0xe0 | c >> 12);
    push(0x80 | (c >> 6 & 0x3f));
    push(0x80 | (c & 0x3f));
  } else {
    push(0xf0 | c >> 18);
    push(0x80 | (c >> 12 & 0x3f));
    push(0x80 | (c >> 6 & 0x3f));
    push(0x80 | (c & 0x3f));
  }
}

}  // namespace

Result<Vocabulary> Vocabulary::Make(std::vector<std::string> words) {
  const auto refuse = [](std::string why) {
    return MakeError(ErrorCode::kInvalidValue, "the vocabulary " + std::move(why));
  };
  if (words.empty() || words.size() > kMostWords) {
    return refuse("has " + std::to_string(words.size()) + " words; give 1 to " +
                  std::to_string(kMostWords));
  }
  Vocabulary made;
  made.places_.assign(std::bit_ceil(words.size() * 4), {});
  made.words_ = std::move(words);
  for (size_t i = 0; i < made.words_.size(); ++i) {
    const std::string& word = made.words_[i];
    if (word.empty() || word.size() > kMostWordBytes) {
      return refuse("has an empty or overlong word, number " + std::to_string(i));
    }
    const uint32_t hash = HashOf(word);
    Place& place = made.places_[made.PlaceOf(word, hash)];
    if (place.word != kNone) return refuse("has word number " + std::to_string(i) + " twice");
    place = {.hash = hash, .word = static_cast<uint32_t>(i)};
  }
  return made;
}

// Where a word is, or the free place where it would be.
uint32_t Vocabulary::PlaceOf(std::string_view word, uint32_t hash) const {
  const auto mask = static_cast<uint32_t>(places_.size() - 1);
  for (uint32_t at = hash & mask;; at = (at + 1) & mask) {
    const Place& place = places_[at];
    if (place.word == kNone || (place.hash == hash && words_[place.word] == word)) return at;
  }
}

void Vocabulary::Find(std::string_view text, std::vector<uint16_t>* found) const {
  std::string word;
  word.reserve(kMostWordBytes + 4);
  const auto find = [&](std::string_view each) {
    if (each.empty() || each.size() > kMostWordBytes) return;
    const uint32_t known = places_[PlaceOf(each, HashOf(each))].word;
    if (known != kNone) found->push_back(static_cast<uint16_t>(known));
  };
  const auto end_word = [&] {
    find(word);
    word.clear();
  };
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = CodePointAt(text, at);
    const CharClass kind = ClassOf(c.value);
    if (kind == CharClass::kSpace) {
      end_word();
    } else if (kind == CharClass::kPunctuation || IsHan(c.value)) {
      end_word();
      find(text.substr(at, c.size));
    } else if (word.size() <= kMostWordBytes) {
      // Of a word that is too long no more is kept than tells so.
      AppendPlain(c.value, &word);
    }
    at += c.size;
  }
  end_word();
}

}  // namespace seekroute
