#include "wire/error_body.h"

#include <gtest/gtest.h>

#include "wire/json.h"

namespace seekroute {
namespace {

Profile PlainProfile() {
  Profile profile;
  profile.error_metadata = false;
  return profile;
}

TEST(ErrorBodyTest, WritesBothVocabulariesAtOnce) {
  Error error = MakeError(ErrorCode::kUpstreamRateLimited, "try \"later\"", "");
  error.upstream_status = 429;
  EXPECT_EQ(WriteErrorBody(error, Profile(), {"req-1", false, "deepseek"}),
            R"({"error":{"message":"try \"later\"","type":"rate_limit_error","param":null,)"
            R"("code":"upstream_rate_limited","metadata":{"error_type":"rate_limit_exceeded",)"
            R"("request_id":"req-1","provider_name":"deepseek","provider_code":429}}})");
}

TEST(ErrorBodyTest, TheProfileChoosesWordsAndFields) {
  Profile profile = PlainProfile();
  const Error error = MakeError(ErrorCode::kInsufficientCredits, "no credit", "model");
  EXPECT_EQ(WriteErrorBody(error, profile, {"r", true, ""}),
            R"({"error":{"message":"no credit","type":"billing_error","param":"model",)"
            R"("code":"insufficient_credits"}})");
  profile.error_param = false;
  ErrorWords& words = profile.words[static_cast<size_t>(ErrorCode::kInsufficientCredits)];
  words.type = "billing";
  words.code = "insufficient_balance";
  words.message = "top up";
  EXPECT_EQ(WriteErrorBody(error, profile, {"r", true, ""}),
            R"({"error":{"message":"top up","type":"billing","code":"insufficient_balance"}})");
}

TEST(ErrorBodyTest, TheCodeIsAnIntegerOnlyUnderApiV1) {
  Profile profile = PlainProfile();
  profile.integer_code_on_api_v1 = true;
  const Error error = MakeError(ErrorCode::kModelNotFound, "no such model", "");
  EXPECT_NE(WriteErrorBody(error, profile, {"r", true, ""}).find("\"code\":404"),
            std::string::npos);
  EXPECT_NE(WriteErrorBody(error, profile, {"r", false, ""}).find("\"code\":\"model_not_found\""),
            std::string::npos);
}

// Clients know an error by `{"error":` at the very beginning, or by the lack of `choices`.
TEST(ErrorBodyTest, WritesOpenAisEvent) {
  const Error error = MakeError(ErrorCode::kUpstreamTruncated, "cut");
  EXPECT_EQ(WriteErrorEvent(error, PlainProfile(), {"r", false, ""}, "gen-1", "m", 5),
            R"(data: {"error":{"message":"cut","type":"upstream_error","param":null,)"
            R"("code":"upstream_truncated"}})"
            "\n\n");
  EXPECT_EQ(WriteErrorEvent(error, PlainProfile(), {"r", false, "", R"("seekroute":{"a":1})"},
                            "gen-1", "m", 5),
            R"(data: {"error":{"message":"cut","type":"upstream_error","param":null,)"
            R"("code":"upstream_truncated"},"seekroute":{"a":1}})"
            "\n\n");
}

TEST(ErrorBodyTest, WritesOpenRoutersEventUnderItsBase) {
  EXPECT_EQ(WriteErrorEvent(MakeError(ErrorCode::kUpstreamTruncated, "cut"), PlainProfile(),
                            {"r", true, ""}, "gen-1", "m", 5),
            R"(data: {"id":"gen-1","object":"chat.completion.chunk","created":5,"model":"m",)"
            R"("error":{"message":"cut","type":"upstream_error","param":null,)"
            R"("code":"upstream_truncated"},"choices":[{"index":0,"delta":{"content":""},)"
            R"("finish_reason":"error"}]})"
            "\n\n");
}

TEST(ErrorBodyTest, RedactsWhatIsNotProse) {
  const struct {
    const char* text;
    const char* clean;
  } cases[] = {
      {"Incorrect API key provided: sk-abc123DEF. See docs.",
       "Incorrect API key provided: [redacted] See docs."},
      {"key=sk-or-v1-0123 (sk_live_9)", "key=[redacted] ([redacted])"},
      {"api_key:sk-abcdef", "[redacted]"},
      {"Authorization: Bearer abc.def", "Authorization: Bearer [redacted]"},
      {"token 4f9a8b7c6d5e4f3a2b1c0d", "token [redacted]"},
      {"see https://internal.example/x?a=b&c=(d) now", "see [redacted](d) now"},
      {"connect to 10.1.2.3:8080 failed", "connect to [redacted] failed"},
      {"peer 192.168.0.1, fe80::1 and ::1", "peer [redacted], [redacted] and [redacted]"},
      {"db.internal:5432 refused", "[redacted] refused"},
      {"localhost:8000", "[redacted]"},
      {"the model claude-3-5-sonnet-20241022 does not exist",
       "the model claude-3-5-sonnet-20241022 does not exist"},
      {"max_tokens: 5000 > 4096, at 12:30:45. Ask the risk-free desk-help",
       "max_tokens: 5000 > 4096, at 12:30:45. Ask the risk-free desk-help"},
      {"  many \t\n spaces\x01\x7F ", "many spaces"},
  };
  for (const auto& c : cases) EXPECT_EQ(SanitizeUpstreamText(c.text, {}), c.clean);
}

TEST(ErrorBodyTest, RedactsTheGivenSecretsWhateverTheirShape) {
  const Secret plain("hunter two"), empty("");
  EXPECT_EQ(SanitizeUpstreamText("my hunter two, hunter two!", {&plain, &empty, nullptr}),
            "my [redacted], [redacted]!");
}

TEST(ErrorBodyTest, RedactsACredentialWithoutItsScheme) {
  const Secret header("Bearer opaquekey");
  EXPECT_EQ(SanitizeUpstreamText("key opaquekey is wrong", {&header}), "key [redacted] is wrong");
}

TEST(ErrorBodyTest, CutsLongTextsBetweenCharacters) {
  std::string text;
  for (int i = 0; i < 400; ++i) text += "é ";
  const std::string clean = SanitizeUpstreamText(text, {});
  EXPECT_LE(clean.size(), 500u);
  EXPECT_GT(clean.size(), 490u);
  EXPECT_TRUE(IsValidUtf8(clean));
}

TEST(ErrorBodyTest, LeavesTextAloneWhereTheKeyIsADummyOfALocalServer) {
  constexpr std::string_view kText =
      "ollama: max context exceeded; prompt is EMPTY, none of the dummy-key or not-needed, 1234567";
  for (const std::string_view key :
       {"x", "ollama", "Ollama", "EMPTY", "none", "None", "dummy", "dummy-key", "not-needed",
        "lm-studio", "no-key-required", "placeholder", "1234567", "sk-no-key-required"}) {
    const Secret secret("Bearer " + std::string(key));
    EXPECT_EQ(SanitizeUpstreamText(kText, {&secret}), kText) << key;
  }
  for (const std::string_view key : {"12345678", "none-of-it", "emptyempty", "abcdefgh"}) {
    const Secret secret{std::string(key)};
    EXPECT_EQ(SanitizeUpstreamText("see " + std::string(key) + " there", {&secret}),
              "see [redacted] there")
        << key;
  }
}

TEST(ErrorBodyTest, RedactsWhatNamesTheOperatorsAccount) {
  const struct {
    const char* text;
    const char* clean;
  } cases[] = {
      {"Rate limit reached in organization org-Ab12Cd on tokens per min (TPM): Limit 30000",
       "Rate limit reached in organization [redacted] on tokens per min (TPM): Limit 30000"},
      {"Project `proj_9Xy` has no access", "Project `[redacted]` has no access"},
      {"Your team 6f1c-2 has used all credits", "Your team [redacted] has used all credits"},
      {"consumer 'project_number:81234'", "consumer '[redacted]'"},
      {"projects/81234/locations/eu", "[redacted]"},
      {"write to ops@example.com now", "write to [redacted] now"},
      {"key xa***ef is wrong", "key [redacted] is wrong"},
      {"arn:aws:bedrock:eu-1:123456789012:model/x", "[redacted]"},
      {"host vllm-0.models.svc.cluster.local is down", "host [redacted] is down"},
      {"request 0f8fad5b-d9cb-469f-a165-70867728950e", "request [redacted]"},
      {"Rate limit reached for gpt-4 in organization org-SECRET on tokens per min",
       "Rate limit reached for gpt-4 in organization [redacted] on tokens per min"},
      {"organization_id=acme7, project id: 81-x",
       "organization_id=[redacted], project id: [redacted]"},
      {"The deployment `acme-prod` is not ready", "The deployment `[redacted]` is not ready"},
      {"Organization 'Acme Corp' is disabled", "Organization '[redacted]' is disabled"},
      {"acme-eu.openai.azure.com does not answer", "[redacted] does not answer"},
      {"at vllm.models.internal/v1/chat", "at [redacted]"},
      {"account 123456789012, or 210987654321", "account [redacted], or [redacted]"},
      {"Incorrect API key provided: sk-\xE2\x80\xA6wXyZ", "Incorrect API key provided: [redacted]"},
      {"your key abc...wXyZ, or xxxxwXyZ", "your key [redacted], or [redacted]"},
      {"Please wait... then ask your organization to raise it",
       "Please wait... then ask your organization to raise it"},
      {"The project 'is' one word", "The project '[redacted]' one word"},
      {"an org-wide limit, an account balance", "an org-wide limit, an account balance"},
      {"messages.3.content: at most 5", "messages.3.content: at most 5"},
  };
  for (const auto& c : cases) EXPECT_EQ(SanitizeUpstreamText(c.text, {}), c.clean);
}

TEST(ErrorBodyTest, LeavesQuotationsOut) {
  const struct {
    const char* text;
    const char* without;
  } cases[] = {
      {"Unsupported parameter: 'temperature'", "Unsupported parameter: 'temperature'"},
      {"model `a/b-1.5[x]` isn't there", "model `a/b-1.5[x]` isn't there"},
      {"invalid 'what I've said' in \"my own words\", sorry", "invalid '...' in \"...\", sorry"},
      {"the model's 'end", "the model's 'end'"},
      {"it's 'never ended text", "it's '...'"},
      {"'' and \"\"", "'' and \"\""},
      {"", ""},
  };
  for (const auto& c : cases) EXPECT_EQ(WithoutQuotations(c.text), c.without) << c.text;
}

TEST(ErrorBodyTest, SendsTheProvidersCodeInThePlaceOfOurs) {
  Error error = MakeError(ErrorCode::kUpstreamInvalidRequest, "no", "temperature");
  error.shown_code = "unsupported_value";
  error.words = "for the operator";
  Profile profile = PlainProfile();
  EXPECT_EQ(WriteErrorBody(error, profile, {"r", true, ""}),
            R"({"error":{"message":"no","type":"invalid_request_error","param":"temperature",)"
            R"("code":"unsupported_value"}})");
  profile.words[static_cast<size_t>(error.code)].code = "bad";
  EXPECT_NE(WriteErrorBody(error, profile, {"r", true, ""}).find(R"("code":"bad")"),
            std::string::npos);
  Profile numbers;
  numbers.integer_code_on_api_v1 = true;
  EXPECT_EQ(WriteErrorBody(error, numbers, {"r", true, ""}),
            R"({"error":{"message":"no","type":"invalid_request_error","param":"temperature",)"
            R"("code":400,"metadata":{"error_type":"invalid_request","request_id":"r",)"
            R"("provider_error_code":"unsupported_value"}}})");
}

TEST(ErrorBodyTest, TellsFactsInTheMetadata) {
  Error error = MakeError(ErrorCode::kInsufficientCredits, "too little");
  error.facts = {{"needed", "0.5"}, {"id", "a\"b", true}};
  const std::string body = WriteErrorBody(error, Profile(), {"req", false, {}, {}});
  EXPECT_NE(body.find(R"("metadata":{"error_type":"payment_required","request_id":"req",)"
                      R"("needed":0.5,"id":"a\"b"})"),
            std::string::npos)
      << body;
}

}  // namespace
}  // namespace seekroute
