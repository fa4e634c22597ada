#include "wire/openai/chat_prompt.h"

#include <gtest/gtest.h>

#include <string>

#include "wire/openai/chat_answer.h"
#include "wire/openai/chat_stream.h"

namespace seekroute {
namespace {

constexpr std::string_view kText =
    "The night train was late again, so we played cards on a suitcase until the lamps went out.";

std::string Request(std::string_view content, std::string_view more = {}) {
  return R"({"model":"m","messages":[{"role":"user","content":)" + std::string(content) + "}]" +
         std::string(more) + "}";
}

std::string Quoted(std::string_view text) { return '"' + std::string(text) + '"'; }

int64_t Empty() { return EstimateChatPrompt(Request("\"\"")).tokens; }

TEST(ChatPromptTest, IsTheTextAndATemplate) {
  const TokenEstimate text = EstimateTokens(kText);
  const TokenEstimate prompt = EstimateChatPrompt(Request(Quoted(kText)));
  EXPECT_EQ(prompt.tokens, text.tokens + 4 + 3);
  EXPECT_GT(prompt.upper, text.upper);
  EXPECT_LT(prompt.upper, text.upper + 40);
}

TEST(ChatPromptTest, EscapesAreWhatTheyMean) {
  const TokenEstimate plain =
      EstimateChatPrompt(Request("\"caf\xc3\xa9 \xe4\xbd\xa0\xe5\xa5\xbd\""));
  const TokenEstimate escaped = EstimateChatPrompt(Request(R"("caf\u00e9 \u4f60\u597d")"));
  EXPECT_EQ(escaped.tokens, plain.tokens);
  EXPECT_EQ(escaped.upper, plain.upper);
  EXPECT_EQ(EstimateChatPrompt(Request(R"("a\n\n\tb")")).tokens,
            EstimateTokens("a\n\n\tb").tokens + 7);
}

TEST(ChatPromptTest, WhatIsNotPromptIsNotCounted) {
  const std::string noise(4000, 'x');
  EXPECT_EQ(EstimateChatPrompt(Request("\"\"", ",\"user\":" + Quoted(noise))).tokens, Empty());
  EXPECT_EQ(
      EstimateChatPrompt(Request("\"\"", ",\"metadata\":{\"k\":" + Quoted(noise) + "}")).tokens,
      Empty());
  EXPECT_EQ(
      EstimateChatPrompt(Request("\"\"", R"(,"response_format":{"type":"json_object"})")).tokens,
      Empty());
}

TEST(ChatPromptTest, ImagesCostByTheirDetailNotTheirBytes) {
  const std::string url = R"({"url":"data:image/png;base64,)" + std::string(200'000, 'A') + '"';
  const auto image = [&](std::string_view detail) {
    return EstimateChatPrompt(
               Request(R"([{"type":"image_url","image_url":)" + url + std::string(detail) + "}}]"))
               .tokens -
           Empty();
  };
  EXPECT_EQ(image(R"(,"detail":"low")"), 85);
  EXPECT_EQ(image(R"(,"detail":"high")"), 765);
  EXPECT_EQ(image(""), 765);
  EXPECT_EQ(
      EstimateChatPrompt(Request(R"([{"type":"image_url","image_url":"https://x/y"}])")).tokens -
          Empty(),
      765);
}

// What claims to be a picture and is a file is expected as one; what the client runs is no search.
TEST(ChatPromptTest, FilesAreNoPicturesAndToolsOfTheClientNoSearches) {
  const auto image = [](const std::string& url) {
    return EstimateChatPrompt(
               Request(R"([{"type":"image_url","image_url":{"format":"image/png","url":")" + url +
                       R"("}}])"))
               .tokens -
           Empty();
  };
  EXPECT_EQ(image("data:image/png;base64,iVBORw0KGgo="), 765);
  EXPECT_GT(image("data:image/png;base64,JVBERi0x" + std::string(1'280'000, 'A')), 10'000);
  const std::string_view tools = R"(,"tools":[{"type":"bash_20250124","name":"bash"}])";
  const TokenEstimate with = EstimateChatPrompt(Request("\"\"", tools));
  EXPECT_GE(with.tokens, Empty() + 512);
  EXPECT_LT(with.tokens, Empty() + 600);
  EXPECT_LT(with.upper, 1200);
}

TEST(ChatPromptTest, SoundAndFilesCostByTheirLength) {
  const auto part = [&](size_t size, std::string_view kind, std::string_view key,
                        std::string head = "") {
    head.resize(size, 'A');
    return EstimateChatPrompt(Request(R"([{"type":")" + std::string(kind) + R"(",")" +
                                      std::string(kind) + R"(":{")" + std::string(key) + R"(":")" +
                                      head + R"("}}])"))
               .tokens -
           Empty();
  };
  // WAV; and sound that may be longer than it looks.
  EXPECT_EQ(part(20'480, "input_audio", "data",
                 "UklGRiUAAABXQVZFZm10IBAAAAABAAEAoA8AAKAPAAABAAgAZGF0Yf////8A"),
            11);
  EXPECT_EQ(part(20'480, "input_audio", "data", "ZkxhQwAAACIQABAA"), 1024);
  EXPECT_EQ(part(20'480'000, "input_audio", "data", "ZkxhQwAAACIQABAA"), 10'001);
  EXPECT_EQ(part(128'000, "file", "file_data"), 1001);
}

TEST(ChatPromptTest, PartsToolsAndCallsAreText) {
  const TokenEstimate text = EstimateTokens(kText);
  EXPECT_EQ(
      EstimateChatPrompt(Request("[{\"type\":\"text\",\"text\":" + Quoted(kText) + "}]")).tokens,
      Empty() + text.tokens);
  const std::string tools =
      R"([{"type":"function","function":{"name":"weather","parameters":{"type":"object"}}}])";
  EXPECT_EQ(EstimateChatPrompt(Request("\"\"", ",\"tools\":" + tools)).tokens,
            Empty() + EstimateTokens(tools).tokens);
  const std::string call =
      R"({"messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":)"
      R"("function","function":{"name":"weather","arguments":"{\"city\":\"Ghent\"}"}}]}]})";
  EXPECT_EQ(EstimateChatPrompt(call).tokens,
            3 + 4 + 4 + EstimateTokens(R"(weather{"city":"Ghent"})").tokens);
}

TEST(ChatPromptTest, WhatIsNotJsonIsText) {
  EXPECT_EQ(EstimateChatPrompt(kText).tokens, EstimateTokens(kText).tokens);
}

// An array has no members: where a key would stand is what the stack held before.
TEST(ChatPromptTest, WhatIsNotAnObjectIsText) {
  for (const std::string_view body : {"[2]", "[[2],\"tools\",{\"tools\":[1]}]", "\"tools\"", "2"}) {
    EstimateChatPrompt(Request("\"\"", R"(,"x":{"y":[1,2,3]})"));
    const TokenEstimate prompt = EstimateChatPrompt(body);
    EXPECT_EQ(prompt.tokens, EstimateTokens(body).tokens) << body;
    EXPECT_EQ(prompt.upper, EstimateTokens(body).upper) << body;
  }
}

// The same words cost the same, streamed in any pieces or whole.
TEST(ChatPromptTest, AnswersCountTheirContent) {
  const int64_t expected = EstimateTokens(kText).tokens;
  const std::string whole = R"({"choices":[{"index":0,"message":{"role":"assistant","content":)" +
                            Quoted(kText) + R"(},"finish_reason":"stop"}]})";
  EXPECT_EQ(EstimateChatAnswer(whole).tokens, expected);

  ChatStream stream(ChatStream::Options{});
  std::string out;
  for (size_t at = 0; at < kText.size(); at += 3) {
    const std::string event = R"(data: {"choices":[{"index":0,"delta":{"content":)" +
                              Quoted(kText.substr(at, 3)) + "}}]}\n\n";
    ASSERT_TRUE(stream.Feed(event, &out));
  }
  EXPECT_EQ(stream.content_tokens().tokens, expected);
}

TEST(ChatPromptTest, ChoicesThatComeInTurnsAreSeparateTexts) {
  ChatStream stream(ChatStream::Options{});
  std::string out;
  for (const std::string_view index : {"0", "1", "0", "1"}) {
    ASSERT_TRUE(stream.Feed(R"(data: {"choices":[{"index":)" + std::string(index) +
                                R"(,"delta":{"content":" of"}}]})" + "\n\n",
                            &out));
  }
  EXPECT_EQ(stream.content_tokens().tokens, 4);
}

// What stands elsewhere in a request under the name of a content is none.
TEST(ChatPromptTest, PartsAreThoseOfMessages) {
  for (const char* field : {R"(,"x":{"a":{"content":[{}]}})", R"(,"x":[{"content":[{},{}]}])",
                            R"(,"metadata":{"a":{"content":[{}]}})"}) {
    EXPECT_EQ(EstimateChatPrompt(Request("\"\"", field)).tokens, Empty()) << field;
  }
  // The last member of the last message is over when the next field begins.
  const std::string messages =
      R"({"model":"m","messages":[{"role":"user","content":"","images":["a"]}])";
  EXPECT_EQ(EstimateChatPrompt(messages + R"(,"x":"https://y"})").tokens,
            EstimateChatPrompt(messages + "}").tokens);
  EXPECT_EQ(EstimateChatPrompt(R"({"messages":[],"x":"https://y"})").tokens,
            EstimateChatPrompt(R"({"messages":[]})").tokens);
}

// Fields that nobody knows, and those that are known in another letter case.
TEST(ChatPromptTest, ManyFieldsAreRead) {
  std::string fields;
  for (int i = 0; i < 2000; ++i) fields += ",\"a" + std::to_string(i) + "\":\"x\"";
  const TokenEstimate many = EstimateChatPrompt(Request("\"\"", fields));
  EXPECT_EQ(many.tokens, Empty());
  EXPECT_GE(many.upper, static_cast<int64_t>(fields.size() - 2000));
}

}  // namespace
}  // namespace seekroute
