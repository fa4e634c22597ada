#include "wire/openai/chat_stream.h"

#include "testing/chat_chunks.h"

namespace seekroute::testing {
namespace {

using enum ErrorCode;
using State = ChatStream::State;

TEST(ChatStreamTest, PutsTheUsageOnTheLastChunk) {
  EXPECT_EQ(Relay(Chunk(kRole) + Chunk(kA) + Chunk("{}", "\"stop\"") + kDone),
            Sent(kRole) + Sent(kA) + Sent("{}", "\"stop\"", "," + kUsage) + kDone);
}

TEST(ChatStreamTest, PutsTheUsageInItsOwnChunkWhenAsked) {
  EXPECT_EQ(Relay(Chunk(kA) + Chunk("{}", "\"stop\"") + kDone, true),
            Sent(kA) + Sent("{}", "\"stop\"") +
                Event(R"({"id":"gen-1","object":"chat.completion.chunk","created":5,)"
                      R"("model":"m/n","choices":[],)" +
                      kUsage + "}") +
                kDone);
}

TEST(ChatStreamTest, HoldsBackUntilContent) {
  ChatStream stream(Options());
  std::string out;
  ASSERT_TRUE(stream.Feed(Chunk(kRole) + ": ping\n\n" + Chunk("{}"), &out));
  EXPECT_EQ(out, "");
  EXPECT_EQ(stream.state(), State::kWaiting);
  ASSERT_TRUE(stream.Feed(Chunk(kA), &out));
  EXPECT_EQ(out, Sent(kRole) + Sent("{}") + Sent(kA));
  EXPECT_EQ(stream.state(), State::kContent);
  EXPECT_EQ(stream.content_tokens().tokens, EstimateTokens("a").tokens);
}

TEST(ChatStreamTest, EveryKindOfOutputIsContent) {
  for (const char* delta :
       {R"({"content":"x"})", R"({"content":[{"type":"text","text":"x"}]})", R"({"reasoning":"x"})",
        R"({"reasoning_details":[{"type":"a","text":"x"}]})", R"({"refusal":"x"})",
        R"({"tool_calls":[{"index":0,"function":{"arguments":""}}]})",
        R"({"function_call":{"name":"f"}})", R"({"audio":{"id":"a"}})",
        R"({"images":[{"image_url":{"url":"u"}}]})"}) {
    ChatStream stream(Options());
    std::string out;
    ASSERT_TRUE(stream.Feed(Chunk(delta), &out));
    EXPECT_EQ(out, Sent(delta));
  }
  for (const char* delta :
       {"{}", "null", R"({"role":"assistant"})", R"({"content":""})", R"({"content":null})",
        R"({"tool_calls":[]})", R"({"reasoning_details":[]})", R"({"audio":null})"}) {
    ChatStream stream(Options());
    std::string out;
    ASSERT_TRUE(stream.Feed(Chunk(delta), &out));
    EXPECT_EQ(out, "") << delta;
  }
}

TEST(ChatStreamTest, RepeatedEmptyChunksAreHeldOnce) {
  std::string bytes = Chunk(kRole);
  for (int i = 0; i < 1000; ++i) bytes += Chunk(R"({"content":""})");
  EXPECT_EQ(Relay(bytes + Chunk(kA, "\"stop\"") + kDone),
            Sent(kRole) + Sent(R"({"content":""})") + Sent(kA, "\"stop\"") + kEnd + kDone);
}

TEST(ChatStreamTest, TakesUsageFromWhereverItStandsAndRemovesIt) {
  const std::string usage = R"("usage":{"prompt_tokens":100,"completion_tokens":10})";
  const std::string head =
      R"({"id":"up","object":"chat.completion.chunk","created":5,"model":"x",)";
  const std::string choices =
      R"("choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}])";
  for (const std::string& chunk :
       {head + choices + "," + usage + "}", head + usage + " , " + choices + "}",
        head + choices + " , " + usage + " }", "{" + usage + "," + choices + "}",
        "{ " + usage + " ," + choices + "}"}) {
    ChatStream stream(Options());
    std::string out;
    ASSERT_TRUE(stream.Feed(Event(chunk), &out));
    EXPECT_EQ(out.find("usage"), std::string::npos) << out;
    EXPECT_TRUE(CheckJson(std::string_view(out).substr(6)).ok()) << out;
    EXPECT_EQ(stream.usage().prompt, 100);
    EXPECT_EQ(stream.usage().completion, 10);
  }
  // Moonshot puts it into the choice.
  ChatStream stream(Options());
  std::string out;
  ASSERT_TRUE(stream.Feed(
      Event(head + R"("choices":[{"index":0,"delta":{"content":"a"},)" + usage + "}]}"), &out));
  EXPECT_EQ(out.find("usage"), std::string::npos);
  EXPECT_EQ(stream.usage().prompt, 100);
}

TEST(ChatStreamTest, CumulativeUsageIsNotSummed) {
  const auto with = [](int n) {
    return R"(,"usage":{"prompt_tokens":100,"completion_tokens":)" + std::to_string(n) + "}";
  };
  ChatStream stream(Options());
  std::string out;
  ASSERT_TRUE(stream.Feed(Chunk(kA, "null", with(1)) + Chunk(kA, "null", with(5)) +
                              Chunk("{}", "\"stop\"", with(10)) + kDone,
                          &out));
  EXPECT_EQ(stream.usage().prompt, 100);
  EXPECT_EQ(stream.usage().completion, 10);
  stream.Finish(Report(), &out);
  EXPECT_EQ(out, Sent(kA) + Sent(kA) + Sent("{}", "\"stop\"", "," + kUsage) + kDone);
}

TEST(ChatStreamTest, FieldsOfUsageMayComeInDifferentChunks) {
  ChatStream stream(Options());
  std::string out;
  ASSERT_TRUE(stream.Feed(
      Chunk(kA, "null", R"(,"usage":{"input_tokens":10,"cache_read_input_tokens":90})") +
          Chunk("{}", "\"stop\"",
                R"(,"usage":{"output_tokens":7,"cache_creation_input_tokens":5})"),
      &out));
  EXPECT_EQ(stream.usage().prompt, 105);
  EXPECT_EQ(stream.usage().completion, 7);
}

TEST(ChatStreamTest, RemembersTheLastServiceTier) {
  ChatStream stream(Options());
  std::string out;
  EXPECT_EQ(stream.service_tier(), "");
  ASSERT_TRUE(stream.Feed(Chunk(kA, "null", R"(,"service_tier":"auto")") +
                              Chunk(kA, "null", R"(,"service_tier":"flex")") +
                              Chunk("{}", "\"stop\"", R"(,"service_tier":null)"),
                          &out));
  EXPECT_EQ(stream.service_tier(), "flex");
}

TEST(ChatStreamTest, SwallowsPureUsageChunksButNotAnnotations) {
  const std::string usage = Event(R"({"choices":[],"usage":{"prompt_tokens":1}})");
  const std::string filter = R"("choices":[],"prompt_filter_results":[{"prompt_index":0}])";
  EXPECT_EQ(Relay(Event("{" + filter + "}") + Chunk(kA, "\"stop\"") + usage + kDone),
            Event(R"({"id":"gen-1","object":"chat.completion.chunk","created":77,"model":"m/n",)" +
                  filter + "}") +
                Sent(kA, "\"stop\"") + kEnd + kDone);
}

TEST(ChatStreamTest, AddsWhatAChunkLacks) {
  EXPECT_EQ(
      Relay(Event(R"({"object":null,"created":null,"choices":[{"delta":{"content":"a"},)"
                  R"("finish_reason":"stop"}]})")),
      Event(R"({"id":"gen-1","model":"m/n","object":"chat.completion.chunk","created":77,)"
            R"("choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]})") +
          Event(R"({"id":"gen-1","object":"chat.completion.chunk","created":77,"model":"m/n",)"
                R"("choices":[{"index":0,"delta":{},"finish_reason":null}],)" +
                kUsage + "}") +
          kDone);
}

TEST(ChatStreamTest, SkipsPingsAndCommentsPassedOnAsData) {
  EXPECT_EQ(Relay("data: : OPENROUTER PROCESSING\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\n"
                  "data: \"\"\n\ndata:\n\n:x\nid: 3\nretry: 1\n" +
                  Chunk(kA, "\"stop\"") + kDone),
            Sent(kA, "\"stop\"") + kEnd + kDone);
}

TEST(ChatStreamTest, NothingAfterDoneCounts) {
  EXPECT_EQ(Relay(Chunk(kA, "\"stop\"") + kDone + Chunk(kA) + kDone + "data: {\"error\":1}\n\n"),
            Sent(kA, "\"stop\"") + kEnd + kDone);
}

TEST(ChatStreamTest, FormatsChunksOfSeveralLinesAsOne) {
  EXPECT_EQ(Relay("data: {\"id\":1,\"object\":\"o\",\"created\":5,\"model\":1,\ndata: \"choices\":"
                  "[{\"index\":0,\"delta\":{\"content\":\"a\\n\"},\ndata: "
                  "\"finish_reason\":\"stop\"}]}\n\n"),
            Event("{\"id\":\"gen-1\",\"object\":\"chat.completion.chunk\",\"created\":5,\"model\":"
                  "\"m/n\", \"choices\":"
                  "[{\"index\":0,\"delta\":{\"content\":\"a\\n\"}, \"finish_reason\":\"stop\"}]}") +
                kEnd + kDone);
}

TEST(ChatStreamTest, ZeroCompletionStillEndsWithUsageOnce) {
  const std::string final_chunk =
      Event(R"({"id":"gen-1","object":"chat.completion.chunk","created":5,"model":"m/n",)"
            R"("choices":[{"index":0,"delta":{},"finish_reason":null}],)" +
            kUsage + "}");
  EXPECT_EQ(Relay(Chunk(kRole) + kDone), Sent(kRole) + final_chunk + kDone);
  EXPECT_EQ(Relay(kDone), "!bad_upstream_response") << "no answer at all is not an empty one";
}

TEST(ChatStreamTest, TellsAProvidersErrorWithItsTextSanitised) {
  const struct {
    const char* event;
    ErrorCode code;
  } cases[] = {
      {R"({"error":{"message":"bad key sk-abcdef"}})", kUpstreamError},
      {R"({"error":"bad key sk-abcdef"})", kUpstreamError},
      {R"({"error":{"message":"bad key sk-abcdef","code":502}})", kUpstreamError},
      {R"({"error":{"message":"bad key sk-abcdef","code":429}})", kUpstreamRateLimited},
      {R"({"choices":[],"error":{"message":"bad key sk-abcdef","code":503}})",
       kUpstreamUnavailable},
      {R"({"object":"error","message":"bad key sk-abcdef"})", kUpstreamError},
  };
  for (const auto& c : cases) {
    ChatStream stream(Options());
    std::string out;
    const Status status = stream.Feed(Event(c.event), &out);
    ASSERT_FALSE(status.ok()) << c.event;
    EXPECT_EQ(status.error().name(), TraitsOf(c.code).name) << c.event;
    EXPECT_NE(status.error().words.find("bad key [redacted]"), std::string::npos) << c.event;
    EXPECT_EQ(stream.state(), State::kFailed);
    EXPECT_FALSE(stream.Feed(Chunk(kA), &out).ok()) << "the failure must last";
    EXPECT_FALSE(stream.EndOfInput(&out).ok());
    EXPECT_EQ(out, "");
  }
}

TEST(ChatStreamTest, AStreamThatEndsInAnErrorIsOne) {
  const struct {
    const char* choice;
    const char* message;
  } cases[] = {
      {R"({"delta":{},"finish_reason":"error"})", "the provider failed"},
      {R"({"delta":{"content":""},"finish_reason":"error","error":{"message":"no"}})",
       "the provider failed: no"},
      {R"({"delta":{},"error":"no"})", "the provider failed: no"},
  };
  for (const auto& c : cases) {
    const std::string event = Event(R"({"choices":[)" + std::string(c.choice) + "]}");
    EXPECT_EQ(Relay(event + kDone), "!upstream_error") << c.choice;
    EXPECT_EQ(Relay(Chunk(kA) + event + kDone), Sent(kA) + "!upstream_error") << c.choice;
    ChatStream stream(Options());
    std::string out;
    const Status status = stream.Feed(event, &out);
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().message, c.message);
  }
}

TEST(ChatStreamTest, ADoubledUsageIsNotBelievedButTheAnswerIs) {
  ChatStream stream(Options());
  std::string out;
  ASSERT_TRUE(stream.Feed(
      Chunk(kA, "\"stop\"", R"(,"usage":{"prompt_tokens":1},"usage":{"prompt_tokens":9})") + kDone,
      &out));
  EXPECT_TRUE(stream.usage_odd());
  stream.Finish(Report(), &out);
  EXPECT_EQ(out, Sent(kA, "\"stop\"") + kEnd + kDone);
}

TEST(ChatStreamTest, NumbersMayBeWrittenAsFractions) {
  const std::string sent = Event(
      R"({"id":"gen-1","model":"m/n","created":1700000000.0,"object":"chat.completion.chunk",)"
      R"("choices":[{"index":1,"delta":{"content":"a"}}]})");
  ChatStream stream(Options());
  std::string out;
  ASSERT_TRUE(stream.Feed(
      Event(
          R"({"created":1700000000.0,"object":"o","choices":[{"index":1.0,"delta":{"content":"a"}}]})") +
          Event(R"({"choices":[{"delta":{"content":"b"}}]})"),
      &out));
  EXPECT_TRUE(out.starts_with(sent)) << out;
  EXPECT_NE(out.find(R"("created":1700000000,)"), std::string::npos) << out;
}

TEST(ChatStreamTest, RefusesWhatIsNotAChunk) {
  for (const char* data :
       {"x", "[1]", "3", "\"text\"", "{", R"({"choices":{}})", R"({"choices":[3]})",
        R"({"choices":[{"index":128}]})", R"({"choices":[],"choices":[]})", "<html>"}) {
    EXPECT_EQ(Relay(Event(data)), "!bad_upstream_response") << data;
  }
  ChatStream::Options small = Options();
  small.limits = {100, 1000};
  ChatStream stream(small);
  std::string out;
  const Status status = stream.Feed(std::string(101, 'x'), &out);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, kBadUpstreamResponse);
}

TEST(ChatStreamTest, CountsTheTextAndKeepsTheFinishReason) {
  ChatStream stream(Options());
  std::string out;
  ASSERT_TRUE(stream.Feed(
      Chunk(R"({"reasoning":"abc"})") + Chunk(R"({"content":"\u00e9"})") +
          Chunk(
              R"({"tool_calls":[{"index":0,"id":"call_1","function":{"name":"f","arguments":"{}"}}]})",
              "\"tool_calls\"") +
          kDone,
      &out));
  TokenEstimator texts;
  for (const char* text : {"abc", "\u00e9", "f", "{}"}) {
    texts.Add(text);
    texts.EndText();
  }
  EXPECT_EQ(stream.content_tokens().tokens, texts.Estimate().tokens);
  EXPECT_EQ(stream.finish_reason(), "tool_calls");
  EXPECT_EQ(stream.state(), State::kEnded);
}

TEST(ChatStreamTest, EveryCuttingGivesTheSameBytes) {
  ExpectSameAtEveryCutting(
      "\xEF\xBB\xBF: hi\r\n" + Chunk(kRole) + "event: ping\rdata: {}\r\r" +
          Chunk(R"({"content":"€"})") +
          Chunk("{}", "\"stop\"", R"(,"usage":{"prompt_tokens":1,"completion_tokens":2})") + kDone,
      200);
  ExpectSameAtEveryCutting(Chunk(kA) + "data: {\"error\":{\"message\":\"x\"}}\n\n" + Chunk(kA),
                           200);
  ExpectSameAtEveryCutting(Chunk(kA) + "data: {\"choi", 200);
}

TEST(ChatStreamTest, SharedScenarios) {
  const auto scenarios = testing::ReadUpstreamScenarios();
  if (scenarios.empty()) GTEST_SKIP() << "no shared corpora; set SEEKROUTE_SHARED";
  int complete = 0, failed = 0;
  for (const testing::UpstreamScenario& scenario : scenarios) {
    // Statuses, encodings and broken HTTP are met before a byte comes here.
    if (!scenario.stream || scenario.status != 200 || !scenario.content_encoding.empty()) continue;
    SCOPED_TRACE(scenario.id + ": " + scenario.client);
    ExpectSameAtEveryCutting(scenario.bytes, 10);
    if (scenario.client.rfind("504", 0) == 0) {
      // Nothing may be written: the timers decide, and a real status is still possible.
      ChatStream stream(Options());
      std::string out;
      EXPECT_TRUE(stream.Feed(scenario.bytes, &out));
      EXPECT_EQ(stream.state(), State::kWaiting);
      EXPECT_EQ(out, "");
      continue;
    }
    const std::string out = Relay(scenario.bytes);
    const size_t mark = out.rfind('!');
    if (scenario.client == "complete+[DONE]") {
      ++complete;
      EXPECT_EQ(out.substr(out.size() - kDone.size()), kDone);
      EXPECT_EQ(out.find("\"usage\""), out.rfind("\"usage\"")) << "usage exactly once";
      EXPECT_EQ(out.find("up-model"), std::string::npos);
    } else {
      ++failed;
      ASSERT_NE(mark, std::string::npos);
      EXPECT_EQ(out.find("[DONE]"), std::string::npos);
      const std::string name = out.substr(mark + 1);
      if (scenario.client.rfind("error-event:", 0) == 0) {
        EXPECT_EQ(scenario.client, "error-event:" + name + ",no [DONE]");
        EXPECT_GT(mark, 0u);
      } else if (scenario.client.rfind("502/503", 0) == 0) {
        EXPECT_EQ(out, "!upstream_unavailable");
      } else {
        EXPECT_EQ(scenario.client.substr(4, name.size()), name);
        EXPECT_EQ(mark, 0u) << "nothing may be written before a failure with a status";
      }
    }
  }
  EXPECT_GE(complete, 10);
  EXPECT_GE(failed, 5);
}

}  // namespace
}  // namespace seekroute::testing
