#include "wire/openai/chat_answer.h"

#include <gtest/gtest.h>

#include "testing/corpora.h"

namespace seekroute {
namespace {

AnswerNames Names() { return {"gen-1", "chat.completion", "deepseek/chat", 77}; }

UsageReport Report() {
  UsageReport report;
  report.usage.prompt = 3;
  report.usage.completion = 2;
  report.cost = CostReport{.cost = Money{5}};
  return report;
}

constexpr std::string_view kUsage =
    R"({"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"cost":0.000000005})";

std::string Rewrite(std::string_view body) {
  const Result<ChatAnswer> answer = ParseChatAnswer(body);
  EXPECT_TRUE(answer.has_value()) << body;
  return answer ? RewriteChatAnswer(body, *answer, Names(), Report()) : std::string();
}

TEST(ChatAnswerTest, ReadsTheServiceTier) {
  const auto tier = [](const std::string& value) {
    const auto answer = ParseChatAnswer(R"({"choices":[],"service_tier":)" + value + "}");
    return answer ? answer->service_tier : "refused";
  };
  EXPECT_EQ(tier("\"flex\""), "flex");
  EXPECT_EQ(tier("\"on_demand-2.0\""), "on_demand-2.0");
  for (const char* none : {"null", "7", "{}", "\"\"", "\"a b\"", "\"a\\u0000\"",
                           "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""}) {
    EXPECT_EQ(tier(none), "") << none;
  }
}

TEST(ChatAnswerTest, ReadsWhatTheGatewayNeeds) {
  const std::string_view body =
      R"({"id":"x","object":"chat.completion","created":5,"model":"up","choices":[{"index":0,)"
      R"("message":{"role":"assistant","content":"h\u00e9","reasoning_content":"abc",)"
      R"("tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{}"}}]},)"
      R"("logprobs":{"content":[{"token":"zzz"}]},"finish_reason":"stop"},)"
      R"({"index":1,"message":{"content":"x"},"finish_reason":"length"}],)"
      R"("usage":{"prompt_tokens":9,"completion_tokens":4}})";
  const Result<ChatAnswer> answer = ParseChatAnswer(body);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->usage.prompt, 9);
  EXPECT_EQ(answer->usage.completion, 4);
  EXPECT_FALSE(answer->usage_odd);
  EXPECT_EQ(answer->service_tier, "");
  EXPECT_EQ(answer->content_bytes, 3u + 3 + 1 + 2 + 1);
  EXPECT_EQ(answer->finish_reason, "stop");
  EXPECT_EQ(answer->id->In(body), "\"x\"");
  EXPECT_EQ(answer->usage_value->In(body), R"({"prompt_tokens":9,"completion_tokens":4})");
}

TEST(ChatAnswerTest, RewritesOnlyItsOwnFields) {
  EXPECT_EQ(Rewrite(R"({ "model" : "up", "id":"x","object":"o","created":5, "choices":[ ],)"
                    R"( "system_fingerprint":"fp","usage":{"prompt_tokens":9} , "z":1.0})"),
            R"({ "model" : "deepseek/chat", "id":"gen-1","object":"chat.completion","created":5, )"
            R"("choices":[ ], "system_fingerprint":"fp","usage":)" +
                std::string(kUsage) + R"( , "z":1.0})");
}

TEST(ChatAnswerTest, AddsWhatIsMissing) {
  EXPECT_EQ(Rewrite(R"({"choices":[]})"),
            R"({"id":"gen-1","object":"chat.completion","created":77,"model":"deepseek/chat",)"
            R"("usage":)" +
                std::string(kUsage) + R"(,"choices":[]})");
  EXPECT_EQ(Rewrite(R"({"id":null,"object":null,"created":null,"model":null,"usage":null,)"
                    R"("choices":[]})"),
            R"({"id":"gen-1","object":"chat.completion","created":77,"model":"deepseek/chat",)"
            R"("usage":)" +
                std::string(kUsage) + R"(,"choices":[]})");
}

TEST(ChatAnswerTest, RefusesWhatIsNotAnAnswer) {
  const std::string deep(100'000, '[');
  for (const std::string_view body :
       {"", "<html>502</html>", "[]", "\"a\"", "{}", R"({"choices":null})", R"({"choices":{}})",
        R"({"choices":["x"]})", R"({"choices":[{"index":128}]})", R"({"choices":[{"index":-1}]})",
        R"({"choices":[],"choices":[]})", R"({"choices":[],"error":{},"error":""})",
        "{\"choices\":[]", "{\"choices\":[],\"a\":\"\xFF\"}", deep.c_str()}) {
    const Result<ChatAnswer> answer = ParseChatAnswer(body);
    ASSERT_FALSE(answer.has_value()) << body.substr(0, 80);
    EXPECT_EQ(answer.error().code, ErrorCode::kBadUpstreamResponse) << body.substr(0, 80);
  }
}

TEST(ChatAnswerTest, TellsAProvidersError) {
  const struct {
    const char* body;
    ErrorCode code;
  } cases[] = {
      {R"({"error":{"message":"quota"}})", ErrorCode::kUpstreamError},
      {R"({"error":"quota","choices":[]})", ErrorCode::kUpstreamError},
      {R"({"object":"error","message":"quota","code":400})", ErrorCode::kUpstreamInvalidRequest},
      {R"([{"error":{"message":"quota","status":"RESOURCE_EXHAUSTED"}}])",
       ErrorCode::kUpstreamRateLimited},
      {R"({"error":{"message":"quota","code":"429"}})", ErrorCode::kUpstreamRateLimited},
      {R"({"error":{"message":"quota","type":"overloaded_error"}})",
       ErrorCode::kUpstreamUnavailable},
      {R"({"choices":[],"base_resp":{"status_code":1008,"status_msg":"quota"}})",
       ErrorCode::kUpstreamNoCredit},
      {R"({"choices":[],"code":500,"message":"quota"})", ErrorCode::kUpstreamError},
      {R"({"choices":[{"message":{"content":"a"}}],"x_groq":{"error":"quota"}})",
       ErrorCode::kUpstreamError},
  };
  for (const auto& c : cases) {
    const Result<ChatAnswer> answer = ParseChatAnswer(c.body);
    ASSERT_FALSE(answer.has_value()) << c.body;
    EXPECT_EQ(answer.error().code, c.code) << c.body;
    EXPECT_NE(answer.error().words.find("quota"), std::string::npos) << c.body;
  }
  EXPECT_TRUE(ParseChatAnswer(R"({"error":null,"choices":[]})").has_value());
}

TEST(ChatAnswerTest, AnAnswerThatEndedInAnErrorIsOne) {
  const struct {
    const char* choice;
    ErrorCode code;
    const char* words;
  } cases[] = {
      {R"({"message":{"content":"half"},"finish_reason":"error"})", ErrorCode::kUpstreamError, ""},
      {R"({"message":{"content":"half"},"finish_reason":"Network_Error"})",
       ErrorCode::kUpstreamError, ""},
      {R"({"message":{"content":"half"},"finish_reason":"insufficient_system_resource"})",
       ErrorCode::kUpstreamError, ""},
      {R"({"message":{"content":"half"},"finish_reason":"abort"})", ErrorCode::kUpstreamError, ""},
      {R"({"message":{},"finish_reason":"error","error":{"message":"quota"}})",
       ErrorCode::kUpstreamError, ": quota"},
      {R"({"message":{},"finish_reason":"error","error":"quota"})", ErrorCode::kUpstreamError,
       ": quota"},
      {R"({"message":{},"finish_reason":null,"error":{"code":503,"message":"quota"}})",
       ErrorCode::kUpstreamUnavailable, ": quota"},
      {R"({"message":{},"finish_reason":"stop"},{"index":1,"finish_reason":"error"})",
       ErrorCode::kUpstreamError, ""},
  };
  for (const auto& c : cases) {
    const Result<ChatAnswer> answer =
        ParseChatAnswer(R"({"choices":[)" + std::string(c.choice) + "]}");
    ASSERT_FALSE(answer.has_value()) << c.choice;
    EXPECT_EQ(answer.error().code, c.code) << c.choice;
    EXPECT_TRUE(answer.error().message.ends_with(c.words)) << answer.error().message;
  }
  EXPECT_TRUE(ParseChatAnswer(R"({"choices":[{"message":{},"finish_reason":"stop","error":null}]})")
                  .has_value());
}

TEST(ChatAnswerTest, UsageThatGroqTellsBesideIsRead) {
  const Result<ChatAnswer> answer =
      ParseChatAnswer(R"({"choices":[{"message":{"content":"a"}}],"x_groq":{"id":"r","usage":)"
                      R"({"prompt_tokens":3,"completion_tokens":5}}})");
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->usage.prompt, 3);
  EXPECT_EQ(answer->usage.completion, 5);
}

TEST(ChatAnswerTest, ADoubledUsageIsNotBelievedButTheAnswerIs) {
  for (const char* body :
       {R"({"usage":{"prompt_tokens":1},"choices":[],"usage":{"prompt_tokens":9}})",
        R"({"choices":[],"usage":null , "usage":{"prompt_tokens":9,"completion_tokens":1}})",
        R"({"usage":1,"usage":2,"usage":3,"choices":[]})"}) {
    const Result<ChatAnswer> answer = ParseChatAnswer(body);
    ASSERT_TRUE(answer.has_value()) << body;
    EXPECT_TRUE(answer->usage_odd) << body;
    const std::string out = Rewrite(body);
    EXPECT_EQ(out.find("\"usage\""), out.rfind("\"usage\"")) << out;
    EXPECT_NE(out.find("\"usage\":" + std::string(kUsage)), std::string::npos) << out;
    EXPECT_TRUE(CheckJson(out).ok()) << out;
  }
}

TEST(ChatAnswerTest, WritesAWholeCompletion) {
  const std::string body = WriteChatAnswer(Names(), {"https://x/\"1\"", "two"}, Report());
  EXPECT_EQ(body, R"({"id":"gen-1","object":"chat.completion","created":77,)"
                  R"("model":"deepseek/chat","choices":[{"index":0,"message":{"role":"assistant",)"
                  R"("content":"https://x/\"1\"","refusal":null},"logprobs":null,"finish_reason":)"
                  R"("stop"},{"index":1,"message":{"role":"assistant","content":"two",)"
                  R"("refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":)" +
                      std::string(kUsage) + "}");
  EXPECT_TRUE(CheckJson(body).ok());
}

TEST(ChatAnswerTest, WritesTheSameAsAStream) {
  const std::string head =
      R"(data: {"id":"gen-1","object":"chat.completion.chunk","created":77,"model":"deepseek/chat",)"
      R"("choices":[)";
  const std::string start =
      head + R"({"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]})" +
      "\n\n" + head + R"({"index":0,"delta":{"content":"a"},"finish_reason":null}]})" + "\n\n" +
      head + R"({"index":0,"delta":{},"finish_reason":"stop"}])";
  EXPECT_EQ(WriteChatStream(Names(), {"a"}, Report(), false),
            start + ",\"usage\":" + std::string(kUsage) + "}\n\ndata: [DONE]\n\n");
  EXPECT_EQ(
      WriteChatStream(Names(), {"a"}, Report(), true),
      start + "}\n\n" + head + "],\"usage\":" + std::string(kUsage) + "}\n\ndata: [DONE]\n\n");
}

TEST(ChatAnswerTest, SharedScenarios) {
  const auto scenarios = testing::ReadUpstreamScenarios();
  if (scenarios.empty()) GTEST_SKIP() << "no shared corpora; set SEEKROUTE_SHARED";
  int checked = 0;
  for (const testing::UpstreamScenario& scenario : scenarios) {
    // A short body is the transport's to notice: its bytes are a whole answer.
    if (scenario.stream || scenario.id == "json-short-body") continue;
    ++checked;
    const Result<ChatAnswer> answer = ParseChatAnswer(scenario.bytes);
    ASSERT_FALSE(answer.has_value()) << scenario.id;
    const std::string told =
        std::to_string(answer.error().status()) + " " + std::string(answer.error().name());
    EXPECT_EQ(told, scenario.client) << scenario.id;
  }
  EXPECT_GE(checked, 3);
}

}  // namespace
}  // namespace seekroute
