// No answer within the length that was told costs more than what is held, whatever the request was
// made of: against an oracle that counts beside the bytes.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "billing/cost.h"
#include "gateway/spend_bound.h"
#include "testing/random_request.h"
#include "testing/read_chat.h"
#include "testing/routes.h"
#include "testing/virtual_world.h"
#include "wire/openai/chat_prompt.h"
#include "wire/openai/prompt_parts.h"

namespace seekroute {
namespace {

using testing::RandomRequest;
using testing::ReadChat;
using testing::RouteTo;
using testing::SeededRng;

std::shared_ptr<const PriceTable> DrawPrices(SeededRng* rng) {
  Rates rates;
  for (Rate& rate : rates.values) rate.pico = rng->Below(10'000'000);
  rates[PriceClass::kPerImage] = {};
  return PriceTable::Flat(rates);
}

// A use of everything that the request allows, split among the classes at random.
Usage DrawUsage(SeededRng* rng, const RandomRequest& request, int64_t prompt, int64_t answer,
                int64_t thinking, bool any_output) {
  const auto part = [rng](int64_t of) {
    return static_cast<int64_t>(rng->Below(static_cast<uint64_t>(of) + 1));
  };
  Usage usage;
  usage.prompt = prompt;
  usage.completion = (answer + thinking + request.predicted()) * request.choices();
  const int64_t heard = std::min(request.heard(), prompt);
  if (rng->OneIn(2)) usage.audio_prompt = rng->OneIn(2) ? heard : part(heard);
  if (rng->OneIn(2)) usage.cached = part(prompt);
  if (rng->OneIn(2)) usage.cache_write = part(prompt - usage.cached.value_or(0));
  if (rng->OneIn(2)) usage.image_prompt = part(prompt);
  if (rng->OneIn(2)) usage.reasoning = part(*usage.completion);
  if (any_output && rng->OneIn(2)) usage.image_completion = part(*usage.completion);
  if (any_output && rng->OneIn(2)) usage.audio_completion = part(*usage.completion);
  return usage;
}

TEST(HoldBoundTest, CoversWhateverAnUpstreamMayBill) {
  size_t heard = 0;
  size_t predicted = 0;
  for (uint64_t seed = 1; seed <= 4000; ++seed) {
    SeededRng rng(seed);
    const RandomRequest random(&rng);
    const auto request = ReadChat(random.body());
    ASSERT_TRUE(request.has_value()) << random.body() << ": " << request.error().message;
    Model model{.id = "a/m", .max_output = 500, .endpoints = {}};
    model.other_output = rng.OneIn(2);
    const bool shorter = rng.OneIn(4);  // than what the endpoint says of itself
    if (shorter) model.context = 1 + static_cast<int64_t>(rng.Below(50));
    model.endpoints.push_back({0, "up", DrawPrices(&rng)});
    Endpoint& endpoint = model.endpoints.back();
    endpoint.cap_excludes_reasoning = rng.OneIn(2);
    if (rng.OneIn(2)) endpoint.form.reasoning_budget_field = "thinking_budget";
    endpoint.max_reasoning = rng.OneIn(2) ? 0 : 1 + static_cast<int64_t>(rng.Below(2000));
    if (shorter) endpoint.context = int64_t{1} << 40;
    if (rng.OneIn(3)) endpoint.context = 300 + static_cast<int64_t>(rng.Below(200'000));
    if (rng.OneIn(2)) endpoint.max_output = 1 + static_cast<int64_t>(rng.Below(3000));
    GatewayOptions options;
    options.strict_bound = rng.OneIn(2);
    const TokenEstimate estimate = EstimateChatPrompt(random.body());
    const Route route = RouteTo(model);
    const SpendBound bound(request->ask, route, options, {});
    const int64_t max_output = endpoint.max_output > 0 ? endpoint.max_output : 500;
    const int64_t context = model.ContextAt(endpoint, 1);
    ASSERT_LE(bound.longest(), max_output);
    // What is expected of the prompt, with its margin, is all that takes from it.
    const int64_t rest = context - estimate.tokens - kToolPreambleTokens;
    const int64_t margin = std::min(estimate.tokens / 4, std::max<int64_t>(rest, 0) / 2 + 1);
    const int64_t taken = estimate.tokens + margin + kToolPreambleTokens;
    if (context == 0 || max_output <= context - taken) {
      ASSERT_EQ(bound.longest(), max_output) << "seed " << seed << ": " << random.body();
    }
    const Money hold = bound.At(bound.longest());
    ASSERT_EQ(bound.Within(hold), bound.longest());
    const bool any_output =
        !random.only_text() &&
        (model.other_output || request->ask.answer_kinds == AnswerKinds::kOthers);
    int64_t prompt = options.strict_bound ? random.by_bytes() : random.by_estimate();
    ASSERT_GE(bound.besides().prompt, prompt) << "seed " << seed << ": " << random.body();
    if (context > 0) prompt = random.has_unsized() ? context : std::min(prompt, context);
    int64_t thinking = 0;
    if (endpoint.cap_excludes_reasoning) {
      int64_t most = endpoint.max_reasoning > 0 ? endpoint.max_reasoning : max_output;
      if (context > 0) most = std::min(most, context);
      // With a field, what stands in it: the client's, else as much as the answer.
      const int64_t told = random.thinking().value_or(bound.longest());
      thinking = endpoint.form.reasoning_budget_field.empty() ? most : std::min(most, told);
    }
    for (int draw = 0; draw < 4; ++draw) {
      const Usage usage = DrawUsage(&rng, random, prompt, bound.longest(), thinking, any_output);
      ASSERT_LE(CostOf(usage, *model.endpoints[0].price, {}, {}).total.nano, hold.nano)
          << "seed " << seed << ": " << random.body();
    }
    heard += random.heard() > 0;
    predicted += random.predicted() > 0;
  }
  EXPECT_GT(heard, 1000u);
  EXPECT_GT(predicted, 100u);
}

// One part, field or member of the message beside "hi", and the least that is held for it in
// tokens.
TEST(HoldBoundTest, EveryKindOfPartAndFieldIsSeen) {
  const struct {
    const char* part;  // of the message, or
    const char* field;
    int64_t tokens;
    const char* member = "";  // of the message
  } cases[] = {
      // Beside the content.
      {"", "", kMostPictureTokens, R"("images":["iVBORw0KGgo="])"},
      {"", "", 3 * kMostPictureTokens, R"("images":["a","b","c"])"},
      {"", "", kMostPictureTokens, R"("image":"https://x/y")"},
      {"", "", kUnsizedTokens, R"("attachments":[{"file_id":"f"}])"},
      {"", "", kUnsizedTokens, R"("audio":{"id":"a"})"},
      {"", "", kUnsizedTokens, R"("audio":"a")"},
      {"", "", 10, R"("reasoning_content":"0123456789")"},
      // Beside the text of a part, or beside its picture or sound.
      {R"({"type":"text","text":"a","video_url":{"url":"https://x/y"}})", "", kUnsizedTokens},
      {R"({"type":"text","text":"a","image_url":null,"source":{"type":"url"}})", "",
       kUnsizedTokens},
      {R"({"type":"text","text":"a","not_invented_yet":"https://x/y"})", "", kUnsizedTokens},
      {R"({"type":"text","text":["a"]})", "", kUnsizedTokens},
      {R"({"type":"image_url","image_url":{"url":"a"},"video_url":{"url":"b"}})", "",
       2 * kUnsizedTokens},
      {R"({"type":"image_url","image_url":["a","b"]})", "", 2 * kMostPictureTokens},
      {R"({"type":"input_audio","input_audio":{"data":"AAAA"},"file":{"file_id":"f"}})", "",
       2 * kUnsizedTokens},
      {R"({"type":"video","video":["a","b","c","d"]})", "", 4 * kUnsizedTokens},
      // Services, whatever else stands with them.
      {"", R"("tools":[{"type":"code_interpreter"}])", kUnsizedTokens},
      {"", R"("tools":[{"type":"function","function":{"name":"f"},"google_search":{}}])",
       kUnsizedTokens},
      {"", R"("tools":[{"google_search":{},"url_context":{}}])", 2 * kUnsizedTokens},
      {"", R"("tools":[{"function":{"name":"f"},"codeExecution":true}])", kUnsizedTokens},
      {"", R"("functions":[{"name":"f","retrieval":{"id":"r"}}])", kUnsizedTokens},
      {"", R"("enable_web_search":true)", kUnsizedTokens},
      {"", R"("data_sources":[{"type":"azure_search"}])", kUnsizedTokens},
      {"", R"("data_sources":[{"type":"azure_search"},{"type":"azure_search"}])",
       2 * kUnsizedTokens},
      {"", R"("context_id":"ctx-1")", kUnsizedTokens},
      {"", R"("compound_custom":{"tools":{}})", kUnsizedTokens},
      {"", R"("vector_store_ids":["a","b"])", 2 * kUnsizedTokens},
      {"", R"("search_options":{"forced_search":true})", kUnsizedTokens},
      {"", R"("search_parameters":{"mode":"on"})", kUnsizedTokens},
      {"", R"("google":{"cached_content":"c"})", kUnsizedTokens},
      {"", R"("images":["a","b"])", 2 * kMostPictureTokens},
      {R"({"type":"text","text":"0123456789"})", "", 10},
      {R"({"type":"image_url","image_url":{"url":"https://x/y"}})", "", kMostPictureTokens},
      {R"({"type":"image_url","image_url":"https://x/y"})", "", kMostPictureTokens},
      {R"({"type":"video_url","video_url":{"url":"https://x/y"}})", "", kUnsizedTokens},
      {R"({"type":"input_video","input_video":{"id":"v"}})", "", kUnsizedTokens},
      {R"({"type":"audio_url","audio_url":{"url":"https://x/y"}})", "", kUnsizedTokens},
      {R"({"type":"input_audio","input_audio":{"id":"x"}})", "", kUnsizedTokens},
      // Sound is sized by its bytes where those are all that stands for it.
      {R"({"type":"input_audio","input_audio":{"data":"https://x/one-hour.wav"}})", "",
       kUnsizedTokens},
      {R"({"type":"input_audio","input_audio":{"data":"//x/hour"}})", "", kUnsizedTokens},
      {R"({"type":"input_audio","input_audio":{"data":"file-abc"}})", "", kUnsizedTokens},
      {R"({"type":"input_audio","input_audio":{"data":"data:audio/mp3;base64,AAAA"}})", "",
       kUnsizedTokens},
      {R"({"type":"input_audio","input_audio":{"data":"AAAA","url":"https://x/y"}})", "",
       kUnsizedTokens},
      {R"({"type":"input_audio","input_audio":{"data":"AAAA","Data":"x"}})", "", kUnsizedTokens},
      {R"({"type":"input_audio","input_audio":{"data":"AAAA","id":"x"}})", "", kUnsizedTokens},
      {R"({"type":"input_audio","input_audio":{"data":"AAAA","format":"https://x/y"}})", "",
       kUnsizedTokens},
      {R"({"type":"input_audio","input_audio":{"data":"AAAA","from":["x"]}})", "", kUnsizedTokens},
      // FLAC, Opus, AAC, FLAC behind an ID3 tag; WAV with a sample a second, and of ADPCM; samples
      // without a head: a few bytes of those may be hours.
      {R"({"type":"input_audio","input_audio":{"data":"ZkxhQwAAACIQABAA"}})", "", kUnsizedTokens},
      {R"({"type":"input_audio","input_audio":{"data":"T2dnUwACAAAAAAAAAAAAAAAAAAAAAAAAAABPcHVz"}})",
       "", kUnsizedTokens},
      {R"({"type":"input_audio","input_audio":{"data":"AAAAIGZ0eXBNNEEg"}})", "", kUnsizedTokens},
      {R"({"type":"input_audio","input_audio":{"data":"SUQzBAAAAAAAAGZMYUM="}})", "",
       kUnsizedTokens},
      {R"({"type":"input_audio","input_audio":{"data":)"
       R"("UklGRigAAABXQVZFZm10IBAAAAABAAEAAQAAAAEAAAABAAgAZGF0YQQAAAAAAAAA","format":"wav"}})",
       "", kUnsizedTokens},
      {R"({"type":"input_audio","input_audio":{"data":)"
       R"("UklGRigAAABXQVZFZm10IBAAAAACAAEAgD4AAEAfAAAAAQQAZGF0YQQAAAAAAAAA","format":"wav"}})",
       "", kUnsizedTokens},
      {R"({"type":"input_audio","input_audio":{"data":"AAAAAAAA","format":"pcm16"}})", "",
       kUnsizedTokens},
      {R"({"type":"document","document":{"url":"https://x/y"}})", "", kUnsizedTokens},
      {R"({"type":"file","file":{"file_id":"f"}})", "", kUnsizedTokens},
      {R"({"type":"file_url","file_url":{"url":"https://x/y"}})", "", kUnsizedTokens},
      {R"({"type":"not_invented_yet"})", "", kUnsizedTokens},
      {R"({"type":"text","text":"a","image_url":{"url":"https://x/y"}})", "", kUnsizedTokens},
      {"", R"("prediction":{"type":"content","content":"0123456789"})", 40},
      {"", R"("documents":[{"text":"0123456789"}])", 10},
      {"", R"("chat_template_kwargs":{"x":"0123456789"})", 40},
      {"", R"("not_invented_yet":"0123456789")", 20},
      {"", R"("not_invented_yet":"https://x/y")", kUnsizedTokens},
      {"", R"("0123456789012345678901234567890123456789":1)", 40},
      {"", R"("tool_choice":{"type":"function","function":{"name":"f"}})", 30},
      {"", R"("web_search_options":{})", kUnsizedTokens},
      {"", R"("enable_search":true)", kUnsizedTokens},
      {"", R"("previous_response_id":"r")", kUnsizedTokens},
      {"", R"("tools":[{"type":"web_search"}])", kUnsizedTokens},
      {"", R"("tools":[{"type":"function","function":{"name":"f"}},{"google_search":{}}])",
       kUnsizedTokens},
  };
  const auto held = [](const std::string& body, bool strict) {
    const auto request = ReadChat(body);
    EXPECT_TRUE(request.has_value()) << body;
    GatewayOptions options;
    options.strict_bound = strict;
    Rates rates;
    rates[PriceClass::kInput] = Rate{1000};  // a nano-USD a token
    Model model{.id = "a/m", .endpoints = {}};
    model.endpoints.push_back({0, "up", PriceTable::Flat(rates)});
    return SpendBound(request->ask, RouteTo(model), options, {}).At(0).nano;
  };
  const auto body = [](std::string_view part, std::string_view field,
                       std::string_view member = "") {
    return R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hi"})" +
           std::string(part.empty() ? "" : ",") + std::string(part) + "]" +
           std::string(member.empty() ? "" : ",") + std::string(member) + "}]" +
           std::string(field.empty() ? "" : ",") + std::string(field) + "}";
  };
  for (const bool strict : {false, true}) {
    const int64_t plain = held(body("", ""), strict);
    for (const auto& c : cases) {
      const int64_t more = held(body(c.part, c.field, c.member), strict) - plain;
      const int64_t least = strict || c.tokens > 100 ? c.tokens : c.tokens / 10;
      EXPECT_GE(more, least) << c.part << c.field << c.member << strict;
    }
    // What says how, and names nothing that could be large.
    for (const char* member :
         {R"("name":"n")", R"("refusal":null)", R"("not_invented_yet":7)", R"("images":null)",
          R"("not_invented_yet":true)", R"("not_invented_yet":"x")", R"("images":[])",
          R"("partial":true)", R"("tool_calls":[{"id":"1"},{"id":"2"}])"}) {
      EXPECT_LT(held(body("", "", member), strict), plain + 100) << member;
    }
    for (const char* part :
         {R"({"type":"text","text":"a","cache_control":{"type":"ephemeral"}})",
          R"({"type":"text","text":"a","annotations":[],"video_url":null,"index":3})",
          R"({"type":"input_audio","input_audio":{"data":)"
          R"("UklGRigAAABXQVZFZm10IBAAAAABAAEAgD4AAAB9AAACABAAZGF0YQQAAAAAAAAA","format":"wav"}})",
          R"({"type":"input_audio","input_audio":{"data":"//uQAAAAAAAAAAAA","format":"mp3"}})",
          R"({"type":"input_audio","input_audio":{"data":"SUQzBAAAAAAAAP/7kAAAAAAA",)"
          R"("mime_type":"audio/mpeg"}})"}) {
      EXPECT_LT(held(body(part, ""), strict), plain + 100) << part;
    }
    for (const char* field :
         {R"("tools":[{"type":"function","function":{"name":"f"},"strict":true,"x":null}])",
          R"("functions":[{"name":"f","description":"d","parameters":{}}])",
          R"("not_invented_yet":7)", R"("not_invented_yet":false)", R"("not_invented_yet":true)",
          R"("not_invented_yet":["x"])"}) {
      EXPECT_LT(held(body("", field), strict), plain + 120 + kToolPreambleTokens) << field;
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

// Definitions of tools and schemas are written into the prompt as JSON, in nobody knows what form:
// strictly a token a byte. Documents are so in any case.
TEST(HoldBoundTest, WhatIsWrittenAsJsonIsStrictlyATokenAByte) {
  const std::string schema = R"({"type":"object","description":")" + std::string(4000, 'e') + "\"}";
  for (const std::string& field :
       {R"("tools":[{"type":"function","function":{"name":"f","parameters":)" + schema + "}}]",
        R"("functions":[{"name":"f","parameters":)" + schema + "}]",
        R"("documents":[{"text":"a","schema":)" + schema + "}]",
        R"("response_format":{"type":"json_schema","json_schema":{"schema":)" + schema + "}}"}) {
    const std::string body =
        R"({"model":"m","messages":[{"role":"user","content":"hi"}],)" + field + "}";
    const auto request = ReadChat(body);
    ASSERT_TRUE(request.has_value()) << body;
    const Model model{.id = "a/m", .endpoints = {Endpoint()}};
    GatewayOptions options;
    options.strict_bound = !field.starts_with(R"("documents")");
    const Route route = RouteTo(model);
    const SpendBound bound(request->ask, route, options, {});
    EXPECT_GE(bound.besides().prompt, static_cast<int64_t>(schema.size())) << field.substr(0, 20);
  }
}

// A picture that nobody asked for costs what pictures cost.
TEST(HoldBoundTest, FollowsWhatTheModelCanOutputUnlessTheRequestForbidsIt) {
  Rates rates;
  rates[PriceClass::kOutput] = Rate{1'000'000};
  rates[PriceClass::kImageOutput] = Rate{30'000'000};
  Model model{.id = "a/m", .max_output = 100, .endpoints = {}};
  model.endpoints.push_back({0, "up", PriceTable::Flat(rates)});
  const auto held = [&model](std::string_view members) {
    const std::string body =
        R"({"model":"m","messages":[{"role":"user","content":"hi"}])" + std::string(members) + "}";
    const auto request = ReadChat(body);
    EXPECT_TRUE(request.has_value()) << body;
    return SpendBound(request->ask, RouteTo(model), {}, {}).At(100).nano;
  };
  constexpr int64_t kText = 100 * 1000;
  constexpr int64_t kPictures = 100 * 30'000;
  for (const bool other_output : {false, true}) {
    model.other_output = other_output;
    const int64_t unsaid = other_output ? kPictures : kText;
    EXPECT_EQ(held(""), unsaid);
    EXPECT_EQ(held(R"(,"modalities":null)"), unsaid);
    EXPECT_EQ(held(R"(,"modalities":[])"), unsaid);
    EXPECT_EQ(held(R"(,"modalities":["text"])"), kText);
    EXPECT_EQ(held(R"(,"modalities":["text","image"])"), kPictures);
    EXPECT_EQ(held(R"(,"modalities":["image","text"])"), kPictures);
    EXPECT_EQ(held(R"(,"modalities":["text",["image"]])"), kPictures);
    EXPECT_EQ(held(R"(,"modalities":["text"],"audio":{"voice":"v"})"), kPictures);
    EXPECT_EQ(held(R"(,"audio":{"voice":"v"},"modalities":["text"])"), kPictures);
    // In a field of somebody's own.
    EXPECT_EQ(held(R"(,"modalities":["text"],"response_modalities":["IMAGE"])"), kPictures);
    EXPECT_EQ(held(R"(,"image_config":{"size":"4K"},"modalities":["text"])"), kPictures);
    EXPECT_EQ(held(R"(,"modalities":["text"],"not_invented_yet":{"image":true})"), unsaid);
    EXPECT_EQ(held(R"(,"not_invented_yet":{"image":true},"modalities":["text"])"), unsaid);
  }
}

// What templates write around calls and parts, however little is in them.
TEST(HoldBoundTest, EveryCallAndElementIsHeldFor) {
  constexpr int64_t kMany = 500;
  const auto many = [](std::string_view each) {
    std::string list(each);
    for (int64_t i = 1; i < kMany; ++i) list += ',' + std::string(each);
    return list;
  };
  const struct {
    std::string message;
    int64_t tokens;  // of each
  } cases[] = {
      {R"({"role":"assistant","content":null,"tool_calls":[)" + many("{}") + "]}", 12},
      {R"({"role":"assistant","content":null,"tool_calls":[)" +
           many(R"({"id":"","type":"","function":{"name":"","arguments":""}})") + "]}",
       12},
      {R"({"role":"user","content":[)" + many(R"({"type":"text","text":""})") + "]}", 2},
      {R"({"role":"user","content":"","thinking_blocks":[)" + many("{}") + "]}", 2},
      {R"({"role":"user","content":"","reasoning_details":[)" + many("null") + "]}", 2},
  };
  for (const bool strict : {false, true}) {
    for (const auto& c : cases) {
      const std::string body = R"({"model":"m","messages":[)" + c.message + "]}";
      const auto request = ReadChat(body);
      ASSERT_TRUE(request.has_value()) << request.error().message;
      GatewayOptions options;
      options.strict_bound = strict;
      const Model model{.id = "a/m", .endpoints = {Endpoint()}};
      const Route route = RouteTo(model);
      const SpendBound bound(request->ask, route, options, {});
      EXPECT_GE(bound.besides().prompt, kMany * c.tokens) << body.substr(0, 120);
    }
  }
}

}  // namespace
}  // namespace seekroute
