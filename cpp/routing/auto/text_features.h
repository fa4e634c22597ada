// What routing by content looks at in a prompt: words, counters, how hard it looks. Pure: the same
// text has the same features on every machine.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace seekroute {

// More of a text is not looked at: all that follows is bounded by this.
inline constexpr size_t kMostExcerpt = 4096;
// Words are known by a hash of 16 bits.
inline constexpr size_t kWordBuckets = size_t{1} << 16;

// The counters. Counts and lengths are natural logarithms of 1 + n, shares are of 0 to 1; the mean
// length of a word is as it is.
enum class Counter : uint8_t {
  kCharacters,
  kWords,
  kLines,
  kQuestionMarks,
  kSentences,
  kNumbers,
  kDigitShare,
  kUpperShare,
  kNonAsciiShare,
  kPunctuationShare,
  kDistinctShare,  // of words, by their first four characters
  kLongWordShare,  // of eight characters and more
  kLongWord,       // the length that one word in sixteen has or exceeds; 127 at most
  kMeanWord,
  kOptions,         // lines that begin with "A. ", "(b) " and the like; 0: less than two
  kMeanOption,      // characters of such a line
  kOptionSpread,    // longest less shortest
  kNumericOptions,  // share of them that has no letter
  kCode,            // and the other markers (markers.h)
  kMath,
  kReasoning,
  kWriting,
  kExtraction,
  kRole,
  kNegation,
  kStatements,
  kTranslation,
};
inline constexpr size_t kCounterCount = static_cast<size_t>(Counter::kTranslation) + 1;

// What a counter is called where people read it, in words that a program can use:
// "long_word_share".
struct CounterName {
  std::string_view name;
  bool is_log;  // of 1 + n; else a share or a mean
};
const std::array<CounterName, kCounterCount>& CounterNames();

// A word, or two in sequence, of some text: how often it occurs.
struct WordCount {
  uint16_t bucket = 0;
  uint16_t count = 0;
};

struct TextFeatures {
  std::array<float, kCounterCount> counters{};
  // Of words, pairs of words and, in scripts that put no spaces between words, one to three
  // characters; each bucket once, in the order of its first occurrence. Never more than bytes.
  std::vector<WordCount> words;
  float length = 0;   // the same as Counter::kCharacters
  float keyword = 0;  // markers of hard requests less markers of easy ones

  float counter(Counter which) const { return counters[static_cast<size_t>(which)]; }
};

// Reads texts one after the other, and keeps its memory in between (24 KiB). Not thread-safe.
class TextScanner {
 public:
  // The features of the first kMostExcerpt bytes of `text`, which may be any bytes. Valid until the
  // next call. Linear, never fails.
  const TextFeatures& Scan(std::string_view text);

 private:
  class Pass;

  void Add(uint32_t hash);

  TextFeatures features_;
  std::vector<uint16_t> places_;  // by hash: 1 + a place in features_.words, or 0
  std::array<uint64_t, kWordBuckets / 64> stems_{};  // a bit for each hash that was seen
};

}  // namespace seekroute
