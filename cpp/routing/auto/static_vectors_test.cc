#include "routing/auto/static_vectors.h"

#include <cmath>
#include <string>

#include <gtest/gtest.h>

#include "routing/auto/text_features.h"

namespace seekroute {
namespace {

using Words = std::vector<std::string>;

Words WordsOf(const Vocabulary& vocabulary, std::string_view text) {
  std::vector<uint16_t> found;
  vocabulary.Find(text, &found);
  Words words;
  for (const uint16_t each : found) words.push_back(vocabulary.words()[each]);
  return words;
}

Vocabulary SomeWords() {
  return *Vocabulary::Make({"un", "able", "a", "cafe", "?", "\xe4\xba\xba", "\xd0\xb8"});
}

TEST(Vocabulary, FindsWholeWordsOfAnyCase) {
  EXPECT_EQ(WordsOf(SomeWords(), "A un-able?"), (Words{"a", "un", "able", "?"}));
}

// A letter that is mistyped must not make other words of one.
TEST(Vocabulary, FindsNoWordInsideAnother) {
  EXPECT_EQ(WordsOf(SomeWords(), "unable xun a"), Words{"a"});
}

TEST(Vocabulary, PlainLetters) {
  EXPECT_EQ(WordsOf(SomeWords(), "CAF\xc3\x89 cafe\xcc\x81"), (Words{"cafe", "cafe"}));
  EXPECT_EQ(WordsOf(SomeWords(), "\xd0\x99"), Words{"\xd0\xb8"});
}

TEST(Vocabulary, AHanCharacterIsAWord) {
  EXPECT_EQ(WordsOf(SomeWords(),
                    "a\xe4\xba\xba"
                    "a"),
            (Words{"a", "\xe4\xba\xba", "a"}));
}

TEST(Vocabulary, LongWordsAreUnknown) {
  const std::string most(Vocabulary::kMostWordBytes, 'a');
  const Vocabulary vocabulary = *Vocabulary::Make({most});
  EXPECT_EQ(WordsOf(vocabulary, most), Words{most});
  EXPECT_TRUE(WordsOf(vocabulary, most + "a").empty());
}

TEST(Vocabulary, ManyWordsAreFoundEach) {
  Words words;
  for (int i = 0; i < 5000; ++i) words.push_back("w" + std::to_string(i));
  const Vocabulary vocabulary = *Vocabulary::Make(words);
  for (const std::string& word : words) EXPECT_EQ(WordsOf(vocabulary, word), Words{word});
  EXPECT_TRUE(WordsOf(vocabulary, "w5000 w").empty());
}

TEST(Vocabulary, RefusesLists) {
  EXPECT_FALSE(Vocabulary::Make({}).has_value());
  EXPECT_FALSE(Vocabulary::Make({"a", "a"}).has_value());
  EXPECT_FALSE(Vocabulary::Make({"a", ""}).has_value());
  EXPECT_TRUE(Vocabulary::Make({"a", "##a"}).has_value());
  EXPECT_FALSE(Vocabulary::Make({std::string(Vocabulary::kMostWordBytes + 1, 'a')}).has_value());
}

StaticVectors Table() {
  std::array<float, kVectorSize> scales;
  scales.fill(0.5F);
  std::vector<int8_t> numbers(2 * kVectorSize, 0);
  numbers[0] = 3;                // "up"
  numbers[kVectorSize + 1] = 4;  // "side"
  return *StaticVectors::Make({"up", "side"}, scales, numbers);
}

TEST(StaticVectors, SumsAndScales) {
  std::vector<uint16_t> known;
  const TextVector one = Table().VectorOf("UP", &known);
  EXPECT_FLOAT_EQ(one[0], 1);
  const TextVector both = Table().VectorOf("up side", &known);
  EXPECT_FLOAT_EQ(both[0], 0.6F);
  EXPECT_FLOAT_EQ(both[1], 0.8F);
  EXPECT_EQ(Table().VectorOf("down", &known), TextVector{});
}

TEST(StaticVectors, LargeScalesStayFinite) {
  std::array<float, kVectorSize> scales;
  scales.fill(3e38F);
  const Result<StaticVectors> table =
      StaticVectors::Make({"up"}, scales, std::vector<int8_t>(kVectorSize, 127));
  ASSERT_TRUE(table.has_value());
  std::vector<uint16_t> known;
  EXPECT_FLOAT_EQ(table->VectorOf("up up up", &known)[3], 0.25F);
}

TEST(StaticVectors, LooksAtFourKilobytes) {
  std::vector<uint16_t> known;
  const std::string text = std::string(kMostExcerpt, ' ') + "up";
  EXPECT_EQ(Table().VectorOf(text, &known), TextVector{});
}

TEST(StaticVectors, BytesAndBack) {
  const std::string bytes = Table().Write();
  const Result<StaticVectors> read = StaticVectors::Read(bytes);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->Write(), bytes);
  EXPECT_EQ(read->checksum(), Table().checksum());
  EXPECT_NE(read->checksum(), 0U);
}

TEST(StaticVectors, RefusesOtherBytes) {
  const std::string bytes = Table().Write();
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(StaticVectors::Read(bytes.substr(0, size)).has_value()) << size;
  }
  EXPECT_FALSE(StaticVectors::Read(bytes + "x").has_value());
  std::string later = bytes;
  later[4] = 2;
  const Result<StaticVectors> read = StaticVectors::Read(later);
  ASSERT_FALSE(read.has_value());
  EXPECT_NE(read.error().message.find("version 2"), std::string::npos);
}

TEST(StaticVectors, RefusesSizesAndScales) {
  std::array<float, kVectorSize> scales{};
  EXPECT_FALSE(StaticVectors::Make({"a"}, scales, std::vector<int8_t>(15)).has_value());
  scales[2] = std::nanf("");
  EXPECT_FALSE(StaticVectors::Make({"a"}, scales, std::vector<int8_t>(16)).has_value());
}

}  // namespace
}  // namespace seekroute
