#include "wire/sanitize.h"

#include <gtest/gtest.h>

#include "wire/json/json.h"

namespace seekroute {
namespace {

TEST(SanitizeTest, RedactsWhatIsNotProse) {
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

TEST(SanitizeTest, RedactsTheGivenSecretsWhateverTheirShape) {
  const Secret plain("hunter two"), empty("");
  EXPECT_EQ(SanitizeUpstreamText("my hunter two, hunter two!", {&plain, &empty, nullptr}),
            "my [redacted], [redacted]!");
}

TEST(SanitizeTest, RedactsACredentialWithoutItsScheme) {
  const Secret header("Bearer opaquekey");
  EXPECT_EQ(SanitizeUpstreamText("key opaquekey is wrong", {&header}), "key [redacted] is wrong");
}

TEST(SanitizeTest, CutsLongTextsBetweenCharacters) {
  std::string text;
  for (int i = 0; i < 400; ++i) text += "é ";
  const std::string clean = SanitizeUpstreamText(text, {});
  EXPECT_LE(clean.size(), 500u);
  EXPECT_GT(clean.size(), 490u);
  EXPECT_TRUE(IsValidUtf8(clean));
}

TEST(SanitizeTest, LeavesTextAloneWhereTheKeyIsADummyOfALocalServer) {
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

TEST(SanitizeTest, RedactsWhatNamesTheOperatorsAccount) {
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

TEST(SanitizeTest, LeavesQuotationsOut) {
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

}  // namespace
}  // namespace seekroute
