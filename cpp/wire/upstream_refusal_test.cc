#include "wire/upstream_refusal.h"

#include <gtest/gtest.h>

#include "testing/corpora.h"
#include "testing/virtual_world.h"
#include "wire/json/json.h"
#include "wire/sanitize.h"

namespace seekroute {
namespace {

TEST(UpstreamRefusalTest, FindsTheSentenceOfAProvider) {
  const struct {
    const char* body;
    const char* message;
  } cases[] = {
      {R"({"error":{"message":"no quota","type":"x"}})", "no quota"},
      {R"({"error":"broken"})", "broken"},
      {R"({"message":"hello"})", "hello"},
      {R"({"detail":"Not found"})", "Not found"},
      {R"({"detail":[{"loc":["body"],"msg":"field required"}]})", "field required"},
      {R"([{"error":{"code":400,"message":"bad","status":"X"}}])", "bad"},
      {R"({"error":{"message":"two\nlines"}})", "two\nlines"},
      {R"({"error":{"code":3}})", ""},
      {R"({"error":null})", ""},
      {R"({"object":"error","message":{"detail":[{"msg":"no"}]}})", "no"},
      {R"({"detail":{"error":{"message":"inner"}}})", "inner"},
      {R"({"errors":[{"code":7,"message":"first"},{"message":"second"}]})", "first"},
      {R"({"error":{"message":"Provider returned error","metadata":{"raw":"plain"}}})", "plain"},
      {R"({"error":{"message":"Provider returned error","metadata":{"raw":"{\"error\":)"
       R"({\"message\":\"nested\"}}"}}})",
       "nested"},
      {R"({"detail":"{\"error\":{\"message\":\"wrapped\"}}"})", "wrapped"},
      {R"({"base_resp":{"status_code":1008,"status_msg":"no money"}})", "no money"},
      {"<html>502</html>", ""},
      {"", ""},
      {"{\"message\":\"a\xFF\"}", "a\uFFFD"},
  };
  for (const auto& c : cases) EXPECT_EQ(ReadProviderError(c.body).message, c.message) << c.body;
}

TEST(UpstreamRefusalTest, MapsTheStatusOfAnUpstream) {
  const struct {
    int status;
    ErrorCode code;
  } cases[] = {
      {400, ErrorCode::kUpstreamInvalidRequest},  {422, ErrorCode::kUpstreamInvalidRequest},
      {413, ErrorCode::kUpstreamRequestTooLarge}, {401, ErrorCode::kUpstreamAuthError},
      {402, ErrorCode::kUpstreamNoCredit},        {403, ErrorCode::kUpstreamAuthError},
      {404, ErrorCode::kUpstreamModelNotFound},   {408, ErrorCode::kUpstreamTimeout},
      {504, ErrorCode::kUpstreamTimeout},         {429, ErrorCode::kUpstreamRateLimited},
      {503, ErrorCode::kUpstreamUnavailable},     {529, ErrorCode::kUpstreamUnavailable},
      {500, ErrorCode::kUpstreamError},           {502, ErrorCode::kUpstreamError},
      {301, ErrorCode::kUpstreamError},           {418, ErrorCode::kUpstreamError},
  };
  for (const auto& c : cases) EXPECT_EQ(CodeOfUpstreamStatus(c.status), c.code) << c.status;
}

// Names, numbers, sentences and places of all kinds, thrown together.
std::string DrawBody(testing::SeededRng* rng) {
  static const char* const kWords[] = {"insufficient_quota",
                                       "authentication_error",
                                       "invalid_api_key",
                                       "permission_error",
                                       "1113",
                                       "402",
                                       "401",
                                       "403",
                                       "content_filter",
                                       "context_length_exceeded",
                                       "permission_denied",
                                       "missing_api_key",
                                       "insufficient_credits",
                                       "billing_error",
                                       "not_found",
                                       "UNAUTHENTICATED",
                                       "invalid_value",
                                       "payment_required",
                                       "\xff\xfe",
                                       "Your credit balance is too low",
                                       "Incorrect API key provided: sk-abc123",
                                       "flagged",
                                       "a b",
                                       "null",
                                       "0",
                                       "{\"error\":{}}"};
  static const char* const kKeys[] = {
      "code",     "type", "status",     "message",   "param",       "reason", "detail", "error",
      "metadata", "raw",  "innererror", "base_resp", "status_code", "loc",    "msg",    "details"};
  const auto word = [&] {
    const std::string text = kWords[rng->Below(std::size(kWords))];
    std::string out;
    if (text[0] >= '0' && text[0] <= '9' && rng->OneIn(2)) return text;
    AppendJsonString(text, &out);
    return rng->OneIn(20) ? text : out;
  };
  std::string body;
  int open = 0;
  std::string closers;
  body += rng->OneIn(8) ? "[{" : "{";
  closers = body == "[{" ? "]}" : "}";
  for (uint64_t i = 0, n = rng->Below(8); i < n; ++i) {
    if (body.back() != '{') body += ',';
    body += '"' + std::string(kKeys[rng->Below(std::size(kKeys))]) + "\":";
    if (open < 4 && rng->OneIn(2)) {
      body += '{';
      closers += '}';
      ++open;
    } else {
      body += word();
    }
  }
  if (rng->OneIn(10)) return body;
  return body + std::string(closers.rbegin(), closers.rend());
}

// Whatever a provider says: nobody is sent to look at his own key or his own money for it, no
// secret and no line break gets out, and everything has its bound.
TEST(UpstreamRefusalTest, IsTotalAndBlamesNobodyForTheOperatorsTrouble) {
  const Secret secret("Bearer insufficient_quota");
  for (uint64_t seed = 0; seed < 4000; ++seed) {
    testing::SeededRng rng(seed);
    const std::string body = DrawBody(&rng);
    const int status = static_cast<int>(rng.OneIn(3) ? rng.Below(1000) : 400 + rng.Below(32));
    for (const Error& error : {ReadRefusal(status, body, {&secret}), ReadErrorInAnswer(body)}) {
      const int told = error.status();
      EXPECT_TRUE(told == 400 || told == 413 || told == 429 || told >= 500) << status << body;
      for (const std::string& text : {error.message, error.words, error.param, error.shown_code}) {
        EXPECT_TRUE(text.size() <= 700 && IsValidUtf8(text)) << body;
        EXPECT_EQ(text.find_first_of("\r\n"), std::string::npos) << body;
        EXPECT_EQ(text.find("sk-abc123"), std::string::npos) << body;
      }
      if (error.shown_code.empty()) continue;
      EXPECT_EQ(error.code, ErrorCode::kUpstreamInvalidRequest) << body;
      const auto ours = ErrorCodeNamed(error.shown_code);
      EXPECT_TRUE(!ours || TraitsOf(*ours).status == 400) << body;
    }
    const Error refused = ReadRefusal(status, body, {&secret});
    EXPECT_EQ(refused.words.find("insufficient_quota"), std::string::npos) << body;
    EXPECT_NE(refused.shown_code, "insufficient_quota");
  }
}

// What a request says must not be read as what the operator's account is told.
TEST(UpstreamRefusalTest, AQuotedRequestDoesNotBecomeTheOperatorsTrouble) {
  for (const char* said : {"Invalid value: 'insufficient balance'", "got \"incorrect api key\"",
                           "cannot parse: your credit balance is too low",
                           "'user location is not supported'", "bad tool name 'model not exist'"}) {
    std::string body = R"({"error":{"message":)";
    AppendJsonString(said, &body);
    body += "}}";
    EXPECT_EQ(ReadRefusal(400, body, {}).code, ErrorCode::kUpstreamInvalidRequest) << said;
    EXPECT_EQ(ReadRefusal(422, body, {}).code, ErrorCode::kUpstreamInvalidRequest) << said;
  }
}

TEST(UpstreamRefusalTest, KeepsTheOperatorsAffairsOutOfTheClientsAnswer) {
  const std::string body =
      R"({"error":{"message":"Your quota for the invoice is gone","code":"insufficient_quota"}})";
  const Error error = ReadRefusal(429, body, {});
  EXPECT_EQ(error.message.find("invoice"), std::string::npos) << error.message;
  EXPECT_EQ(error.words, "insufficient_quota: Your quota for the invoice is gone");
  EXPECT_EQ(error.upstream_status, 429);
}

TEST(UpstreamRefusalTest, TellsARefusalOfOneRequestFromOneOfTheAccount) {
  struct Case {
    int status;
    const char* body;
    bool of_request;
  };
  for (
      const Case& c : std::initializer_list<Case>{
          {402,
           R"({"error":{"message":"This request requires more credits, or fewer max_tokens. You requested up to 64000 tokens, but can only afford 1200.","code":402}})",
           true},
          {402, R"({"error":{"message":"Insufficient credits","code":402}})", false},
          {404, R"({"error":{"message":"No endpoints found that support tool use","code":404}})",
           true},
          {404, R"({"error":{"message":"The model `m` does not exist","code":"model_not_found"}})",
           false},
          {429,
           R"({"error":{"message":"Request too large for m on tokens per min (TPM): Limit 6000, Requested 9000","code":"rate_limit_exceeded"}})",
           true},
          {429, R"({"error":{"message":"Rate limit reached for m"}})", false},
          {403, "<html><title>Attention Required!</title></html>", true},
          {402,
           R"({"error":{"code":"insufficient_credits","message":"this request may cost 0.90 USD and the credits available are 0.5 USD: send max_tokens of at most 4998, or add credits","metadata":{"affordable_max_tokens":"4998"}}})",
           true},
          {404,
           R"({"error":{"code":"no_matching_endpoint","message":"no endpoint of 'a/m' can serve this request: 1 does not take pictures"}})",
           true},
          {404,
           R"({"error":{"code":"model_not_found","message":"there is no model 'a/m' at this gateway"}})",
           false},
          {405, "", true},
          {409, R"({"error":{"message":"a conflict"}})", true},
          {410, "", true},
          {418, "", true},
          {451, "", true},
          {499, "", true},
          {408, "", false},
          {424, "", false},
          {500, "", false},
          {403, "", false},
          {403, R"({"error":{"message":"Your project may not use this model"}})", false},
          {400, R"({"error":{"message":"request too large"}})", false}}) {
    EXPECT_EQ(ReadRefusal(c.status, c.body, {}).of_request, c.of_request) << c.body;
  }
}

TEST(UpstreamRefusalTest, TakesTheWaitFromTheWords) {
  const std::string body =
      R"([{"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED","details":[)"
      R"({"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.0704s"}]}}])";
  EXPECT_EQ(ReadRefusal(429, body, {}).retry_after_ms, 34'071);
  EXPECT_EQ(ReadErrorInAnswer(body).retry_after_ms, 34'071);
  EXPECT_EQ(ReadErrorInAnswer(body).upstream_status, 429);
}

TEST(UpstreamRefusalTest, SaysWhoseTroubleItIs) {
  const struct {
    int status;
    Trouble trouble;
  } cases[] = {{400, Trouble::kCaller},   {413, Trouble::kCaller},   {401, Trouble::kOperator},
               {402, Trouble::kOperator}, {403, Trouble::kOperator}, {404, Trouble::kOperator},
               {429, Trouble::kProvider}, {503, Trouble::kProvider}, {500, Trouble::kProvider}};
  for (const auto& c : cases) {
    EXPECT_EQ(ClassifyRefusal(c.status, {}).trouble, c.trouble) << c.status;
  }
}

// An answer, or a sign of life, is no error.
TEST(UpstreamRefusalTest, FindsAnErrorOnlyWhereOneIsSaid) {
  for (const char* no :
       {R"({"choices":[]})", R"({"id":"x","usage":{"prompt_tokens":1}})", R"({"type":"ping"})",
        R"({"error":null,"choices":[]})", R"({})", "[]", "hello",
        R"({"status":"queued","message":"wait"})", R"({"code":0,"message":"ok"})",
        R"({"code":200,"message":"success"})", R"({"choices":[{}],"code":7,"message":"x"})",
        R"({"base_resp":{"status_code":0,"status_msg":""}})"}) {
    EXPECT_FALSE(FindErrorInAnswer(no).has_value()) << no;
  }
  for (const char* yes :
       {R"({"error":"x"})", R"({"code":500,"message":"x"})", R"({"code":"E7","message":"x"})",
        R"({"object":"error","message":"x"})", R"({"type":"error","message":"x"})",
        R"({"detail":"x"})", R"({"errors":[{"message":"x"}]})", R"({"status":503,"message":"x"})",
        R"({"base_resp":{"status_code":1000,"status_msg":"x"}})"}) {
    const auto found = FindErrorInAnswer(yes);
    ASSERT_TRUE(found.has_value()) << yes;
    EXPECT_NE(found->words.find('x'), std::string::npos) << yes;
  }
}

TEST(UpstreamRefusalTest, SharedStatusScenariosLeakNoKey) {
  const auto scenarios = testing::ReadUpstreamScenarios();
  if (scenarios.empty()) GTEST_SKIP() << "no shared corpora; set SEEKROUTE_SHARED";
  int checked = 0;
  for (const testing::UpstreamScenario& scenario : scenarios) {
    if (scenario.status < 400) continue;
    ++checked;
    const Error error = ReadRefusal(scenario.status, scenario.bytes, {});
    EXPECT_NE(error.words.find("nope key [redacted]"), std::string::npos) << scenario.id;
    const ErrorTraits& traits = TraitsOf(CodeOfUpstreamStatus(scenario.status));
    EXPECT_EQ(scenario.client.substr(0, 3), std::to_string(traits.status)) << scenario.id;
  }
  EXPECT_GE(checked, 5);
}

}  // namespace
}  // namespace seekroute
