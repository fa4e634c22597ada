#include "wire/request_echo.h"

#include <gtest/gtest.h>

#include "testing/virtual_world.h"

namespace seekroute {
namespace {

std::string Cut(std::string_view words, std::string_view request) {
  return WithoutEcho(words, request, {});
}

TEST(RequestEchoTest, CutsWhatTheRequestSays) {
  const struct {
    const char* words;
    const char* request;
    const char* kept;
  } cases[] = {
      {"bad text: my password is hunter2 and my cat is Tom",
       R"({"content":"Hello, my password is hunter2 and my cat is Tom."})", "bad text: ..."},
      {"refused (MY PASSWORD  IS HUNTER2 AND MY CAT) as unsafe",
       R"({"content":"my password\nis \"hunter2\" and\tmy cat"})", "refused (...) as unsafe"},
      {"no: one two three four five six seven. And: eins zwei drei vier fuenf sechs sieben!",
       R"({"a":"one two three four five six seven","b":"eins zwei drei vier fuenf sechs sieben"})",
       "no: .... And: ...!"},
      {"nein: äöüÄÖÜßäöüÄÖÜß!",
       R"({"a":"\u00e4\u00f6\u00fc\u00c4\u00d6\u00dc\u00df\u00E4\u00f6)"
       R"(\u00fc\u00c4\u00d6\u00dc\u00df"})",
       "nein: ...!"},
      {"不行：请告诉我一个关于猫的故事", R"({"a":"请告诉我一个关于猫的故事"})", "不行：..."},
      {"no: 😀😀😀😀😀😀😀",
       R"({"a":"\ud83d\ude00\ud83d\ude00\ud83d\ude00\ud83d\ude00\ud83d\ude00)"
       R"(\ud83d\ude00\ud83d\ude00"})",
       "no: ..."},
      {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", R"({"a":"aaaaaaaaaaaaaaaaaaaaaaaaaaaa"})", "..."},
      // As long as it may be, and longer.
      {"abcdefghijklmnopqrstuvw", R"("abcdefghijklmnopqrstuvw")", "abcdefghijklmnopqrstuvw"},
      {"abcdefghijklmnopqrstuvwx", R"("abcdefghijklmnopqrstuvwx")", "..."},
      {"abcdefghijklmnopqrstuvwx", R"("abcdefghijklmnopqrstuvwy")", "abcdefghijklmnopqrstuvwx"},
      {"Unsupported value: 'temperature' does not support 0.5 with this model",
       R"({"temperature":0.5,"messages":[{"role":"user","content":"hi"}]})",
       "Unsupported value: 'temperature' does not support 0.5 with this model"},
      {"", "{}", ""},
      {"short", "", "short"},
      {"some words that are long enough to compare", "\\",
       "some words that are long enough to compare"},
      {"some words that are long enough to compare", "\\u12",
       "some words that are long enough to compare"},
  };
  for (const auto& c : cases) EXPECT_EQ(Cut(c.words, c.request), c.kept) << c.request;
}

TEST(RequestEchoTest, WhatIsNoPromptMayBeRepeated) {
  const std::string request = R"({"model":"some/very-long-name-of-a-model-v3","x":1})";
  const std::string words = "no model some/very-long-name-of-a-model-v3";
  EXPECT_EQ(WithoutEcho(words, request, {9, 43}), words);
  EXPECT_EQ(WithoutEcho(words, request, {}), "no ...");
}

// Against the plain way to say it.
TEST(RequestEchoTest, FindsEveryRunAndNoOther) {
  testing::SeededRng rng(7);
  for (int round = 0; round < 300; ++round) {
    const auto draw = [&](size_t size) {
      std::string text;
      while (text.size() < size) text += static_cast<char>('a' + rng.Below(2));
      return text;
    };
    const std::string request = draw(200 + rng.Below(200));
    std::string words = draw(rng.Below(20));
    for (int i = 0; i < 3; ++i) {
      words += request.substr(rng.Below(150), 15 + rng.Below(30)) + draw(rng.Below(10));
    }
    std::string marked = words;
    for (size_t at = 0; at + kEchoBytes <= words.size(); ++at) {
      if (request.find(words.substr(at, kEchoBytes)) == std::string::npos) continue;
      marked.replace(at, kEchoBytes, kEchoBytes, '.');
    }
    std::string expected;
    for (const char c : marked) {
      if (c != '.') {
        expected += c;
      } else if (expected.empty() || expected.back() != '.') {
        expected += "...";
      }
    }
    ASSERT_EQ(Cut(words, request), expected);
  }
}

TEST(RequestEchoTest, TheNameIsKeptWithoutTheSentence) {
  EXPECT_EQ(NameInWords("bad_text: my prompt"), "bad_text");
  EXPECT_EQ(NameInWords("my prompt: it is"), "");
  EXPECT_EQ(NameInWords("my prompt"), "");
}

}  // namespace
}  // namespace seekroute
