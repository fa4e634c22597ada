// The thinking of an answer under both of its names.
#include "testing/chat_chunks.h"
#include "wire/openai/chat_answer.h"
#include "wire/openai/chat_object.h"
#include "wire/openai/chat_stream.h"

namespace seekroute::testing {
namespace {

struct Case {
  const char *from, *to;  // a message or a delta
};

constexpr Case kCases[] = {
    {R"({"content":"a","reasoning_content":"b\u00e9\n"})",
     R"({"content":"a","reasoning_content":"b\u00e9\n","reasoning":"b\u00e9\n"})"},
    {R"({"reasoning_content" : "b" , "content":"a"})",
     R"({"reasoning_content" : "b","reasoning":"b" , "content":"a"})"},
    // A null is no word of the provider's own.
    {R"({"content":"a","reasoning":null,"reasoning_content":"b"})",
     R"({"content":"a","reasoning":"b","reasoning_content":"b"})"},
    {R"({"content":"a","reasoning_content":"b","reasoning":null})",
     R"({"content":"a","reasoning_content":"b","reasoning":"b"})"},
    {R"({"reasoning":"","content":"a","reasoning_content":"b"})",
     R"({"reasoning":"b","content":"a","reasoning_content":"b"})"},
    // Nothing to offer, or offered already.
    {R"({"content":"a","reasoning":3,"reasoning_content":"b"})", nullptr},
    {R"({"content":"a","reasoning":"","reasoning_content":""})", nullptr},
    {R"({"content":"a","reasoning_content":"b","reasoning":"c"})", nullptr},
    {R"({"content":"a","reasoning":[],"reasoning_content":"b"})", nullptr},
    {R"({"content":"a","reasoning_content":null})", nullptr},
    {R"({"content":"a","reasoning_content":""})", nullptr},
    {R"({"content":"a","reasoning_content":["b"]})", nullptr},
    {R"({"content":"a","tool_calls":[{"index":0,"reasoning_content":"b"}]})", nullptr},
};

const char* Wanted(const Case& c) { return c.to == nullptr ? c.from : c.to; }

TEST(ReasoningNamesTest, ADeltaHasBothWhereTheyAreAskedFor) {
  for (const Case& c : kCases) {
    for (const bool repeats : {false, true}) {
      ChatStream::Options options = Options();
      options.names.repeats_reasoning = repeats;
      ChatStream stream(options);
      std::string out;
      ASSERT_TRUE(stream.Feed(Chunk(c.from), &out)) << c.from;
      EXPECT_EQ(out, Sent(repeats ? Wanted(c) : c.from)) << c.from;
    }
  }
}

TEST(ReasoningNamesTest, AMessageHasBoth) {
  for (const Case& c : kCases) {
    const auto with = [](std::string_view message) {
      return R"({"id":"i","object":"o","created":5,"model":"m","usage":null,"choices":[{"index":0,)"
             R"("message":)" +
             std::string(message) + R"(,"reasoning_content":"of the choice"},{"message":)" +
             std::string(message) + "}]}";
    };
    const std::string body = with(c.from);
    const Result<ChatAnswer> answer = ParseChatAnswer(body);
    ASSERT_TRUE(answer.has_value()) << body;
    const std::string out = RewriteChatAnswer(body, *answer, {"i", "o", "m", 5, true}, {});
    const std::string wanted = with(Wanted(c));
    const auto tail = [](const std::string& text) { return text.substr(text.find("\"choices\"")); };
    EXPECT_EQ(tail(out), tail(wanted));
    EXPECT_EQ(tail(RewriteChatAnswer(body, *answer, {"i", "o", "m", 5, false}, {})), tail(body));
  }
}

TEST(ReasoningNamesTest, AsManyChoicesAsAnAnswerMayHave) {
  std::string body = R"({"choices":[)";
  std::string wanted = R"("choices":[)";
  for (int64_t i = 0; i < kMaxAnswerChoices; ++i) {
    const std::string head =
        (i > 0 ? "," : "") + (R"({"index":)" + std::to_string(i)) + R"(,"message":{)";
    body += head + R"("reasoning_content":"b"}})";
    wanted += head + R"("reasoning_content":"b","reasoning":"b"}})";
  }
  body += "]}";
  wanted += "]}";
  const Result<ChatAnswer> answer = ParseChatAnswer(body);
  ASSERT_TRUE(answer.has_value());
  const std::string out = RewriteChatAnswer(body, *answer, {"i", "o", "m", 5, true}, {});
  EXPECT_EQ(out.substr(out.find("\"choices\"")), wanted);
}

// A provider that sends it twice has not thought twice.
TEST(ReasoningNamesTest, TheSameTextCountsOnce) {
  const auto bytes = [](std::string_view message) {
    const std::string body = R"({"choices":[{"message":)" + std::string(message) + "}]}";
    return ParseChatAnswer(body)->content_bytes;
  };
  EXPECT_EQ(bytes(R"({"content":"a","reasoning_content":"bcd"})"), 4u);
  EXPECT_EQ(bytes(R"({"content":"a","reasoning_content":"bcd","reasoning":"bcd"})"), 4u);
  EXPECT_EQ(bytes(R"({"content":"a","reasoning":"bcd","reasoning_content":"bcd"})"), 4u);
  EXPECT_EQ(bytes(R"({"content":"a","reasoning":"bcd","reasoning_content":"bce"})"), 7u);
}

}  // namespace
}  // namespace seekroute::testing
