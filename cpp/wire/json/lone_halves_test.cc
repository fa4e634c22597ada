#include "wire/json/lone_halves.h"

#include <gtest/gtest.h>

#include "wire/json/json.h"

namespace seekroute {
namespace {

TEST(LoneHalvesTest, AreFoundAtTheEndsOfAString) {
  const struct {
    const char* string;
    uint16_t first, last;
  } cases[] = {
      {R"("")", 0, 0},
      {R"("a")", 0, 0},
      {R"("\ud83d")", 0, 0xD83D},
      {R"("\uDE00")", 0xDE00, 0},
      {R"("\ude00a\ud83d")", 0xDE00, 0xD83D},
      {R"("a\\\ud83d")", 0, 0xD83D},
      {R"("a\\ud83d")", 0, 0},
      {R"("\u00e9")", 0, 0},
      {R"("\ud83")", 0, 0},
      {R"("\ud83d\ude00")", 0, 0},
  };
  for (const auto& c : cases) {
    const LoneHalves halves = HalvesOf(c.string);
    EXPECT_EQ(halves.first, c.first) << c.string;
    EXPECT_EQ(halves.last, c.last) << c.string;
  }
}

TEST(LoneHalvesTest, BecomeTheCharacterThatTheyWere) {
  const std::string lone = "\uFFFD";
  const auto joined = [&lone](uint16_t high, uint16_t low) {
    std::string text;
    uint16_t half = 0;
    AppendJoined("a" + lone, {0, high}, &text, &half);
    AppendJoined("", {}, &text, &half);
    AppendJoined(lone + "b", {low, 0}, &text, &half);
    return text;
  };
  EXPECT_EQ(joined(0xD83D, 0xDE00), "a\U0001F600b");
  EXPECT_EQ(joined(0xD800, 0xDC00), "a\U00010000b");
  EXPECT_EQ(joined(0xDBFF, 0xDFFF), "a\U0010FFFFb");
  EXPECT_TRUE(IsValidUtf8(joined(0xD83D, 0xDE00)));
  EXPECT_EQ(joined(0xD83D, 0), "a" + lone + lone + "b") << "each half alone is lost";
  EXPECT_EQ(joined(0, 0xDE00), "a" + lone + lone + "b");
}

}  // namespace
}  // namespace seekroute
