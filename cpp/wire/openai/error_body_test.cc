#include "wire/openai/error_body.h"

#include <gtest/gtest.h>

#include "wire/json/json.h"

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
