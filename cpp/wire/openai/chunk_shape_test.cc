// Chunks that are no chunks: whole completions, other members in the place of `delta`, none at all.
#include <malloc.h>

#include <limits>
#include <vector>

#include "testing/chat_chunks.h"
#include "wire/openai/chat_collect.h"
#include "wire/openai/chunk_shape.h"

namespace seekroute::testing {
namespace {

// A whole completion, which has the text "a".
std::string Whole(std::string_view more = {}) {
  return With(R"({"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"})",
              "chat.completion", more);
}

TEST(ChunkShapeTest, AWholeCompletionAtTheStartIsTheAnswer) {
  const std::string sent =
      SentWith(R"({"index":0,"delta":{"role":"assistant","content":"a"},"finish_reason":"stop"})") +
      kEnd;
  EXPECT_EQ(Relay(Whole() + kDone), sent + kDone);
  EXPECT_EQ(Relay(Whole()), sent + kDone);
  EXPECT_EQ(Relay(Whole() + Whole() + kDone).find("\"content\":\"a\""),
            Relay(Whole() + Whole() + kDone).rfind("\"content\":\"a\""))
      << "told twice, it is sent once";
  ChatStream stream(Options());
  std::string out;
  ASSERT_TRUE(stream.Feed(
      Whole(R"(,"usage":{"prompt_tokens":3,"completion_tokens":2},"service_tier":"flex")"), &out));
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
                         R"({"index":1,"delta":{"content":"b"},"finish_reason":"stop"})") +
                kEnd + kDone);
}

TEST(ChunkShapeTest, PiecesUnderTheNameOfAMessageAreSentEach) {
  const auto piece = [](std::string_view text, std::string_view finish) {
    return With(R"({"index":0,"message":{"content":")" + std::string(text) +
                R"("},"finish_reason":)" + std::string(finish) + "}");
  };
  const auto sent = [](std::string_view text, std::string_view finish) {
    return SentWith(R"({"index":0,"delta":{"content":")" + std::string(text) +
                    R"("},"finish_reason":)" + std::string(finish) + "}");
  };
  EXPECT_EQ(Relay(piece("a", "null") + piece("b", "null") + piece("c", "\"stop\"") + kDone),
            sent("a", "null") + sent("b", "null") + sent("c", "\"stop\"") + kEnd + kDone);
}

// Whatever a provider writes into the pieces while the choice goes on, and whatever they repeat.
TEST(ChunkShapeTest, PiecesUnderTheNameOfAMessageLoseNothing) {
  const std::vector<std::vector<std::string>> texts = {
      {"The", " ", "cat", " ", "sat", "", "The", "."},
      {"ha", " ", "ha", " ", "ha"},
      {"\n", "\n", "  ", "a line of more than sixteen bytes\n",
       "a line of more than sixteen bytes\n", "a line of more than sixteen bytes\n"},
  };
  for (const char* object : {"chat.completion", "chat.completion.chunk", "message"}) {
    for (const char* finish : {"null", "\"\"", "\"null\"", "\"none\"", "\"None\""}) {
      for (const std::vector<std::string>& pieces : texts) {
        std::string in, out;
        for (const std::string& text : pieces) {
          std::string message = R"({"role":"assistant","content":)";
          AppendJsonString(text, &message);
          message += R"(},"finish_reason":)" + std::string(finish) + "}";
          in += With(R"({"index":0,"message":)" + message, object);
          out += SentWith(R"({"index":0,"delta":)" + message);
        }
        EXPECT_EQ(Relay(in + Chunk("{}", "\"stop\"") + kDone),
                  out + Sent("{}", "\"stop\"", "," + kUsage) + kDone)
            << object << finish << pieces[0];
      }
      const auto call = [&](std::string_view name, std::string_view entry) {
        return R"({"index":0,")" + std::string(name) + R"(":{"tool_calls":[)" + std::string(entry) +
               R"(]},"finish_reason":)" + std::string(finish) + "}";
      };
      std::string in, out;
      for (const char* entry :
           {R"({"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":"}})",
            R"({"index":0,"function":{"arguments":"1"}})",
            R"({"index":0,"function":{"arguments":"1"}})",
            R"({"index":0,"function":{"arguments":"}"}})"}) {
        in += With(call("message", entry), object);
        out += SentWith(call("delta", entry));
      }
      EXPECT_EQ(Relay(in + Chunk("{}", "\"stop\"") + kDone),
                out + Sent("{}", "\"stop\"", "," + kUsage) + kDone)
          << object << finish;
    }
  }
}

// It is sent at once, though it says the same twice and more of it comes than may be held.
TEST(ChunkShapeTest, ThinkingUnderOtherNamesIsOutput) {
  for (const char* name :
       {"reasoning_text", "reasoning_summary", "thinking", "thought", "thoughts"}) {
    const std::string delta = "{\"" + std::string(name) + "\":\"ha \"}";
    ChatStream::Options options = Options();
    options.may_fall_back = true;
    ChatStream stream(options);
    std::string out, sent, text;
    for (int i = 0; i < 200; ++i) {
      ASSERT_TRUE(stream.Feed(Chunk(delta), &out).ok());
      sent += Sent(delta);
      text += "ha ";
    }
    EXPECT_EQ(out, sent) << name;
    EXPECT_TRUE(stream.any_content());
    EXPECT_EQ(stream.content_tokens().tokens, EstimateTokens(text).tokens);
    ChatCollector collector(size_t{1} << 20);
    ASSERT_TRUE(collector.Add(out).ok());
    EXPECT_NE(collector.Write().find(text), std::string::npos) << name;
  }
}

// The helper for streams in OpenAI's SDK raises for another one.
TEST(ChunkShapeTest, EveryChunkSaysThatItIsOne) {
  for (const char* object : {R"("chat.completion")", R"("text_completion")", R"("")", "null", "[1]",
                             "{}", "3", R"("chat\u002ecompletion.chunk")"}) {
    const std::string head = R"({"id":"up", "object" : )" + std::string(object);
    EXPECT_EQ(
        Relay(Event(head +
                    R"( ,"created":5,"model":"x","choices":[{"index":0,"delta":{"content":"a"},)"
                    R"("finish_reason":"stop"}]})") +
              kDone),
        Event(R"({"id":"gen-1", "object" : "chat.completion.chunk" ,"created":5,"model":"m/n",)"
              R"("choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]})") +
            kEnd + kDone)
        << object;
  }
}

TEST(ChunkShapeTest, ToolCallsOfAStreamGetTheIndexTheyLack) {
  const struct {
    std::vector<const char*> calls;  // a chunk each
    std::vector<const char*> sent;
  } cases[] = {
      {{R"({"id":"a","function":{"name":"f","arguments":""}})", R"({"function":{"arguments":"1"}})",
        R"({"index":null,"function":{"arguments":"2"}})", R"({"id":"b","function":{"name":"f"}})",
        R"({"function":{"arguments":"3"}})", R"({"id":"a","function":{"arguments":"4"}})"},
       {R"({"index":0,"id":"a","function":{"name":"f","arguments":""}})",
        R"({"index":0,"function":{"arguments":"1"}})",
        R"({"index":0,"function":{"arguments":"2"}})",
        R"({"index":1,"id":"b","function":{"name":"f"}})",
        R"({"index":1,"function":{"arguments":"3"}})",
        R"({"index":0,"id":"a","function":{"arguments":"4"}})"}},
      {{R"({"function":{"name":"f"}})", R"({"function":{"name":"g"}})", "{}"},
       {R"({"index":0,"function":{"name":"f"}})", R"({"index":1,"function":{"name":"g"}})",
        R"({"index":1})"}},
      {{R"({"index":3,"id":"a"})", "{}", R"({"id":"b"})"},
       {R"({"index":3,"id":"a"})", R"({"index":3})", R"({"index":4,"id":"b"})"}},
      {{R"({"id":"a"},{"id":"b"})", R"({"index":"0"})"},
       {R"({"index":0,"id":"a"},{"index":1,"id":"b"})", R"({"index":1})"}},
  };
  for (const auto& c : cases) {
    std::string in, out;
    const auto delta = [](const char* calls) {
      return R"({"tool_calls":[)" + std::string(calls) + "]}";
    };
    for (const char* call : c.calls) in += Chunk(delta(call));
    for (const char* call : c.sent) out += Sent(delta(call));
    EXPECT_EQ(Relay(in + Chunk("{}", "\"stop\"") + kDone),
              out + Sent("{}", "\"stop\"", "," + kUsage) + kDone);
  }
}

TEST(ChunkShapeTest, CallsAreToldApartWhereTheirIndexIsOne) {
  // An index below 0 is none; an id of digits is a number.
  const auto call = [](int index, std::string_view id, std::string_view name,
                       std::string_view arguments) {
    std::string entry = index < 0 ? "{\"x\":1" : "{\"index\":" + std::to_string(index);
    const bool is_bare = id == "null" || id == "7" || id == "8";
    if (!id.empty())
      entry += ",\"id\":" + (is_bare ? std::string(id) : '"' + std::string(id) + '"');
    entry += ",\"function\":{";
    if (!name.empty()) entry += "\"name\":\"" + std::string(name) + "\",";
    entry += "\"arguments\":";
    AppendJsonString(arguments, &entry);
    return entry + "}}";
  };
  const struct {
    const char* what;
    std::vector<std::string> calls;  // a chunk each
    std::vector<std::string> sent;
  } cases[] = {
      {"whole calls that all have index 0",
       {call(0, "a", "f", "{}"), call(0, "b", "f", "{}"), call(0, "c", "g", "{}")},
       {call(0, "a", "f", "{}"), call(1, "b", "f", "{}"), call(2, "c", "g", "{}")}},
      {"the same in pieces",
       {call(0, "a", "f", ""), call(0, "", "", "1"), call(0, "b", "f", ""), call(0, "", "", "2"),
        call(0, "a", "", "3"), call(0, "", "", "4")},
       {call(0, "a", "f", ""), call(0, "", "", "1"), call(1, "b", "f", ""), call(1, "", "", "2"),
        call(0, "a", "", "3"), call(0, "", "", "4")}},
      {"a new id with every piece",
       {call(0, "a", "f", "{\"x\""), call(0, "b", "", ":1"), call(0, "c", "", "}")},
       {call(0, "a", "f", "{\"x\""), call(0, "null", "", ":1"), call(0, "null", "", "}")}},
      {"a new id with every piece, and the name again",
       {call(0, "a", "f", "{\"x\""), call(0, "b", "f", ":1}")},
       {call(0, "a", "f", "{\"x\""), call(0, "null", "f", ":1}")}},
      {"an id that comes later",
       {call(0, "", "f", ""), call(0, "a", "", "{}")},
       {call(0, "", "f", ""), call(0, "a", "", "{}")}},
      {"two in one chunk",
       {call(0, "a", "f", "") + ',' + call(0, "b", "g", ""), call(0, "", "", "{}")},
       {call(0, "a", "f", "") + ',' + call(1, "b", "g", ""), call(1, "", "", "{}")}},
      {"two of one name in one chunk",
       {call(0, "a", "f", "") + ',' + call(0, "b", "f", "")},
       {call(0, "a", "f", "") + ',' + call(1, "b", "f", "")}},
      {"two in one chunk without ids",
       {call(0, "", "f", "{}") + ',' + call(0, "", "f", "{}")},
       {call(0, "", "f", "{}") + ',' + call(1, "", "f", "{}")}},
      {"two pieces of a call in one chunk",
       {call(0, "a", "f", "{") + ',' + call(0, "", "", "}") + ',' + call(0, "a", "", " ")},
       {call(0, "a", "f", "{") + ',' + call(0, "", "", "}") + ',' + call(0, "a", "", " ")}},
      {"another name while the arguments are open",
       {call(0, "a", "f", "{\"x\""), call(0, "b", "g", "{}")},
       {call(0, "a", "f", "{\"x\""), call(1, "b", "g", "{}")}},
      {"another name without an id",
       {call(0, "", "f", "{}"), call(0, "", "g", ""), call(0, "", "", "{}")},
       {call(0, "", "f", "{}"), call(1, "", "g", ""), call(1, "", "", "{}")}},
      {"one name without an id, whole each",
       {call(0, "", "f", "{}"), call(0, "", "f", "{}"), call(0, "", "f", "")},
       {call(0, "", "f", "{}"), call(1, "", "f", "{}"), call(1, "", "f", "")}},
      {"ids that are numbers",
       {call(0, "7", "f", "{}"), call(0, "8", "g", "{}"), call(0, "8", "", " ")},
       {call(0, "7", "f", "{}"), call(1, "8", "g", "{}"), call(1, "8", "", " ")}},
      {"a new id and the name with every piece, the first of them empty",
       {call(0, "a", "f", ""), call(0, "b", "f", "{\"p\""), call(0, "c", "f", ":1}")},
       {call(0, "a", "f", ""), call(0, "null", "f", "{\"p\""), call(0, "null", "f", ":1}")}},
      {"no index, and the name with every piece",
       {call(-1, "", "f", "{\"p\""), call(-1, "", "f", ":1}"), call(-1, "", "f", "{}"),
        call(-1, "", "g", "")},
       {call(0, "", "f", "{\"p\""), call(0, "", "f", ":1}"), call(1, "", "f", "{}"),
        call(2, "", "g", "")}},
      {"no index, and a new id with every piece",
       {call(-1, "a", "f", "{\"p\""), call(-1, "b", "", ":1}"), call(-1, "c", "", "")},
       {call(0, "a", "f", "{\"p\""), call(0, "null", "", ":1}"), call(0, "null", "", "")}},
      {"no index, and whole calls of one name",
       {call(-1, "a", "f", "{}"), call(-1, "b", "f", "{}")},
       {call(0, "a", "f", "{}"), call(1, "b", "f", "{}")}},
      {"tools of their own kind, whose input is free text",
       {R"({"index":0,"id":"a","custom":{"name":"f","input":"x"}})",
        R"({"index":0,"custom":{"input":"y"}})",
        R"({"index":0,"id":"b","custom":{"name":"f","input":"z"}})"},
       {R"({"index":0,"id":"a","custom":{"name":"f","input":"x"}})",
        R"({"index":0,"custom":{"input":"y"}})",
        R"({"index":1,"id":"b","custom":{"name":"f","input":"z"}})"}},
  };
  for (const auto& c : cases) {
    std::string in, out;
    for (std::string entry : c.calls) {
      if (entry.starts_with("{\"x\":1,")) entry.erase(1, 6);
      in += Chunk("{\"tool_calls\":[" + entry + "]}");
    }
    for (const std::string& entry : c.sent) out += Sent("{\"tool_calls\":[" + entry + "]}");
    EXPECT_EQ(Relay(in + Chunk("{}", "\"stop\"") + kDone),
              out + Sent("{}", "\"stop\"", "," + kUsage) + kDone)
        << c.what;
    ExpectSameAtEveryCutting(in + kDone, 5);
  }
}

// OpenAI's SDKs put the pieces of an answer together by it, unasked.
TEST(ChunkShapeTest, EveryChoiceGetsAnIndex) {
  const struct {
    const char* choices;
    const char* sent;
  } cases[] = {
      {R"({"delta":{"content":"a"}})", R"({"index":0,"delta":{"content":"a"}})"},
      {R"({"delta":{"content":"a"},"index":null})", R"({"delta":{"content":"a"},"index":0})"},
      {R"({"index":"0","delta":{"content":"a"}})", R"({"index":0,"delta":{"content":"a"}})"},
      {R"({"index":[],"delta":{"content":"a"}})", R"({"index":0,"delta":{"content":"a"}})"},
      {R"({"index":0.0,"delta":{"content":"a"}})", R"({"index":0,"delta":{"content":"a"}})"},
      {R"({"index":1e0,"delta":{"content":"a"}})", R"({"index":1,"delta":{"content":"a"}})"},
      {R"({"text":"a"})", R"({"index":0,"delta":{"content":"a"}})"},
      {R"({"finish_reason":null,"message":{"content":"a"}})",
       R"({"index":0,"finish_reason":null,"delta":{"content":"a"}})"},
      {R"({"delta":{"content":"a"}},{"delta":{"content":"b"}})",
       R"({"index":0,"delta":{"content":"a"}},{"index":1,"delta":{"content":"b"}})"},
      {R"({"index":3,"delta":{"content":"a"}},{"delta":{"content":"b"}},{})",
       R"({"index":3,"delta":{"content":"a"}},{"index":1,"delta":{"content":"b"}},{"index":2,"delta":{}})"},
      {R"({"delta":{"tool_calls":[{"id":"c"}]}})",
       R"({"index":0,"delta":{"tool_calls":[{"index":0,"id":"c"}]}})"},
      {R"({"index":0,"delta":{"tool_calls":[{"index":1.0,"id":"c"}]}})",
       R"({"index":0,"delta":{"tool_calls":[{"index":1,"id":"c"}]}})"},
      {R"({"index":0,"delta":{"tool_calls":[{"index":-1,"id":"c"}]}})",
       R"({"index":0,"delta":{"tool_calls":[{"index":0,"id":"c"}]}})"},
  };
  for (const auto& c : cases) {
    ChatStream stream(Options());
    std::string out;
    ASSERT_TRUE(stream.Feed(With(c.choices), &out).ok()) << c.choices;
    EXPECT_EQ(out, SentWith(c.sent)) << c.choices;
    ExpectSameAtEveryCutting(With(c.choices) + kDone, 5);
  }
  EXPECT_EQ(AnswerWithMessages(
                R"({"choices":[{"message":{"content":"a"}},{"index":"x","message":null},{}]})"),
            R"({"choices":[{"index":0,"message":{"content":"a"}},)"
            R"({"index":1,"message":{"role":"assistant","content":null}},)"
            R"({"index":2,"message":{"role":"assistant","content":null}}]})");
  EXPECT_TRUE(ParseChatAnswer(R"({"choices":[{"message":{"content":"a"}}]})")->lacks_member);
  EXPECT_FALSE(
      ParseChatAnswer(R"({"choices":[{"index":0,"message":{"content":"a"}}]})")->lacks_member);
}

TEST(ChunkShapeTest, ContentWaitsForNothing) {
  ChatStream stream(Options());
  std::string out;
  ASSERT_TRUE(stream.Feed(
      Chunk(kA, "\"stop\"", R"(,"usage":{"prompt_tokens":3,"completion_tokens":2})"), &out));
  EXPECT_EQ(out, Sent(kA, "\"stop\""));
  EXPECT_TRUE(stream.HasFinalUsage());
  ASSERT_TRUE(stream.Feed(kDone, &out));
  stream.Finish(Report(), &out);
  EXPECT_EQ(out, Sent(kA, "\"stop\"") + kEnd + kDone);
}

TEST(ChunkShapeTest, EveryChoiceOfAnAnswerGetsAMessage) {
  const struct {
    const char* choice;
    const char* answer;
  } cases[] = {
      {R"({"text":"a\n","index":0})",
       R"({"message":{"role":"assistant","content":"a\n"},"index":0})"},
      {R"({"message":null,"text":"a"})",
       R"({"index":0,"message":{"role":"assistant","content":"a"},"text":"a"})"},
      {R"({"message":null})", R"({"index":0,"message":{"role":"assistant","content":null}})"},
      {R"({"message":"a"})", R"({"index":0,"message":{"role":"assistant","content":"a"}})"},
      {R"({"index":0})", R"({"message":{"role":"assistant","content":null},"index":0})"},
      {R"({})", R"({"index":0,"message":{"role":"assistant","content":null}})"},
      {R"({"delta":{"content":"a"}})",
       R"({"index":0,"message":{"role":"assistant","content":"a"}})"},
      {R"({"delta":{"role":"assistant"},"message":null})",
       R"({"index":0,"message":{"role":"assistant"},"delta":null})"},
      {R"({"message":{}})", R"({"index":0,"message":{}})"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(AnswerWithMessages(R"({"choices":[)" + std::string(c.choice) + "]}"),
              R"({"choices":[)" + std::string(c.answer) + "]}");
  }
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
       R"({"index":0,"delta":{"content":"a"},"text":"a","finish_reason":"stop"})"},
      {R"({"delta":null,"message":{"content":"a"},"finish_reason":"stop"})",
       R"({"index":0,"message":null,"delta":{"content":"a"},"finish_reason":"stop"})"},
      {R"({"message":{"tool_calls":[{"id":"c"},{}]},"delta":null,"finish_reason":"stop"})",
       R"({"index":0,"delta":{"tool_calls":[{"index":0,"id":"c"},{"index":1}]},"message":null,"finish_reason":"stop"})"},
      {R"({"delta":{"content":"a"},"message":{"content":"a"},"finish_reason":"stop"})",
       R"({"index":0,"delta":{"content":"a"},"message":{"content":"a"},"finish_reason":"stop"})"},
  };
  for (const auto& c : cases) {
    const bool ends_empty = std::string_view(c.sent).find("\"delta\":{}") != std::string::npos;
    const std::string sent = ends_empty ? SentWith(c.sent, "," + kUsage) : SentWith(c.sent) + kEnd;
    EXPECT_EQ(Relay(With(c.choice) + kDone), sent + kDone) << c.choice;
  }
  const std::string empty = With("{}") + With(R"({"finish_reason":"stop"})") + kDone;
  EXPECT_EQ(Relay(empty),
            SentWith(R"({"index":0,"delta":{}})") +
                SentWith(R"({"index":0,"delta":{},"finish_reason":"stop"})", "," + kUsage) + kDone);
  ChatStream stream(Options());
  std::string out;
  ASSERT_TRUE(stream.Feed(With(R"({"text":"abc"})", "text_completion"), &out));
  EXPECT_EQ(out, SentWith(R"({"index":0,"delta":{"content":"abc"}})"));
  EXPECT_EQ(stream.content_tokens().tokens, EstimateTokens("abc").tokens);
  for (const char* delta : {"\"a\"", "[]", "3"}) {
    EXPECT_EQ(Relay(With(R"({"delta":)" + std::string(delta) + "}")), "!bad_upstream_response");
  }
}

// A line of an event ends at either of the two characters, so white space between tokens may be
// neither.
TEST(ChunkShapeTest, TheWhiteSpaceOfAnAnswerBreaksNoEvent) {
  for (const char* space : {" ", "\t", "\n", "\r", "\r\n", "\r \n\t"}) {
    std::string body = R"({~"object"~:~"chat.completion"~,~"choices"~:~[~{~"index"~:~0~,)"
                       R"(~"message"~:~{~"content"~:~"a\r\nb"~}~,~"finish_reason"~:~"stop"~}~]~,)"
                       R"(~"x"~:~[~1~,~2~]~}~)";
    for (size_t at = 0; (at = body.find('~')) != std::string::npos;) body.replace(at, 1, space);
    ChatStream stream(Options());
    std::string out;
    ASSERT_TRUE(stream.FeedWhole(ChunkFromAnswer(body), &out).ok());
    stream.Finish(Report(), &out);
    SseParser parser(SseParser::Limits{});
    std::vector<SseEvent> events;
    ASSERT_TRUE(parser.Feed(out, &events).ok());
    ASSERT_EQ(events.size(), 2u) << out;
    EXPECT_TRUE(CheckJson(events[0].data).ok()) << out;
    EXPECT_EQ(events[1].data, "[DONE]");
    EXPECT_EQ(out.find('\r'), std::string::npos);
  }
}

// What the process holds, by the C library's count.
size_t HeapBytes() {
  const struct mallinfo2 heap = mallinfo2();
  return heap.uordblks + heap.hblkhd;
}

TEST(ChunkShapeTest, TheIdsOfCallsTakeNoRoom) {
  constexpr size_t kCalls = 64;
  const std::string id(size_t{256} << 10, 'x');
  const auto call = [&id](size_t i, std::string_view index) {
    return Chunk(R"({"tool_calls":[{)" + std::string(index) + R"("id":")" + id + std::to_string(i) +
                 R"("}]})");
  };
  ChatStream stream(Options());
  std::string out;
  const size_t before = HeapBytes();
  for (size_t i = 0; i < kCalls; ++i) {
    out.clear();
    ASSERT_TRUE(stream.Feed(call(i, R"("index":)" + std::to_string(i) + ","), &out).ok());
  }
  EXPECT_LT(HeapBytes(), before + kCalls * id.size() / 2);
}

TEST(ChunkShapeTest, AnIndexThatIsTooLargeIsCut) {
  constexpr int64_t kLargest = std::numeric_limits<int64_t>::max();
  CallNumbers calls;
  calls.Number({.id = "a", .index = kLargest}, true);
  const int64_t next = calls.Number({.id = "b"}, true);
  EXPECT_GT(next, 0);
  EXPECT_LT(next, kLargest);
  calls.Number({.choice = 1, .id = "a", .index = -kLargest}, true);
  EXPECT_GE(calls.Number({.choice = 1, .id = "b"}, true), 0);
  const std::string chunk = ChunkFromAnswer(
      R"({"choices":[{"message":{"tool_calls":[{"index":9223372036854775807},{"id":"b"}]}}]})");
  EXPECT_EQ(chunk.find("\"index\":-"), std::string::npos) << chunk;
}

}  // namespace
}  // namespace seekroute::testing
