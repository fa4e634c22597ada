#include "routing/auto/static_vectors.h"

#include <cmath>
#include <string>

#include <gtest/gtest.h>

#include "routing/auto/text_features.h"

namespace seekroute {
namespace {

std::vector<std::string> PiecesOf(const WordPieces& vocabulary, std::string_view text) {
  std::vector<uint16_t> found;
  vocabulary.Split(text, &found);
  std::vector<std::string> pieces;
  for (const uint16_t each : found) pieces.push_back(vocabulary.pieces()[each]);
  return pieces;
}

using Pieces = std::vector<std::string>;

WordPieces Vocabulary() {
  return *WordPieces::Make({"un", "##aff", "##able", "##a", "able", "a", "cafe", "?",
                            "\xe4\xba\xba", "##able?", "\xd0\xb8"});
}

TEST(WordPieces, TheLongestFirst) {
  EXPECT_EQ(PiecesOf(Vocabulary(), "Unaffable able?"),
            (Pieces{"un", "##aff", "##able", "able", "?"}));
}

TEST(WordPieces, AWordThatIsUnknownInPartIsLeftOut) {
  EXPECT_EQ(PiecesOf(Vocabulary(), "unaffx a"), Pieces{"a"});
  EXPECT_EQ(PiecesOf(Vocabulary(), "xun"), Pieces{});
}

TEST(WordPieces, PlainLetters) {
  EXPECT_EQ(PiecesOf(Vocabulary(), "CAF\xc3\x89 cafe\xcc\x81"), (Pieces{"cafe", "cafe"}));
  EXPECT_EQ(PiecesOf(Vocabulary(), "\xd0\x99"), Pieces{"\xd0\xb8"});
}

TEST(WordPieces, AHanCharacterIsAWord) {
  EXPECT_EQ(PiecesOf(Vocabulary(),
                     "a\xe4\xba\xba"
                     "a"),
            (Pieces{"a", "\xe4\xba\xba", "a"}));
}

TEST(WordPieces, LongWordsAreInNoPiece) {
  const std::string most(WordPieces::kMostWordBytes, 'a');
  EXPECT_EQ(PiecesOf(Vocabulary(), most).size(), most.size());
  EXPECT_TRUE(PiecesOf(Vocabulary(), most + "a").empty());
}

TEST(WordPieces, RefusesVocabularies) {
  EXPECT_FALSE(WordPieces::Make({}).has_value());
  EXPECT_FALSE(WordPieces::Make({"a", "a"}).has_value());
  EXPECT_FALSE(WordPieces::Make({"a", ""}).has_value());
  EXPECT_TRUE(WordPieces::Make({"a", "##a"}).has_value());
  EXPECT_FALSE(WordPieces::Make({std::string(256, 'a')}).has_value());
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
  std::vector<uint16_t> pieces;
  const TextVector one = Table().VectorOf("UP", &pieces);
  EXPECT_FLOAT_EQ(one[0], 1);
  const TextVector both = Table().VectorOf("up side", &pieces);
  EXPECT_FLOAT_EQ(both[0], 0.6F);
  EXPECT_FLOAT_EQ(both[1], 0.8F);
  EXPECT_EQ(Table().VectorOf("down", &pieces), TextVector{});
}

TEST(StaticVectors, LargeScalesStayFinite) {
  std::array<float, kVectorSize> scales;
  scales.fill(3e38F);
  const Result<StaticVectors> table =
      StaticVectors::Make({"up"}, scales, std::vector<int8_t>(kVectorSize, 127));
  ASSERT_TRUE(table.has_value());
  std::vector<uint16_t> pieces;
  EXPECT_FLOAT_EQ(table->VectorOf("up up up", &pieces)[3], 0.25F);
}

TEST(StaticVectors, LooksAtFourKilobytes) {
  std::vector<uint16_t> pieces;
  const std::string text = std::string(kMostExcerpt, ' ') + "up";
  EXPECT_EQ(Table().VectorOf(text, &pieces), TextVector{});
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
