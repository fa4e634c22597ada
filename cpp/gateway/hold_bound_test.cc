// No answer within the length that was told costs more than what is held, whatever the request was
// made of: against an oracle that counts beside the bytes.
#include <gtest/gtest.h>


#include "gateway/spend_bound.h"
#include "wire/chat_prompt.h"

namespace seekroute {
namespace {

// One part or field beside "hi", and the least that is held for it in tokens.
TEST(HoldBoundTest, EveryKindOfPartAndFieldIsSeen) {
  const struct {
    const char* part;  // of the message, or
    const char* field;
    int64_t tokens;
  } cases[] = {
      {R"({"type":"text","text":"0123456789"})", "", 10},
      {R"({"type":"image_url","image_url":{"url":"https://x/y"}})", "", kMostMediaTokens},
      {R"({"type":"image_url","image_url":"https://x/y"})", "", kMostMediaTokens},
      {R"({"type":"video_url","video_url":{"url":"https://x/y"}})", "", kMostMediaTokens},
      {R"({"type":"input_video","input_video":{"id":"v"}})", "", kMostMediaTokens},
      {R"({"type":"audio_url","audio_url":{"url":"https://x/y"}})", "", kMostMediaTokens},
      {R"({"type":"input_audio","input_audio":{"id":"x"}})", "", kMostMediaTokens},
      {R"({"type":"document","document":{"url":"https://x/y"}})", "", kMostMediaTokens},
      {R"({"type":"file","file":{"file_id":"f"}})", "", kMostMediaTokens},
      {R"({"type":"file_url","file_url":{"url":"https://x/y"}})", "", kMostMediaTokens},
      {R"({"type":"not_invented_yet"})", "", kMostMediaTokens},
      {R"({"type":"text","text":"a","image_url":{"url":"https://x/y"}})", "", kMostMediaTokens},
      {"", R"("prediction":{"type":"content","content":"0123456789"})", 40},
      {"", R"("documents":[{"text":"0123456789"}])", 10},
      {"", R"("chat_template_kwargs":{"x":"0123456789"})", 40},
      {"", R"("not_invented_yet":"0123456789")", 30},
      {"", R"("0123456789012345678901234567890123456789":1)", 40},
      {"", R"("tool_choice":{"type":"function","function":{"name":"f"}})", 30},
      {"", R"("web_search_options":{})", kMostMediaTokens},
      {"", R"("enable_search":true)", kMostMediaTokens},
      {"", R"("previous_response_id":"r")", kMostMediaTokens},
      {"", R"("tools":[{"type":"web_search"}])", kMostMediaTokens},
      {"", R"("tools":[{"type":"function","function":{"name":"f"}},{"google_search":{}}])",
       kMostMediaTokens},
  };
  const auto held = [](const std::string& body, bool strict) {
    const auto request = ParseChatRequest(body, Profile());
    EXPECT_TRUE(request.has_value()) << body;
    GatewayOptions options;
    options.strict_bound = strict;
    Rates rates;
    rates[PriceClass::kInput] = Rate{1000};  // a nano-USD a token
    Model model{.id = "a/m", .endpoints = {}};
    model.endpoints.push_back({0, "up", PriceTable::Flat(rates)});
    return SpendBound(*request, model, EstimateChatPrompt(body), options, {}).At(0).nano;
  };
  const auto body = [](std::string_view part, std::string_view field) {
    return R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hi"})" +
           std::string(part.empty() ? "" : ",") + std::string(part) + "]}]" +
           std::string(field.empty() ? "" : ",") + std::string(field) + "}";
  };
  for (const bool strict : {false, true}) {
    const int64_t plain = held(body("", ""), strict);
    for (const auto& c : cases) {
      const int64_t more = held(body(c.part, c.field), strict) - plain;
      const int64_t least = strict || c.tokens > 100 ? c.tokens : c.tokens / 10;
      EXPECT_GE(more, least) << c.part << c.field << strict;
    }
    // None of the model's business.
    for (const char* field :
         {R"("metadata":{"a":"0123456789"})", R"("user":"0123456789")", R"("temperature":0.25)",
          R"("stop":["0123456789"])", R"("logit_bias":{"1":100})", R"("store":true)",
          R"("models":["0123456789"])", R"("provider":{"order":["0123456789"]})",
          R"("prompt_cache_key":"0123456789")", R"("reasoning":{"effort":"high"})",
          R"("web_search_options":null)", R"("enable_search":false)", R"("max_cost":1)",
          R"("seed":1)", R"("modalities":["text"])"}) {
      EXPECT_EQ(held(body("", field), strict), plain) << field;
    }
  }
}

}  // namespace
}  // namespace seekroute
