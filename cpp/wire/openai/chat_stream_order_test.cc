// What of a stream goes out when, in which order, and when it is finished.
#include "testing/chat_chunks.h"

namespace seekroute::testing {
namespace {

using enum ErrorCode;
using State = ChatStream::State;

// llama.cpp sends hundreds of these before the first content.
std::string Progress(int n) {
  return "{\"prompt_progress\":{\"total\":1000,\"processed\":" + std::to_string(n) +
         R"(},"id":"up","object":"chat.completion.chunk","created":5,"model":"x","choices":[]})";
}
std::string SentProgress(int n) {
  return Event(
      "{\"prompt_progress\":{\"total\":1000,\"processed\":" + std::to_string(n) +
      R"(},"id":"gen-1","object":"chat.completion.chunk","created":5,"model":"m/n","choices":[]})");
}

TEST(ChatStreamTest, MuchBeforeTheFirstContentIsNoFailure) {
  for (const bool may_fall_back : {false, true}) {
    ChatStream::Options options = Options();
    options.may_fall_back = may_fall_back;
    ChatStream stream(options);
    std::string out, all;
    ASSERT_TRUE(stream.Feed(Chunk(kRole), &out));
    for (int i = 0; i < 1000; ++i) {
      ASSERT_TRUE(stream.Feed(Event(Progress(i)), &out));
      all += SentProgress(i);
      // It stays back while another candidate may be asked; else until there is too much of it.
      EXPECT_EQ(out.empty(), may_fall_back || i < 63) << i;
    }
    EXPECT_EQ(stream.state(), may_fall_back ? State::kWaiting : State::kProgress);
    EXPECT_FALSE(stream.has_content());
    ASSERT_TRUE(stream.Feed(Chunk(kA), &out));
    EXPECT_TRUE(stream.has_content());
    if (may_fall_back) {
      // Of what waits the first, which names the role, and the newest are kept.
      std::string newest;
      for (int i = 1000 - 63; i < 1000; ++i) newest += SentProgress(i);
      EXPECT_EQ(out, Sent(kRole) + newest + Sent(kA));
    } else {
      EXPECT_EQ(out, Sent(kRole) + all + Sent(kA));
    }
  }
}

TEST(ChatStreamTest, WhatWaitsIsBoundedInBytes) {
  const std::string big(600'000, 'x');
  const auto chunk = [&](const char* key) {
    return R"({"object":"chat.completion.chunk","created":5,"choices":[],")" + std::string(key) +
           "\":\"" + big + "\"}";
  };
  ChatStream::Options options = Options();
  options.may_fall_back = true;
  ChatStream stream(options);
  std::string out;
  ASSERT_TRUE(stream.Feed(Event(chunk("a")) + Event(chunk("b")) + Event(chunk("c")), &out));
  ASSERT_TRUE(stream.Feed(Chunk(kA), &out));
  EXPECT_LT(out.size(), 1'400'000u);
  EXPECT_NE(out.find("\"a\":"), std::string::npos);
  EXPECT_EQ(out.find("\"b\":"), std::string::npos);
  ChatStream last(Options());
  out.clear();
  ASSERT_TRUE(last.Feed(Event(chunk("a")) + Event(chunk("b")), &out));
  EXPECT_GT(out.size(), 1'200'000u) << "nothing is lost where nobody else can be asked";
}

TEST(ChatStreamTest, ProgressThatWasAskedForComesAtOnce) {
  ChatStream::Options options = Options();
  options.may_fall_back = true;
  options.wants_progress = true;
  ChatStream stream(options);
  std::string out;
  ASSERT_TRUE(stream.Feed(Chunk(kRole), &out));
  EXPECT_EQ(out, "") << "a role is no progress";
  ASSERT_TRUE(stream.Feed(Event(Progress(1)), &out));
  EXPECT_EQ(out, Sent(kRole) + SentProgress(1));
  EXPECT_EQ(stream.state(), State::kProgress);
  ASSERT_TRUE(stream.Feed(Chunk("{}"), &out));
  EXPECT_EQ(out, Sent(kRole) + SentProgress(1) + Sent("{}"));
  const Status failed = stream.Feed(Event(R"({"error":"no"})"), &out);
  EXPECT_FALSE(failed.ok());
  EXPECT_FALSE(stream.has_content());
}

TEST(ChatStreamTest, KeepsTheOtherMembersOfAUsageChunk) {
  // llama.cpp, Groq, Perplexity.
  const std::string more =
      R"("timings":{"prompt_ms":1.50, "n":[1]},"x_groq":{"id":"r"},"citations":["u"])";
  const std::string usage =
      Event(R"({"id":"u","object":"chat.completion.chunk","created":9,"model":"x","choices":[],)" +
            more + R"(,"usage":{"prompt_tokens":1,"completion_tokens":2}})");
  EXPECT_EQ(Relay(Chunk(kA) + Chunk("{}", "\"stop\"") + usage + kDone),
            Sent(kA) + Sent("{}", "\"stop\"", "," + kUsage + "," + more) + kDone);
  EXPECT_EQ(Relay(Chunk(kA) + Chunk("{}", "\"stop\"") + usage + kDone, true),
            Sent(kA) + Sent("{}", "\"stop\"") +
                Event(R"({"id":"gen-1","object":"chat.completion.chunk","created":5,)"
                      R"("model":"m/n","choices":[],)" +
                      kUsage + "," + more + "}") +
                kDone);
  // No member twice; of several usage chunks the last value of each counts.
  EXPECT_EQ(
      Relay(
          Chunk("{}", "\"stop\"", R"(,"system_fingerprint":"f")") +
          Event(R"({"choices":[],"usage":{"prompt_tokens":1},"a":1,"system_fingerprint":"g"})") +
          Event(
              "{\"choices\":[],\ndata: \"usage\":{\"prompt_tokens\":1},\"b\":{\ndata: },\"a\":2}") +
          kDone),
      Sent("{}", "\"stop\"", R"(,"system_fingerprint":"f",)" + kUsage + R"(,"a":2,"b":{ })") +
          kDone);
  // A stream without a last chunk to put them on gets one.
  const std::string cut = Relay(Chunk(kA) + usage);
  EXPECT_NE(cut.find(kUsage + "," + more + "}"), std::string::npos) << cut;
  // What is kept is bounded.
  std::string many = Chunk(kA, "\"stop\"");
  for (int i = 0; i < 1000; ++i) {
    many += Event(R"({"choices":[],"usage":{},"k)" + std::to_string(i) + R"(":")" +
                  std::string(1000, 'x') + R"(","usage":{"prompt_tokens":1}})");
  }
  EXPECT_LT(Relay(many + kDone).size(), 200'000u);
}

TEST(ChatStreamTest, ChunksKeepTheirOrder) {
  const std::string a = R"({"content":"A"})", b = R"({"content":"B"})", c = R"({"content":"C"})";
  const std::string filter = R"("choices":[],"prompt_filter_results":[{"prompt_index":0}])";
  EXPECT_EQ(Relay(Chunk(a, "\"stop\"") + Chunk(b) + Chunk(c, "\"stop\"") + kDone),
            Sent(a, "\"stop\"") + Sent(b) + Sent(c, "\"stop\"") + kEnd + kDone);
  EXPECT_EQ(Relay(Chunk(a, "\"stop\"") + Chunk(b) + Chunk(c) + kDone),
            Sent(a, "\"stop\"") + Sent(b) + Sent(c) + kEnd + kDone);
  EXPECT_EQ(Relay(Chunk(a) + Chunk("{}", "\"stop\"") + Event("{" + filter + "}") + kDone),
            Sent(a) + Sent("{}", "\"stop\"") +
                Event(R"({"id":"gen-1","object":"chat.completion.chunk","created":5,)"
                      R"("model":"m/n",)" +
                      filter + "," + kUsage + "}") +
                kDone);
}

TEST(ChatStreamTest, WhatCountsAsFinished) {
  const std::string usage =
      Event(R"({"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}})");
  const std::string a = Chunk(kA);
  const std::string stop = Chunk("{}", "\"stop\"");
  const std::string counted =
      Chunk(kA, "null", R"(,"usage":{"prompt_tokens":3,"completion_tokens":2})");
  const std::string second = Event(R"({"choices":[{"index":1,"delta":{"content":"b"}}]})");
  const std::string second_stop =
      Event(R"({"choices":[{"index":1,"delta":{},"finish_reason":"stop"}]})");
  const struct {
    const char* why;
    std::string bytes;
    bool whole;
    int choices = 1;
  } cases[] = {
      {"the provider says so", a + kDone, true},
      {"a finish reason says so", a + stop, true},
      {"on the last content", Chunk(kA, "\"length\""), true},
      {"nothing says so", a, false},
      {"a word for none", a + Chunk("{}", "\"null\""), false},
      {"a word for none", a + Chunk("{}", "\"None\""), false},
      {"a word for none", a + Chunk("{}", "\"\""), false},
      {"a word for none, but [DONE]", a + Chunk("{}", "\"null\"") + kDone, true},
      {"the final usage says so", a + usage, true},
      {"the final usage, with a word for none", a + Chunk("{}", "\"null\"") + usage, true},
      {"the final usage of an answer without content", Chunk(kRole) + usage, false},
      {"a usage of the prompt alone",
       a + Event(R"({"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":0}})"), false},
      {"usage that grows with the content", counted + counted, false},
      {"usage on a chunk with a choice",
       a + Chunk("{}", "null", R"(,"usage":{"prompt_tokens":3,"completion_tokens":2})"), false},
      {"content after the usage", a + usage + a, false},
      {"content after the finish reason", a + stop + a, false},
      {"a finish reason again", a + stop + a + stop, true},
      {"an empty chunk after the finish reason", a + stop + Chunk("{}"), true},
      {"one of two choices", a + second + stop, false, 2},
      {"one of two choices before the other began", a + stop, false, 2},
      {"both choices", a + second + stop + second_stop, true, 2},
      {"one of two choices, with the final usage", a + stop + usage, true, 2},
  };
  for (const auto& c : cases) {
    ChatStream::Options options = Options();
    options.choices = c.choices;
    ChatStream stream(options);
    std::string out;
    ASSERT_TRUE(stream.Feed(c.bytes, &out)) << c.why;
    const Status ended = stream.EndOfInput(&out);
    EXPECT_EQ(ended.ok(), c.whole) << c.why << "\n" << c.bytes;
    if (!ended.ok()) {
      EXPECT_EQ(ended.error().code, kUpstreamTruncated) << c.why;
    }
    ExpectSameAtEveryCutting(c.bytes, 5);
  }
}

TEST(ChatStreamTest, ACleanEndWithoutDoneNeedsEveryFinishReason) {
  EXPECT_EQ(Relay(Chunk(kA) + Chunk("{}", "\"length\"")),
            Sent(kA) + Sent("{}", "\"length\"", "," + kUsage) + kDone);
  EXPECT_EQ(Relay(Chunk(kA)), Sent(kA) + "!upstream_truncated");
  EXPECT_EQ(Relay(Chunk(kRole)), "!upstream_truncated");
  EXPECT_EQ(Relay(""), "!upstream_truncated");
  const std::string second = Event(
      R"({"id":"up","object":"chat.completion.chunk","created":5,"model":"x","choices":[{"index":1,"delta":{"content":"b"}}]})");
  const std::string out = Relay(second + Chunk(kA, "\"stop\""));
  EXPECT_NE(out.find("!upstream_truncated"), std::string::npos);
}

TEST(ChatStreamTest, HoldsBackOnlyTheLastOfSeveralFinishes) {
  const auto finish = [](int index) {
    return R"({"id":"up","object":"chat.completion.chunk","created":5,"model":"x","choices":[{"index":)" +
           std::to_string(index) + R"(,"delta":{},"finish_reason":"stop"}]})";
  };
  const auto sent = [](int index) {
    return R"({"id":"gen-1","object":"chat.completion.chunk","created":5,"model":"m/n","choices":[{"index":)" +
           std::to_string(index) + R"(,"delta":{},"finish_reason":"stop"}])";
  };
  EXPECT_EQ(Relay(Event(finish(0)) + Event(finish(1)) + kDone),
            Event(sent(0) + "}") + Event(sent(1) + "," + kUsage + "}") + kDone);
}

}  // namespace
}  // namespace seekroute::testing
