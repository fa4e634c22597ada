// Good answers in the wrong wrapping, and what is said of those that are no answer.
#include "testing/credits_fixture.h"
#include "wire/json/json.h"

namespace seekroute::testing {
namespace {

constexpr std::string_view kStop =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":60}}\n\n"
    "data: [DONE]\n\n";

class AnswerFormTest : public CreditsTest {
 protected:
  const Seen& AskFor(bool stream, const std::string& label, const std::string& bytes,
                     size_t piece = 1 << 20) {
    script_ = {};
    script_.head.content_type = label;
    for (size_t at = 0; at < bytes.size(); at += piece) {
      script_.pieces.push_back({{}, bytes.substr(at, piece)});
    }
    return Ask(stream ? R"(,"stream":true)" : "");
  }
  static std::string Stream() {
    return std::string(kStart) + std::string(kContent) + std::string(kStop);
  }
};

TEST_F(AnswerFormTest, AStreamIsOneUnderAnyLabel) {
  Open({1'000'000'000});
  const Seen right = AskFor(true, "text/event-stream", Stream());
  EXPECT_EQ(right.status, 200);
  EXPECT_TRUE(right.body.ends_with("data: [DONE]\n\n"));
  for (const char* label : {"text/plain", "application/json", "application/octet-stream", ""}) {
    for (const char* before :
         {"", "\xEF\xBB\xBF", ": ping\n\n", "\n\n", "event: x\n\n", "id: 1\n", "retry: 10\n"}) {
      const size_t piece = *before == 0 ? 1 : 1 << 20;
      const Seen& seen = AskFor(true, label, before + Stream(), piece);
      EXPECT_EQ(seen.status, 200) << label << before;
      EXPECT_EQ(seen.row->settlement, Settlement::kExact) << label << before;
      EXPECT_EQ(seen.row->cost, right.row->cost);
      // Only the id differs.
      EXPECT_EQ(seen.body.size(), right.body.size()) << seen.body;
      EXPECT_NE(seen.body.find("one two three"), std::string::npos);
    }
  }
}

TEST_F(AnswerFormTest, AWholeAnswerIsRelayedAsAStream) {
  Open({1'000'000'000});
  const std::string answer =
      R"({"id":"u","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,)"
      R"("message":{"role":"assistant","content":"hello","tool_calls":[{"id":"c","type":"function",)"
      R"("function":{"name":"f","arguments":"{}"}}],"x":1},"logprobs":null,"finish_reason":"stop"}],)"
      R"("usage":{"prompt_tokens":3,"completion_tokens":5},"y":2})";
  for (const char* label : {"application/json", "text/event-stream", "text/plain", ""}) {
    const Seen& seen = AskFor(true, label, answer, 50);
    EXPECT_EQ(seen.status, 200) << label;
    EXPECT_EQ(seen.headers.at("content-type").find("text/event-stream"), 0u);
    EXPECT_EQ(seen.row->settlement, Settlement::kExact);
    EXPECT_EQ(seen.row->cost.nano, 3 * kInputNano + 5 * kOutputNano);
    EXPECT_EQ(seen.row->finish_reason, "stop");
    EXPECT_NE(seen.body.find(
                  R"("choices":[{"index":0,"delta":{"role":"assistant","content":"hello",)"
                  R"("tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f",)"
                  R"("arguments":"{}"}}],"x":1},"logprobs":null,"finish_reason":"stop"}],"y":2,)"
                  R"("usage":{"prompt_tokens":3,"completion_tokens":5,"total_tokens":8)"),
              std::string::npos)
        << seen.body;
    EXPECT_NE(seen.body.find(R"("object":"chat.completion.chunk")"), std::string::npos);
    EXPECT_TRUE(seen.body.ends_with("data: [DONE]\n\n"));
  }
}

TEST_F(AnswerFormTest, AStreamForAPlainCallIsCollected) {
  Open({1'000'000'000});
  for (const char* label : {"text/event-stream", "application/json", ""}) {
    for (const size_t piece : {size_t{1}, size_t{1000}}) {
      const Seen& seen = AskFor(false, label, Stream(), piece);
      EXPECT_EQ(seen.status, 200) << label;
      EXPECT_EQ(seen.row->settlement, Settlement::kExact);
      EXPECT_EQ(seen.row->cost.nano, 7 * kInputNano + 60 * kOutputNano);
      EXPECT_NE(seen.body.find(R"("object":"chat.completion")"), std::string::npos) << seen.body;
      EXPECT_NE(seen.body.find(R"("message":{"role":"assistant","content":"one two three"})"),
                std::string::npos)
          << seen.body;
      EXPECT_NE(seen.body.find(R"("prompt_tokens":7)"), std::string::npos);
      EXPECT_TRUE(CheckJson(seen.body).ok());
    }
  }
  // Its errors are those of an answer, and a part of it is none.
  EXPECT_EQ(AskFor(false, "", std::string(kContent) + "data: {\"error\":\"no\"}\n\n").status, 502);
  EXPECT_EQ(AskFor(false, "", std::string(kContent)).row->error, "upstream_truncated");
  options_.max_answer_bytes = 2000;
  std::string much;
  for (int i = 0; i < 200; ++i) much += kContent;
  const Seen& large = AskFor(false, "", much + std::string(kStop));
  EXPECT_EQ(large.status, 502);
  EXPECT_NE(large.body.find("too large"), std::string::npos) << large.body;
}

// Names of no coding, and of one that storage puts on what it has decoded.
TEST_F(AnswerFormTest, AContentEncodingThatChangesNothingIsNone) {
  Open({1'000'000'000});
  for (const char* encoding : {"", "identity", "utf-8", "utf8", "none", "aws-chunked",
                               "identity, aws-chunked", " , utf-8 ,identity"}) {
    script_.head.content_encoding = encoding;
    EXPECT_EQ(Ask().status, 200) << encoding;
  }
}

TEST_F(AnswerFormTest, AContentEncodingThatWasNotAskedForIsNamed) {
  Open({1'000'000'000});
  const struct {
    std::string encoding;
    const char* said;
  } cases[] = {
      {"gzip", "compressed as gzip"},
      {"br", "compressed as br"},
      {"identity, zstd", "compressed as zstd"},
      {"aws-chunked,gzip,br", "compressed as gzip"},
      {"x-seekroute_1.0", "compressed as x-seekroute_1.0"},
      {"sk-secret key", "compressed in an unknown way"},
      {std::string(70, 'x'), "compressed in an unknown way"},
  };
  for (const auto& c : cases) {
    script_.head.content_encoding = c.encoding;
    const Seen& seen = Ask();
    EXPECT_EQ(seen.status, 502) << c.encoding;
    EXPECT_EQ(seen.row->error, "bad_upstream_response");
    EXPECT_NE(seen.body.find("the provider sent an answer " + std::string(c.said) +
                             ", which was not asked for"),
              std::string::npos)
        << seen.body;
    EXPECT_EQ(seen.body.find("sk-secret"), std::string::npos);
  }
}

TEST_F(AnswerFormTest, AStreamForAPlainCallThatFailsBehindContentMayHaveToBePaid) {
  Open({1'000'000'000});
  const std::string body = R"({"model":"m","messages":[{"role":"user","content":"hi"}]})";
  const int64_t generated = EstimateChatPrompt(body).tokens * kInputNano +
                            EstimateTokens("one two three").tokens * kOutputNano;
  for (const char* error : {R"({"error":{"message":"slow down","code":429}})",
                            R"({"error":{"message":"no","code":"content_filter"}})",
                            R"({"error":{"message":"Invalid key","code":401}})"}) {
    const std::string event = "data: " + std::string(error) + "\n\n";
    const Seen& behind = AskFor(false, "", std::string(kStart) + std::string(kContent) + event);
    EXPECT_NE(behind.status, 200);
    EXPECT_EQ(behind.row->Suspected().nano, generated) << error;
    const Seen& instead = AskFor(false, "", std::string(kStart) + event);
    EXPECT_EQ(instead.row->Suspected().nano, 0) << error;
  }
}

// What was said of it by its status counts, though its words cannot be read.
TEST_F(AnswerFormTest, ACompressedRefusalIsOne) {
  Open({1'000'000'000});
  const struct {
    int status;
    int told;
    const char* error;
    bool passes_wait;
  } cases[] = {
      {429, 429, "upstream_rate_limited", true},     {503, 503, "upstream_unavailable", true},
      {400, 400, "upstream_invalid_request", false}, {401, 502, "upstream_auth_error", false},
      {404, 502, "upstream_model_not_found", false}, {500, 502, "upstream_error", false},
      {302, 502, "upstream_error", false},
  };
  for (const auto& c : cases) {
    for (const char* stream : {"", R"(,"stream":true)"}) {
      script_.head.status = c.status;
      script_.head.content_encoding = "gzip";
      script_.head.retry_after_ms = 7000;
      script_.pieces = {{{}, std::string("\x1f\x8b\x08\x00garbage", 11)}};
      const Seen& seen = Ask(stream);
      EXPECT_EQ(seen.status, c.told) << c.status << seen.body;
      EXPECT_EQ(seen.row->error, c.error) << c.status;
      const auto wait = seen.headers.find("retry-after");
      EXPECT_EQ(wait == seen.headers.end() ? "" : wait->second, c.passes_wait ? "7" : "")
          << c.status;
      EXPECT_EQ(seen.body.find("garbage"), std::string::npos);
    }
  }
}

TEST_F(AnswerFormTest, AnAnswerWithoutAMessageGetsOne) {
  Open({1'000'000'000});
  for (
      const char* choice :
      {R"({"text":"hello","finish_reason":"stop"})",
       R"({"delta":{"content":"hello"},"finish_reason":"stop"})",
       R"({"message":{"role":"assistant","content":"hello"},"logprobs":{"x":NaN},"finish_reason":"stop"})",
       R"({"message":null,"text":"hello","finish_reason":"stop"})"}) {
    const std::string answer = R"({"choices":[)" + std::string(choice) +
                               R"(],"usage":{"prompt_tokens":3,"completion_tokens":5}})";
    const Seen& seen = AskFor(false, "application/json", answer);
    EXPECT_EQ(seen.status, 200) << choice;
    EXPECT_NE(seen.body.find(R"("message":{"role":"assistant","content":"hello"})"),
              std::string::npos)
        << seen.body;
    EXPECT_EQ(seen.row->cost.nano, 3 * kInputNano + 5 * kOutputNano);
    EXPECT_TRUE(CheckJson(seen.body).ok()) << seen.body;
  }
}

// Clients of OpenRouter read `reasoning`: they come by /api/v1, and by /v1 in a profile that says
// so.
TEST_F(AnswerFormTest, ThinkingHasBothNamesWhereItIsReadUnderBoth) {
  const std::string whole =
      R"({"choices":[{"message":{"content":"a","reasoning_content":"why"},"finish_reason":"stop"}],)"
      R"("usage":{"prompt_tokens":3,"completion_tokens":5}})";
  const std::string piece =
      "data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"why\"}}]}\n\n";
  for (const bool api_v1 : {false, true}) {
    for (const bool on_v1 : {false, true}) {
      api_v1_ = api_v1;
      profile_.reasoning_on_v1 = on_v1;
      Open({1'000'000'000});
      for (const bool stream : {false, true}) {
        for (const std::string& bytes :
             {whole, piece + std::string(kContent) + std::string(kStop)}) {
          const std::string body = AskFor(stream, "", bytes).body;
          const size_t first = body.find(R"("reasoning_content":"why")");
          ASSERT_NE(first, std::string::npos) << body;
          const size_t other = body.find(R"("reasoning":"why")");
          EXPECT_EQ(other != std::string::npos, api_v1 || on_v1) << body;
        }
      }
    }
  }
}

// What the provider has sent is held once: its second name is written on the way out.
TEST_F(AnswerFormTest, ASecondNameTakesNothingOfTheBoundOfAnAnswer) {
  api_v1_ = true;
  options_.max_answer_bytes = 4000;
  Open({1'000'000'000});
  const std::string thought(2000, 'x');
  const std::string piece =
      R"(data: {"choices":[{"index":0,"delta":{"reasoning_content":")" + thought + "\"}}]}\n\n";
  const Seen& seen = AskFor(false, "", piece + std::string(kContent) + std::string(kStop));
  EXPECT_EQ(seen.status, 200) << seen.body;
  EXPECT_NE(seen.body.find("\"reasoning\":\"" + thought), std::string::npos);
}

TEST_F(AnswerFormTest, WhatIsNoAnswerIsNamed) {
  Open({1'000'000'000});
  const struct {
    const char* label;
    const char* body;
    const char* what;
  } cases[] = {
      {"text/html", "<html><body class=\"x\">", "text/html instead of JSON"},
      {"application/json", "<html>", "HTML or XML instead of JSON"},
      {"text/event-stream", "\n<!doctype html>", "HTML or XML instead of JSON"},
      {"", "upstream connect error", "text instead of JSON"},
      {"text/plain", "upstream connect error", "text/plain instead of JSON"},
      {"text/\"x\"", "oops", "text instead of JSON"},
      {"application/json", "", "an empty body instead of JSON"},
  };
  for (const auto& c : cases) {
    for (const bool stream : {false, true}) {
      const Seen& seen = AskFor(stream, c.label, c.body);
      EXPECT_EQ(seen.status, 502) << c.body;
      EXPECT_EQ(seen.row->error, "bad_upstream_response") << c.body;
      EXPECT_NE(seen.body.find("the provider answered with " + std::string(c.what)),
                std::string::npos)
          << seen.body;
    }
  }
}

}  // namespace
}  // namespace seekroute::testing
