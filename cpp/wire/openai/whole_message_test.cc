// What a whole message adds to the stream before it.
#include <vector>

#include "testing/chat_chunks.h"
#include "wire/openai/chunk_shape.h"

namespace seekroute::testing {
namespace {

// A stream of chunks with these deltas, then a choice that ends with this message.
std::string WithMessage(const std::vector<std::string>& deltas, std::string_view message,
                        std::string_view object = "chat.completion.chunk") {
  std::string in;
  for (const std::string& delta : deltas) in += Chunk(delta);
  return in +
         With(R"({"index":0,"message":)" + std::string(message) + R"(,"finish_reason":"stop"})",
              object);
}

// What the client gets of it; `{}` is the last chunk.
std::string SentMessage(const std::vector<std::string>& deltas, std::string_view rest) {
  std::string out;
  for (const std::string& delta : deltas) out += Sent(delta);
  const std::string last =
      R"({"index":0,"delta":)" + std::string(rest) + R"(,"finish_reason":"stop"})";
  return out + (rest == "{}" ? SentWith(last, "," + kUsage) : SentWith(last) + kEnd) + kDone;
}

TEST(WholeMessageTest, BehindPiecesUnderItsNameItAddsNothing) {
  const auto piece = [](std::string_view message, std::string_view finish = "null") {
    return R"({"index":0,"message":)" + std::string(message) + R"(,"finish_reason":)" +
           std::string(finish) + "}";
  };
  const auto sent = [](std::string_view delta, std::string_view finish = "null") {
    return SentWith(R"({"index":0,"delta":)" + std::string(delta) + R"(,"finish_reason":)" +
                    std::string(finish) + "}");
  };
  const auto text = [](std::string_view content) {
    return R"({"content":")" + std::string(content) + "\"}";
  };
  const std::string nothing =
      SentWith(R"({"index":0,"delta":{},"finish_reason":"stop"})", "," + kUsage) + kDone;
  const std::string two = With(piece(text("a"))) + With(piece(text("b")));
  const std::string two_sent = sent(text("a")) + sent(text("b"));
  for (const char* object : {"chat.completion", "chat.completion.chunk"}) {
    EXPECT_EQ(Relay(two + With(piece(text("ab"), "\"stop\""), object) + kDone), two_sent + nothing);
    EXPECT_EQ(Relay(two + With(piece(text("ab c"), "\"stop\""), object) + kDone),
              two_sent + sent(text(" c"), "\"stop\"") + kEnd + kDone);
    ExpectSameAtEveryCutting(two + With(piece(text("ab"), "\"stop\""), object) + kDone, 5);
  }
  // One that says something else is a piece, and one may repeat the only short one before it.
  EXPECT_EQ(Relay(two + With(piece(text("b"), "\"stop\"")) + kDone),
            two_sent + sent(text("b"), "\"stop\"") + kEnd + kDone);
  EXPECT_EQ(Relay(With(piece(text("ha"))) + With(piece(text("ha"), "\"stop\"")) + kDone),
            sent(text("ha")) + sent(text("ha"), "\"stop\"") + kEnd + kDone);
  const std::string sentence = "A sentence is not said twice.";
  EXPECT_EQ(Relay(With(piece(text(sentence))) + With(piece(text(sentence), "\"stop\"")) + kDone),
            sent(text(sentence)) + nothing);
  // It need not end its choice, nor come behind pieces of its own name.
  const std::string begun = "A sentence ";
  const std::string rest = "is not said twice.";
  const std::string end = Chunk("{}", "\"stop\"");
  for (const bool as_deltas : {true, false}) {
    const std::string in = as_deltas ? Chunk(text(begun)) + Chunk(text(rest))
                                     : With(piece(text(begun))) + With(piece(text(rest)));
    EXPECT_EQ(Relay(in + With(piece(text(sentence))) + end + kDone),
              sent(text(begun)) + sent(text(rest)) + sent("{}") + nothing)
        << as_deltas;
  }
  // Calls, and thinking under both of its names, are known like text.
  const std::string f =
      R"({"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":"}}]})";
  const std::string whole =
      R"({"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}}]})";
  EXPECT_EQ(Relay(With(piece(f)) + With(piece(whole, "\"stop\"")) + kDone),
            sent(f) +
                sent(R"({"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]})", "\"stop\"") +
                kEnd + kDone);
  EXPECT_EQ(
      Relay(With(piece(R"({"reasoning":"a"})")) + With(piece(R"({"reasoning_content":"b"})")) +
            With(piece(R"({"reasoning":"ab","content":"c"})", "\"stop\"")) + kDone),
      sent(R"({"reasoning":"a"})") + sent(R"({"reasoning_content":"b"})") +
          sent(R"({"reasoning":"","content":"c"})", "\"stop\"") + kEnd + kDone);
}

TEST(WholeMessageTest, CallsAreKnownByWhatTheySay) {
  const auto call = [](std::string_view id, std::string_view name, std::string_view arguments) {
    std::string entry = R"({"id":")" + std::string(id) + R"(","function":{"name":")" +
                        std::string(name) + R"(","arguments":)";
    AppendJsonString(arguments, &entry);
    return entry + "}}";
  };
  const auto numbered = [](int index, const std::string& entry) {
    return "{\"index\":" + std::to_string(index) + ',' + entry.substr(1);
  };
  const struct {
    const char* what;
    std::vector<std::string> sent;  // a call each, from index 0 on
    std::vector<std::string> whole;
    std::string rest;  // empty: nothing
  } cases[] = {
      {"no arguments, then an empty object, under a new id",
       {call("a", "f", "")},
       {call("z", "f", "{}")},
       R"({"index":0,"function":{"arguments":"{}"}})"},
      {"an empty object, then no arguments", {call("a", "f", "{}")}, {call("z", "f", "")}, ""},
      {"no arguments both times", {call("a", "f", "")}, {call("z", "f", "")}, ""},
      {"new ids in another order",
       {call("a", "f", R"({"x":1})"), call("b", "g", R"({"y":2})"), call("c", "f", R"({"x":3})")},
       {call("p", "f", R"({"x":3})"), call("q", "f", R"({"x":1})"), call("r", "g", R"({"y":2})")},
       ""},
      {"no ids, in another order",
       {call("", "f", R"({"x":1})"), call("", "f", R"({"x":2})")},
       {call("", "f", R"({"x":2})"), call("", "f", R"({"x":1})")},
       ""},
      {"other order of members",
       {call("a", "f", R"({"x":1,"y":{"p":[1,2],"q":null}})")},
       {call("a", "f", R"({"y":{"q":null,"p":[1,2]},"x":1})")},
       ""},
      {"other order of members under a new id",
       {call("a", "f", R"({"x":1,"y":2})")},
       {call("z", "f", R"({ "y": 2, "x": 1 })")},
       ""},
      {"other spaces, numbers and escapes under a new id",
       {call("a", "f", R"({"x":1,"y":"é"})")},
       {call("z", "f", "{\n  \"x\": 1.0,\n  \"y\": \"\\u00e9\"\n}")},
       ""},
      {"one begun is ended under a new id, though another stands before it",
       {call("a", "f", R"({"x":)")},
       {call("y", "g", "{}"), call("z", "f", R"({"x":1})")},
       R"({"index":1,"id":"y","function":{"name":"g","arguments":"{}"}},)"
       R"({"index":0,"function":{"arguments":"1}"}})"},
      {"two of one name, one of them new",
       {call("a", "f", R"({"x":1})")},
       {call("y", "f", R"({"x":2})"), call("z", "f", R"({"x":1})")},
       R"({"index":1,"id":"y","function":{"name":"f","arguments":"{\"x\":2}"}})"},
      {"what one name was asked, another is",
       {call("a", "f", R"({"x":1})")},
       {call("z", "g", R"({"x":1})")},
       R"({"index":1,"id":"z","function":{"name":"g","arguments":"{\"x\":1}"}})"},
      {"lists are in order",
       {call("a", "f", "[1,2]")},
       {call("z", "f", "[2,1]")},
       R"({"index":1,"id":"z","function":{"name":"f","arguments":"[2,1]"}})"},
  };
  for (const auto& c : cases) {
    std::vector<std::string> deltas;
    for (size_t i = 0; i < c.sent.size(); ++i) {
      deltas.push_back("{\"tool_calls\":[" + numbered(static_cast<int>(i), c.sent[i]) + "]}");
    }
    std::string calls;
    for (const std::string& whole : c.whole) calls += (calls.empty() ? "" : ",") + whole;
    const std::string message = R"({"content":null,"tool_calls":[)" + calls + "]}";
    const std::string rest =
        c.rest.empty() ? "{}" : R"({"content":null,"tool_calls":[)" + c.rest + "]}";
    const std::string in = WithMessage(deltas, message) + kDone;
    EXPECT_EQ(Relay(in), SentMessage(deltas, rest)) << c.what;
    ExpectSameAtEveryCutting(in, 5);
  }
}

TEST(WholeMessageTest, PicturesAndPartsThatWereNotSentAre) {
  const std::string picture =
      R"({"type":"image_url","image_url":{"url":"data:image/png;base64,QQ"}})";
  const std::string again =
      R"({"index":0,"image_url":{"detail":"high","url":"data:image/png;base64,QQ"},"type":"image_url"})";
  const std::string other =
      R"({"type":"image_url","image_url":{"url":"data:image/png;base64,Qg"}})";
  const auto part = [](std::string_view text) {
    return R"({"type":"text","text":")" + std::string(text) + "\"}";
  };
  const auto content = [](const std::string& parts) { return "{\"content\":[" + parts + "]}"; };
  const auto images = [](const std::string& list) {
    return R"({"content":"a","images":[)" + list + "]}";
  };
  const std::string text = R"({"content":"one "})";
  const std::string more = R"({"content":"two"})";
  const struct {
    const char* what;
    std::vector<std::string> deltas;
    std::string message, rest;
  } cases[] = {
      {"a part behind text",
       {text, more},
       content(part("one two") + ',' + picture),
       content(picture)},
      {"a part between text",
       {text, more},
       content(part("one ") + ',' + picture + ',' + part("two")),
       content(picture)},
      {"text that goes on behind a part",
       {text},
       content(part("one ") + ',' + picture + ',' + part("two")),
       content(picture + ',' + part("two"))},
      {"text that goes on in its part",
       {text},
       content(part("one two") + ',' + picture),
       content(part("two") + ',' + picture)},
      {"other text",
       {text},
       content(part("x") + ',' + picture),
       content(part("x") + ',' + picture)},
      {"a part that was sent",
       {text, content(picture), more},
       content(part("one ") + ',' + again + ',' + part("two")),
       "{}"},
      {"one of two",
       {text, content(picture)},
       content(part("one ") + ',' + again + ',' + other),
       content(other)},
      {"text that was sent as parts",
       {content(part("one ")), content(part("two"))},
       R"({"content":"one two three"})",
       R"({"content":" three"})"},
      {"text behind a picture alone",
       {content(picture)},
       R"({"content":"a"})",
       R"({"content":"a"})"},
      {"a picture behind text",
       {kA},
       images(picture),
       R"({"content":"","images":[)" + picture + "]}"},
      {"a picture that was sent", {kA, "{\"images\":[" + picture + "]}"}, images(again), "{}"},
      {"a second picture",
       {kA, "{\"images\":[" + picture + "]}"},
       images(again + ',' + other),
       R"({"content":"","images":[)" + other + "]}"},
      {"a picture that is its address",
       {kA, R"({"images":["u"]})"},
       images(R"("u","v")"),
       R"({"content":"","images":["v"]})"},
      {"sources behind text",
       {kA},
       R"({"content":"a b","annotations":[{"type":"url_citation"}]})",
       R"({"content":" b","annotations":[{"type":"url_citation"}]})"},
      {"sources that were sent",
       {kA, R"({"annotations":[{"type":"url_citation"}]})"},
       R"({"content":"a","annotations":[{"type":"url_citation"}]})",
       "{}"},
  };
  for (const auto& c : cases) {
    const std::string in = WithMessage(c.deltas, c.message) + kDone;
    EXPECT_EQ(Relay(in), SentMessage(c.deltas, c.rest)) << c.what;
    ExpectSameAtEveryCutting(in, 5);
  }
  // What is sent is counted.
  ChatStream stream(Options());
  std::string out;
  ASSERT_TRUE(stream.Feed(WithMessage({text}, content(part("one ") + ',' + picture)), &out).ok());
  EXPECT_EQ(stream.media().pictures, 1);
  ASSERT_TRUE(stream.Feed(WithMessage({}, content(part("one ") + ',' + again)), &out).ok());
  EXPECT_EQ(stream.media().pictures, 1);
}

TEST(WholeMessageTest, TextIsKnownWhereverItWasCut) {
  const struct {
    std::vector<std::string> deltas;
    const char *message, *rest;
  } cases[] = {
      {{R"({"content":"\ud83d"})", R"({"content":"\ude00"})"},
       R"({"content":"\ud83d\ude00"})",
       "{}"},
      {{R"({"content":"\ud83d"})", R"({"content":"\ude00 a"})"},
       R"({"content":"😀 a b"})",
       R"({"content":" b"})"},
      {{R"({"reasoning":"a"})", R"({"reasoning_content":"b"})"},
       R"({"reasoning_content":"abc"})",
       R"({"reasoning_content":"c"})"},
      {{R"({"reasoning":"a","reasoning_content":"a"})",
        R"({"reasoning":"b","reasoning_content":"b"})"},
       R"({"reasoning":"ab","reasoning_content":"ab"})",
       "{}"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(Relay(WithMessage(c.deltas, c.message) + kDone), SentMessage(c.deltas, c.rest))
        << c.message;
  }
}

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
