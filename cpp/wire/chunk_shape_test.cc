// Chunks that are no chunks: whole completions, other members in the place of `delta`, none at all.
#include "testing/chat_chunks.h"

namespace seekroute::testing {
namespace {

constexpr std::string_view kHead =
    R"({"id":"gen-1","object":"chat.completion.chunk","created":5,"model":"m/n","choices":[)";

// One event with these choices, under that name.
std::string With(std::string_view choices, std::string_view object = "chat.completion.chunk",
                 std::string_view more = {}) {
  return Event(R"({"id":"up","object":")" + std::string(object) +
               R"(","created":5,"model":"x","choices":[)" + std::string(choices) + "]" +
               std::string(more) + "}");
}
std::string SentWith(std::string_view choices, std::string_view more = {}) {
  return Event(std::string(kHead) + std::string(choices) + "]" + std::string(more) + "}");
}

// A whole completion, which has the text "a".
std::string Whole(std::string_view more = {}) {
  return With(R"({"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"})",
              "chat.completion", more);
}

TEST(ChunkShapeTest, AWholeCompletionAtTheStartIsTheAnswer) {
  const std::string sent =
      SentWith(R"({"index":0,"delta":{"role":"assistant","content":"a"},"finish_reason":"stop"})",
               "," + kUsage);
  EXPECT_EQ(Relay(Whole() + kDone), sent + kDone);
  EXPECT_EQ(Relay(Whole()), sent + kDone);
  EXPECT_EQ(Relay(Whole() + Whole() + kDone).find("\"content\":\"a\""),
            Relay(Whole() + Whole() + kDone).rfind("\"content\":\"a\""))
      << "told twice, it is sent once";
  ChatStream stream(Options());
  std::string out;
  ASSERT_TRUE(stream.Feed(
      Whole(R"(,"usage":{"prompt_tokens":3,"completion_tokens":2},"service_tier":"flex")"), &out));
  EXPECT_EQ(stream.content_bytes(), 1u);
  EXPECT_EQ(stream.content_tokens().tokens, EstimateTokens("a").tokens);
  EXPECT_EQ(stream.usage().completion, 2);
  EXPECT_EQ(stream.finish_reason(), "stop");
  EXPECT_EQ(stream.service_tier(), "flex");
  EXPECT_TRUE(stream.IsWhole());
}

TEST(ChunkShapeTest, AWholeCompletionAtTheEndIsNotSentTwice) {
  const std::string end =
      SentWith(R"({"index":0,"delta":{},"finish_reason":"stop"})", "," + kUsage);
  EXPECT_EQ(Relay(Chunk(kA) + Whole() + kDone), Sent(kA) + end + kDone);
  EXPECT_EQ(Relay(Chunk(kA) + Whole()), Sent(kA) + end + kDone);
  EXPECT_EQ(Relay(Chunk(kRole) + Chunk(kA) + Chunk("{}", "\"stop\"") + Whole() + kDone),
            Sent(kRole) + Sent(kA) + Sent("{}", "\"stop\"") + end + kDone);
  ExpectSameAtEveryCutting(Chunk(kA) + Whole() + kDone, 20);
  ChatStream stream(Options());
  std::string out;
  ASSERT_TRUE(stream.Feed(
      Chunk(kA) + Whole(R"(,"usage":{"prompt_tokens":3,"completion_tokens":2})"), &out));
  EXPECT_EQ(stream.content_bytes(), 1u);
  EXPECT_EQ(stream.content_tokens().tokens, EstimateTokens("a").tokens);
  EXPECT_EQ(stream.usage().completion, 2);
  EXPECT_EQ(stream.finish_reason(), "stop");
  // Of two choices the one that was not sent yet is.
  const std::string both = With(R"({"index":0,"message":{"content":"a"},"finish_reason":"stop"},)"
                                R"({"index":1,"message":{"content":"b"},"finish_reason":"stop"})",
                                "chat.completion");
  EXPECT_EQ(Relay(Chunk(kA) + both + kDone),
            Sent(kA) +
                SentWith(R"({"index":0,"delta":{},"finish_reason":"stop"},)"
                         R"({"index":1,"delta":{"content":"b"},"finish_reason":"stop"})",
                         "," + kUsage) +
                kDone);
}

TEST(ChunkShapeTest, PiecesUnderTheNameOfAMessageAreSentEach) {
  const auto piece = [](std::string_view text, std::string_view finish) {
    return With(R"({"index":0,"message":{"content":")" + std::string(text) +
                R"("},"finish_reason":)" + std::string(finish) + "}");
  };
  const auto sent = [](std::string_view text, std::string_view finish, std::string_view more = {}) {
    return SentWith(R"({"index":0,"delta":{"content":")" + std::string(text) +
                        R"("},"finish_reason":)" + std::string(finish) + "}",
                    more);
  };
  EXPECT_EQ(Relay(piece("a", "null") + piece("b", "null") + piece("c", "\"stop\"") + kDone),
            sent("a", "null") + sent("b", "null") + sent("c", "\"stop\"", "," + kUsage) + kDone);
}

TEST(ChunkShapeTest, EveryChoiceGetsADelta) {
  const struct {
    const char* choice;
    const char* sent;
  } cases[] = {
      {R"({"index":0,"delta":null,"finish_reason":"stop"})",
       R"({"index":0,"delta":{},"finish_reason":"stop"})"},
      {R"({"index":0,"finish_reason":"stop"})", R"({"delta":{},"index":0,"finish_reason":"stop"})"},
      {R"({"index":0,"message":null,"finish_reason":"stop"})",
       R"({"index":0,"delta":{},"finish_reason":"stop"})"},
      {R"({"index":0,"message":"x","finish_reason":"stop"})",
       R"({"delta":{},"index":0,"message":"x","finish_reason":"stop"})"},
      {R"({"text":"a\n","index":0,"finish_reason":"stop"})",
       R"({"delta":{"content":"a\n"},"index":0,"finish_reason":"stop"})"},
      {R"({"text":null,"index":0,"finish_reason":"stop"})",
       R"({"delta":{},"index":0,"finish_reason":"stop"})"},
      {R"({"delta":null,"text":"a","finish_reason":"stop"})",
       R"({"delta":{"content":"a"},"text":"a","finish_reason":"stop"})"},
      {R"({"delta":null,"message":{"content":"a"},"finish_reason":"stop"})",
       R"({"message":null,"delta":{"content":"a"},"finish_reason":"stop"})"},
      {R"({"message":{"tool_calls":[{"id":"c"},{}]},"delta":null,"finish_reason":"stop"})",
       R"({"delta":{"tool_calls":[{"index":0,"id":"c"},{"index":1}]},"message":null,"finish_reason":"stop"})"},
      {R"({"delta":{"content":"a"},"message":{"content":"a"},"finish_reason":"stop"})",
       R"({"delta":{"content":"a"},"message":{"content":"a"},"finish_reason":"stop"})"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(Relay(With(c.choice) + kDone), SentWith(c.sent, "," + kUsage) + kDone) << c.choice;
  }
  const std::string empty = With("{}") + With(R"({"finish_reason":"stop"})") + kDone;
  EXPECT_EQ(Relay(empty), SentWith(R"({"delta":{}})") +
                              SentWith(R"({"delta":{},"finish_reason":"stop"})", "," + kUsage) +
                              kDone);
  ChatStream stream(Options());
  std::string out;
  ASSERT_TRUE(stream.Feed(With(R"({"text":"abc"})", "text_completion"), &out));
  EXPECT_EQ(out, SentWith(R"({"delta":{"content":"abc"}})"));
  EXPECT_EQ(stream.content_bytes(), 3u);
  for (const char* delta : {"\"a\"", "[]", "3"}) {
    EXPECT_EQ(Relay(With(R"({"delta":)" + std::string(delta) + "}")), "!bad_upstream_response");
  }
}

}  // namespace
}  // namespace seekroute::testing
