#include "wire/token_estimate.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "wire/token_weights.h"

namespace seekroute {
namespace {

// What is expected of a byte depends on its value, on how far it is into its word, number or run of
// punctuation (where byte-pair vocabularies cut), and on the two bytes before it.
constexpr int kUnit = 1024;
constexpr int kTrigramUnit = kUnit / 32;
constexpr int kClassBits = 7;
constexpr uint32_t kWindowMask = (uint32_t{1} << (3 * kClassBits)) - 1;
constexpr uint32_t kHashFactor = 0x9E3779B1;
constexpr uint32_t kMostRepeats = 256;
// Positions from 96 on weigh the same, but for digits, which are cut in threes: the last three are
// gone through again and again.
constexpr uint32_t kPositionEnd = 99;

// The margin of `upper`: what was measured on held-out texts, see docs/tokens.md.
constexpr int64_t kLeastMargin = 3;
constexpr int64_t kRootMargin = 1;
constexpr int64_t kSpreadPercent = 18;
constexpr int64_t kForeignPercent = 20;

// Byte pairs that no language has may weigh less than nothing, and a text may be made of them. So
// what comes to less than a token for `most` bytes, by more than kMostShort tokens, is no text: it
// is expected to have a token for `usual` bytes, and bounded by its bytes. The languages that say
// most with a byte have a token for 19 bytes outside ASCII (Vietnamese), and one for 5 bytes of
// ASCII.
struct Density {
  int64_t most;
  int64_t usual;
};
constexpr Density kPlain = {8, 4};
constexpr Density kOutsideAscii = {24, 3};
constexpr int64_t kMostShort = 8;

// The first six are the groups of the tables; a capital is weighed as a letter.
enum Kind : uint8_t { kOther, kLetter, kDigit, kBlank, kLineEnd, kForeign, kCapital };
constexpr size_t kKinds = 7;

constexpr Kind KindOf(unsigned byte) {
  if (byte >= 0x80) return kForeign;
  if (byte >= 'a' && byte <= 'z') return kLetter;
  if (byte >= 'A' && byte <= 'Z') return kCapital;
  if (byte >= '0' && byte <= '9') return kDigit;
  if (byte == ' ' || byte == '\t') return kBlank;
  if (byte == '\r' || byte == '\n') return kLineEnd;
  return kOther;
}

// Bytes that behave alike share a class: capitals in three groups, bracket with bracket, lead bytes
// of scripts that have several.
constexpr std::array<uint8_t, 256> MakeClasses() {
  std::array<uint8_t, 256> classes{};
  uint8_t next = 0;
  const auto join = [&](std::string_view bytes) {
    ++next;
    for (const char c : bytes) classes[static_cast<unsigned char>(c)] = next;
  };
  const auto range = [&](unsigned from, unsigned to) {
    ++next;
    for (unsigned byte = from; byte <= to; ++byte) classes[byte] = next;
  };
  for (unsigned letter = 'a'; letter <= 'z'; ++letter) range(letter, letter);
  for (const std::string_view group : {"AEIOU",    "BCDFGKLMNPRST",
                                       "HJQVWXYZ", "0123456789",
                                       " ",        "\n",
                                       "\r",       "\t",
                                       "'",        "\"",
                                       ".",        ",",
                                       "-",        "_",
                                       "/",        ":;",
                                       "(",        ")",
                                       "[{",       "]}",
                                       "=",        "<>",
                                       "*#",       "+&|~^%$!?@`",
                                       "\\"}) {
    join(group);
  }
  for (unsigned byte = 0x80; byte < 0xC0; byte += 2) range(byte, byte + 1);
  range(0xC2, 0xC2);
  range(0xC3, 0xC3);
  range(0xC4, 0xC5);
  range(0xC6, 0xCC);
  range(0xCD, 0xCF);
  range(0xD0, 0xD0);
  range(0xD1, 0xD1);
  range(0xD2, 0xD4);
  range(0xD5, 0xD5);
  range(0xD6, 0xD6);
  range(0xD7, 0xD7);
  range(0xD8, 0xD8);
  range(0xD9, 0xD9);
  range(0xDA, 0xDF);
  for (unsigned byte = 0xE0; byte < 0xEE; ++byte) range(byte, byte);
  range(0xEE, 0xEE);
  range(0xEF, 0xEF);
  range(0xF0, 0xF7);
  range(0xF8, 0xFF);
  classes[0xC0] = classes[0xC1] = next;
  return classes;
}

constexpr size_t GroupOf(size_t kind) { return kind == kCapital ? size_t{kLetter} : kind; }

// All that is looked up by a byte, in one load.
struct ByteTraits {
  uint8_t cls;
  uint8_t kind;
  int16_t weight;
};

constexpr std::array<ByteTraits, 256> MakeTraits() {
  const std::array<uint8_t, 256> classes = MakeClasses();
  std::array<ByteTraits, 256> traits{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    traits[byte] = {classes[byte], KindOf(byte), kByteWeights[byte]};
  }
  return traits;
}

// Rows of the tables below are powers of two long, for their addresses to be cheap.
using Positions = std::array<int16_t, 128>;
using Masks = std::array<uint32_t, 8>;
static_assert(kPositionEnd <= Positions{}.size() && kKinds <= Masks{}.size());

constexpr std::array<Positions, kKinds> SpreadPositions() {
  std::array<Positions, kKinds> weights{};
  for (size_t kind = 0; kind < kKinds; ++kind) {
    for (size_t i = 0; i < kPositionEnd; ++i) {
      const size_t beyond = size_t{16} + (i > 23) + (i > 47) + (i > 95);
      const size_t bucket = kind == kDigit ? i % 3 : std::min(i, beyond);
      weights[kind][i] = kPositionWeights[GroupOf(kind)][bucket];
    }
  }
  return weights;
}

constexpr std::array<int16_t, kTrigramWeights.size()> DecodeTrigrams() {
  std::array<int16_t, kTrigramWeights.size()> weights{};
  for (size_t i = 0; i < weights.size(); ++i) {
    const int code = static_cast<unsigned char>(kTrigramWeights[i]);
    weights[i] = static_cast<int16_t>((code - (code > '\\' ? 1 : 0) - 'P') * kTrigramUnit);
  }
  return weights;
}

constexpr std::array<ByteTraits, 256> kTraits = MakeTraits();
constexpr std::array<Positions, kKinds> kPositions = SpreadPositions();
constexpr std::array<int16_t, kTrigramWeights.size()> kTrigrams = DecodeTrigrams();

// By the kind before and the kind: all ones where a run goes on, none where a new one begins. A
// word goes on from a capital to a small letter, not the other way. Masks, because a branch here
// would be predicted wrongly at the end of every word.
constexpr std::array<Masks, kKinds> kGoesOn = [] {
  std::array<Masks, kKinds> masks{};
  for (size_t before = 0; before < kKinds; ++before) {
    for (size_t kind = 0; kind < kKinds; ++kind) {
      const bool cut = GroupOf(before) != GroupOf(kind) || (before == kLetter && kind == kCapital);
      masks[before][kind] = cut ? 0 : ~uint32_t{0};
    }
  }
  return masks;
}();

// Bytes that are looked through at once for repeats, of which most texts have few.
constexpr size_t kBlock = 32;

// What a byte of a run of equal ones comes to at most, in 1/kRunUnit token. Vocabularies have
// tokens for runs of what text is drawn and laid out with, and for two of anything else that is
// written; of control characters each is a token, and those before the run was known to be one
// count here.
constexpr int64_t kRunUnit = 16;
constexpr std::array<uint8_t, 128> kRunBounds = [] {
  std::array<uint8_t, 128> bounds{};
  bounds.fill(kRunUnit / 2);
  for (size_t byte = 0; byte < 0x20; ++byte) bounds[byte] = 2 * kRunUnit;
  bounds[0x7F] = 2 * kRunUnit;
  for (const char drawn : std::string_view(" #./=_*-%+~")) {
    bounds[static_cast<unsigned char>(drawn)] = 1;
  }
  for (const char laid : std::string_view("\t\n;")) bounds[static_cast<unsigned char>(laid)] = 2;
  return bounds;
}();

// Whether one of the block's bytes is the same as the three before it, which may be before the
// block.
bool HasRepeats(const unsigned char* block) {
  unsigned char found = 0;
  for (size_t i = 0; i < kBlock; ++i) {
    const unsigned char* at = block + i;
    found |= static_cast<unsigned char>((at[0] == at[-1]) & (at[0] == at[-2]) & (at[0] == at[-3]));
  }
  return found != 0;
}

constexpr uint32_t kFreshWindow = kTraits['\n'].cls << kClassBits | kTraits['\n'].cls;
constexpr uint32_t kFreshBytes = 0x00FF00FF;  // no byte repeats these

int64_t SquareRoot(int64_t value) {
  int64_t root = 0;
  for (int64_t bit = int64_t{1} << 31; bit != 0; bit >>= 1) {
    if ((root + bit) * (root + bit) <= value) root += bit;
  }
  return root;
}

}  // namespace

void TokenEstimator::EndText() {
  window_ = kFreshWindow;
  last_ = kFreshBytes;
  position_ = 0;
  repeats_ = 0;
  kind_ = kLineEnd;
}

// What is carried from byte to byte, in registers: members would be written back for every byte.
struct TokenEstimator::Scan {
  int64_t sum;
  int64_t foreign_sum;
  Part repeated;
  int64_t run_bound;
  uint32_t window;
  uint32_t last;
  uint32_t position;
  uint32_t repeats;
  unsigned kind;

  // Any byte.
  void Take(unsigned byte) {
    const ByteTraits traits = kTraits[byte];
    const unsigned before = std::exchange(kind, traits.kind);
    window = (window << kClassBits | traits.cls) & kWindowMask;
    last = last << 8 | byte;
    position = (position + 1) & kGoesOn[before][kind];
    position = position == kPositionEnd ? kPositionEnd - 3 : position;
    if (last == byte * 0x01010101U && kind != kDigit) [[unlikely]] {
      repeats = std::min(repeats + 1, kMostRepeats);
      const size_t bucket = static_cast<size_t>(std::bit_width(repeats + 2)) - 2;
      const int weight = kRepeatWeights[GroupOf(kind)][std::min(bucket, kRepeatBuckets - 1)];
      sum += weight;
      if (kind == kForeign) {
        foreign_sum += weight;
      } else {
        ++repeated.bytes;
        repeated.sum += weight;
        run_bound += kRunBounds[byte];
      }
    } else {
      repeats = 0;
      Weigh(byte, traits.weight + kPositions[kind][position] + Trigram());
    }
  }

  // kBlock bytes none of which repeats the three before it, from a position so early that it does
  // not come to kPositionEnd.
  void TakeBlock(const unsigned char* bytes) {
    for (size_t i = 0; i < kBlock; ++i) {
      const ByteTraits traits = kTraits[bytes[i]];
      window = (window << kClassBits | traits.cls) & kWindowMask;
      position = (position + 1) & kGoesOn[kind][traits.kind];
      kind = traits.kind;
      Weigh(bytes[i], traits.weight + kPositions[kind][position] + Trigram());
    }
    for (size_t i = kBlock - sizeof last; i < kBlock; ++i) last = last << 8 | bytes[i];
    repeats = 0;
  }

  void Weigh(unsigned byte, int weight) {
    sum += weight;
    foreign_sum += weight & -static_cast<int>(byte >> 7);
  }

  int16_t Trigram() const { return kTrigrams[window * kHashFactor >> (32 - kTrigramBits)]; }
};

void TokenEstimator::Add(std::string_view bytes) {
  if (bytes_ == 0) EndText();
  bytes_ += static_cast<int64_t>(bytes.size());
  Scan scan{sum_, foreign_.sum, repeated_, run_bound_, window_, last_, position_, repeats_, kind_};
  const auto* at = reinterpret_cast<const unsigned char*>(bytes.data());
  const auto* const end = at + bytes.size();
  foreign_.bytes += std::count_if(at, end, [](unsigned char byte) { return byte >= 0x80; });
  // The first three one by one: behind them a block can look back.
  for (int i = 0; i < 3 && at != end; ++i) scan.Take(*at++);
  while (static_cast<size_t>(end - at) >= kBlock) {
    if (scan.position + kBlock < kPositionEnd && !HasRepeats(at)) {
      scan.TakeBlock(at);
    } else {
      for (size_t i = 0; i < kBlock; ++i) scan.Take(at[i]);
    }
    at += kBlock;
  }
  while (at != end) scan.Take(*at++);
  sum_ = scan.sum;
  foreign_.sum = scan.foreign_sum;
  repeated_ = scan.repeated;
  run_bound_ = scan.run_bound;
  window_ = scan.window;
  last_ = scan.last;
  position_ = scan.position;
  repeats_ = scan.repeats;
  kind_ = static_cast<uint8_t>(scan.kind);
}

TokenEstimate TokenEstimator::Estimate() const {
  if (bytes_ == 0) return {};
  int64_t sum = sum_;
  int64_t unknown = 0;  // bytes that are no text
  const auto judge = [&](const Part& part, const Density& density) {
    if (part.bytes * kUnit / density.most - part.sum <= kMostShort * kUnit) return;
    sum += part.bytes * kUnit / density.usual - part.sum;
    unknown += part.bytes;
  };
  judge(foreign_, kOutsideAscii);
  judge({bytes_ - foreign_.bytes - repeated_.bytes, sum_ - foreign_.sum - repeated_.sum}, kPlain);
  const int64_t tokens = std::clamp<int64_t>((sum + kUnit / 2) / kUnit, 1, bytes_);
  // The more of the text is outside ASCII, the more may be in scripts with a wide error.
  const int64_t percent = kSpreadPercent + foreign_.bytes * kForeignPercent / bytes_;
  const int64_t margin = kLeastMargin + SquareRoot(tokens) * kRootMargin + tokens * percent / 100;
  const int64_t runs = (run_bound_ + kRunUnit - 1) / kRunUnit;
  return {tokens, std::min(tokens + margin + unknown + runs, bytes_)};
}

TokenEstimate EstimateTokens(std::string_view text) {
  TokenEstimator estimator;
  estimator.Add(text);
  return estimator.Estimate();
}

}  // namespace seekroute
