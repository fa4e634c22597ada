// Streams whose framing is not what it should be: what the client gets of them, and what it pays.
#include "testing/credits_fixture.h"

namespace seekroute::testing {
namespace {

using Ending = UpstreamScript::Ending;

constexpr std::string_view kStop =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
constexpr std::string_view kDone = "data: [DONE]\n\n";
constexpr std::string_view kWhole =
    R"({"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant",)"
    R"("content":"one two three"},"finish_reason":"stop"}],)"
    R"("usage":{"prompt_tokens":7,"completion_tokens":60}})";
constexpr int64_t kCost = 7 * kInputNano + 60 * kOutputNano;

class StreamFramingTest : public CreditsTest {
 protected:
  StreamFramingTest() { Open({1'000'000'000}); }

  const Seen& AskFor(bool stream, const std::string& bytes, Ending ending = Ending::kClean,
                     const std::string& label = "text/event-stream") {
    script_ = {};
    script_.head.content_type = label;
    script_.pieces = {{{}, bytes}};
    script_.ending = ending;
    return Ask(stream ? R"(,"stream":true)" : "");
  }
  static size_t Count(const std::string& text, const std::string& word) {
    size_t count = 0;
    for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
      ++count;
    }
    return count;
  }
};

TEST_F(StreamFramingTest, AnErrorIsNeverChargedAsAnAnswer) {
  const std::string finished = std::string(kContent) + std::string(kStop);
  for (const std::string error :
       {R"({"error":{"message":"it broke"}})", R"(data: {"message":"it broke"})",
        R"(data: {"success":false,"message":"it broke"})",
        R"(data: {"error_code":7,"error_msg":"it broke"})",
        R"({"status":500,"message":"it broke"})", "ERROR it broke"}) {
    SCOPED_TRACE(error);
    const std::string end = error + "\n\n" + std::string(kDone);
    for (const bool stream : {true, false}) {
      const Seen before = AskFor(stream, end);
      EXPECT_EQ(before.status, 502);
      EXPECT_EQ(before.row->error, "upstream_error");
      EXPECT_EQ(before.row->settlement, Settlement::kFailed);
      ASSERT_EQ(before.row->tried.size(), 1u);
      EXPECT_NE(before.row->tried[0].words.find("it broke"), std::string::npos);
    }
    for (const std::string& begun : {std::string(kContent), finished}) {
      const Seen after = AskFor(true, begun + end);
      EXPECT_EQ(after.status, 200);
      EXPECT_EQ(after.row->settlement, Settlement::kFailed);
      EXPECT_NE(after.body.find("it broke"), std::string::npos) << after.body;
      EXPECT_EQ(after.body.find("[DONE]"), std::string::npos);
    }
  }
  const Seen page = AskFor(true, std::string(kContent) + "<!DOCTYPE html>\n" + std::string(kDone));
  EXPECT_EQ(page.row->settlement, Settlement::kFailed);
  EXPECT_EQ(page.row->error, "bad_upstream_response");
  EXPECT_EQ(store_->balance().nano, 1'000'000'000);
}

TEST_F(StreamFramingTest, AWholeCompletionInAStreamIsOneAnswer) {
  const std::string event = "data: " + std::string(kWhole) + "\n\n";
  for (const std::string& bytes :
       {event + std::string(kDone), event, std::string(kContent) + event + std::string(kDone),
        std::string(kStart) + std::string(kContent) + std::string(kStop) + event}) {
    for (const bool stream : {true, false}) {
      const Seen& seen = AskFor(stream, bytes);
      EXPECT_EQ(seen.status, 200) << seen.body;
      EXPECT_EQ(seen.row->settlement, Settlement::kExact);
      EXPECT_EQ(seen.row->cost.nano, kCost);
      EXPECT_EQ(seen.row->finish_reason, "stop");
      EXPECT_EQ(Count(seen.body, "one two three"), 1u) << seen.body;
      EXPECT_EQ(Count(seen.body, "\"message\":{"), stream ? 0u : 1u) << seen.body;
    }
  }
}

TEST_F(StreamFramingTest, WhatACleanEndOfInputEndsInCounts) {
  const std::string begun = std::string(kStart) + std::string(kContent);
  const std::string last =
      R"(data: {"choices":[{"index":0,"delta":{"content":" four"},"finish_reason":"stop"}],)"
      R"("usage":{"prompt_tokens":7,"completion_tokens":60}})";
  for (const std::string end : {"", "\n", "\r", "\r\n"}) {
    for (const bool stream : {true, false}) {
      const Seen& seen = AskFor(stream, begun + last + end);
      EXPECT_EQ(seen.status, 200) << seen.body;
      EXPECT_EQ(seen.row->settlement, Settlement::kExact) << seen.row->error;
      EXPECT_EQ(seen.row->cost.nano, kCost);
      EXPECT_NE(seen.body.find(" four"), std::string::npos);
      const Seen& failed =
          AskFor(stream, begun + std::string(kStop) + "data: {\"error\":\"it broke\"}" + end);
      EXPECT_EQ(failed.row->error, "upstream_error");
      EXPECT_EQ(failed.row->settlement, Settlement::kFailed);
    }
    EXPECT_EQ(AskFor(true, begun + last + end, Ending::kBroken).row->settlement,
              Settlement::kFailed)
        << "where the connection broke it may be a part";
  }
  // A part of an event is none, and takes nothing from an answer that is whole.
  for (size_t size = 0; size < last.size(); ++size) {
    EXPECT_EQ(AskFor(true, begun + last.substr(0, size)).row->error, "upstream_truncated") << size;
    EXPECT_EQ(AskFor(true, begun + std::string(kStop) + last.substr(0, size)).row->error, "")
        << size;
  }
}

TEST_F(StreamFramingTest, LinesOfJsonAreAStream) {
  const auto bare = [](std::string_view events) {
    std::string lines;
    for (size_t at = 0; at < events.size();) {
      const size_t end = events.find("\n\n", at);
      lines += std::string(events.substr(at + 6, end - at - 6)) + "\n";
      at = end + 2;
    }
    return lines;
  };
  const std::string lines = bare(std::string(kStart) + std::string(kContent) + std::string(kStop)) +
                            R"({"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":60}})" +
                            "\n";
  for (const char* label : {"application/x-ndjson", "application/jsonl", "text/event-stream", ""}) {
    for (const std::string& bytes : {lines, lines + "[DONE]\n", lines + std::string(kDone)}) {
      for (const bool stream : {true, false}) {
        const Seen& seen = AskFor(stream, bytes, Ending::kClean, label);
        EXPECT_EQ(seen.status, 200) << label << seen.body;
        EXPECT_EQ(seen.row->settlement, Settlement::kExact);
        EXPECT_EQ(seen.row->cost.nano, kCost);
        EXPECT_NE(seen.body.find("one two three"), std::string::npos);
      }
    }
  }
}

TEST_F(StreamFramingTest, AByteOrderMarkIsNoFault) {
  const std::string mark = "\xEF\xBB\xBF";
  for (const bool stream : {true, false}) {
    const Seen& seen =
        AskFor(stream, mark + std::string(kWhole), Ending::kClean, "application/json");
    EXPECT_EQ(seen.status, 200) << seen.body;
    EXPECT_EQ(seen.row->cost.nano, kCost);
    EXPECT_EQ(seen.body.find(mark), std::string::npos);
  }
  EXPECT_EQ(AskFor(false, mark + R"({"error":{"message":"it broke","code":429}})").row->error,
            "upstream_rate_limited");
  script_.head.status = 400;
  script_.pieces = {{{}, mark + R"({"error":{"message":"it broke"}})"}};
  EXPECT_NE(Ask().body.find("it broke"), std::string::npos);
}

TEST_F(StreamFramingTest, AnErrorThatSaysNothingIsNone) {
  for (const char* error : {"\"\"", "{}", "false", R"({"message":null,"code":0})"}) {
    std::string body(kWhole);
    body.insert(1, R"("error":)" + std::string(error) + ",");
    for (const bool stream : {true, false}) {
      EXPECT_EQ(AskFor(stream, body, Ending::kClean, "application/json").row->cost.nano, kCost);
      EXPECT_EQ(AskFor(stream, "data: " + body + "\n\n").row->cost.nano, kCost);
    }
    body = kWhole;
    body.insert(body.find("\"index\""), R"("error":)" + std::string(error) + ",");
    EXPECT_EQ(AskFor(false, body, Ending::kClean, "application/json").row->cost.nano, kCost);
  }
}

// Sound, pictures and the like are content as text is.
TEST_F(StreamFramingTest, EveryKindOfContentKeepsAStreamAlive) {
  const char* const pieces[] = {
      R"("delta":{"audio":{"data":"AAAA"}})",
      R"("delta":{"images":[{"image_url":{"url":"u"}}]})",
      R"("delta":{"tool_calls":[{"index":0,"function":{"arguments":"1"}}]})",
      R"("delta":{"reasoning":"x"})",
      R"("delta":{"reasoning_details":[{"type":"reasoning.encrypted","data":"AAAA"}]})",
      R"("delta":{},"logprobs":{"content":[{"token":"a","logprob":-1}]})"};
  for (const char* piece : pieces) {
    script_ = {};
    script_.head.content_type = "text/event-stream";
    script_.pieces = {{{}, std::string(kContent)}};
    const Duration step = Duration::Seconds(20);
    constexpr int kSteps = 20;
    for (int i = 0; i < kSteps; ++i) {
      script_.pieces.push_back(
          {step, "data: {\"choices\":[{\"index\":0," + std::string(piece) + "}]}\n\n"});
    }
    script_.pieces.push_back({{}, std::string(kStop) + std::string(kDone)});
    options_.first_content_timeout = Duration::Seconds(100);
    EXPECT_EQ(Ask(R"(,"stream":true)").row->error, "") << piece;
  }
}

}  // namespace
}  // namespace seekroute::testing
