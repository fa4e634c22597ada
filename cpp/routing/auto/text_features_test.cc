#include "routing/auto/text_features.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "routing/auto/code_points.h"
#include "routing/auto/markers.h"

namespace seekroute {
namespace {

std::set<uint16_t> BucketsOf(std::string_view text) {
  TextScanner scanner;
  std::set<uint16_t> buckets;
  for (const WordCount& word : scanner.Scan(text).words) buckets.insert(word.bucket);
  return buckets;
}

float CounterOf(std::string_view text, Counter which) {
  TextScanner scanner;
  return scanner.Scan(text).counter(which);
}

float LogOf(int count) { return std::log1p(static_cast<float>(count)); }

TEST(TextFeatures, NothingIsNothing) {
  TextScanner scanner;
  const TextFeatures& features = scanner.Scan("");
  EXPECT_TRUE(features.words.empty());
  EXPECT_EQ(features.length, 0);
  EXPECT_EQ(features.keyword, 0);
  EXPECT_EQ(features.counter(Counter::kDistinctShare), 0);
}

TEST(TextFeatures, WordsAndPairsWithoutCase) {
  TextScanner scanner;
  const TextFeatures& features = scanner.Scan("the cat, THE cat");
  // the, the+cat, cat, cat+the.
  ASSERT_EQ(features.words.size(), 4U);
  EXPECT_EQ(features.words[0].count, 2);
  EXPECT_EQ(features.words[1].count, 2);
  EXPECT_EQ(features.words[2].count, 2);
  EXPECT_EQ(features.words[3].count, 1);
  EXPECT_FLOAT_EQ(features.counter(Counter::kDistinctShare), 0.5F);
}

TEST(TextFeatures, APairIsNotItsReverse) { EXPECT_NE(BucketsOf("a b"), BucketsOf("b a")); }

TEST(TextFeatures, CharactersWhereWordsAreNotParted) {
  // Three characters, two pairs, one triple; no spaces needed.
  EXPECT_EQ(BucketsOf("\xe4\xba\xba\xe5\xb7\xa5\xe6\x99\xba").size(), 6U);
  EXPECT_FLOAT_EQ(CounterOf("\xe4\xba\xba\xe5\xb7\xa5\xe6\x99\xba", Counter::kWords), LogOf(3));
  // What stands between two of them keeps them apart.
  EXPECT_EQ(BucketsOf("\xe4\xba\xba, \xe5\xb7\xa5").size(), 2U);
}

TEST(TextFeatures, Counts) {
  const std::string text = "What is 12 + 30? Say WHY.\nOr not!";
  EXPECT_FLOAT_EQ(CounterOf(text, Counter::kCharacters), LogOf(33));
  EXPECT_FLOAT_EQ(CounterOf(text, Counter::kWords), LogOf(8));
  EXPECT_FLOAT_EQ(CounterOf(text, Counter::kLines), LogOf(2));
  EXPECT_FLOAT_EQ(CounterOf(text, Counter::kQuestionMarks), LogOf(1));
  EXPECT_FLOAT_EQ(CounterOf(text, Counter::kSentences), LogOf(3));
  EXPECT_FLOAT_EQ(CounterOf(text, Counter::kNumbers), LogOf(2));
  EXPECT_FLOAT_EQ(CounterOf(text, Counter::kDigitShare), 4.0F / 33);
  EXPECT_FLOAT_EQ(CounterOf(text, Counter::kUpperShare), 6.0F / 33);
  EXPECT_FLOAT_EQ(CounterOf(text, Counter::kPunctuationShare), 4.0F / 33);
  EXPECT_FLOAT_EQ(CounterOf(text, Counter::kLongWord), LogOf(4));
}

// What one mistyped character would change much is not counted.
TEST(TextFeatures, ADigitInsideAWordIsNoNumber) {
  EXPECT_FLOAT_EQ(CounterOf("a w3rd 12 4th", Counter::kNumbers), LogOf(2));
  EXPECT_FLOAT_EQ(CounterOf("1.5", Counter::kNumbers), LogOf(2));
}

TEST(TextFeatures, OneWordThatIsLongChangesNothing) {
  std::string text;
  for (int i = 0; i < 20; ++i) text += "ab" + std::string(static_cast<size_t>(i) % 4, 'c') + " ";
  EXPECT_FLOAT_EQ(CounterOf(text, Counter::kLongWord), LogOf(5));
  EXPECT_FLOAT_EQ(CounterOf(text + std::string(90, 'x'), Counter::kLongWord), LogOf(5));
  // Of few words it is the longest.
  EXPECT_FLOAT_EQ(CounterOf("a bcd", Counter::kLongWord), LogOf(3));
  EXPECT_FLOAT_EQ(CounterOf(std::string(4000, 'x'), Counter::kLongWord), LogOf(127));
  EXPECT_EQ(CounterOf("...", Counter::kLongWord), 0);
}

TEST(TextFeatures, WordsAreDistinctByHowTheyBegin) {
  EXPECT_FLOAT_EQ(CounterOf("Reason reasom reasoning other", Counter::kDistinctShare), 0.5F);
  EXPECT_FLOAT_EQ(CounterOf("one two", Counter::kDistinctShare), 1);
}

TEST(TextFeatures, OptionsOfAQuestion) {
  const std::string text = "Pick one.\nA. 1.5\nB. a lot\nC. 7";
  EXPECT_FLOAT_EQ(CounterOf(text, Counter::kOptions), LogOf(3));
  EXPECT_FLOAT_EQ(CounterOf(text, Counter::kMeanOption), LogOf(3));
  EXPECT_FLOAT_EQ(CounterOf(text, Counter::kOptionSpread), LogOf(4));
  EXPECT_FLOAT_EQ(CounterOf(text, Counter::kNumericOptions), 2.0F / 3);
  EXPECT_EQ(CounterOf("A. alone", Counter::kOptions), 0);
  EXPECT_FLOAT_EQ(CounterOf("(a) x\n(b) y\nc) z", Counter::kOptions), LogOf(3));
}

TEST(TextFeatures, HardWordsAndEasyOnes) {
  TextScanner scanner;
  EXPECT_GT(scanner.Scan("Prove the theorem and explain why it holds").keyword, 2);
  EXPECT_LT(scanner.Scan("Hello, what is the capital").keyword, 0);
}

TEST(TextFeatures, LooksAtFourKilobytes) {
  std::string text;
  while (text.size() < 1'000'000) text += "word" + std::to_string(text.size()) + " ";
  TextScanner scanner;
  const std::vector<WordCount> words = scanner.Scan(text).words;
  const std::vector<WordCount> cut =
      scanner.Scan(std::string_view(text).substr(0, kMostExcerpt)).words;
  ASSERT_EQ(words.size(), cut.size());
  EXPECT_LE(words.size(), kMostExcerpt);
}

TEST(TextFeatures, NeverCutsACharacter) {
  const std::string text = std::string(kMostExcerpt - 1, 'a') + "\xc3\xa9";
  EXPECT_EQ(CutAtCharacter(text, kMostExcerpt).size(), kMostExcerpt - 1);
  EXPECT_EQ(CounterOf(text, Counter::kNonAsciiShare), 0);
}

TEST(TextFeatures, AsManyWordsAsFit) {
  // One letter and one space each: the most words there can be, and all pairs differ little.
  std::string text;
  for (size_t i = 0; text.size() + 2 <= kMostExcerpt; ++i) {
    text += static_cast<char>('a' + i * 7 % 26);
    text += ' ';
  }
  EXPECT_GT(BucketsOf(text).size(), 26U);
  // Distinct characters of a script without spaces: three features each.
  std::string dense;
  for (uint32_t c = 0x4e00; dense.size() + 3 <= kMostExcerpt; ++c) {
    dense += static_cast<char>(0xe0 | c >> 12);
    dense += static_cast<char>(0x80 | (c >> 6 & 0x3f));
    dense += static_cast<char>(0x80 | (c & 0x3f));
  }
  EXPECT_GT(BucketsOf(dense).size(), 3500U);
}

TEST(TextFeatures, OneTextLeavesNothingForTheNext) {
  TextScanner scanner;
  const std::string text = "A matrix has three eigenvalues.";
  const TextFeatures first = scanner.Scan(text);
  (void)scanner.Scan("Something else, with other words: 1, 2, 3?");
  const TextFeatures& again = scanner.Scan(text);
  EXPECT_EQ(first.counters, again.counters);
  ASSERT_EQ(first.words.size(), again.words.size());
  for (size_t i = 0; i < first.words.size(); ++i) {
    EXPECT_EQ(first.words[i].bucket, again.words[i].bucket);
    EXPECT_EQ(first.words[i].count, again.words[i].count);
  }
}

TEST(TextFeatures, BytesThatAreNoText) {
  std::string bytes;
  for (int i = 0; i < 1024; ++i) bytes += static_cast<char>(i * 37);
  TextScanner scanner;
  for (const float counter : scanner.Scan(bytes).counters) EXPECT_TRUE(std::isfinite(counter));
}

// Their hashes are stored in weights: another hash makes them worthless.
TEST(TextFeatures, HashesStay) { EXPECT_EQ(BucketsOf("word"), (std::set<uint16_t>{60376})); }

TEST(Markers, WholeWordsOfAnyCase) {
  const auto count = [](std::string_view text, Marker marker) {
    return Markers().Count(text)[static_cast<size_t>(marker)];
  };
  EXPECT_EQ(count("PROVE it; disprove it, proves", Marker::kReasoning), 1U);
  EXPECT_EQ(count("step\nby  step", Marker::kReasoning), 0U);
  EXPECT_EQ(count("Step\nby step", Marker::kReasoning), 1U);
  EXPECT_EQ(count("don't", Marker::kNegation), 0U);
  EXPECT_EQ(count("Statement I is true", Marker::kStatements), 1U);
  EXPECT_EQ(count("a geometric isometric metric", Marker::kMath), 3U);
  EXPECT_EQ(count("```x = 1```", Marker::kCode), 2U);
  EXPECT_EQ(count("", Marker::kCode), 0U);
}

TEST(Markers, ThoseInsideOthersCountToo) {
  const MarkerCounts counts = Markers().Count("best explains");
  EXPECT_EQ(counts[static_cast<size_t>(Marker::kReasoning)], 1U);
  const MarkerCounts inner = Markers().Count("None of the above");
  EXPECT_EQ(inner[static_cast<size_t>(Marker::kStatements)], 1U);
  EXPECT_EQ(inner[static_cast<size_t>(Marker::kNegation)], 1U);
}

}  // namespace
}  // namespace seekroute
