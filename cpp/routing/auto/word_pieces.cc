#include "routing/auto/word_pieces.h"

#include <algorithm>
#include <array>
#include <utility>

#include "routing/auto/code_points.h"

namespace seekroute {
namespace {

constexpr std::string_view kInside = "##";
constexpr uint32_t kStartBasis = 2166136261;
constexpr uint32_t kInsideBasis = 0x9e3779b9;

constexpr uint32_t Continued(uint32_t hash, char c) {
  return (hash ^ static_cast<uint8_t>(c)) * 16777619;
}

constexpr size_t PlaceOf(uint32_t hash, size_t places) {
  return (hash ^ hash >> 15) & (places - 1);
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

Result<WordPieces> WordPieces::Make(std::vector<std::string> pieces) {
  const auto refuse = [](std::string why) {
    return MakeError(ErrorCode::kInvalidValue, "the vocabulary " + std::move(why));
  };
  if (pieces.empty() || pieces.size() > kMostPieces) {
    return refuse("has " + std::to_string(pieces.size()) + " pieces; give 1 to 65536");
  }
  WordPieces made;
  size_t places = 4;
  while (places < pieces.size() * 4) places *= 2;
  made.places_.assign(places, {});
  made.pieces_ = std::move(pieces);
  for (size_t i = 0; i < made.pieces_.size(); ++i) {
    std::string_view piece = made.pieces_[i];
    if (piece.empty() || piece.size() > kMostPieceBytes) {
      return refuse("has an empty or overlong piece, number " + std::to_string(i));
    }
    const bool inside = piece.size() > kInside.size() && piece.starts_with(kInside);
    if (inside) piece.remove_prefix(kInside.size());
    uint32_t hash = inside ? kInsideBasis : kStartBasis;
    for (const char c : piece) hash = Continued(hash, c);
    if (made.Find(hash, inside, piece) != kNone) {
      return refuse("has piece number " + std::to_string(i) + " twice");
    }
    size_t at = PlaceOf(hash, places);
    while (made.places_[at].piece != kNone) at = (at + 1) & (places - 1);
    made.places_[at] = {.hash = hash, .piece = static_cast<uint32_t>(i)};
    made.longest_ = std::max(made.longest_, piece.size());
  }
  return made;
}

uint32_t WordPieces::Find(uint32_t hash, bool inside, std::string_view text) const {
  const size_t mark = inside ? kInside.size() : 0;
  for (size_t at = PlaceOf(hash, places_.size());; at = (at + 1) & (places_.size() - 1)) {
    const uint32_t found = places_[at].piece;
    if (found == kNone) return kNone;
    if (places_[at].hash != hash) continue;
    const std::string_view piece = pieces_[found];
    if (piece.size() == mark + text.size() && piece.substr(mark) == text &&
        (!inside || piece.starts_with(kInside))) {
      return found;
    }
  }
}

void WordPieces::SplitWord(std::string_view word, std::vector<uint16_t>* found) const {
  if (word.empty() || word.size() > kMostWordBytes) return;
  const size_t before = found->size();
  std::array<uint32_t, kMostWordBytes> hashes;  // of the text from `start` to each of its bytes
  for (size_t start = 0; start < word.size();) {
    const size_t most = std::min(word.size() - start, longest_);
    uint32_t hash = start == 0 ? kStartBasis : kInsideBasis;
    for (size_t i = 0; i < most; ++i) hashes[i] = hash = Continued(hash, word[start + i]);
    // The longest first: most words are a piece as they are.
    uint32_t best = kNone;
    size_t end = start + most;
    for (; end > start; --end) {
      best = Find(hashes[end - start - 1], start > 0, word.substr(start, end - start));
      if (best != kNone) break;
    }
    if (best == kNone) {
      found->resize(before);
      return;
    }
    found->push_back(static_cast<uint16_t>(best));
    start = end;
  }
}

void WordPieces::Split(std::string_view text, std::vector<uint16_t>* found) const {
  std::string word;
  word.reserve(kMostWordBytes);
  const auto end_word = [&] {
    SplitWord(word, found);
    word.clear();
  };
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = CodePointAt(text, at);
    const CharClass kind = ClassOf(c.value);
    if (kind == CharClass::kSpace) {
      end_word();
    } else if (kind == CharClass::kPunctuation || IsHan(c.value)) {
      end_word();
      SplitWord(text.substr(at, c.size), found);
    } else {
      // Of a word that is too long no more is kept than tells so.
      if (word.size() <= kMostWordBytes) AppendPlain(c.value, &word);
    }
    at += c.size;
  }
  end_word();
}

}  // namespace seekroute
