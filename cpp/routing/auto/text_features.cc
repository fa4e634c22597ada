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
constexpr size_t kLongWord = 8;
constexpr size_t kStem = 4;  // characters of a word by which it is known for a distinct one
constexpr size_t kWordsOfALongOne = 16;
constexpr size_t kMostWordSize = 127;  // longer ones are taken for as long

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

const std::array<CounterName, kCounterCount>& CounterNames() {
  static constexpr std::array<CounterName, kCounterCount> kNames{{
      {"characters", true},
      {"words", true},
      {"lines", true},
      {"question_marks", true},
      {"sentences", true},
      {"numbers", true},
      {"digit_share", false},
      {"upper_share", false},
      {"non_ascii_share", false},
      {"punctuation_share", false},
      {"distinct_share", false},
      {"long_word_share", false},
      {"long_word", true},
      {"mean_word", false},
      {"options", true},
      {"mean_option", true},
      {"option_spread", true},
      {"numeric_options", false},
      {"code", true},
      {"math", true},
      {"reasoning", true},
      {"writing", true},
      {"extraction", true},
      {"role", true},
      {"negation", true},
      {"statements", true},
      {"translation", true},
  }};
  return kNames;
}

void TextScanner::Add(uint32_t hash) {
  hash = Mixed(hash);
  const auto bucket = static_cast<uint16_t>(hash >> 16);
  // Half of the places are free at least.
  const size_t mask = places_.size() - 1;
  for (size_t at = bucket & mask;; at = (at + 1) & mask) {
    uint16_t& place = places_[at];
    if (place == 0) {
      features_.words.push_back({bucket, 1});
      place = static_cast<uint16_t>(features_.words.size());
      return;
    }
    WordCount& word = features_.words[place - 1];
    if (word.bucket == bucket) {
      ++word.count;
      return;
    }
  }
}

// One text, character by character.
class TextScanner::Pass {
 public:
  Pass(std::string_view text, TextScanner* scanner) : text_(text), scanner_(*scanner) {}

  void Run() {
    for (size_t at = 0; at < text_.size();) {
      const CodePoint c = CodePointAt(text_, at);
      Take(c, ClassOf(c.value), at);
      at += c.size;
    }
    EndWord();
    if (ends_sentence_) ++sentences_;
    options_.Add(text_.substr(line_start_));
  }

  // All counters but those of markers.
  void Tell(std::array<float, kCounterCount>* counters) const {
    const auto set = [&](Counter which, float value) {
      (*counters)[static_cast<size_t>(which)] = value;
    };
    set(Counter::kCharacters, LogOf(characters_));
    set(Counter::kWords, LogOf(words_));
    set(Counter::kLines, LogOf(lines_));
    set(Counter::kQuestionMarks, LogOf(questions_));
    set(Counter::kSentences, LogOf(sentences_));
    set(Counter::kNumbers, LogOf(numbers_));
    set(Counter::kDigitShare, ShareOf(digits_, characters_));
    set(Counter::kUpperShare, ShareOf(uppers_, characters_));
    set(Counter::kNonAsciiShare, ShareOf(non_ascii_, characters_));
    set(Counter::kPunctuationShare, ShareOf(punctuation_, characters_));
    set(Counter::kDistinctShare, ShareOf(distinct_, words_));
    set(Counter::kLongWordShare, ShareOf(long_words_, words_));
    set(Counter::kLongWord, LogOf(LongWord()));
    set(Counter::kMeanWord, ShareOf(word_characters_, words_));
    options_.Tell(counters);
  }

 private:
  void Take(CodePoint c, CharClass kind, size_t at) {
    ++characters_;
    if (c.value >= 0x80) ++non_ascii_;
    const bool in_word =
        kind == CharClass::kLetter || kind == CharClass::kUpper || kind == CharClass::kDigit;
    // A digit inside a word is none of a number: it may be a letter that was mistyped.
    if (kind == CharClass::kDigit && word_size_ == 0) ++numbers_;
    if (in_word) {
      for (size_t i = 0; i < c.size; ++i) {
        word_ = (word_ ^ static_cast<uint8_t>(LowerCase(text_[at + i]))) * kFnvPrime;
      }
      if (++word_size_ <= kStem) stem_ = word_;
    } else {
      EndWord();
    }
    if (kind == CharClass::kUpper) ++uppers_;
    if (kind == CharClass::kDigit) ++digits_;
    if (kind == CharClass::kDense) {
      TakeDense(c.value);
    } else {
      dense_[0] = dense_[1] = 0;
    }
    if (kind == CharClass::kPunctuation) ++punctuation_;
    if (kind == CharClass::kSpace && ends_sentence_) ++sentences_;
    const bool asks = c.value == '?' || c.value == 0xff1f;
    if (asks) ++questions_;
    ends_sentence_ = asks || c.value == '.' || c.value == '!' || c.value == 0x3002;
    if (c.value == '\n') {
      ++lines_;
      options_.Add(text_.substr(line_start_, at - line_start_));
      line_start_ = at + 1;
    }
  }

  void EndWord() {
    if (word_size_ == 0) return;
    CountWord(word_size_, stem_);
    scanner_.Add(word_);
    if (last_word_ != 0) scanner_.Add(last_word_ * 31 + word_);
    last_word_ = word_;
    word_ = kFnvBasis;
    word_size_ = 0;
  }

  void CountWord(size_t size, uint32_t stem) {
    ++words_;
    word_characters_ += size;
    if (size >= kLongWord) ++long_words_;
    ++sizes_[std::min(size, sizes_.size() - 1)];
    stem = Mixed(stem) >> 16;
    uint64_t& seen = scanner_.stems_[stem / 64];
    if ((seen >> stem % 64 & 1) == 0) ++distinct_;
    seen |= uint64_t{1} << stem % 64;
  }

  // The size that one word in sixteen has or exceeds. Not that of the longest: one space that is
  // mistyped would change it.
  size_t LongWord() const {
    size_t left = words_ / kWordsOfALongOne;
    for (size_t size = sizes_.size() - 1; size > 0; --size) {
      if (sizes_[size] > left) return size;
      left -= sizes_[size];
    }
    return 0;
  }

  // A character of a script without spaces: it is a word, and so are two and three in sequence.
  void TakeDense(uint32_t c) {
    const uint32_t one = (kFnvBasis ^ c) * kFnvPrime;
    CountWord(1, one);
    scanner_.Add(one);
    if (dense_[0] != 0) {
      scanner_.Add(dense_[0] * 31 + one);
      if (dense_[1] != 0) scanner_.Add((dense_[1] * 31 + dense_[0]) * 31 + one);
    }
    dense_[1] = dense_[0];
    dense_[0] = one;
  }

  const std::string_view text_;
  TextScanner& scanner_;
  size_t characters_ = 0, questions_ = 0, sentences_ = 0, numbers_ = 0, lines_ = 1;
  size_t digits_ = 0, uppers_ = 0, non_ascii_ = 0, punctuation_ = 0;
  size_t words_ = 0, distinct_ = 0, long_words_ = 0, word_characters_ = 0;
  std::array<uint16_t, kMostWordSize + 1> sizes_{};  // how many words are so long
  // Hashes of the word so far, of its first characters, and of the last word; 0: none before.
  uint32_t word_ = kFnvBasis, stem_ = 0, last_word_ = 0;
  size_t word_size_ = 0;
  uint32_t dense_[2] = {0, 0};  // hashes of the two dense characters before, the nearer first
  bool ends_sentence_ = false;
  size_t line_start_ = 0;
  OptionLines options_;
};

const TextFeatures& TextScanner::Scan(std::string_view text) {
  text = CutAtCharacter(text, kMostExcerpt);
  places_.assign(std::bit_ceil(2 * text.size() + 2), 0);
  stems_.fill(0);
  features_.words.clear();
  features_.counters.fill(0);
  Pass pass(text, this);
  pass.Run();
  pass.Tell(&features_.counters);
  const MarkerCounts markers = Markers().Count(text);
  for (size_t i = 0; i <= static_cast<size_t>(Marker::kTranslation); ++i) {
    features_.counters[static_cast<size_t>(Counter::kCode) + i] = LogOf(markers[i]);
  }
  features_.length = features_.counter(Counter::kCharacters);
  features_.keyword = KeywordScore(markers);
  return features_;
}

}  // namespace seekroute
