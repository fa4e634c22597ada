#include "wire/openai/chat_request.h"

#include <gtest/gtest.h>

#include <limits>

#include "testing/corpora.h"
#include "testing/read_chat.h"
#include "wire/openai/upstream_chat.h"

namespace seekroute {
namespace {

using enum ErrorCode;
using testing::ReadChat;

constexpr std::string_view kMessages = R"("messages":[{"role":"user","content":"hi"}])";

// A request that is fine but for `members`.
std::string With(std::string_view members) {
  return "{\"model\":\"m\"," + std::string(kMessages) + "," + std::string(members) + "}";
}

std::string WithMessages(std::string_view messages) {
  return "{\"model\":\"m\",\"messages\":" + std::string(messages) + "}";
}

void ExpectError(std::string_view body, ErrorCode code, std::string_view param,
                 const Profile& profile = {}) {
  const Result<ParsedChat> parsed = ReadChat(body, profile);
  ASSERT_FALSE(parsed.has_value()) << body.substr(0, 200);
  EXPECT_EQ(parsed.error().name(), TraitsOf(code).name) << body.substr(0, 200);
  EXPECT_EQ(parsed.error().param, param) << body.substr(0, 200);
  EXPECT_FALSE(parsed.error().message.empty());
}

void ExpectAccepted(std::string_view body) {
  const Result<ParsedChat> parsed = ReadChat(body);
  EXPECT_TRUE(parsed.has_value()) << body.substr(0, 200) << ": "
                                  << (parsed ? "" : parsed.error().message);
}

TEST(ChatRequestTest, ReadsWhatTheGatewayActsOn) {
  const std::string body =
      R"({"messages":[{"role":"system","content":"be brief"},{"content":"caf\u00e9","role":"user"},)"
      R"({"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function",)"
      R"("function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c",)"
      R"("content":"ok"}],"model":"a\u002fb","stream":true,)"
      R"("stream_options":{"x":1,"include_usage":false},"max_tokens":20,)"
      R"("max_completion_tokens":10,"n":2,"tools":[{"type":"function"},{}],"temperature":3})";
  const Result<ParsedChat> parsed = ReadChat(body);
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
  EXPECT_EQ(parsed->ask.model, "a/b");
  EXPECT_EQ(parsed->model_value.In(body), R"("a\u002fb")");
  EXPECT_TRUE(parsed->ask.stream);
  EXPECT_FALSE(parsed->chat.include_usage);
  EXPECT_EQ(parsed->chat.include_usage_value->In(body), "false");
  EXPECT_EQ(parsed->chat.stream_options->In(body), R"({"x":1,"include_usage":false})");
  EXPECT_EQ(parsed->ask.choices, 2);
  EXPECT_GT(parsed->ask.preamble, 0);  // there are tools
  EXPECT_EQ(parsed->ask.max_output, 10);
  EXPECT_EQ(parsed->chat.last_user_content->In(body), R"("caf\u00e9")");
  // "be brief", "café", the call's id, type, name and arguments, the tool's id and answer; tools;
  // and what is written around the call, the prompt, and each of four messages.
  EXPECT_EQ(parsed->ask.strict_prompt, 8 + 5 + 1 + 8 + 1 + 2 + 1 + 2 + 24 + 4 + 12 + 16 + 4 * 8);
}

TEST(ChatRequestTest, CountsTheTextOfPartsButNotTheBytesOfImages) {
  const std::string image(5000, 'A');
  const Result<ParsedChat> parsed = ReadChat(WithMessages(
      R"([{"role":"user","content":[{"type":"text","text":"12345"},)"
      R"({"type":"image_url","image_url":{"url":"data:image/png;base64,)" +
      image + R"("}},{"type":"input_audio","input_audio":{"data":")" +
      "UklGRiUAAABXQVZFZm10IBAAAAABAAEAoA8AAKAPAAABAAgAZGF0Yf////8A" + image + R"("}}]}])"));
  ASSERT_TRUE(parsed.has_value());
  // The text and the marks of each part, what is around the message, the picture and the sound.
  const int64_t media = parsed->ask.strict_prompt - (5 + 3 * 4 + 16 + 8);
  EXPECT_GE(media, kMostPictureTokens);
  EXPECT_LT(media, kMostPictureTokens + 4000);
}

TEST(ChatRequestTest, RefusesBodiesThatAreNotAJsonObject) {
  for (const char* body :
       {"", "{", "x", "{}x", "[]", "\"a\"", "null", "3", "{'a':1}", "{\"a\":NaN}", "{\"a\":1e400}",
        "{\"a\":01}", "\xEF\xBB\xBF{}", "{\"a\":\"\xC0\xAF\"}", "{\"a\":\"\x01\"}"}) {
    ExpectError(body, kInvalidJson, "");
  }
  ExpectError(With("\"x\":" + std::string(100'000, '[')), kJsonTooDeep, "");
}

TEST(ChatRequestTest, RefusesDuplicateKeysAnywhere) {
  ExpectError(With(R"("mo\u0064el":"n")"), kDuplicateKey, "model");
  ExpectError(WithMessages(R"([{"role":"user","content":"a","role":"system"}])"), kDuplicateKey,
              "messages[0].role");
  ExpectError(With(R"("metadata":{"a":[{"b":1,"b":2}]})"), kDuplicateKey, "metadata.a[0].b");
}

TEST(ChatRequestTest, ChecksTheTypeAndRangeOfKnownFields) {
  const struct {
    const char* members;
    ErrorCode code;
    std::string_view param;
  } cases[] = {
      {R"("max_tokens":0)", kInvalidValue, "max_tokens"},
      {R"("max_tokens":-1)", kInvalidValue, "max_tokens"},
      {R"("max_tokens":9007199254740993)", kInvalidValue, "max_tokens"},
      {R"("max_tokens":99999999999999999999999)", kInvalidValue, "max_tokens"},
      {R"("max_tokens":1.5)", kInvalidType, "max_tokens"},
      {R"("max_tokens":"10")", kInvalidType, "max_tokens"},
      {R"("max_tokens":true)", kInvalidType, "max_tokens"},
      {R"("max_tokens":[1])", kInvalidType, "max_tokens"},
      {R"("max_completion_tokens":0)", kInvalidValue, "max_completion_tokens"},
      {R"("n":0)", kInvalidValue, "n"},
      {R"("n":129)", kInvalidValue, "n"},
      {R"("n":"1")", kInvalidType, "n"},
      {R"("seed":1.5)", kInvalidType, "seed"},
      {R"("seed":false)", kInvalidType, "seed"},
      {R"("top_logprobs":-1)", kInvalidValue, "top_logprobs"},
      {R"("temperature":"1")", kInvalidType, "temperature"},
      {R"("temperature":{})", kInvalidType, "temperature"},
      {R"("top_p":true)", kInvalidType, "top_p"},
      {R"("presence_penalty":"x")", kInvalidType, "presence_penalty"},
      {R"("frequency_penalty":[])", kInvalidType, "frequency_penalty"},
      {R"("stream":"true")", kInvalidType, "stream"},
      {R"("stream":1)", kInvalidType, "stream"},
      {R"("stream":true,"stream_options":[])", kInvalidType, "stream_options"},
      {R"("stream":true,"stream_options":{"include_usage":1})", kInvalidType,
       "stream_options.include_usage"},
      {R"("stream":true,"stream_options":{"include_usage":{}})", kInvalidType,
       "stream_options.include_usage"},
      {R"("stream_options":{"include_usage":true})", kInvalidValue, "stream_options"},
      {R"("stream":false,"stream_options":{})", kInvalidValue, "stream_options"},
      {R"("stop":3)", kInvalidType, "stop"},
      {R"("user":{})", kInvalidType, "user"},
      {R"("tools":{})", kInvalidType, "tools"},
      {R"("tools":["x"])", kInvalidType, "tools[0]"},
      {R"("tools":[{},[]])", kInvalidType, "tools[1]"},
      {R"("tool_choice":1)", kInvalidType, "tool_choice"},
      {R"("response_format":"json")", kInvalidType, "response_format"},
      {R"("logprobs":1)", kInvalidType, "logprobs"},
      {R"("logit_bias":[])", kInvalidType, "logit_bias"},
      {R"("api_base":"http://x")", kUnknownParameter, "api_base"},
      {R"("api_key":"k")", kUnknownParameter, "api_key"},
      {R"("custom_llm_provider":"x")", kUnknownParameter, "custom_llm_provider"},
      {R"("headers":{})", kUnknownParameter, "headers"},
      // Servers that read names in any letter case would take these for what was admitted.
      {R"("Model":"x")", kUnknownParameter, "Model"},
      {R"("MAX_TOKENS":3000)", kUnknownParameter, "MAX_TOKENS"},
      {R"("Messages":[])", kUnknownParameter, "Messages"},
      {R"("N":8)", kUnknownParameter, "N"},
      {R"("Models":["x"])", kUnknownParameter, "Models"},
      {R"("Api_Key":"k")", kUnknownParameter, "Api_Key"},
      {R"("provideroptions":{})", kUnknownParameter, "provideroptions"},
      // And lengths beside the one that was paid for.
      {R"("n_predict":3000)", kUnknownParameter, "n_predict"},
      {R"("max_new_tokens":3000)", kUnknownParameter, "max_new_tokens"},
      {R"("max_output_tokens":3000)", kUnknownParameter, "max_output_tokens"},
      {R"("maxTokens":3000)", kUnknownParameter, "maxTokens"},
      {R"("maxCompletionTokens":3000)", kUnknownParameter, "maxCompletionTokens"},
      {R"("maxOutputTokens":3000)", kUnknownParameter, "maxOutputTokens"},
      {R"("max_gen_len":3000)", kUnknownParameter, "max_gen_len"},
      // More answers than were paid for, or a prompt of any length.
      {R"("best_of":8)", kUnknownParameter, "best_of"},
      {R"("best_of":0)", kUnknownParameter, "best_of"},
      {R"("best_of":true)", kUnknownParameter, "best_of"},
      {R"("best_of":"1")", kUnknownParameter, "best_of"},
      {R"("best_of":1.5)", kUnknownParameter, "best_of"},
      {R"("best_of":[1])", kUnknownParameter, "best_of"},
      {R"("use_beam_search":true)", kUnknownParameter, "use_beam_search"},
      {R"("candidate_count":8)", kUnknownParameter, "candidate_count"},
      {R"("candidateCount":8)", kUnknownParameter, "candidateCount"},
      {R"("num_return_sequences":8)", kUnknownParameter, "num_return_sequences"},
      {R"("chat_template":"{{ 'x' * 100000 }}")", kUnknownParameter, "chat_template"},
      // In whatever way JSON lets one write them.
      {R"("max\u005ftokens":1,"max_tokens":9)", kDuplicateKey, "max_tokens"},
      {R"("max_tokens":1,"max_tokens":9)", kDuplicateKey, "max_tokens"},
      {R"("n":1,"\u006e":8)", kDuplicateKey, "n"},
      {R"("n":"8")", kInvalidType, "n"},
      {R"("n":[8])", kInvalidType, "n"},
      {R"("n":-1)", kInvalidValue, "n"},
      {R"("n":18446744073709551617)", kInvalidValue, "n"},
      {R"("max_tokens":18446744073709551617)", kInvalidValue, "max_tokens"},
      {R"("max_tokens":-0)", kInvalidValue, "max_tokens"},
      {R"("thinking_budget":"high")", kInvalidType, "thinking_budget"},
      {R"("\u004dodel":"x")", kUnknownParameter, "Model"},
      {R"("stream":true,"stream_options":{"Include_Usage":false})", kUnknownParameter,
       "stream_options.Include_Usage"},
      // To a server in C a name ends at its first zero.
      {R"("max_tokens\u0000":3000)", kUnknownParameter, std::string_view("max_tokens\0", 11)},
      {R"("n\u0000x":8)", kUnknownParameter, std::string_view("n\0x", 3)},
      // Go folds these to s and k.
      {R"("max_to\u212aens":3000)", kUnknownParameter,
       "max_to\xe2\x84\xaa"
       "ens"},
      {R"("me\u017fsages":[])", kUnknownParameter, "me\xc5\xbfsages"},
      {R"("max_token\u017F":3000)", kUnknownParameter, "max_token\xc5\xbf"},
  };
  for (const auto& c : cases) ExpectError(With(c.members), c.code, c.param);
}

TEST(ChatRequestTest, AcceptsWhatClientsSend) {
  for (const char* members :
       {R"("max_tokens":1)", R"("max_tokens":9007199254740992)", R"("n":128)", R"("seed":-5)",
        R"("temperature":0)", R"("temperature":1.5e-1)", R"("top_p":1)", R"("top_k":-1)",
        R"("stream":true,"stream_options":{"include_usage":null})",
        R"("stream":true,"stream_options":null)", R"("stream":false,"stream_options":null)",
        R"("stop":"x")", R"("stop":["x","y"])", R"("tools":[])", R"("tool_choice":"auto")",
        R"("tool_choice":{"type":"function"})", R"("response_format":{"type":"text"})",
        R"("my_own_field":{"a":[1,2,{"api_base":1}]})", R"("metadata":{"headers":{}})"}) {
    ExpectAccepted(With(members));
  }
  std::string all_null = "\"user\":null";
  for (const char* name :
       {"max_tokens", "max_completion_tokens", "n", "seed", "stream", "temperature", "top_p",
        "stop", "tools", "response_format", "logit_bias", "logprobs", "top_logprobs"}) {
    all_null.append(",\"").append(name).append("\":null");
  }
  ExpectAccepted(With(all_null));
}

TEST(ChatRequestTest, ChecksModelAndMessages) {
  ExpectError("{" + std::string(kMessages) + "}", kMissingRequiredParameter, "model");
  ExpectError(R"({"model":"m"})", kMissingRequiredParameter, "messages");
  ExpectError(WithMessages("[]"), kInvalidValue, "messages");
  ExpectError(WithMessages("{}"), kInvalidType, "messages");
  ExpectError(WithMessages("null"), kInvalidType, "messages");
  ExpectError(WithMessages("\"hi\""), kInvalidType, "messages");
  for (const char* model : {"null", "1", "[]", "{}", "true"}) {
    ExpectError("{\"model\":" + std::string(model) + "," + std::string(kMessages) + "}",
                kInvalidType, "model");
  }
  ExpectError("{\"model\":\"\"," + std::string(kMessages) + "}", kInvalidValue, "model");
  ExpectError("{\"model\":\"" + std::string(257, 'm') + "\"," + std::string(kMessages) + "}",
              kInvalidValue, "model");
}

TEST(ChatRequestTest, ChecksEveryMessage) {
  const struct {
    const char* message;
    ErrorCode code;
    const char* param;
  } cases[] = {
      {R"("hi")", kInvalidType, "messages[1]"},
      {R"([])", kInvalidType, "messages[1]"},
      {R"({})", kMissingRequiredParameter, "messages[1].role"},
      {R"({"content":"x"})", kMissingRequiredParameter, "messages[1].role"},
      {R"({"role":"robot","content":"x"})", kInvalidValue, "messages[1].role"},
      {R"({"role":"User","content":"x"})", kInvalidValue, "messages[1].role"},
      {R"({"role":1,"content":"x"})", kInvalidType, "messages[1].role"},
      {R"({"role":null,"content":"x"})", kInvalidType, "messages[1].role"},
      {R"({"role":{},"content":"x"})", kInvalidType, "messages[1].role"},
      {R"({"role":"user"})", kMissingRequiredParameter, "messages[1].content"},
      {R"({"role":"tool"})", kMissingRequiredParameter, "messages[1].content"},
      {R"({"role":"user","content":null})", kInvalidType, "messages[1].content"},
      {R"({"content":null,"role":"system"})", kInvalidType, "messages[1].content"},
      {R"({"role":"user","content":3})", kInvalidType, "messages[1].content"},
      {R"({"role":"user","content":{}})", kInvalidType, "messages[1].content"},
      {R"({"role":"user","content":["x"]})", kInvalidType, "messages[1].content[0]"},
      {R"({"role":"user","content":[[]]})", kInvalidType, "messages[1].content[0]"},
      {R"({"role":"user","content":[{"text":"x"}]})", kMissingRequiredParameter,
       "messages[1].content[0].type"},
      {R"({"role":"user","content":[{"type":"text","text":"x"},{"type":1}]})", kInvalidType,
       "messages[1].content[1].type"},
      {R"({"role":"user","content":[{"type":{}}]})", kInvalidType, "messages[1].content[0].type"},
  };
  for (const auto& c : cases) {
    ExpectError(WithMessages(R"([{"role":"user","content":"a"},)" + std::string(c.message) + "]"),
                c.code, c.param);
  }
}

TEST(ChatRequestTest, AcceptsTheMessagesClientsSend) {
  for (const char* message :
       {R"({"role":"system","content":"x"})", R"({"role":"developer","content":""})",
        R"({"role":"assistant","content":null,"tool_calls":[]})", R"({"role":"assistant"})",
        R"({"role":"assistant","refusal":"no"})", R"({"role":"assistant","audio":{"id":"a"}})",
        R"({"role":"tool","content":[{"type":"text","text":"x"}],"tool_call_id":"1"})",
        R"({"role":"function","name":"f","content":null})",
        R"({"role":"user","content":[{"type":"some_future_part","data":{"x":[1]}}]})",
        R"({"role":"user","content":"x","name":"n","cache_control":{"type":"ephemeral"}})"}) {
    ExpectAccepted(WithMessages("[" + std::string(message) + "]"));
  }
}

TEST(ChatRequestTest, BoundsMessagesAndTools) {
  const auto repeat = [](std::string_view item, int64_t count) {
    std::string list = "[";
    for (int64_t i = 0; i < count; ++i) list += (i > 0 ? "," : "") + std::string(item);
    return list + "]";
  };
  const char* const message = R"({"role":"user","content":"x"})";
  ExpectAccepted(WithMessages(repeat(message, kMaxMessages)));
  ExpectError(WithMessages(repeat(message, kMaxMessages + 1)), kInvalidValue, "messages");
  ExpectAccepted(With("\"tools\":" + repeat("{}", kMaxTools)));
  ExpectError(With("\"tools\":" + repeat("{}", kMaxTools + 1)), kInvalidValue, "tools");
}

TEST(ChatRequestTest, TheProfileAddsItsRanges) {
  Profile profile;
  profile.temperature_min = 0;
  profile.temperature_max = 2;
  profile.top_p_max = 1;
  profile.max_tokens_min = 16;
  for (const char* good : {R"("temperature":0)", R"("temperature":2.0)", R"("top_p":-3)",
                           R"("max_tokens":16)", R"("temperature":null)"}) {
    EXPECT_TRUE(ReadChat(With(good), profile).has_value()) << good;
  }
  ExpectError(With(R"("temperature":2.1)"), kInvalidValue, "temperature", profile);
  ExpectError(With(R"("temperature":-0.1)"), kInvalidValue, "temperature", profile);
  ExpectError(With(R"("top_p":1.01)"), kInvalidValue, "top_p", profile);
  ExpectError(With(R"("max_tokens":15)"), kInvalidValue, "max_tokens", profile);
  const auto refused = ReadChat(With(R"("temperature":3.5)"), profile);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().message, "temperature: expected a number from 0 to 2, got 3.5");
}

TEST(ChatRequestTest, LoneSurrogatesPassInContentOnly) {
  const std::string body = WithMessages(R"([{"role":"user","content":"a\ud800b"}])");
  const Result<ParsedChat> parsed = ReadChat(body);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_NE(BuildUpstreamChat(body, parsed->chat, "up").find(R"("a\ud800b")"), std::string::npos);

  ExpectError(R"({"model":"m\ud800",)" + std::string(kMessages) + "}", kInvalidUnicode, "model");
  ExpectError(With(R"("user":"\udc00")"), kInvalidUnicode, "user");
  const auto key = ReadChat(With(R"("\ud800":1)"));
  ASSERT_FALSE(key.has_value());
  EXPECT_EQ(key.error().code, kInvalidUnicode);
}

TEST(ChatRequestTest, MessagesNeverQuoteMoreThan64BytesOfInput) {
  const std::string secret(500, '7');
  for (const std::string& members :
       {"\"max_tokens\":" + secret, "\"max_tokens\":\"" + secret + "\"",
        "\"" + secret + "\":1,\"" + secret + "\":1"}) {
    const auto refused = ReadChat(With(members));
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().message.find(std::string(65, '7')), std::string::npos);
    EXPECT_EQ(refused.error().param.find(std::string(65, '7')), std::string::npos);
  }
}

std::string Upstream(const std::string& body, std::string_view model) {
  const Result<ParsedChat> parsed = ReadChat(body);
  EXPECT_TRUE(parsed.has_value()) << body;
  return parsed ? BuildUpstreamChat(body, parsed->chat, model) : std::string();
}

TEST(ChatRequestTest, OnlyTheModelDiffersUpstream) {
  EXPECT_EQ(Upstream("{ \"x\" : 1.50, \"model\" : \"old\" ,\n" + std::string(kMessages) + "}",
                     "new \"one\""),
            "{ \"x\" : 1.50, \"model\" : \"new \\\"one\\\"\" ,\n" + std::string(kMessages) + "}");
}

TEST(ChatRequestTest, AStreamAsksForUsage) {
  const std::string m = std::string(kMessages);
  const struct {
    std::string before, after;
  } cases[] = {
      {R"({"model":"m","stream":true,)" + m + "}",
       R"({"model":"u","stream_options":{"include_usage":true},"stream":true,)" + m + "}"},
      {R"({"model":"m","stream":true,"stream_options":null,)" + m + "}",
       R"({"model":"u","stream":true,"stream_options":{"include_usage":true},)" + m + "}"},
      {R"({"stream_options":{ },"model":"m","stream":true,)" + m + "}",
       R"({"stream_options":{"include_usage":true },"model":"u","stream":true,)" + m + "}"},
      {R"({"stream_options":{"a":1},"model":"m","stream":true,)" + m + "}",
       R"({"stream_options":{"include_usage":true,"a":1},"model":"u","stream":true,)" + m + "}"},
      {R"({"stream_options":{"include_usage":false},"model":"m","stream":true,)" + m + "}",
       R"({"stream_options":{"include_usage":true},"model":"u","stream":true,)" + m + "}"},
  };
  for (const auto& c : cases) EXPECT_EQ(Upstream(c.before, "u"), c.after);
}

TEST(ChatRequestTest, PassesTheSharedJsonTestSuiteInsideMetadata) {
  const auto files = testing::ReadCorpus("jsontestsuite/test_parsing");
  if (files.empty()) GTEST_SKIP() << "no shared corpora; set SEEKROUTE_SHARED";
  for (const testing::CorpusFile& file : files) {
    const std::string body = With("\"metadata\":" + file.bytes);
    const Result<ParsedChat> parsed = ReadChat(body);
    const bool twins = file.name.find("duplicated_key") != std::string::npos;
    if (file.name[0] == 'y' && !twins) {
      EXPECT_TRUE(parsed.has_value()) << file.name;
    } else if (file.name[0] == 'n') {
      EXPECT_FALSE(parsed.has_value()) << file.name;
    }
    if (parsed) {
      EXPECT_NE(BuildUpstreamChat(body, parsed->chat, "up").find(file.bytes), std::string::npos);
    }
  }
}

TEST(ChatRequestTest, ReadsMaxCostExactly) {
  const auto nano = [](std::string_view value) -> int64_t {
    const auto parsed = ReadChat(With("\"max_cost\":" + std::string(value)));
    return parsed && parsed->ask.max_cost ? parsed->ask.max_cost->nano : -1;
  };
  EXPECT_EQ(nano("0.02"), 20'000'000);
  EXPECT_EQ(nano("\"0.02\""), 20'000'000);
  EXPECT_EQ(nano("1e-5"), 10'000);
  EXPECT_EQ(nano("2.5E+1"), 25'000'000'000);
  EXPECT_EQ(nano("0.30000000000000004"), 300'000'000);  // what is below a nano-USD is cut off
  EXPECT_EQ(nano("1e-400"), 0);
  EXPECT_EQ(nano("0"), 0);
  EXPECT_EQ(nano("\"0e99999999999999999999\""), 0);
  EXPECT_EQ(nano("9223372036.854775807"), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(nano("null"), -1);
  for (const std::string_view bad :
       {"-1", "\"-0\"", "9223372036.854775808", "1e10", "\"1e999999999999999999999\"", "\"\"",
        "\"1.\"", "\".5\"", "\"0x1\"", "\"1e\"", "\"1e+\"", "\"1 \"", "\"NaN\"", "\"1e5x\""}) {
    ExpectError(With("\"max_cost\":" + std::string(bad)), kInvalidValue, "max_cost");
  }
  ExpectError(With("\"max_cost\":[1]"), kInvalidType, "max_cost");
  ExpectError(With("\"max_cost\":true"), kInvalidType, "max_cost");
}

TEST(ChatRequestTest, SeedsOfAnySizeAreSentAsTheyCame) {
  for (const std::string seed :
       {"9007199254740993", "9223372036854775807", "-9223372036854775808", "18446744073709551615",
        "-0", "1e3", "123456789012345678901234567890"}) {
    const std::string body = With("\"seed\":" + seed);
    EXPECT_NE(Upstream(body, "up").find("\"seed\":" + seed), std::string::npos) << seed;
  }
}

TEST(ChatRequestTest, MaxCostIsNeverSent) {
  const auto sent = [](const std::string& body) {
    const auto parsed = ReadChat(body);
    EXPECT_TRUE(parsed) << body;
    return BuildUpstreamChat(body, parsed->chat, "up");
  };
  EXPECT_EQ(sent(R"({"max_cost": 1 , "model":"m","messages":[{"role":"user","content":"a"}]})"),
            R"({ "model":"up","messages":[{"role":"user","content":"a"}]})");
  EXPECT_EQ(sent(R"({"messages":[{"role":"user","content":"a"}],"model":"m" , "max_cost":"1"})"),
            R"({"messages":[{"role":"user","content":"a"}],"model":"up" })");
  EXPECT_EQ(sent(R"({"model":"m","max_cost":null,"messages":[{"role":"user","content":"a"}]})"),
            R"({"model":"up","messages":[{"role":"user","content":"a"}]})");
  EXPECT_EQ(
      sent(
          R"({"messages":[{"role":"user","content":"a"}],"stream":true,"model":"m","max_cost":2})"),
      R"({"messages":[{"role":"user","content":"a"}],"stream":true,"model":"up",)"
      R"("stream_options":{"include_usage":true}})");
}

TEST(ChatRequestTest, SeesWhatChangesThePrice) {
  const auto parse = [](const std::string& body) { return *ReadChat(body); };
  EXPECT_EQ(parse(With(R"("service_tier":"default")")).ask.service_tier, "");
  EXPECT_EQ(parse(With(R"("service_tier":"priority")")).ask.service_tier, "priority");
  EXPECT_EQ(parse(With(R"("service_tier":"no name")")).ask.service_tier, kAnyTier);
  EXPECT_EQ(parse(With(R"("service_tier":"")")).ask.service_tier, kAnyTier);
  EXPECT_EQ(parse(With(R"("modalities":["text","audio"])")).ask.answer_kinds, AnswerKinds::kOthers);
  EXPECT_EQ(parse(With(R"("modalities":["text"])")).ask.answer_kinds, AnswerKinds::kTextOnly);
  EXPECT_EQ(parse(With(R"("seed":1)")).ask.answer_kinds, AnswerKinds::kUnsaid);
  const ParsedChat media = parse(WithMessages(
      R"([{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{)"
      R"("url":"u"}},{"type":"input_audio","input_audio":{"data":"x","format":"mp3"}}]}])"));
  EXPECT_EQ(media.ask.strict_prompt, 1 + 3 * 4 + 1 + 3 + 16 + 8 + kMostPictureTokens);
  EXPECT_EQ(media.ask.unsized_parts, 1);
  EXPECT_FALSE(media.ask.is_ordinary);
  EXPECT_TRUE(media.ask.other_kinds);
  EXPECT_EQ(media.ask.service_tier, "");
}

// Whatever may ask for it: known or not, at the top or in what a template reads.
TEST(ChatRequestTest, SeesWhatMayAskForThinking) {
  const struct {
    const char* field;
    bool asks;
  } cases[] = {
      {R"("enable_thinking":true)", true},
      {R"("enable_thinking":false)", false},
      {R"("enable_thinking":null)", false},
      {R"("think":"high")", true},
      {R"("thinking":{"type":"enabled"})", true},
      {R"("thinking":true)", true},
      {R"("thinking_budget":100)", true},
      {R"("thinking_budget":-1)", true},
      {R"("thinking_budget":null)", false},
      {R"("reasoning":{"effort":"high"})", true},
      {R"("reasoning_effort":"low")", true},
      {R"("reasoning_effort":"none")", false},
      {R"("reasoning_effort":null)", false},
      {R"("include_reasoning":true)", true},
      {R"("chat_template_kwargs":{"enable_thinking":true})", true},
      {R"("not_invented_yet":{"think":true})", true},
      {R"("not_invented_yet":false)", false},
      {R"("temperature":0)", false},
      {R"("tools":[])", false},
  };
  for (const auto& c : cases) {
    const std::string body =
        R"({"model":"m","messages":[{"role":"user","content":"hi"}],)" + std::string(c.field) + "}";
    const auto request = ReadChat(body);
    ASSERT_TRUE(request.has_value()) << body;
    EXPECT_EQ(request->ask.reasoning.any, c.asks) << c.field;
  }
}

}  // namespace
}  // namespace seekroute
