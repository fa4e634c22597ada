// What is an error in a stream, and what is none, in whatever wrapping it comes.
#include "testing/chat_chunks.h"

namespace seekroute::testing {
namespace {

using enum ErrorCode;

// Whatever follows, [DONE] included, an error is one: a status before content, an event after it.
void ExpectError(const std::string& bytes, std::string_view name, std::string_view words) {
  const std::string end = kDone;
  EXPECT_EQ(Relay(Chunk(kRole) + bytes + end), "!" + std::string(name)) << bytes;
  EXPECT_EQ(Relay(Chunk(kA) + bytes + end), Sent(kA) + "!" + std::string(name)) << bytes;
  const std::string finished = Chunk(kA) + Chunk("{}", "\"stop\"");
  EXPECT_EQ(Relay(finished + bytes + end), Sent(kA) + "!" + std::string(name)) << bytes;
  ExpectSameAtEveryCutting(Chunk(kA) + bytes + end, 20);
  ChatStream stream(Options());
  std::string out;
  const Status status = stream.Feed(bytes + end, &out);
  ASSERT_FALSE(status.ok()) << bytes;
  EXPECT_NE(status.error().words.find(words), std::string::npos) << status.error().words;
}

void ExpectHarmless(const std::string& bytes) {
  EXPECT_EQ(Relay(Chunk(kA) + bytes + Chunk("{}", "\"stop\"") + kDone),
            Sent(kA) + Sent("{}", "\"stop\"", "," + kUsage) + kDone)
      << bytes;
  EXPECT_EQ(Relay(bytes + kDone), "!bad_upstream_response") << "it is no answer: " << bytes;
}

TEST(ChatStreamErrorTest, ErrorsInEveryWrapping) {
  const struct {
    const char* data;
    const char* name;
    const char* words;
  } cases[] = {
      {R"({"error":{"message":"it broke"}})", "upstream_error", "it broke"},
      {R"({"error":"it broke"})", "upstream_error", "it broke"},
      {R"({"error":true,"message":"it broke"})", "upstream_error", "it broke"},
      {R"({"error":{}})", "upstream_error", ""},
      {R"({"errors":[{"message":"it broke"}]})", "upstream_error", "it broke"},
      {R"({"message":"it broke"})", "upstream_error", "it broke"},
      {R"({"message":"it broke","request_id":"r"})", "upstream_error", "it broke"},
      {R"({"msg":"it broke"})", "upstream_error", "it broke"},
      {R"({"error_message":"it broke"})", "upstream_error", "it broke"},
      {R"({"errorMessage":"it broke"})", "upstream_error", "it broke"},
      {R"({"success":false,"message":"it broke"})", "upstream_error", "it broke"},
      {R"({"success":false})", "upstream_error", ""},
      {R"({"ok":false,"id":"x"})", "upstream_error", ""},
      {R"({"error_code":336003,"error_msg":"it broke"})", "upstream_error", "it broke"},
      {R"({"error_code":17})", "upstream_error", ""},
      {R"({"status":500,"error":"Internal Server Error","path":"/v1"})", "upstream_error",
       "Internal Server Error"},
      {R"({"status":500})", "upstream_error", ""},
      {R"({"statusCode":503,"message":"it broke"})", "upstream_unavailable", "it broke"},
      {R"({"code":500,"message":"it broke"})", "upstream_error", "it broke"},
      {R"({"code":429,"msg":"it broke"})", "upstream_rate_limited", "it broke"},
      {R"({"status":"error","message":"it broke"})", "upstream_error", "it broke"},
      {R"({"status":"failed"})", "upstream_error", ""},
      {R"({"type":"server_error","message":"it broke"})", "upstream_error", "it broke"},
      {R"({"type":"error"})", "upstream_error", ""},
      {R"({"detail":"it broke"})", "upstream_error", "it broke"},
      {R"({"choices":[],"base_resp":{"status_code":1000,"status_msg":"it broke"}})",
       "upstream_error", "it broke"},
      {R"({"choices":[],"base_resp":{"status_code":1008,"status_msg":"insufficient balance"}})",
       "upstream_no_credit", "insufficient balance"},
      {R"({"choices":[],"code":500,"message":"it broke"})", "upstream_error", "it broke"},
      {R"({"choices":[ ],"message":"it broke"})", "upstream_error", "it broke"},
      {R"({"choices":null,"code":429,"msg":"it broke"})", "upstream_rate_limited", "it broke"},
      {R"({"x_groq":{"id":"r","error":"it broke"}})", "upstream_error", "it broke"},
      {R"({"choices":[{"delta":{"content":"x"}}],"x_groq":{"error":{"message":"it broke"}}})",
       "upstream_error", "it broke"},
      {R"({"choices":[{"delta":{},"finish_reason":"network_error"}]})", "upstream_error", ""},
      {R"({"choices":[{"delta":{},"finish_reason":"insufficient_system_resource"}]})",
       "upstream_error", ""},
      {R"({"choices":[{"delta":{},"finish_reason":"abort"}]})", "upstream_error", ""},
      {R"({"choices":[{"delta":{},"finish_reason":"ERROR"}]})", "upstream_error", ""},
      {R"({"detail":[{"loc":["body"],"msg":"it broke"}]})", "upstream_error", "it broke"},
  };
  for (const auto& c : cases) {
    const std::string data = c.data;
    ExpectError("data: " + data + "\n\n", c.name, c.words);
    ExpectError(data + "\n", c.name, c.words);
    ExpectError(data + "\r\n\r\n", c.name, c.words);
    ExpectError("event: x\n" + data + "\n\n", c.name, c.words);
  }
  ExpectError("{\n  \"error\": {\n    \"message\": \"it broke\"\n  }\n}\n", "upstream_error",
              "it broke");
  ExpectError("[{\n  \"error\": {\n    \"message\": \"it broke\"\n  }\n}\n]\n\n", "upstream_error",
              "it broke");
  ExpectError("ERROR it broke\n", "upstream_error", "it broke");
  ExpectError("Error 500: it broke\n\n", "upstream_error", "it broke");
  ExpectError("[ERROR] it broke\n", "upstream_error", "it broke");
  for (const char* page :
       {"<!DOCTYPE html>\n<html>\n", "<html lang=\"en\"><body>502</body></html>\n", "<HTML>\n",
        "  <head>\n", "<?xml version=\"1.0\"?>\n\n"}) {
    ExpectError(page, "bad_upstream_response", "");
    EXPECT_EQ(Relay(Chunk(kA) + page), Sent(kA) + "!bad_upstream_response");
  }
}

TEST(ChatStreamErrorTest, WhatIsNoError) {
  for (const char* data : {R"({})",
                           R"({"type":"ping"})",
                           R"({"type":"ping","message":"still here"})",
                           R"({"event":"heartbeat","message":"x"})",
                           R"({"status":"processing"})",
                           R"({"status":"processing","message":"it is your turn soon"})",
                           R"({"success":true})",
                           R"({"success":true,"message":"ok"})",
                           R"({"code":0,"message":"ok"})",
                           R"({"code":200,"msg":"ok"})",
                           R"({"status":200})",
                           R"({"error":null})",
                           R"({"error":""})",
                           R"({"error":false})",
                           R"({"error":0})",
                           R"({"errors":[]})",
                           R"({"error_code":0})",
                           R"({"error_msg":""})",
                           R"({"detail":null})",
                           R"({"detail":"auto"})",
                           R"({"error":"none"})",
                           R"({"error":{"code":0,"message":"success"}})",
                           R"({"message":""})",
                           R"({"ok":true})",
                           R"({"object":"chat.completion.chunk","message":"x"})",
                           R"({"type":"message_start","message":{"role":"assistant"}})",
                           R"({"x_groq":{"id":"r"}})",
                           R"({"base_resp":{"status_code":0,"status_msg":"success"}})"}) {
    ExpectHarmless("data: " + std::string(data) + "\n\n");
    ExpectHarmless(std::string(data) + "\n");
  }
  for (const char* line :
       {": OPENROUTER PROCESSING\n\n", ":\n", "pong\n", "errors\n", "error_count: 5\n", "{\n",
        "{oops}\n", "[1]\n", "<ping/>\n", "retry: 5\n", "data: \"\"\n\n", "x: {\"error\":1}\n",
        "data: null\n\n", "data: []\n\n", "data: ping\n\n", "data: \"Heartbeat\"\n\n",
        "data: keep-alive\n\n", "{\"a\":\n: c\n\n"}) {
    ExpectHarmless(line);
  }
}

TEST(ChatStreamErrorTest, ChunksWithoutChoicesThatAreNoError) {
  for (const char* json :
       {R"({"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":)"
        R"([{"prompt_index":0,"content_filter_results":{"hate":{"filtered":false}}}]})",
        R"({"choices":[],"base_resp":{"status_code":0,"status_msg":"success"}})",
        R"({"choices":[],"error":{}})", R"({"choices":[],"object":"chat.completion.chunk"})"}) {
    const std::string out = Relay(Event(json) + Chunk(kA) + Chunk("{}", "\"stop\"") + kDone);
    EXPECT_TRUE(out.ends_with(kDone)) << json << out;
  }
}

TEST(ChatStreamErrorTest, TheEndInOtherWords) {
  for (const char* done : {"\"[DONE]\"", "[done]", "\"[Done]\""}) {
    EXPECT_EQ(Relay(Chunk(kA) + Event(done) + "data: {\"error\":\"x\"}\n\n"),
              Relay(Chunk(kA) + kDone + "data: {\"error\":\"x\"}\n\n"))
        << done;
  }
}

TEST(ChatStreamErrorTest, NumbersThatJsonDoesNotHaveAreNull) {
  const std::string out =
      Relay(Event(R"({"choices":[{"delta":{"content":"NaN \"NaN"},"logprobs":{"content":)"
                  R"([{"token":"a","logprob":NaN,"x":-Infinity,"y":[Infinity,1]}]}}]})") +
            Chunk("{}", "\"stop\"") + kDone);
  EXPECT_NE(out.find(R"("content":"NaN \"NaN")"), std::string::npos) << out;
  EXPECT_NE(out.find(R"({"token":"a","logprob":null,"x":null,"y":[null,1]})"), std::string::npos)
      << out;
  EXPECT_EQ(Relay(Event(R"({"choices":[{"delta":{"content":NaNa}}]})")), "!bad_upstream_response");
}

TEST(ChatStreamErrorTest, AMemberThatStandsTwiceIsWrittenOnce) {
  EXPECT_EQ(Relay(Event(R"({"id":"a","object":"chat.completion.chunk","created":5,"model":"x",)"
                        R"("id":"b","choices":[{"index":0,"delta":{"content":"a"},)"
                        R"("finish_reason":null}],"model":"y"})") +
                  kDone),
            Relay(Chunk(kA) + kDone));
}

TEST(ChatStreamErrorTest, AnErrorThatSaysNothingBesideAnAnswerIsNone) {
  for (const char* error :
       {"null", "\"\"", "{}", "false", "0", "[]", R"({"message":null,"code":null})",
        R"({"code":0,"message":""})", R"({"details":[{}]})", "\"none\"",
        R"({"code":"0","message":"success"})"}) {
    const std::string top = R"(,"error":)" + std::string(error);
    const std::string out = Relay(Chunk(kA, "null", top) + Chunk("{}", "\"stop\"", top) + kDone);
    EXPECT_TRUE(out.ends_with(kDone)) << out;
    // The OpenAI SDK takes any object there for a failure.
    EXPECT_EQ(out.find("\"error\":{"), std::string::npos) << out;
    EXPECT_TRUE(Relay(Event(R"({"choices":[{"delta":{"content":"a"},"finish_reason":"stop")" + top +
                            "}]}") +
                      kDone)
                    .ends_with(kDone))
        << error;
    EXPECT_TRUE(Relay(Chunk(kA) + Chunk("{}", "\"stop\"") +
                      Event(R"({"usage":{"prompt_tokens":1,"completion_tokens":2})" + top + "}") +
                      kDone)
                    .ends_with(kDone))
        << error;
  }
  for (const char* error : {"true", "\"x\"", "1", R"({"code":1})", R"({"message":"x"})", "[\"x\"]",
                            R"({"details":[{"a":true}]})"}) {
    const std::string top = R"(,"error":)" + std::string(error);
    EXPECT_EQ(Relay(Chunk(kA, "\"stop\"", top) + kDone), "!upstream_error") << error;
  }
}

// Chunks on lines of their own, with or without `data:`.
TEST(ChatStreamErrorTest, AJsonObjectOnALineOfItsOwnIsAnEvent) {
  const auto bare = [](std::string event) { return event.substr(6, event.size() - 7); };
  const std::string expected = Sent(kA) + Sent("{}", "\"stop\"", "," + kUsage) + kDone;
  const std::string lines = bare(Chunk(kA)) + bare(Chunk("{}", "\"stop\""));
  EXPECT_EQ(Relay(lines), expected);
  EXPECT_EQ(Relay(lines + "[DONE]\n"), expected);
  EXPECT_EQ(Relay(Chunk(kA) + bare(Chunk("{}", "\"stop\"")) + kDone), expected);
  EXPECT_EQ(Relay("data: " + bare(Chunk(kA)) + bare(Chunk("{}", "\"stop\"")) + "\n" + kDone),
            expected)
      << "an event that has begun comes first";
  ExpectSameAtEveryCutting(lines + "[DONE]\n", 50);
}

TEST(ChatStreamErrorTest, TheTextOfAChunkThatFailsDoesNotCount) {
  const std::string text = R"("delta":{"content":"many words that nobody was sent"})";
  for (const std::string& chunk : {
           R"({"choices":[{"index":0,)" + text + R"(,"finish_reason":"error"}]})",
           R"({"choices":[{"index":0,)" + text + R"(,"error":{"message":"it broke"}}]})",
           R"({"choices":[{"index":0,)" + text + R"(}],"error":{"message":"it broke"}})",
           R"({"choices":[{"index":0,)" + text + R"(},{"index":1000}]})",
           R"({"choices":[{"index":0,)" + text + R"(}],"choices":[]})",
           R"({"choices":[{"index":0,)" + text + R"(,"logprobs":NaN},{"index":1000}]})",
           R"({"choices":[{"index":0,)" + text + "}",
           R"({"choices":[{"index":0,)" + text + "},{}],\"object\":\"error\"}",
       }) {
    ChatStream stream(Options());
    std::string out;
    ASSERT_TRUE(stream.Feed(Chunk(kA), &out).ok());
    const int64_t sent = stream.content_tokens().tokens;
    ASSERT_FALSE(stream.Feed(Event(chunk), &out).ok()) << chunk;
    EXPECT_EQ(out, Sent(kA));
    EXPECT_EQ(stream.content_tokens().tokens, sent) << chunk;
  }
}

}  // namespace
}  // namespace seekroute::testing
