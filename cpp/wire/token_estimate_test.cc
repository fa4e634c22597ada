#include "wire/token_estimate.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <string>

namespace seekroute {
namespace {

// Texts with the counts that o200k_base gives them. tests/client/test_token_estimate.py has more,
// and checks counts against the vocabulary itself.
struct Known {
  const char* name;
  int64_t tokens;
  const char* text;
};

const Known kKnown[] = {
    {"English", 60,
     "When the river froze, the whole village walked to the other side instead of taking the "
     "bridge. Nobody needed to go there, but a road that exists for only two weeks a year is hard "
     "to resist. The baker sold rolls from a sledge, and the teacher drew a map of the cracks."},
    {"German", 51,
     "Im Keller stand eine Nähmaschine, die seit Jahren niemand mehr benutzt hatte. Meine "
     "Schwester ölte sie, legte ein altes Bettlaken ein und nähte daraus eine Fahne für unser "
     "Baumhaus. Seitdem gehört der Garten offiziell uns."},
    {"Russian", 45,
     "В старом трамвае пахло мокрыми пальто и мандаринами. Кондуктор знал каждого пассажира по "
     "имени и объявлял остановки так, будто рассказывал длинную сказку."},
    {"Chinese", 45,
     "冬天的早晨，卖豆浆的小车总是第一个出现在路口。老板娘不用问就知道谁要加糖，谁要两根油条，"
     "谁今天又起晚了。"},
    {"Arabic", 34,
     "كان جدي يزرع الليمون خلف البيت ويعطي كل شجرة اسما. وعندما سافرنا طلب منا أن نكتب إليها "
     "رسائل."},
    {"code", 41,
     "def widest(rows: list[str]) -> int:\n    \"\"\"The length of the longest row.\"\"\"\n    if "
     "not "
     "rows:\n        return 0\n    return max(len(row.rstrip()) for row in rows)\n"},
    {"JSON", 40,
     R"({"id": 17, "tags": ["red", "wool"], "price": 24.90, "stock": {"oslo": 3, "bergen": 0}})"},
    {"hex", 43, "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
};

TEST(TokenEstimateTest, IsNearTheTrueCount) {
  int64_t estimated = 0;
  int64_t truth = 0;
  for (const Known& known : kKnown) {
    const TokenEstimate estimate = EstimateTokens(known.text);
    EXPECT_LE(std::llabs(estimate.tokens - known.tokens) * 100, known.tokens * 20)
        << known.name << ": " << estimate.tokens << " for " << known.tokens;
    EXPECT_GE(estimate.upper, known.tokens) << known.name;
    estimated += estimate.tokens;
    truth += known.tokens;
  }
  EXPECT_LE(std::llabs(estimated - truth) * 100, truth * 6);
}

TEST(TokenEstimateTest, DoesNotDependOnHowTheTextIsCut) {
  std::string all;
  for (const Known& known : kKnown) all += known.text;
  all += "======== 123456789 \xff\xfe\xf0\x9f\x98\x80\xe4\xbd";
  all += std::string(300, ' ');
  const TokenEstimate whole = EstimateTokens(all);

  TokenEstimator bytewise;
  for (const char& c : all) bytewise.Add({&c, 1});
  EXPECT_EQ(bytewise.Estimate().tokens, whole.tokens);
  EXPECT_EQ(bytewise.Estimate().upper, whole.upper);

  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    TokenEstimator pieces;
    for (size_t at = 0; at < all.size();) {
      const size_t size = random() % 40;
      pieces.Add(std::string_view(all).substr(at, size));
      at += size;
    }
    EXPECT_EQ(pieces.Estimate().tokens, whole.tokens);
    EXPECT_EQ(pieces.Estimate().upper, whole.upper);
  }
}

// Runs that begin, end and go on anywhere in the blocks that are looked through at once.
TEST(TokenEstimateTest, BlocksGiveWhatSingleBytesGive) {
  for (const char filler : {'a', 'A', '7', ' ', '-', '\n', '\xC3'}) {
    for (size_t before = 0; before < 40; ++before) {
      for (size_t length = 1; length < 140; length += length < 8 ? 1 : 13) {
        std::string text =
            std::string("The quick brown fox jumps over lazy dogs.").substr(0, before);
        text += std::string(length, filler) + " and 12345 others, which (as ever) stay behind it.";
        TokenEstimator bytes;
        for (const char c : text) bytes.Add({&c, 1});
        ASSERT_EQ(EstimateTokens(text).tokens, bytes.Estimate().tokens) << before << " " << length;
        ASSERT_EQ(EstimateTokens(text).upper, bytes.Estimate().upper) << before << " " << length;
      }
    }
  }
}

std::string Repeated(std::string_view piece, size_t times) {
  std::string text;
  for (size_t i = 0; i < times; ++i) text += piece;
  return text;
}

// Pairs of bytes that are in no language weigh less than nothing; a text of them would hold
// nothing, and take away what stands beside it.
TEST(TokenEstimateTest, WhatNoLanguageHasIsBoundedByItsBytes) {
  for (const char* piece : {"\xC3\xA8", "\xE1\xBB\xB3", "ationing", "theandofto"}) {
    const std::string odd = Repeated(piece, 3000);
    const auto bytes = static_cast<int64_t>(odd.size());
    EXPECT_EQ(EstimateTokens(odd).upper, bytes) << piece;
    EXPECT_GE(EstimateTokens(odd).tokens, bytes / 4) << piece;

    const std::string text = Repeated(kKnown[0].text, 40);
    const TokenEstimate alone = EstimateTokens(text);
    EXPECT_LT(alone.upper, static_cast<int64_t>(text.size()) / 3);
    EXPECT_GE(EstimateTokens(text + odd).tokens, alone.tokens) << piece;
    EXPECT_GE(EstimateTokens(text + odd).upper, alone.tokens + bytes / 4) << piece;
  }
}

TEST(TokenEstimateTest, WhatIsWrittenIsNoOddText) {
  for (const Known& known : kKnown) {
    const std::string text = Repeated(known.text, 50);
    EXPECT_LT(EstimateTokens(text).upper, known.tokens * 50 * 17 / 10) << known.name;
  }
  for (const char* piece :
       {"N\xC4\x83m ngo\xC3\xA1i ch\xC3\xBAng t\xC3\xB4i \xC4\x91i bi\xE1\xBB\x83n. ",
        "L'\xC3\xA9t\xC3\xA9 dernier, les \xC3\xA9l\xC3\xA8ves. ",
        "\xE2\x94\x80\xE2\x94\x80\xE2\x94\xAC\xE2\x94\x80", "| - | - |\n"}) {
    const std::string text = Repeated(piece, 300);
    EXPECT_LT(EstimateTokens(text).upper, static_cast<int64_t>(text.size()) * 3 / 4) << piece;
  }
}

TEST(TokenEstimateTest, StaysWithinOneAndTheBytes) {
  EXPECT_EQ(EstimateTokens("").tokens, 0);
  EXPECT_EQ(EstimateTokens("").upper, 0);
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    std::string noise(1 + random() % 64, '\0');
    for (char& c : noise) c = static_cast<char>(random());
    const TokenEstimate estimate = EstimateTokens(noise);
    EXPECT_GE(estimate.tokens, 1);
    EXPECT_LE(estimate.tokens, estimate.upper);
    EXPECT_LE(estimate.upper, static_cast<int64_t>(noise.size()));
  }
}

TEST(TokenEstimateTest, LongRunsOfOneByteAreFewTokens) {
  EXPECT_LT(EstimateTokens(std::string(4000, ' ')).tokens, 400);
  EXPECT_LT(EstimateTokens(std::string(4000, '-')).tokens, 400);
  // Digits are cut in threes, whatever they are.
  const int64_t digits = EstimateTokens(std::string(3000, '7')).tokens;
  EXPECT_GT(digits, 900);
  EXPECT_LT(digits, 1400);
}

TEST(TokenEstimateTest, EndTextSeparatesWords) {
  TokenEstimator apart, together;
  apart.Add("under");
  apart.EndText();
  apart.Add("stand");
  together.Add("understand");
  EXPECT_GE(apart.Estimate().tokens, together.Estimate().tokens);

  // A source that stays the same is one text.
  TokenEstimator switched;
  switched.Switch(3);
  switched.Add("under");
  switched.Switch(3);
  switched.Add("stand");
  EXPECT_EQ(switched.Estimate().tokens, together.Estimate().tokens);
}

TEST(TokenEstimateTest, BoundsDoNotOverflow) {
  const std::string block(size_t{1} << 20, 'Q');
  TokenEstimator estimator;
  for (int i = 0; i < 64; ++i) estimator.Add(block);
  const TokenEstimate estimate = estimator.Estimate();
  EXPECT_GT(estimate.tokens, 0);
  EXPECT_GE(estimate.upper, estimate.tokens);
  EXPECT_LE(estimate.upper, int64_t{64} << 20);
}

// Counts of o200k_base and cl100k_base, whichever is more, of 1,000 equal bytes.
TEST(TokenEstimate, BoundsRunsOfOneByte) {
  const auto most = [](int byte) -> int64_t {
    const char c = static_cast<char>(byte);
    const auto is = [c](std::string_view set) { return set.find(c) != std::string_view::npos; };
    if (is("\t\n;")) return 63;
    if (is(" #./=_*-%+~")) return 32;
    if (byte < 0x20 || byte == 0x7F) return 1000;
    if (c >= '0' && c <= '9') return 334;
    return 500;
  };
  for (int byte = 0; byte < 128; ++byte) {
    const std::string run(1000, static_cast<char>(byte));
    EXPECT_GE(EstimateTokens(run).upper, most(byte)) << byte;
    EXPECT_LE(EstimateTokens(run).upper, 1000) << byte;
  }
  // Mixed with text, control characters are bounded as well.
  std::string mixed;
  for (int i = 0; i < 500; ++i)
    mixed +=
        "\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b"
        "a";
  EXPECT_GE(EstimateTokens(mixed).upper, 3600);
}

}  // namespace
}  // namespace seekroute
