#include "routing/auto/text_features.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "routing/auto/code_points.h"
#include "routing/auto/markers.h"

namespace seekroute {
namespace {

constexpr uint32_t kFnvBasis = 2166136261;
constexpr uint32_t kFnvPrime = 16777619;
constexpr int kLongWord = 8;

// Spreads what differs in few bits (the end of MurmurHash3).
uint32_t Mixed(uint32_t hash) {
  hash ^= hash >> 16;
  hash *= 0x85ebca6b;
  hash ^= hash >> 13;
  hash *= 0xc2b2ae35;
  return hash ^ hash >> 16;
}

// Whether a counter stands where the marker that it counts is copied to.
constexpr bool Counts(Counter counter, Marker marker) {
  return static_cast<size_t>(counter) ==
         static_cast<size_t>(Counter::kCode) + static_cast<size_t>(marker);
}
static_assert(Counts(Counter::kCode, Marker::kCode) && Counts(Counter::kMath, Marker::kMath) &&
              Counts(Counter::kReasoning, Marker::kReasoning) &&
              Counts(Counter::kWriting, Marker::kWriting) &&
              Counts(Counter::kExtraction, Marker::kExtraction) &&
              Counts(Counter::kRole, Marker::kRole) &&
              Counts(Counter::kNegation, Marker::kNegation) &&
              Counts(Counter::kStatements, Marker::kStatements) &&
              Counts(Counter::kTranslation, Marker::kTranslation));

float LogOf(size_t count) { return std::log1p(static_cast<float>(count)); }

float ShareOf(size_t part, size_t whole) {
  return whole == 0 ? 0.0F : static_cast<float>(part) / static_cast<float>(whole);
}

// Lines that offer an answer each.
class OptionLines {
 public:
  // `line` has no line break.
  void Add(std::string_view line) {
    const size_t mark = MarkEnd(line);
    if (mark == 0) return;
    const std::string_view option = line.substr(mark);
    const size_t size = option.size();
    const bool numeric = std::none_of(option.begin(), option.end(), [](char c) {
      return IsLower(c) || IsUpper(c) || static_cast<uint8_t>(c) >= 0x80;
    });
    shortest_ = count_ == 0 ? size : std::min(shortest_, size);
    longest_ = std::max(longest_, size);
    bytes_ += size;
    numeric_ += numeric ? 1 : 0;
    ++count_;
  }

  void Tell(std::array<float, kCounterCount>* counters) const {
    if (count_ < 2) return;
    const auto set = [&](Counter which, float value) {
      (*counters)[static_cast<size_t>(which)] = value;
    };
    set(Counter::kOptions, LogOf(count_));
    set(Counter::kMeanOption, LogOf(bytes_ / count_));
    set(Counter::kOptionSpread, LogOf(longest_ - shortest_));
    set(Counter::kNumericOptions, ShareOf(numeric_, count_));
  }

 private:
  // Where the text behind "A. ", "b) " or "(C) " begins; 0: nothing of the kind.
  static size_t MarkEnd(std::string_view line) {
    size_t at = line.find_first_not_of(" \t");
    if (at == line.npos) return 0;
    const bool paren = line[at] == '(';
    if (paren) ++at;
    if (at + 2 >= line.size()) return 0;
    const char letter = LowerCase(line[at]);
    const char after = line[at + 1];
    const bool marked = paren ? after == ')' : after == '.' || after == ')' || after == ':';
    return letter >= 'a' && letter <= 'j' && marked && line[at + 2] == ' ' ? at + 3 : 0;
  }

  size_t count_ = 0, bytes_ = 0, shortest_ = 0, longest_ = 0, numeric_ = 0;
};

float KeywordScore(const MarkerCounts& markers) {
  // By judgement, not fitted: weights of counts up to three.
  struct Weight {
    Marker marker;
    float weight;
  };
  constexpr Weight kWeights[] = {
      {Marker::kCode, 0.5F},       {Marker::kMath, 1.0F},      {Marker::kReasoning, 1.0F},
      {Marker::kStatements, 0.5F}, {Marker::kNegation, 0.25F}, {Marker::kTechnical, 0.5F},
      {Marker::kSimple, -1.0F},
  };
  float score = 0;
  for (const Weight& each : kWeights) {
    const uint32_t count = std::min(markers[static_cast<size_t>(each.marker)], 3U);
    score += each.weight * static_cast<float>(count);
  }
  return score;
}

}  // namespace

bool TextScanner::Add(uint32_t hash) {
  hash = Mixed(hash);
  const auto bucket = static_cast<uint16_t>(hash >> 16);
  // Half of the places are free at least.
  const size_t mask = places_.size() - 1;
  for (size_t at = bucket & mask;; at = (at + 1) & mask) {
    uint16_t& place = places_[at];
    if (place == 0) {
      features_.words.push_back({bucket, 1});
      place = static_cast<uint16_t>(features_.words.size());
      return true;
    }
    WordCount& word = features_.words[place - 1];
    if (word.bucket == bucket) {
      ++word.count;
      return false;
    }
  }
}

const TextFeatures& TextScanner::Scan(std::string_view text) {
  text = CutAtCharacter(text, kMostExcerpt);
  places_.assign(std::bit_ceil(2 * text.size() + 2), 0);
  features_.words.clear();
  features_.counters.fill(0);

  size_t characters = 0, questions = 0, sentences = 0, numbers = 0, lines = 1;
  size_t digits = 0, uppers = 0, non_ascii = 0, punctuation = 0;
  size_t words = 0, distinct = 0, long_words = 0, longest_word = 0, word_characters = 0;
  uint32_t word = kFnvBasis, last_word = 0;  // last_word 0: none before
  size_t word_size = 0;
  uint32_t dense[2] = {0, 0};  // the hashes of the two dense characters before, the nearer first
  bool in_number = false, ends_sentence = false;
  size_t line_start = 0;
  OptionLines options;

  const auto end_word = [&] {
    if (word_size == 0) return;
    ++words;
    if (Add(word)) ++distinct;
    if (last_word != 0) Add(last_word * 31 + word);
    last_word = word;
    if (word_size >= kLongWord) ++long_words;
    longest_word = std::max(longest_word, word_size);
    word_characters += word_size;
    word = kFnvBasis;
    word_size = 0;
  };

  for (size_t at = 0; at < text.size();) {
    const CodePoint c = CodePointAt(text, at);
    const CharClass kind = ClassOf(c.value);
    ++characters;
    if (c.value >= 0x80) ++non_ascii;
    if (kind == CharClass::kLetter || kind == CharClass::kUpper || kind == CharClass::kDigit) {
      for (size_t i = 0; i < c.size; ++i) {
        word = (word ^ static_cast<uint8_t>(LowerCase(text[at + i]))) * kFnvPrime;
      }
      ++word_size;
      if (kind == CharClass::kUpper) ++uppers;
    } else {
      end_word();
    }
    if (kind == CharClass::kDigit) {
      ++digits;
      if (!in_number) ++numbers;
    }
    in_number = kind == CharClass::kDigit;
    if (kind == CharClass::kDense) {
      const uint32_t one = (kFnvBasis ^ c.value) * kFnvPrime;
      ++words;
      ++word_characters;
      if (Add(one)) ++distinct;
      if (dense[0] != 0) {
        const uint32_t two = dense[0] * 31 + one;
        Add(two);
        if (dense[1] != 0) Add((dense[1] * 31 + dense[0]) * 31 + one);
      }
      dense[1] = dense[0];
      dense[0] = one;
    } else {
      dense[0] = dense[1] = 0;
    }
    if (kind == CharClass::kPunctuation) ++punctuation;
    if (kind == CharClass::kSpace && ends_sentence) ++sentences;
    const bool asks = c.value == '?' || c.value == 0xff1f;
    if (asks) ++questions;
    ends_sentence = asks || c.value == '.' || c.value == '!' || c.value == 0x3002;
    if (c.value == '\n') {
      ++lines;
      options.Add(text.substr(line_start, at - line_start));
      line_start = at + 1;
    }
    at += c.size;
  }
  end_word();
  if (ends_sentence) ++sentences;
  options.Add(text.substr(line_start));

  const auto set = [&](Counter which, float value) {
    features_.counters[static_cast<size_t>(which)] = value;
  };
  set(Counter::kCharacters, LogOf(characters));
  set(Counter::kWords, LogOf(words));
  set(Counter::kLines, LogOf(lines));
  set(Counter::kQuestionMarks, LogOf(questions));
  set(Counter::kSentences, LogOf(sentences));
  set(Counter::kNumbers, LogOf(numbers));
  set(Counter::kDigitShare, ShareOf(digits, characters));
  set(Counter::kUpperShare, ShareOf(uppers, characters));
  set(Counter::kNonAsciiShare, ShareOf(non_ascii, characters));
  set(Counter::kPunctuationShare, ShareOf(punctuation, characters));
  set(Counter::kDistinctShare, ShareOf(distinct, words));
  set(Counter::kLongWordShare, ShareOf(long_words, words));
  set(Counter::kLongestWord, LogOf(longest_word));
  set(Counter::kMeanWord, ShareOf(word_characters, words));
  options.Tell(&features_.counters);
  const MarkerCounts markers = Markers().Count(text);
  for (size_t i = 0; i <= static_cast<size_t>(Marker::kTranslation); ++i) {
    features_.counters[static_cast<size_t>(Counter::kCode) + i] = LogOf(markers[i]);
  }
  features_.length = features_.counter(Counter::kCharacters);
  features_.keyword = KeywordScore(markers);
  return features_;
}

}  // namespace seekroute
