#include "wire/openai/chat_surface.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "testing/corpora.h"
#include "testing/random_request.h"
#include "testing/virtual_world.h"
#include "wire/openai/chat_prompt.h"
#include "wire/openai/image_request.h"
#include "wire/openai/parsed_chat.h"
#include "wire/protocols/protocols.h"

namespace seekroute {
namespace {

using Parsed = std::unique_ptr<const ParsedRequest>;

const Surface& Chat() { return SurfaceOf(SurfaceId::kChat); }

Result<Parsed> Read(std::string_view body, bool prompt = true) {
  return Chat().Read(body, Profile(), {.prompt = prompt});
}

// A request that is fine but for `messages` and `members`.
std::string With(std::string_view messages, std::string_view members = {}) {
  return R"({"model":"m","messages":[)" + std::string(messages) + "]" + std::string(members) + "}";
}

constexpr std::string_view kHi = R"({"role":"user","content":"hi"})";

// The one pass gives what two would, each by itself. False: the request is refused, either way by
// the same words.
bool ExpectOnePassIsTwo(const std::string& body) {
  const Result<Parsed> both = Read(body);
  const Result<Parsed> plain = Read(body, false);
  EXPECT_EQ(both.has_value(), plain.has_value()) << body;
  if (!both || !plain) {
    EXPECT_EQ(both.error().message, plain.error().message) << body;
    EXPECT_EQ(both.error().param, plain.error().param) << body;
    EXPECT_EQ(both.error().code, plain.error().code) << body;
    return false;
  }
  const Ask& ask = (*both)->ask;
  const TokenEstimate alone = EstimateChatPrompt(body);
  EXPECT_EQ(ask.prompt->tokens, alone.tokens) << body;
  EXPECT_EQ(ask.prompt->upper, alone.upper) << body;
  EXPECT_EQ(ask.strict_prompt, (*plain)->ask.strict_prompt) << body;
  EXPECT_EQ(ask.unsized_parts, (*plain)->ask.unsized_parts) << body;
  EXPECT_EQ(ask.needs, (*plain)->ask.needs) << body;
  EXPECT_EQ((*both)->model_value.In(body), (*plain)->model_value.In(body)) << body;
  return true;
}

TEST(ChatSurfaceTest, IsFoundByTheNameThatMetricsHave) {
  EXPECT_EQ(SurfaceNamed("chat_completions"), &Chat());
  EXPECT_EQ(Chat().id(), SurfaceId::kChat);
  EXPECT_EQ(Chat().keep_alive(), ": SEEKROUTE PROCESSING\n");
  for (const char* name : {"", "chat", "chat_completions ", "Chat_Completions", "embedding"}) {
    EXPECT_EQ(SurfaceNamed(name), nullptr) << name;
  }
}

TEST(ChatSurfaceTest, OnePassIsTwoForWhateverARequestIsMadeOf) {
  for (uint64_t seed = 1; seed <= 4000; ++seed) {
    testing::SeededRng rng(seed);
    const testing::RandomRequest random(&rng);
    ASSERT_TRUE(ExpectOnePassIsTwo(random.body()));
  }
}

// Where one of the two has no use for a container, the other may have.
TEST(ChatSurfaceTest, OnePassIsTwoWhereOneOfThemLooksAway) {
  for (const std::string_view members : {
           R"(,"stream":true,"stream_options":{"include_usage":true,"x":[{"y":"text"}]},"x":["a"])",
           R"(,"modalities":["text",["audio"]],"audio":{"voice":"v"},"x":{"url":"https://a/b"})",
           R"(,"reasoning":{"effort":"high","x":[1,{"y":2}]},"tools":[{"type":"web_search"}])",
           R"(,"metadata":{"a":[{"b":"c"}]},"response_format":{"type":"json_schema","schema":{}})",
           R"(,"tools":[{"type":"function","function":{"name":"f","parameters":{"a":[]}}}],"z":[])",
           R"(,"functions":[{"name":"f","parameters":{"x":{"y":["z"]}}}],"documents":[{"t":"u"}])",
           R"(,"logit_bias":{"1":2},"prediction":{"type":"content","content":[{"text":"abc"}]})",
           R"(,"stop":["a","b"],"web_search_options":{"x":[{}]},"plugins":[{"id":"web"}])",
           R"(,"chat_template_kwargs":{"a":[{"b":[]}]},"unheard_of":{"a":[{"b":["file_1"]}]})",
       }) {
    EXPECT_TRUE(ExpectOnePassIsTwo(With(kHi, members))) << members;
    // And in the other order: what follows must be heard again.
    const std::string body = "{" + std::string(members.substr(1)) + R"(,"messages":[)" +
                             std::string(kHi) + R"(],"model":"m"})";
    EXPECT_TRUE(ExpectOnePassIsTwo(body)) << body;
  }
}

TEST(ChatSurfaceTest, OnePassIsTwoOverTheSharedCorpora) {
  const auto values = testing::ReadCorpus("jsontestsuite/test_parsing");
  if (values.empty()) GTEST_SKIP() << "no shared corpora; set SEEKROUTE_SHARED";
  size_t read = 0;
  for (const testing::CorpusFile& file : values) {
    for (const char* around :
         {R"(,"metadata":)", R"(,"unheard_of":)", R"(,"response_format":)", R"(,"documents":)",
          R"(,"tools":)", R"(,"stream_options":)", R"(,"reasoning":)", R"(,"modalities":)"}) {
      read += ExpectOnePassIsTwo(With(kHi, around + file.bytes)) ? 1 : 0;
    }
    read += ExpectOnePassIsTwo(With(R"({"role":"user","content":)" + file.bytes + "}")) ? 1 : 0;
    read +=
        ExpectOnePassIsTwo(With(R"({"role":"user","content":"a","b":)" + file.bytes + "}")) ? 1 : 0;
    read += ExpectOnePassIsTwo(
                With(R"({"role":"user","content":[{"type":"text","text":)" + file.bytes + "}]}"))
                ? 1
                : 0;
  }
  EXPECT_GT(read, values.size());
  size_t requests = 0;
  for (const char* folder : {"completions", "messages", "policies", "responses"}) {
    for (const auto& file :
         testing::ReadCorpus("dialects/agentgateway/requests/" + std::string(folder))) {
      requests += ExpectOnePassIsTwo(file.bytes) ? 1 : 0;
    }
  }
  EXPECT_GT(requests, 0u);
}

TEST(ChatSurfaceTest, EstimatesOnlyWhereItIsAskedOrAMaxCostNeedsIt) {
  const std::string plain = With(kHi);
  const std::string limited = With(kHi, R"(,"max_cost":"0.5")");
  EXPECT_FALSE((*Read(plain, false))->ask.prompt);
  const TokenEstimate later = Chat().EstimatePrompt(plain);
  EXPECT_EQ(later.tokens, (*Read(plain))->ask.prompt->tokens);
  EXPECT_EQ(later.upper, (*Read(plain))->ask.prompt->upper);
  for (const bool asked : {false, true}) {
    const auto read = Read(limited, asked);
    ASSERT_TRUE((*read)->ask.prompt.has_value());
    EXPECT_EQ((*read)->ask.prompt->tokens, Chat().EstimatePrompt(limited).tokens);
  }
}

TEST(ChatSurfaceTest, AsksWhatTheGatewayActsOn) {
  const std::string body =
      With(R"({"role":"system","content":"be brief"},{"role":"user","content":[)"
           R"({"type":"text","text":"12345"},{"type":"image_url","image_url":{"url":"u"}}]})",
           R"(,"stream":true,"n":3,"max_tokens":20,"max_completion_tokens":10,"max_cost":0.25,)"
           R"("thinking_budget":7,"service_tier":"flex","prediction":{"content":"abcd"},)"
           R"("tools":[{"type":"function"}],"modalities":["text"])");
  const Result<Parsed> read = Read(body);
  ASSERT_TRUE(read.has_value());
  const Ask& ask = (*read)->ask;
  EXPECT_EQ(ask.model, "m");
  EXPECT_EQ((*read)->model_value.In(body), R"("m")");
  EXPECT_TRUE(ask.stream);
  EXPECT_EQ(ask.choices, 3);
  EXPECT_EQ(ask.max_output, 10);
  EXPECT_EQ(ask.max_cost, Money{250'000'000});
  EXPECT_TRUE(ask.reasoning.any);
  EXPECT_EQ(ask.reasoning.most, 7);
  EXPECT_EQ(ask.predicted, 18);
  EXPECT_EQ(ask.preamble, 512);
  EXPECT_FALSE(ask.service_tier.empty());
  EXPECT_FALSE(ask.other_kinds);
  EXPECT_FALSE(ask.is_ordinary);
  EXPECT_EQ(ask.answer_kinds, AnswerKinds::kTextOnly);
  EXPECT_EQ(ask.unsized_parts, 0);
  // The texts and the marks of two parts; the prediction and the tools, which may be read; what
  // stands around the messages, once and each; and the picture.
  EXPECT_EQ(ask.strict_prompt, 8 + 5 + 2 * 4 + 18 + 21 + 16 + 2 * 8 + kMostPictureTokens);
  EXPECT_EQ((*read)->PathOf(Need::kNoPromptText), "messages");
}

// Exactly where an image cannot be asked for.
TEST(ChatSurfaceTest, NeedsNoPromptTextWhereNothingCouldBeDrawn) {
  const struct {
    const char* messages;
    bool has_text;
  } cases[] = {
      {R"({"role":"user","content":"a"})", true},
      {R"({"role":"user","content":" \t\r\n"})", false},
      {R"({"role":"user","content":" \u00a0"})", true},
      {R"({"role":"user","content":""})", false},
      {R"({"content":"a","role":"user"})", true},
      {R"({"role":"system","content":"a"})", false},
      {R"({"role":"user","content":"a"},{"role":"user","content":" "})", false},
      {R"({"role":"user","content":" "},{"role":"user","content":"a"})", true},
      {R"({"role":"user","content":"a"},{"role":"assistant","content":" "})", true},
      {R"({"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":" "}]})",
       true},
      {R"({"role":"user","content":[{"type":"text","text":" "},{"type":"text","text":"a"}]})",
       true},
      {R"({"role":"user","content":[{"type":"text","text":" "},{"type":"text","text":""}]})",
       false},
      {R"({"role":"user","content":[]})", false},
      {R"({"role":"user","content":[{"type":"image_url","image_url":{"url":"u","text":"a"}}]})",
       false},
      {R"({"role":"user","content":[{"type":"x","text":7}]})", false},
      {R"({"role":"user","content":[{"type":"x","text":{"text":"a"}}]})", false},
      {R"({"role":"user","content":[{"type":"x","text":"a"}]})", true},
      {R"({"role":"user","content":" ","text":"a"})", false},
  };
  for (const auto& c : cases) {
    const std::string body = With(c.messages);
    const Result<Parsed> read = Read(body);
    ASSERT_TRUE(read.has_value()) << body << read.error().message;
    const NeedSet expected =
        c.has_text ? NeedSet(Need::kChat) : Need::kChat | NeedSet(Need::kNoPromptText);
    EXPECT_EQ((*read)->ask.needs, expected) << body;
    const auto& chat = static_cast<const ParsedChat&>(**read).chat;
    EXPECT_EQ(BuildImageCall(body, chat, "up").has_value(), c.has_text) << body;
  }
}

// Likewise.
TEST(ChatSurfaceTest, NeedsOddPromptTextWhereHalfAPairWouldBeDrawn) {
  const struct {
    const char* messages;
    bool odd;
  } cases[] = {
      {R"({"role":"user","content":"a \ud83d"})", true},
      {R"({"role":"user","content":"a \ud83d\ude00"})", false},
      {R"({"role":"user","content":"\ude00"},{"role":"user","content":"a"})", false},
      {R"({"role":"user","content":"a"},{"role":"assistant","content":"\ude00"})", false},
      {R"({"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"\ude00"}]})",
       true},
      {R"({"role":"user","content":[{"type":"text","text":"a","x":"\ude00"}]})", false},
      {R"({"role":"user","name":"\ude00","content":"a"})", false},
  };
  for (const auto& c : cases) {
    const std::string body = With(c.messages);
    const Result<Parsed> read = Read(body);
    ASSERT_TRUE(read.has_value()) << body << read.error().message;
    EXPECT_EQ((*read)->ask.needs.Has(Need::kOddPromptText), c.odd) << body;
    EXPECT_EQ((*read)->PathOf(Need::kOddPromptText), "messages");
    const auto& chat = static_cast<const ParsedChat&>(**read).chat;
    EXPECT_EQ(BuildImageCall(body, chat, "up").has_value(), !c.odd) << body;
  }
}

TEST(ChatSurfaceTest, RefusesByTheSameWordsWithAnEstimateAndWithout) {
  for (const std::string& body :
       {std::string("{"), std::string("[]"), With(""), With(kHi, R"(,"max_tokens":0)"),
        With(kHi, R"(,"api_base":"x")"), With(kHi, R"(,"n":1,"n":1)"), With("7"),
        With(kHi, ",\"x\":" + std::string(200, '[')), std::string(R"({"model":"m"})"),
        With(R"({"role":"user"})"), With(R"({"role":"user","content":[[]]})")}) {
    EXPECT_FALSE(ExpectOnePassIsTwo(body)) << body;
  }
}

}  // namespace
}  // namespace seekroute
