// What a client, and the row, are told of a provider's refusal: whose trouble it is, and in whose
// words.
#include "testing/credits_fixture.h"

namespace seekroute::testing {
namespace {

struct Spelling {
  const char* who;
  int status;         // HTTP
  const char* body;   // what the provider says
  int told;           // the status that the client gets
  const char* code;   // and its error.code
  const char* param;  // null: `"param":null`
  bool in_band;       // the body alone tells as much: it may come in a stream with status 200
};

// Made up in the shapes that the packaged providers use.
const Spelling kSpellings[] = {
    // The caller's: the prompt is too long.
    {"OpenAI", 400,
     R"({"error":{"message":"This model's maximum context length is 8192 tokens.",)"
     R"("type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}})",
     400, "context_length_exceeded", "messages", true},
    {"llama.cpp", 400,
     R"({"error":{"code":400,"message":"request (9412 tokens) exceeds the available context size )"
     R"((8192 tokens), try increasing it","type":"exceed_context_size_error"}})",
     400, "context_length_exceeded", nullptr, true},
    {"Anthropic", 400,
     R"({"type":"error","error":{"type":"invalid_request_error",)"
     R"("message":"prompt is too long: 210000 tokens > 200000 maximum"}})",
     400, "context_length_exceeded", nullptr, true},
    {"Anthropic", 400,
     R"({"type":"error","error":{"type":"invalid_request_error",)"
     R"("message":"input length and `max_tokens` exceed context limit: 9 + 9 > 10"}})",
     400, "context_length_exceeded", nullptr, true},
    {"vLLM", 400,
     R"({"object":"error","message":"This model's maximum context length is 4096 tokens. However, )"
     R"(you requested 5000 tokens","type":"BadRequestError","param":null,"code":400})",
     400, "context_length_exceeded", nullptr, true},
    {"Gemini", 400,
     R"([{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number )"
     R"(of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}])",
     400, "context_length_exceeded", nullptr, true},
    {"Mistral", 400,
     R"({"object":"error","message":"Prompt contains 40000 tokens and 0 draft tokens, too large for )"
     R"(model with 32768 maximum context length","type":"invalid_request_error","code":"3051"})",
     400, "context_length_exceeded", nullptr, true},
    {"Moonshot", 400,
     R"({"error":{"message":"Invalid request: Your request exceeded model token limit: 262144",)"
     R"("type":"invalid_request_error"}})",
     400, "context_length_exceeded", nullptr, true},
    {"xAI", 400,
     R"({"code":"Client specified an invalid argument","error":"This model's maximum prompt length )"
     R"(is 131072 but the request contains 537812 tokens."})",
     400, "context_length_exceeded", nullptr, true},
    {"Alibaba", 400,
     R"({"error":{"code":"invalid_parameter_error","param":null,"message":"Range of input length )"
     R"(should be [1, 30720]","type":"invalid_request_error"}})",
     400, "context_length_exceeded", nullptr, true},
    {"Z.ai", 400, R"({"error":{"code":"1261","message":"Prompt too long"}})", 400,
     "context_length_exceeded", nullptr, true},
    {"a proxy", 500, R"({"error":{"message":"Input is too long for requested model."}})", 400,
     "context_length_exceeded", nullptr, false},
    {"Ollama", 400, R"({"error":"the input length exceeds the context length"})", 400,
     "context_length_exceeded", nullptr, false},
    {"MiniMax", 200,
     R"({"choices":null,"base_resp":{"status_code":1039,"status_msg":"token limit"}})", 400,
     "context_length_exceeded", nullptr, true},

    // The caller's: the content.
    {"Azure", 400,
     R"({"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI's )"
     R"(content management policy.","type":null,"param":"prompt","code":"content_filter",)"
     R"("status":400,"innererror":{"code":"ResponsibleAIPolicyViolation",)"
     R"("content_filter_result":{"hate":{"filtered":true,"severity":"high"}}}}})",
     400, "content_policy_violation", "prompt", true},
    {"Azure", 400,
     R"({"error":{"message":"no","code":"BadRequest",)"
     R"("innererror":{"code":"ResponsibleAIPolicyViolation"}}})",
     400, "content_policy_violation", nullptr, true},
    {"OpenRouter", 403,
     R"({"error":{"code":403,"message":"openai/gpt-4 requires moderation. Your input was flagged )"
     R"(for \"violence\".","metadata":{"reasons":["violence"],"flagged_input":"secret words",)"
     R"("provider_name":"OpenAI"}}})",
     400, "content_policy_violation", nullptr, true},
    {"OpenRouter", 403,
     R"({"error":{"code":403,"message":"no","metadata":{"reasons":["violence"]}}})", 400,
     "content_policy_violation", nullptr, true},
    {"xAI", 403,
     R"({"code":"The caller does not have permission to execute the specified operation",)"
     R"("error":"Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_BIO"})",
     400, "content_policy_violation", nullptr, true},
    {"DeepSeek", 400,
     R"({"error":{"message":"Content Exists Risk","type":"invalid_request_error","param":null,)"
     R"("code":"invalid_request_error"}})",
     400, "content_policy_violation", nullptr, true},
    {"Moonshot", 400,
     R"({"error":{"message":"The request was rejected because it was considered high risk",)"
     R"("type":"content_filter"}})",
     400, "content_policy_violation", nullptr, true},
    {"Alibaba", 400,
     R"({"error":{"code":"data_inspection_failed","message":"Input data may contain inappropriate )"
     R"(content.","type":"data_inspection_failed","param":null}})",
     400, "content_policy_violation", nullptr, true},
    {"ByteDance", 400,
     R"({"error":{"code":"InputTextSensitiveContentDetected","message":"The request failed",)"
     R"("param":"","type":"BadRequest"}})",
     400, "content_policy_violation", nullptr, true},
    {"Z.ai", 400, R"({"error":{"code":"1301","message":"unsafe content"}})", 400,
     "content_policy_violation", nullptr, true},

    // The caller's: a word of the provider's own passes through.
    {"OpenAI", 400,
     R"({"error":{"message":"Unsupported parameter: 'temperature'","type":)"
     R"("invalid_request_error","param":"temperature","code":"unsupported_parameter"}})",
     400, "unsupported_parameter", "temperature", true},
    {"OpenAI", 400,
     R"({"error":{"message":"no","type":"invalid_request_error","param":"messages[0].content",)"
     R"("code":"unsupported_value"}})",
     400, "unsupported_value", "messages[0].content", true},
    {"OpenAI", 400,
     R"({"error":{"message":"You uploaded an unsupported image.","type":"invalid_request_error",)"
     R"("param":null,"code":"invalid_image_format"}})",
     400, "invalid_image_format", nullptr, true},
    {"Mistral", 422,
     R"({"detail":[{"type":"missing","loc":["body","messages",0,"role"],"msg":"Field required"}]})",
     400, "upstream_invalid_request", "messages[0].role", false},
    {"Mistral", 422,
     R"({"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","foo"],)"
     R"("msg":"Extra inputs are not permitted","input":"secret words"}]},)"
     R"("type":"invalid_request_message_error","param":null,"code":null})",
     400, "upstream_invalid_request", "foo", false},
    {"Gemini", 400,
     R"([{"error":{"code":400,"message":"Invalid JSON","status":"INVALID_ARGUMENT"}}])", 400,
     "upstream_invalid_request", nullptr, true},
    {"somebody", 400,
     R"({"error":{"message":"no","code":"Not A Plain Word","param":"<script>alert(1)</script>"}})",
     400, "upstream_invalid_request", nullptr, false},
    {"somebody", 400, R"({"error":{"message":"no","code":"shutting_down"}})", 400,
     "upstream_invalid_request", nullptr, false},
    {"somebody", 400, R"({"error":{"message":"no","code":"sk-abcdef012345","param":"sk-abcdef"}})",
     400, "upstream_invalid_request", nullptr, false},
    {"Anthropic", 413,
     R"({"type":"error","error":{"type":"request_too_large","message":"too large"}})", 413,
     "upstream_invalid_request", nullptr, true},
    {"Groq", 413,
     R"({"error":{"message":"Request too large for model","type":"tokens",)"
     R"("code":"rate_limit_exceeded"}})",
     413, "upstream_invalid_request", nullptr, false},

    // The operator's: no money at the provider.
    {"OpenAI", 429,
     R"({"error":{"message":"You exceeded your current quota, please check your plan and billing )"
     R"(details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}})",
     502, "upstream_no_credit", nullptr, true},
    {"Z.ai", 429, R"({"error":{"code":"1113","message":"Insufficient balance"}})", 502,
     "upstream_no_credit", nullptr, true},
    {"Z.ai", 429, R"({"error":{"code":1113,"message":"please recharge"}})", 502,
     "upstream_no_credit", nullptr, true},
    {"DeepSeek", 402,
     R"({"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,)"
     R"("code":"invalid_request_error"}})",
     502, "upstream_no_credit", nullptr, false},
    {"OpenRouter", 402, R"({"error":{"code":402,"message":"Insufficient credits"}})", 502,
     "upstream_no_credit", nullptr, true},
    {"Anthropic", 400,
     R"({"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is )"
     R"(too low to access the Anthropic API."}})",
     502, "upstream_no_credit", nullptr, true},
    {"Anthropic", 402, R"({"type":"error","error":{"type":"billing_error","message":"no"}})", 502,
     "upstream_no_credit", nullptr, true},
    {"Moonshot", 429,
     R"({"error":{"message":"Your account is not active","type":"exceeded_current_quota_error"}})",
     502, "upstream_no_credit", nullptr, true},
    {"SiliconFlow", 403, R"({"code":30001,"message":"account balance is insufficient"})", 502,
     "upstream_no_credit", nullptr, true},
    {"Alibaba", 400,
     R"({"error":{"code":"Arrearage","param":null,"message":"Access denied, please make sure your )"
     R"(account is in good standing.","type":"Arrearage"}})",
     502, "upstream_no_credit", nullptr, true},
    {"ByteDance", 403, R"({"error":{"code":"AccountOverdueError","message":"no"}})", 502,
     "upstream_no_credit", nullptr, true},
    {"xAI", 429,
     R"({"code":"Some resource has been exhausted","error":"Your team 6f1c has either used all )"
     R"(available credits or reached its monthly spending limit."})",
     502, "upstream_no_credit", nullptr, false},
    {"MiniMax", 200, R"({"base_resp":{"status_code":1008,"status_msg":"insufficient balance"}})",
     502, "upstream_no_credit", nullptr, true},
    {"Novita", 403, R"({"code":403,"reason":"NOT_ENOUGH_BALANCE","message":"no"})", 502,
     "upstream_no_credit", nullptr, true},

    {"somebody", 402, R"({"error":{"message":"Please check your billing details"}})", 502,
     "upstream_no_credit", nullptr, false},
    {"somebody", 402, R"({"error":{"message":"no"}})", 502, "upstream_no_credit", nullptr, false},
    {"somebody", 200, R"({"error":{"code":402,"message":"no"}})", 502, "upstream_no_credit",
     nullptr, true},
    {"somebody", 200, R"({"status":402,"message":"no"})", 502, "upstream_no_credit", nullptr, true},
    {"somebody", 402, R"({"error":{"message":"Invalid API key"}})", 502, "upstream_auth_error",
     nullptr, false},

    // The operator's: its key, its region, its rights.
    {"OpenAI", 401,
     R"({"error":{"message":"Incorrect API key provided: sk-abcdef.","type":)"
     R"("invalid_request_error","code":"invalid_api_key"}})",
     502, "upstream_auth_error", nullptr, true},
    {"Gemini", 400,
     R"([{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.",)"
     R"("status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}])",
     502, "upstream_auth_error", nullptr, true},
    {"xAI", 400,
     R"({"code":"Client specified an invalid argument","error":"Incorrect API key provided: xa."})",
     502, "upstream_auth_error", nullptr, true},
    {"Anthropic", 401, R"({"type":"error","error":{"type":"authentication_error","message":"x"}})",
     502, "upstream_auth_error", nullptr, true},
    {"OpenAI", 403,
     R"({"error":{"code":"unsupported_country_region_territory","message":"Country, region, or )"
     R"(territory not supported","param":null,"type":"request_forbidden"}})",
     502, "upstream_forbidden", nullptr, true},
    {"Gemini", 400,
     R"([{"error":{"code":400,"message":"User location is not supported for the API use.",)"
     R"("status":"FAILED_PRECONDITION"}}])",
     502, "upstream_forbidden", nullptr, true},
    {"Anthropic", 403, R"({"type":"error","error":{"type":"permission_error","message":"no"}})",
     502, "upstream_auth_error", nullptr, true},
    {"somebody", 403, R"({"error":{"message":"Your account has been flagged"}})", 502,
     "upstream_auth_error", nullptr, false},

    // The operator's: its name for the model.
    {"OpenAI", 404,
     R"({"error":{"message":"The model `x` does not exist","type":"invalid_request_error",)"
     R"("param":null,"code":"model_not_found"}})",
     502, "upstream_model_not_found", nullptr, true},
    {"somebody", 400, R"({"error":{"message":"no","code":"model_not_found","param":"model"}})", 502,
     "upstream_model_not_found", nullptr, true},
    {"DeepSeek", 400,
     R"({"error":{"message":"Model Not Exist","type":"invalid_request_error","param":null,)"
     R"("code":"invalid_request_error"}})",
     502, "upstream_model_not_found", nullptr, true},
    {"Mistral", 400,
     R"({"object":"error","message":"Invalid model: x","type":"invalid_model","code":"1500"})", 502,
     "upstream_model_not_found", nullptr, true},
    {"Ollama", 404, R"({"error":"model \"x\" not found, try pulling it first"})", 502,
     "upstream_model_not_found", nullptr, false},

    // The provider's: its pace and its load.
    {"OpenAI", 429,
     R"({"error":{"message":"Rate limit reached for gpt-4o in organization org-Ab12Cd on tokens per )"
     R"(min","type":"tokens","param":null,"code":"rate_limit_exceeded"}})",
     429, "upstream_rate_limited", nullptr, true},
    {"Gemini", 429,
     R"([{"error":{"code":429,"message":"You exceeded your current quota, please check your plan )"
     R"(and billing details.","status":"RESOURCE_EXHAUSTED"}}])",
     429, "upstream_rate_limited", nullptr, true},
    {"Alibaba", 429,
     R"({"error":{"message":"You exceeded your current quota. For details see )"
     R"(https://help.aliyun.com/zh/model-studio/error-code","type":"insufficient_quota",)"
     R"("code":"insufficient_quota"}})",
     429, "upstream_rate_limited", nullptr, false},
    {"Z.ai", 429, R"({"error":{"code":"1302","message":"concurrency"}})", 429,
     "upstream_rate_limited", nullptr, true},
    {"OpenRouter", 429,
     R"({"error":{"code":429,"message":"Provider returned error","metadata":{"raw":"busy"}}})", 429,
     "upstream_rate_limited", nullptr, true},
    {"Moonshot", 429,
     R"({"error":{"message":"The engine is currently overloaded","type":)"
     R"("engine_overloaded_error"}})",
     503, "upstream_unavailable", nullptr, true},
    {"Anthropic", 529, R"({"type":"error","error":{"type":"overloaded_error","message":"O"}})", 503,
     "upstream_unavailable", nullptr, true},
    {"Cerebras", 429,
     R"({"message":"High traffic","type":"too_many_requests_error","param":"queue",)"
     R"("code":"queue_exceeded"})",
     503, "upstream_unavailable", nullptr, true},
    {"SiliconFlow", 503, R"({"code":50505,"message":"Model service overloaded."})", 503,
     "upstream_unavailable", nullptr, true},
    {"OpenRouter", 502,
     R"({"error":{"code":502,"message":"Provider returned error","metadata":{"raw":"{\"error\":)"
     R"({\"message\":\"upstream went away\"}}"}}})",
     502, "upstream_error", nullptr, true},
    {"somebody", 500, "Internal Server Error", 502, "upstream_error", nullptr, false},
    {"somebody", 504, "<html>", 504, "upstream_timeout", nullptr, false},
};

class RefusalsTest : public CreditsTest {
 protected:
  void Play(int status, const std::string& bytes, const std::string& type = "application/json") {
    script_ = {};
    script_.head.status = status;
    script_.head.content_type = type;
    script_.pieces = {{{}, bytes}};
  }
  static std::string Event(const std::string& json) { return "data: " + json + "\n\n"; }

  static void Expect(const Spelling& said, const Seen& seen) {
    const std::string where = std::string(said.who) + " " + said.body + "\n" + seen.body;
    EXPECT_EQ(seen.status, said.told) << where;
    EXPECT_NE(seen.body.find("\"code\":\"" + std::string(said.code) + "\""), std::string::npos)
        << where;
    const std::string param =
        said.param == nullptr ? "null" : "\"" + std::string(said.param) + "\"";
    EXPECT_NE(seen.body.find("\"param\":" + param), std::string::npos) << where;
    EXPECT_EQ(seen.body.find("secret words"), std::string::npos) << where;
    EXPECT_EQ(seen.row->settlement, Settlement::kFailed) << where;
    EXPECT_EQ(seen.row->cost.nano, 0) << where;
    // Operators' own troubles pass neither by themselves nor by another try of the client.
    const std::string_view code = said.code;
    const bool operators = code == "upstream_no_credit" || code == "upstream_auth_error" ||
                           code == "upstream_forbidden" || code == "upstream_model_not_found";
    const auto retry = seen.headers.find("x-should-retry");
    EXPECT_EQ(retry != seen.headers.end() && retry->second == "false",
              operators || code == "content_policy_violation" ||
                  code == "context_length_exceeded" || code == "upstream_timeout")
        << where;
  }
};

TEST_F(RefusalsTest, EverySpellingIsUnderstoodOverHttp) {
  Open({1'000'000'000});
  for (const Spelling& said : kSpellings) {
    for (const std::string stream : {"", R"(,"stream":true)"}) {
      Play(said.status, said.body);
      Expect(said, Ask(stream));
    }
  }
}

TEST_F(RefusalsTest, AnErrorAsTheFirstEventOfAStreamIsTheSameAsItsStatusOverHttp) {
  Open({1'000'000'000});
  for (const Spelling& said : kSpellings) {
    if (!said.in_band) continue;
    Play(200, Event(said.body), "text/event-stream");
    Expect(said, Ask(R"(,"stream":true)"));
    Play(200, said.body);
    Expect(said, Ask());
  }
}

// An error that the event's name or its field tells, not its JSON.
const char* const kUnmarked[] = {
    "event: error\ndata: {\"code\":500,\"message\":\"the engine died\"}\n\n",
    "event: error\ndata: the engine died\n\n",
    "event: error\n\n",
    "event: Error\ndata: {\"message\":\"the engine died\"}\n\n",
    "event: exception\ndata: {\"message\":\"the engine died\"}\n\n",
    "event: response.failed\ndata: {\"message\":\"the engine died\"}\n\n",
    "ERROR: {\"message\":\"the engine died\"}\n\n",
    "error: {\"code\":500,\"message\":\"the engine died\",\"type\":\"server_error\"}\n\n",
    "error: the engine died\n",
    "data: error: the engine died\n\n",
    "data: [ERROR] the engine died\n\n",
    "data: {\"code\":500,\"message\":\"the engine died\"}\n\n",
    "data: {\"status\":\"500\",\"message\":\"the engine died\"}\n\n",
    "data: {\"detail\":\"the engine died\"}\n\n",
    "id:1\nevent:error\n:HTTP_STATUS/500\ndata:{\"code\":\"InternalError\",\"message\":"
    "\"the engine died\",\"request_id\":\"r\"}\n\n",
    "data: {\"choices\":null,\"base_resp\":{\"status_code\":1013,\"status_msg\":\"the engine "
    "died\"}}\n\n",
};
constexpr std::string_view kEnd =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
    "data: [DONE]\n\n";

TEST_F(RefusalsTest, AnErrorToldByTheEventAloneFailsTheAttemptBeforeContent) {
  Open({1'000'000'000});
  for (const std::string error : kUnmarked) {
    Play(200, error + std::string(kEnd), "text/event-stream");
    const Seen& seen = Ask(R"(,"stream":true)");
    EXPECT_EQ(seen.status, 502) << error << seen.body;
    EXPECT_NE(seen.body.find(R"("code":"upstream_error")"), std::string::npos) << seen.body;
    const bool told = error.find("died") != std::string::npos;
    EXPECT_EQ(seen.body.find("the engine died") != std::string::npos, told) << seen.body;
    EXPECT_EQ(seen.row->tried[0].words.find("the engine died") != std::string::npos, told) << error;
    EXPECT_EQ(seen.row->cost.nano, 0);
  }
}

TEST_F(RefusalsTest, AnErrorToldByTheEventAloneIsNoAnswerAfterContent) {
  Open({1'000'000'000});
  for (const std::string error : kUnmarked) {
    Play(200, std::string(kStart) + std::string(kContent) + error + std::string(kEnd),
         "text/event-stream");
    const Seen& seen = Ask(R"(,"stream":true)");
    EXPECT_EQ(seen.status, 200);
    EXPECT_EQ(seen.body.find("[DONE]"), std::string::npos) << error << seen.body;
    EXPECT_NE(seen.body.find("\n\ndata: {\"error\":{"), std::string::npos) << seen.body;
    EXPECT_EQ(seen.row->settlement, Settlement::kFailed) << error;
    EXPECT_EQ(seen.row->cost.nano, 0) << error;
    EXPECT_EQ(seen.row->error, "upstream_error") << error;
    const bool told = error.find("died") != std::string::npos;
    EXPECT_EQ(seen.row->tried[0].words.find("the engine died") != std::string::npos, told) << error;
  }
}

TEST_F(RefusalsTest, ACommentsStatusCountsWhereTheWordsHaveNone) {
  Open({1'000'000'000});
  Play(200,
       "id:1\nevent:error\n:HTTP_STATUS/400\ndata:{\"code\":\"InvalidParameter\",\"message\":"
       "\"Required parameter is missing\",\"request_id\":\"r\"}\n\n",
       "text/event-stream");
  const Seen& seen = Ask(R"(,"stream":true)");
  EXPECT_EQ(seen.status, 400) << seen.body;
  EXPECT_NE(seen.body.find("Required parameter is missing"), std::string::npos) << seen.body;
}

TEST_F(RefusalsTest, TheProvidersWordsAreInTheRowAndTheOperatorsNotInTheAnswer) {
  Open({1'000'000'000});
  Play(429,
       R"({"error":{"message":"Quota of org-Ab12Cd3 is gone, said 'my very own words'","type":"x",)"
       R"("code":"insufficient_quota"}})");
  const Seen& seen = Ask();
  EXPECT_EQ(seen.body.find("Quota"), std::string::npos) << seen.body;
  EXPECT_EQ(seen.row->tried[0].words,
            "insufficient_quota: Quota of [redacted] is gone, said '...'");
  EXPECT_EQ(seen.row->error, "upstream_no_credit");
  // However long it is.
  std::string text;
  for (int i = 0; i < 500; ++i) text += "\u00e9 ";
  Play(500, R"({"error":{"message":")" + text + R"("}})");
  EXPECT_LE(Ask().row->tried[0].words.size(), kMaxAttemptWords);
}

TEST_F(RefusalsTest, WhatTheWordsRepeatOfTheRequestIsInNoRow) {
  options_.retry.max_attempts = 1;
  Open({1'000'000'000'000});
  const std::string prompt = "my password is hunter2 and my cat is Tom";
  const std::string error =
      R"({"error":{"code":"bad_text","message":"We refuse )" + prompt + R"( as unsafe"}})";
  for (const bool stream : {false, true}) {
    const std::string members = R"(,"user":")" + prompt + '"' + (stream ? R"(,"stream":true)" : "");
    for (const int status : {400, 500, 200}) {
      Play(status, error);
      const Seen& seen = Ask(members);
      ASSERT_EQ(seen.row->tried.size(), 1u);
      EXPECT_EQ(seen.row->tried[0].words, "bad_text: We refuse ... as unsafe") << status;
    }
  }
  // What is not kept to be compared.
  Play(500, error);
  const Seen& seen = Ask(R"(,"user":")" + prompt + R"(","x":")" + std::string(3 << 20, 'x') + '"');
  ASSERT_EQ(seen.row->tried.size(), 1u) << seen.body;
  EXPECT_EQ(seen.row->tried[0].words, "bad_text");
}

}  // namespace
}  // namespace seekroute::testing
