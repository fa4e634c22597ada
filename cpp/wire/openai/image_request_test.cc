#include "wire/openai/image_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/read_chat.h"

namespace seekroute {
namespace {

using ::testing::ElementsAre;
using testing::ReadChat;

Result<std::string> Build(std::string_view body) {
  const Result<ParsedChat> request = ReadChat(body);
  EXPECT_TRUE(request.has_value()) << body;
  return BuildImageCall(body, request->chat, "up-image");
}

TEST(ImageRequestTest, TheLastUserMessageIsThePrompt) {
  const auto call = Build(R"({"model":"i","messages":[{"role":"user","content":"a dog"},)"
                          R"({"role":"assistant","content":"x"},)"
                          R"({"role":"user","content":"a \"cat\"\nplease"}]})");
  ASSERT_TRUE(call.has_value());
  EXPECT_EQ(*call, R"({"model":"up-image","prompt":"a \"cat\"\nplease"})");
}

TEST(ImageRequestTest, JoinsTextPartsAndPassesTheClientsSettings) {
  const auto call =
      Build(R"({"size":"1024x1024","n":2,"temperature":1,"seed":-7,"model":"i","quality":"hd",)"
            R"("style":null,"user":"u\u0031","messages":[{"role":"user","content":[)"
            R"({"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"u"}},)"
            R"({"type":"text","text":"b"}]}],"background":"transparent"})");
  ASSERT_TRUE(call.has_value());
  EXPECT_EQ(*call, R"({"model":"up-image","prompt":"a\nb","size":"1024x1024","n":2,"seed":-7,)"
                   R"("quality":"hd","user":"u\u0031","background":"transparent"})");
}

TEST(ImageRequestTest, RefusesAMessageWithoutText) {
  for (const char* messages :
       {R"([{"role":"system","content":"x"}])", R"([{"role":"user","content":" \n"}])",
        R"([{"role":"user","content":[]}])",
        R"([{"role":"user","content":[{"type":"image_url","image_url":{"url":"u"}}]}])"}) {
    const auto call = Build(R"({"model":"i","messages":)" + std::string(messages) + "}");
    ASSERT_FALSE(call.has_value()) << messages;
    EXPECT_EQ(call.error().code, ErrorCode::kInvalidValue);
    EXPECT_EQ(call.error().param, "messages");
  }
}

TEST(ImageRequestTest, ReadsUrlsAndBase64) {
  const auto images = ParseImageAnswer(
      R"({"created":1,"data":[{"url":"https://x/y.png"},{"b64_json":"iVBORw0KGgo="},)"
      R"({"b64_json":"/9j/4AAQ","revised_prompt":"p"},{"b64_json":"UklGRg=="}]})");
  ASSERT_TRUE(images.has_value());
  EXPECT_THAT(*images,
              ElementsAre("https://x/y.png", "data:image/png;base64,iVBORw0KGgo=",
                          "data:image/jpeg;base64,/9j/4AAQ", "data:image/webp;base64,UklGRg=="));
}

TEST(ImageRequestTest, RefusesAnswersThatAreNotImages) {
  for (const char* body :
       {"", "<html>", "[]", "{}", R"({"data":[]})", R"({"data":{}})", R"({"data":["x"]})",
        R"({"data":[{}]})", R"({"data":[{"url":3}]})", R"({"data":[{"url":"javascript:x"}]})",
        R"({"data":[{"url":"http://a b"}]})", R"({"data":[{"b64_json":"<>"}]})",
        R"([{"data":[]}])"}) {
    const auto images = ParseImageAnswer(body);
    ASSERT_FALSE(images.has_value()) << body;
    EXPECT_EQ(images.error().code, ErrorCode::kBadUpstreamResponse) << body;
  }
}

TEST(ImageRequestTest, TellsAProvidersError) {
  for (const char* body :
       {R"({"error":{"message":"content policy"}})", R"({"error":"content policy"})"}) {
    const auto images = ParseImageAnswer(body);
    ASSERT_FALSE(images.has_value());
    EXPECT_EQ(images.error().code, ErrorCode::kUpstreamError);
    EXPECT_NE(images.error().message.find("content policy"), std::string::npos);
  }
}

TEST(ImageRequestTest, AnErrorThatSaysNothingIsNone) {
  for (const char* error : {"null", "{}", R"("")", "[]", "false", R"({"message":null})",
                            R"({"message":"","code":null})"}) {
    const auto images = ParseImageAnswer(R"({"error":)" + std::string(error) +
                                         R"(,"data":[{"url":"https://x/y"}]})");
    ASSERT_TRUE(images.has_value()) << error;
    EXPECT_THAT(*images, ElementsAre("https://x/y"));
  }
  const auto refused = ParseImageAnswer(R"({"error":{"code":"x"},"data":[{"url":"https://x/y"}]})");
  EXPECT_FALSE(refused.has_value()) << "a word of a failure is one";
}

}  // namespace
}  // namespace seekroute
