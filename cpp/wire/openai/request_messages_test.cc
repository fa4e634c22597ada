// The names that a request may have in its messages, and how often.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "testing/read_chat.h"
#include "wire/openai/chat_request.h"

namespace seekroute {
namespace {

using testing::ReadChat;

using enum ErrorCode;

void ExpectError(const std::string& body, ErrorCode code, std::string_view param) {
  const Result<ParsedChat> parsed = ReadChat(body);
  ASSERT_FALSE(parsed.has_value()) << body;
  EXPECT_EQ(parsed.error().code, code) << body;
  EXPECT_EQ(parsed.error().param, param) << body;
}

// Of messages and of their parts: what was read and sized has to be what a server reads.
TEST(RequestMessagesTest, RefusesMembersOfMessagesInOtherLetterCase) {
  const struct {
    const char *message, *param;
  } cases[] = {
      {R"({"role":"user","content":"a","Content":"b"})", "messages[0].Content"},
      {R"({"Role":"user","role":"user","content":"a"})", "messages[0].Role"},
      {R"({"role":"user","content":"a","ROLE":"system"})", "messages[0].ROLE"},
      {R"({"role":"user","content":"a","Images":["x"]})", "messages[0].Images"},
      {R"({"role":"user","content":"a","Tool_Calls":[]})", "messages[0].Tool_Calls"},
      {R"({"role":"user","content":"a","Audio":null})", "messages[0].Audio"},
      {R"({"role":"user","content":"a","name":"n","Name":7})", "messages[0].Name"},
      {R"({"role":"user","content":"a","\u0043ontent":"b"})", "messages[0].Content"},
      {R"({"role":"user","content":[{"type":"text","text":"a","Text":"b"}]})",
       "messages[0].content[0].Text"},
      {R"({"role":"user","content":[{"type":"text","text":"a","Type":"image_url"}]})",
       "messages[0].content[0].Type"},
      {R"({"role":"user","content":[{"type":"text","text":"a","Image_url":{"url":"b"}}]})",
       "messages[0].content[0].Image_url"},
      {R"({"role":"user","content":[{"type":"text","text":"a","INPUT_AUDIO":{}}]})",
       "messages[0].content[0].INPUT_AUDIO"},
      {R"({"role":"user","content":[{"type":"text","text":"a","Video_URL":"b"}]})",
       "messages[0].content[0].Video_URL"},
      {R"({"role":"user","content":[{"type":"text","text":"a","Source":{}}]})",
       "messages[0].content[0].Source"},
  };
  for (const auto& c : cases) {
    ExpectError(R"({"model":"m","messages":[)" + std::string(c.message) + "]}", kUnknownParameter,
                c.param);
  }
  for (const char* tool : {R"({"type":"function","function":{"name":"f"},"Type":"web_search"})",
                           R"({"type":"function","function":{"name":"f"},"Function":{}})"}) {
    const std::string member =
        std::string(tool).find("Type") != std::string::npos ? "Type" : "Function";
    ExpectError(R"({"model":"m","messages":[{"role":"user","content":"hi"}],"tools":[)" +
                    std::string(tool) + "]}",
                kUnknownParameter, "tools[0]." + member);
  }
  // What no server is known to read may be spelled in any way.
  EXPECT_TRUE(ReadChat(R"({"model":"m","messages":[{"role":"user","content":"a","MyOwn":"b"}]})"));
}

TEST(RequestMessagesTest, RefusesDuplicatesAtEveryLevel) {
  const struct {
    const char *members, *param;
  } cases[] = {
      {R"("messages":[{"role":"user","content":"a","content":"b"}])", "messages[0].content"},
      {R"("messages":[{"role":"user","content":"a","c\u006fntent":"b"}])", "messages[0].content"},
      {R"("messages":[{"role":"user","content":[{"type":"text","type":"x","text":"a"}]}])",
       "messages[0].content[0].type"},
      {R"("messages":[{"role":"user","content":"a"}],"messages":[])", "messages"},
      {R"("messages":[{"role":"user","content":"a"}],"x":{"y":[{"z":1,"z":2}]})", "x.y[0].z"},
  };
  for (const auto& c : cases) {
    ExpectError(R"({"model":"m",)" + std::string(c.members) + "}", kDuplicateKey, c.param);
  }
}

}  // namespace
}  // namespace seekroute
