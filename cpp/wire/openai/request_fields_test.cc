// The fields of a request: what is refused, and what only looks as if it had to be.
#include "wire/openai/request_fields.h"
#include "testing/read_chat.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "wire/openai/chat_request.h"
#include "wire/openai/upstream_chat.h"

namespace seekroute {
namespace {

using testing::ReadChat;

using enum ErrorCode;

std::string With(std::string_view members) {
  return R"({"model":"m","messages":[{"role":"user","content":"hi"}],)" + std::string(members) +
         "}";
}

void ExpectError(const std::string& body, ErrorCode code, std::string_view param) {
  const Result<ParsedChat> parsed = ReadChat(body);
  ASSERT_FALSE(parsed.has_value()) << body;
  EXPECT_EQ(parsed.error().code, code) << body;
  EXPECT_EQ(parsed.error().param, param) << body;
}

std::string Upstream(const std::string& body, std::string_view model) {
  const Result<ParsedChat> parsed = ReadChat(body);
  EXPECT_TRUE(parsed.has_value()) << body;
  return parsed ? BuildUpstreamChat(body, parsed->chat, model) : std::string();
}

// JSON has one type of number: JavaScript and Python write integers with a point.
TEST(RequestFieldsTest, IntegersMayHaveAPointOrAnExponent) {
  const struct {
    const char* written;
    std::optional<int64_t> tokens;
  } cases[] = {
      {"100.0", 100},
      {"1e2", 100},
      {"1E+2", 100},
      {"1.5e1", 15},
      {"1.50e1", 15},
      {"1000e-1", 100},
      {"100.000e0", 100},
      {"9007199254740992.0", 9007199254740992},
      {"9.007199254740992e15", 9007199254740992},
      {"1.5", {}},
      {"1e-1", {}},
      {"15e-1", {}},
      {"0.0", {}},
      {"-1.0", {}},
      {"9007199254740992.5", {}},
      {"9007199254740993.0", {}},
      {"1e16", {}},
      {"1e300", {}},
      {"1.00000000000000000000001e1", {}},
      {"0.1e99999999999999999999", {}},
  };
  for (const auto& c : cases) {
    const std::string body = With("\"max_tokens\":" + std::string(c.written));
    const Result<ParsedChat> parsed = ReadChat(body);
    ASSERT_EQ(parsed.has_value(), c.tokens.has_value()) << c.written;
    if (!parsed) continue;
    EXPECT_EQ(parsed->ask.max_output, c.tokens) << c.written;
    // As the client wrote it, where the length is its own.
    EXPECT_NE(Upstream(body, "u").find("\"max_tokens\":" + std::string(c.written)),
              std::string::npos);
  }
  for (const char* members : {R"("n":1.0)", R"("seed":1.0)", R"("seed":-2e0)", R"("top_k":40.0)",
                              R"("thinking_budget":1e3)", R"("top_logprobs":0.0)"}) {
    EXPECT_TRUE(ReadChat(With(members)).has_value()) << members;
  }
  ExpectError(With(R"("n":1e3)"), kInvalidValue, "n");
  ExpectError(With(R"("n":1.5)"), kInvalidType, "n");
}

// SDKs send null for what is not set, and it is not sent on: a server might refuse the name.
TEST(RequestFieldsTest, RefusedFieldsThatAreNullAreAbsent) {
  std::string members;
  for (const char* name : {"api_base",
                           "api_key",
                           "base_url",
                           "best_of",
                           "candidateCount",
                           "candidate_count",
                           "chat_template",
                           "custom_llm_provider",
                           "headers",
                           "maxCompletionTokens",
                           "maxNewTokens",
                           "maxOutputTokens",
                           "maxTokens",
                           "max_completion_length",
                           "max_gen_len",
                           "max_gen_tokens",
                           "max_length",
                           "max_new_tokens",
                           "max_output_tokens",
                           "max_tokens_to_sample",
                           "n_predict",
                           "num_beams",
                           "num_generations",
                           "num_predict",
                           "num_return_sequences",
                           "use_beam_search"}) {
    const std::string member = "\"" + std::string(name) + "\": null";
    EXPECT_EQ(Upstream(With(member), "m"), Upstream(With(R"("max_cost":1)"), "m")) << name;
    members += (members.empty() ? "" : ", ") + member;
  }
  EXPECT_EQ(Upstream(With(members), "m"), Upstream(With(R"("max_cost":1)"), "m"));
  // With everything else that is not sent or changed.
  for (const char* name :
       {"provider", "plugins", "preset", "routing", "model_list", "fallbacks", "fallback_models",
        "context_window_fallbacks", "content_policy_fallbacks", "provider_options",
        "providerOptions", "user_config", "extra_body", "extra_query", "extra_headers"}) {
    members = "\"" + std::string(name) + "\":{},\"x_" + name + "\":1," + members;
  }
  EXPECT_EQ(Upstream(With(members), "m").find("null"), std::string::npos);
  ExpectError(With(R"("Api_Key":null)"), kUnknownParameter, "Api_Key");
}

// One answer, which is what there is without the field.
TEST(RequestFieldsTest, RefusedFieldsThatAskForOneAnswerAreSentAsTheyCame) {
  for (const char* member :
       {R"("best_of":1)", R"("best_of":1.0)", R"("num_beams":1)", R"("use_beam_search":false)",
        R"("candidate_count":1)", R"("candidateCount":1)", R"("num_return_sequences":1)",
        R"("num_generations":1)"}) {
    EXPECT_NE(Upstream(With(member), "u").find(member), std::string::npos) << member;
  }
}

TEST(RequestFieldsTest, TheMessageNamesTheField) {
  const std::pair<const char*, const char*> kRows[] = {
      {R"("temperature":"hot")", "temperature: expected a number, got a string"},
      {R"("n":"two")", "n: expected an integer, got a string"},
      {R"("max_cost":-1)", "max_cost: "},
      {R"("max_tokens":"many")", "max_tokens: expected an integer, got a string"},
  };
  for (const auto& [field, begin] : kRows) {
    const auto refused = ReadChat(With(field));
    ASSERT_FALSE(refused.has_value()) << field;
    EXPECT_TRUE(refused.error().message.starts_with(begin)) << refused.error().message;
  }
  const auto twice = ReadChat(With(R"("n":1,"n":1)"));
  ASSERT_FALSE(twice.has_value());
  EXPECT_EQ(twice.error().message.find("n: "), twice.error().message.rfind("n: "));
}

}  // namespace
}  // namespace seekroute
