#include "wire/openai/excerpt.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "wire/openai/chat_surface.h"

namespace seekroute {
namespace {

const std::vector<std::string> kNames{"auto", "seekroute/auto"};

// Of a request with these members, the excerpt that is read of it.
std::string ExcerptIn(std::string_view members, const std::vector<std::string>& names = kNames) {
  const std::string body = "{" + std::string(members) + "}";
  const auto read = ChatSurface().Read(body, Profile(), {.excerpt_for = names});
  EXPECT_TRUE(read.has_value()) << (read ? "" : read.error().message);
  return read ? (*read)->ask.excerpt : std::string();
}

std::string Saying(std::string_view content) {
  return R"("model":"auto","messages":[{"role":"user","content":)" + std::string(content) + "}]";
}

TEST(Excerpt, IsTheLastMessageOfAUser) {
  EXPECT_EQ(
      ExcerptIn(R"("messages":[{"role":"system","content":"s"},{"role":"user","content":"a"},)"
                R"({"role":"assistant","content":"b"},{"role":"user","content":"c"},)"
                R"({"role":"assistant","content":"d"}],"model":"auto")"),
      "c");
  EXPECT_EQ(ExcerptIn(R"("model":"auto","messages":[{"content":"r","role":"user"}])"), "r");
  EXPECT_EQ(ExcerptIn(R"("model":"auto","messages":[{"role":"system","content":"s"}])"), "");
}

TEST(Excerpt, IsReadOnlyWhereAModelIsChosenByIt) {
  const std::string said = R"("messages":[{"role":"user","content":"Hi"}])";
  EXPECT_EQ(ExcerptIn(R"("model":"openai/gpt-4o",)" + said), "");
  EXPECT_EQ(ExcerptIn(R"("model":"autos",)" + said), "");
  EXPECT_EQ(ExcerptIn(R"("model":"auto",)" + said, {}), "");
  EXPECT_EQ(ExcerptIn(R"("model":"auto:floor",)" + said), "Hi");
  EXPECT_EQ(ExcerptIn(R"("model":"seekroute/auto",)" + said), "Hi");
  EXPECT_EQ(ExcerptIn(R"("model":"x","models":["y","auto"],)" + said), "Hi");
}

TEST(Excerpt, IsOfTheTextParts) {
  EXPECT_EQ(
      ExcerptIn(Saying(R"([{"type":"text","text":"one"},)"
                       R"({"type":"image_url","image_url":{"url":"https://x/y","text":"no"}},)"
                       R"({"text":"two","type":"text"}])")),
      "one\ntwo");
  EXPECT_EQ(ExcerptIn(Saying(R"([{"type":"image_url","image_url":{"url":"https://x/y"}}])")), "");
}

TEST(Excerpt, DecodesEscapesAndTakesOddOnes) {
  EXPECT_EQ(ExcerptIn(Saying(R"("a\n\"\u00e9\ud83d\ude00")")), "a\n\"\xc3\xa9\xf0\x9f\x98\x80");
  const std::string odd = ExcerptIn(Saying(R"("a\ud800b")"));
  EXPECT_TRUE(odd.starts_with('a') && odd.ends_with('b')) << odd;
}

TEST(Excerpt, IsTheBeginningAndTheEndOfALongText) {
  const auto of = [](const std::string& text) { return ExcerptIn(Saying('"' + text + '"')); };
  EXPECT_EQ(of(std::string(4096, 'a')), std::string(4096, 'a'));
  EXPECT_EQ(of(std::string(2048, 'a') + "x" + std::string(2048, 'b')),
            std::string(2048, 'a') + std::string(2048, 'b'));
  EXPECT_EQ(of(std::string(3000, 'a') + std::string(size_t{1} << 20, 'x') + std::string(2048, 'b')),
            std::string(2048, 'a') + std::string(2048, 'b'));
}

// Whatever the sizes of its parts.
TEST(Excerpt, CutsManyPartsAsOneText) {
  for (const size_t size : {1u, 7u, 500u, 2047u, 2048u, 2049u, 4095u, 9000u}) {
    std::string parts, text;
    char letter = 'a';
    for (size_t i = 0; i < 20'000 / size + 2; ++i) {
      const std::string part(size, letter);
      letter = letter == 'z' ? 'a' : static_cast<char>(letter + 1);
      parts += (parts.empty() ? "" : ",") + (R"({"type":"text","text":")" + part + "\"}");
      text += (text.empty() ? "" : "\n") + part;
    }
    EXPECT_EQ(ExcerptIn(Saying('[' + parts + ']')),
              text.substr(0, 2048) + text.substr(text.size() - 2048))
        << size;
  }
}

TEST(Excerpt, CutsBetweenCharacters) {
  std::string text;
  while (text.size() < 9000) text += "\xe4\xbd\xa0";  // three bytes
  for (const std::string lead : {"", "a", "aa"}) {
    const std::string excerpt = ExcerptIn(Saying('"' + lead + text + '"'));
    EXPECT_GT(excerpt.size(), 4090u);
    EXPECT_LE(excerpt.size(), 4096u);
    EXPECT_EQ((excerpt.size() - lead.size()) % 3, 0u);
    for (size_t i = lead.size(); i < excerpt.size(); i += 3) EXPECT_EQ(excerpt[i], '\xe4');
  }
}

}  // namespace
}  // namespace seekroute
