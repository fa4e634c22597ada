// What a whole message adds to the stream before it.
#include <vector>

#include "testing/chat_chunks.h"
#include "wire/chunk_shape.h"

namespace seekroute::testing {
namespace {

TEST(WholeMessageTest, WhatItAddsIsSent) {
  const struct {
    const char* delta;    // sent before
    const char* message;  // at the end
    const char* rest;
  } cases[] = {
      {R"({"reasoning_content":"think"})", R"({"role":"assistant","content":"answer"})",
       R"({"role":"assistant","content":"answer"})"},
      {R"({"reasoning_content":"think"})", R"({"reasoning_content":"think","content":"answer"})",
       R"({"reasoning_content":"","content":"answer"})"},
      {R"({"reasoning":"think"})", R"({"reasoning_content":"think ","content":"answer"})",
       R"({"reasoning_content":"","content":"answer"})"},
      {R"({"content":"look"})",
       R"({"content":"look","tool_calls":[{"id":"c","function":{"name":"f"}}]})",
       R"({"content":"","tool_calls":[{"index":0,"id":"c","function":{"name":"f"}}]})"},
      {R"({"content":"look"})", R"({"content":null,"function_call":{"name":"f"}})",
       R"({"content":null,"function_call":{"name":"f"}})"},
      {R"({"content":"first "})", R"({"content":"second"})", R"({"content":"second"})"},
      {R"({"content":"first "})", R"({"content":"first \u00e9"})", R"({"content":"é"})"},
      {R"({"content":"\n\nfirst"})", R"({"content":"first, second"})", R"({"content":", second"})"},
      {R"({"content":" first\n"})", R"({"role":"assistant","content":"first"})", "{}"},
      {R"({"content":"<think>x</think>first"})", R"({"content":"first"})", "{}"},
      {R"({"content":"first"})", R"({"content":"fir"})", "{}"},
      {R"({"content":"first"})", R"({"content":""})", "{}"},
      {R"({"content":"first"})", R"({"content":"first","tool_calls":[]})", "{}"},
      {R"({"content":[{"type":"text","text":"a"}]})", R"({"content":"a"})", "{}"},
      {R"({"tool_calls":[{"index":0,"id":"c"}]})", R"({"content":"x","tool_calls":[{"id":"c"}]})",
       R"({"content":"x","tool_calls":null})"},
  };
  for (const auto& c : cases) {
    const auto choice = [](std::string_view name, std::string_view value) {
      return R"({"index":0,")" + std::string(name) + "\":" + std::string(value) +
             R"(,"finish_reason":"stop"})";
    };
    const bool adds = std::string_view(c.rest) != "{}";
    const std::string end = adds ? SentWith(choice("delta", c.rest)) + kEnd
                                 : SentWith(choice("delta", c.rest), "," + kUsage);
    EXPECT_EQ(Relay(Chunk(c.delta) + With(choice("message", c.message)) + kDone),
              Sent(c.delta) + end + kDone)
        << c.delta << c.message;
    ExpectSameAtEveryCutting(Chunk(c.delta) + With(choice("message", c.message)) + kDone, 5);
  }
  // Of what is longer than is kept, all is taken for a repetition.
  const std::string much = R"({"content":")" + std::string(SentParts::kMaxKept + 1, 'x') + "\"}";
  EXPECT_EQ(Relay(Chunk(much) +
                  With(R"({"index":0,"message":{"content":"a"},"finish_reason":"stop"})") + kDone),
            Sent(much) +
                SentWith(R"({"index":0,"delta":{},"finish_reason":"stop"})", "," + kUsage) + kDone);
}

TEST(WholeMessageTest, OfToolCallsWhatTheyAddIsSent) {
  const std::string f =
      R"({"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":"}})";
  const std::string g = R"({"index":1,"id":"b","function":{"name":"g","arguments":"{}"}})";
  const auto call = [](const char* id, const char* name, const char* arguments) {
    return R"({"id":")" + std::string(id) + R"(","function":{"name":")" + name +
           R"(","arguments":)" + arguments + "}}";
  };
  const auto numbered = [](int index, const std::string& entry) {
    return "{\"index\":" + std::to_string(index) + ',' + entry.substr(1);
  };
  const auto rest = [](int index, const char* arguments) {
    return "{\"index\":" + std::to_string(index) + R"(,"function":{"arguments":)" + arguments +
           "}}";
  };
  const std::string whole_f = call("a", "f", R"("{\"x\":1}")");
  const std::string whole_g = call("b", "g", R"("{}")");
  const struct {
    const char* what;
    std::vector<std::string> sent;  // a chunk each
    std::string message;            // its calls
    std::string rest;               // of them; empty: null
  } cases[] = {
      {"the same again", {f, rest(0, R"("1}")")}, whole_f, ""},
      {"one that was begun", {f}, whole_f, rest(0, R"("1}")")},
      {"one that was not sent",
       {f, rest(0, R"("1}")")},
       whole_f + ',' + whole_g,
       numbered(1, whole_g)},
      {"both", {f}, whole_f + ',' + whole_g, rest(0, R"("1}")") + ',' + numbered(1, whole_g)},
      {"one that was sent in another place",
       {f, rest(0, R"("1}")"), g},
       whole_g + ',' + whole_f,
       ""},
      {"one before the one that was sent",
       {f, rest(0, R"("1}")")},
       whole_g + ',' + whole_f,
       numbered(1, whole_g)},
      {"other spaces", {f}, call("a", "f", R"("{ \"x\" : 1 }")"), rest(0, R"("1 }")")},
      {"the same value in other characters",
       {R"({"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":\"\\u00e9\"}"}})"},
       call("a", "f", R"("{\"x\": \"\u00e9\"}")"),
       ""},
      {"a beginning of what was sent", {f}, call("a", "f", R"("{")"), ""},
      {"nothing of its arguments", {f}, call("a", "f", R"("")"), ""},
      {"its arguments, of which there were none",
       {R"({"index":0,"id":"a","function":{"name":"f","arguments":""}})"},
       whole_f,
       rest(0, R"("{\"x\":1}")")},
      {"arguments as an object", {f}, call("a", "f", R"({"x":1})"), rest(0, R"("1}")")},
      {"an id and a name that were not sent",
       {R"({"index":0,"function":{"arguments":"{\"x\":"}})"},
       whole_f,
       R"({"index":0,"id":"a","function":{"name":"f","arguments":"1}"}})"},
      {"no ids, so by place",
       {R"({"index":1,"function":{"name":"f","arguments":"{\"x\":"}})"},
       R"({"function":{"name":"f","arguments":"{\"x\":1}"}})",
       rest(1, R"("1}")")},
      {"by index",
       {R"({"index":1,"function":{"name":"f","arguments":"{\"x\":"}})"},
       R"({"index":0,"function":{"name":"g"}},{"index":1,"function":{"name":"f","arguments":"{\"x\":1}"}})",
       R"({"index":0,"function":{"name":"g"}},)" + rest(1, R"("1}")")},
      {"the same under a new id", {f, rest(0, R"("1}")")}, call("z", "f", R"("{\"x\":1}")"), ""},
      {"another under a new id",
       {f, rest(0, R"("1}")")},
       call("z", "f", R"("{\"x\":2}")"),
       numbered(1, call("z", "f", R"("{\"x\":2}")"))},
      {"another of the same arguments",
       {f, rest(0, R"("1}")")},
       whole_f + ',' + call("z", "f", R"("{\"x\":1}")"),
       numbered(1, call("z", "f", R"("{\"x\":1}")"))},
      // As other text is sent whole behind text, a call that says something else is one of its own.
      {"a contradiction",
       {f},
       call("a", "f", R"("{\"y\":1}")"),
       numbered(1, call("a", "f", R"("{\"y\":1}")"))},
      {"a contradiction with an index",
       {f, g},
       R"({"index":1,"id":"b","function":{"name":"g","arguments":"{\"y\":1}"}})",
       R"({"index":2,"id":"b","function":{"name":"g","arguments":"{\"y\":1}"}})"},
      {"a tool of its own kind",
       {R"({"index":0,"id":"a","type":"custom","custom":{"name":"f","input":"one "}})"},
       R"({"id":"a","type":"custom","custom":{"name":"f","input":"one two"}})",
       R"({"index":0,"custom":{"input":"two"}})"},
  };
  for (const auto& c : cases) {
    std::string in, out;
    for (const std::string& sent : c.sent) {
      in += Chunk("{\"tool_calls\":[" + sent + "]}");
      out += Sent("{\"tool_calls\":[" + sent + "]}");
    }
    const auto last = [](std::string_view name, const std::string& calls) {
      return R"({"index":0,")" + std::string(name) + R"(":{"content":"x","tool_calls":)" +
             (calls.empty() ? "null" : '[' + calls + ']') + R"(},"finish_reason":"tool_calls"})";
    };
    in += With(last("message", c.message));
    out += SentWith(last("delta", c.rest));
    EXPECT_EQ(Relay(in + kDone), out + kEnd + kDone) << c.what;
    ExpectSameAtEveryCutting(in + kDone, 5);
    // Told again it adds nothing.
    const std::string nothing = R"({"index":0,"delta":{},"finish_reason":"tool_calls"})";
    EXPECT_EQ(Relay(in + With(last("message", c.message)) + kDone),
              out + SentWith(nothing, "," + kUsage) + kDone)
        << c.what;
  }
}

// What a stream brings of calls is kept up to a bound; beyond it a whole message only repeats them.
TEST(WholeMessageTest, CallsBeyondWhatIsKeptAreRepetitions) {
  const std::string much =
      R"({"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":")" +
      std::string(SentParts::kMaxKept + 1, 'x') + R"("}}]})";
  const std::string message =
      R"({"index":0,"message":{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"y"}},)"
      R"({"id":"b"}]},"finish_reason":"tool_calls"})";
  EXPECT_EQ(Relay(Chunk(much) + With(message) + kDone),
            Sent(much) +
                SentWith(R"({"index":0,"delta":{},"finish_reason":"tool_calls"})", "," + kUsage) +
                kDone);
}

TEST(WholeMessageTest, NoMoreCallsAreComparedThanAreNumbered) {
  const std::string call = R"({"index":0,"id":"c","function":{"name":"f","arguments":"{}"}})";
  std::string many = call;
  for (size_t i = 1; i <= CallNumbers::kMaxCalls; ++i) many += ',' + call;
  const std::string out = Relay(
      Chunk(R"({"tool_calls":[)" + call + "]}") +
      With(R"({"index":0,"message":{"tool_calls":[)" + many + R"(]},"finish_reason":"stop"})") +
      kDone);
  size_t calls = 0;
  for (size_t at = 0; (at = out.find(R"("id":"c")", at)) != std::string::npos; ++at) ++calls;
  EXPECT_EQ(calls, 2u) << "the call that was sent, and the one that was not compared";
}

}  // namespace
}  // namespace seekroute::testing
