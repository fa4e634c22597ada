// What is held for parts of a prompt whose size nobody can tell: a document, a video, what a search
// finds may fill the whole context. Pictures have a bound of their own.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "gateway/spend_bound.h"
#include "testing/credits_fixture.h"
#include "testing/read_chat.h"
#include "testing/routes.h"
#include "wire/openai/chat_prompt.h"

namespace seekroute::testing {
namespace {

constexpr int64_t kPicture = 65'536;
constexpr int64_t kNoContext = int64_t{1} << 20;

std::string BodyWith(std::string_view part, std::string_view member, std::string_view field) {
  const auto after = [](std::string_view text) {
    return text.empty() ? std::string() : "," + std::string(text);
  };
  return R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hi"})" +
         after(part) + "]" + after(member) + "}]" + after(field);
}

// In tokens of the prompt, at an endpoint with such a context.
int64_t HeldFor(const std::string& body, int64_t context, const GatewayOptions& options) {
  const auto request = ReadChat(body);
  EXPECT_TRUE(request.has_value()) << body;
  if (!request) return 0;
  Model model{.id = "a/m", .endpoints = {}};
  model.endpoints.emplace_back();
  model.endpoints[0].context = context;
  const Route route = RouteTo(model);
  const SpendBound bound(request->ask, route, options, {});
  return bound.BesidesAt(route.candidates[0]).prompt;
}

struct Beside {
  std::string part = {}, member = {}, field = {};
};

TEST(HoldUnsizedTest, WhatHasNoSizeIsHeldForByTheWholeContext) {
  const std::string pages(3000, 'A');  // compressed, as PDF is
  const Beside cases[] = {
      {.part = R"({"type":"file","file":{"file_id":"file-1"}})"},
      {.part =
           R"({"type":"file","file":{"file_data":"data:application/pdf;base64,)" + pages + "\"}}"},
      {.part = R"({"type":"image_url","image_url":{"url":"data:application/pdf;base64,)" + pages +
               "\"}}"},
      {.part = R"({"type":"image_url","image_url":{"url":"https://x/y.pdf?a=b"}})"},
      {.part = R"({"type":"image_url","image_url":{"url":"https://x/y.MP4#t=1"}})"},
      {.part = R"({"type":"image_url","image_url":{"url":"JVBERi0xLjQK"}})"},
      {.part = R"({"type":"image","source":{"type":"base64","media_type":"application/pdf",)"
               R"("data":"AAAA"}})"},
      {.part = R"({"type":"image","image":"a","video":"b"})"},
      {.part = R"({"type":"image","image":"a","mediaType":"application/pdf"})"},
      {.part = R"({"mime_type":"video/mp4","type":"image","image":"a"})"},
      {.part = R"({"type":"image_url","image_url":{"url":"a","format":"application/pdf"}})"},
      {.part = R"({"type":"text","text":"a","mediaType":"video/mp4","data":"https://x/y"})"},
      {.part = R"({"type":"document","document":{"url":"https://x/y"}})"},
      {.part = R"({"type":"document","source":{"type":"base64","media_type":"image/png"}})"},
      {.part = R"({"type":"video_url","video_url":{"url":"https://x/y"}})"},
      {.part = R"({"type":"input_video","input_video":{"id":"v"}})"},
      {.part = R"({"type":"audio_url","audio_url":{"url":"https://x/y"}})"},
      {.part = R"({"type":"input_audio","input_audio":{"data":"ZkxhQwAAACIQABAA"}})"},
      {.part = R"({"type":"not_invented_yet"})"},
      {.part = R"({"type":"text","text":"a","video_url":{"url":"https://x/y"}})"},
      {.member = R"("files":[{"id":"a"}])"},
      {.member = R"("audio":{"id":"a"})"},
      {.member = R"("not_invented_yet":"https://x/y")"},
      {.member = R"("images":["data:application/pdf;base64,)" + pages + "\"]"},
      {.member = R"("images":["iVBORw0KGgo=","JVBERi0xLjQK"])"},
      {.member =
           R"("images":[{"type":"image_url","image_url":{"url":"data:video/mp4;base64,A"}}])"},
      {.field = R"("previous_response_id":"r")"},
      {.field = R"("file_ids":["a"])"},
      {.field = R"("web_search_options":{})"},
      {.field = R"("context_id":7)"},
      {.field = R"("not_invented_yet":"https://x/y")"},
      {.field = R"("tools":[{"type":"file_search"}])"},
      {.field = R"("tools":[{"type":"function","function":{"name":"f"},"url_context":{}}])"},
  };
  for (const bool strict : {false, true}) {
    GatewayOptions options;
    options.strict_bound = strict;
    for (const auto& [part, member, field] : cases) {
      const std::string body = BodyWith(part, member, field) + "}";
      for (const int64_t context : {20'000, 1'000'000, 10'000'000}) {
        EXPECT_EQ(HeldFor(body, context, options), context) << body.substr(60, 160);
      }
      EXPECT_GE(HeldFor(body, 0, options), kNoContext) << body.substr(60, 160);
    }
  }
}

TEST(HoldUnsizedTest, PicturesAreHeldForByABoundOfTheirOwn) {
  const std::string pixels(3'000'000, 'A');
  const std::string webp = "UklGRgAAAABXRUJQVlA4IA";
  const struct {
    Beside beside;
    int64_t pictures = 1;
  } cases[] = {
      {{.part = R"({"type":"image_url","image_url":{"url":"https://x/y"}})"}},
      {{.part = R"({"type":"image_url","image_url":"https://x/y.png","detail":"high"})"}},
      {{.part =
            R"({"type":"image_url","image_url":{"url":"data:image/png;base64,)" + pixels + "\"}}"}},
      {{.part = R"({"type":"image_url","image_url":{"url":"iVBORw0KGgo)" + pixels + "\"}}"}},
      {{.part = R"({"type":"image_url","image_url":{"url":")" + webp + pixels + "\"}}"}},
      {{.part = R"({"type":"input_image","image_url":"https://x/y"})"}},
      {{.part = R"({"type":"image","image":"https://x/y"})"}},
      {{.part = R"({"image":"data:image/png;base64,AAAA","type":"image"})"}},
      {{.part = R"({"type":"image","source":{"type":"url","url":"https://x/y"}})"}},
      {{.part = R"({"source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo)" +
                pixels + R"("},"type":"image"})"}},
      // What says how the picture is to be read is none.
      {{.part = R"({"type":"image_url","image_url":{"url":"https://x/y","format":"image/png"}})"}},
      {{.part = R"({"type":"image_url","image_url":{"mime_type":"image/jpeg","url":"/9j/4AAQ"}})"}},
      {{.part = R"({"type":"image_url","image_url":{"url":"https://x/y","mimeType":"image/webp",)"
                R"("name":"a.png","detail":"low"}})"}},
      {{.part = R"({"type":"image","image":"data:image/png;base64,iVBORw0KGgo=",)"
                R"("mediaType":"image/png"})"}},
      {{.part = R"({"mimeType":"image/png","image":"iVBORw0KGgo=","type":"image"})"}},
      {{.part = R"({"type":"image","image":"https://x/y","mime_type":"image/png"})"}},
      {{.member = R"("images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,aG",)"
                  R"("format":"image/png"}}])"}},
      {{.member = R"("images":["iVBORw0KGgo="])"}},
      {{.member = R"("images":["iVBORw0KGgo=","/9j/4AAQSkZJRg","https://x/y"])"}, 3},
      {{.member = R"("images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,)" +
                  pixels.substr(0, 1000) + "\"}}]"}},
      {{.member = R"("image":"https://x/y")"}},
      {{.field = R"("images":["https://x/y"])"}},
  };
  for (const bool strict : {false, true}) {
    GatewayOptions options;
    options.strict_bound = strict;
    const int64_t plain = HeldFor(BodyWith("", "", "") + "}", 0, options);
    for (const auto& [beside, pictures] : cases) {
      const std::string body = BodyWith(beside.part, beside.member, beside.field) + "}";
      const int64_t held = HeldFor(body, 10'000'000, options) - plain;
      EXPECT_GE(held, pictures * kPicture) << body.substr(60, 160);
      EXPECT_LT(held, pictures * kPicture + 1200) << body.substr(60, 160);
    }
  }
}

// What stands for a picture and shows that it is none: by its bytes, its name, its host or its
// form.
TEST(HoldUnsizedTest, APictureIsWhatCanBeOne) {
  const struct {
    const char* url;
    bool picture = false;
  } cases[] = {
      // Bytes, whatever type is claimed.
      {"data:image/png;base64,JVBERi0xLjQK"},
      {"data:image/png;base64, JVBERi0xLjQK"},
      {"data:image/jpeg;base64,AAAAIGZ0eXBpc29t"},
      {"data:image/jpeg;base64,AAAAGGZ0eXBtcDQy"},
      {"data:image/webp;base64,UklGRgAAAABXQVZFZm10IA"},
      {"data:image/png;base64,GkXfo59ChoEB"},
      {"data:image/png;base64,SUQzBAAAAAAA"},
      {"data:image/png;base64,//uQAAAAAAAA"},
      {"data:image/png;base64,T2dnUwACAAAA"},
      {"data:image/png;base64,ZkxhQwAAACIQ"},
      {"data:image/png;base64,UEsDBBQAAAAI"},
      {"data:image/png;name=a.png;base64,JVBERi0xLjQK"},
      {"AAAAIGZ0eXBpc29t"},
      {"data:image/png;base64,iVBORw0KGgo=", true},
      {"data:image/jpeg;base64,/9j/4AAQSkZJRg", true},
      {"data:image/gif;base64,R0lGODlhAQAB", true},
      {"data:image/webp;base64,UklGRgAAAABXRUJQVlA4IA", true},
      {"data:image/avif;base64,AAAAIGZ0eXBhdmlm", true},
      {"data:image/heic;base64,AAAAGGZ0eXBoZWlj", true},
      {"data:image/heic;base64,AAAAGGZ0eXBtaWYx", true},
      {"data:image/png;base64,AAAA", true},
      // Names.
      {"https://x/y.3gp"},
      {"https://x/y.flv"},
      {"https://x/y.M4V"},
      {"https://x/y.ts"},
      {"https://x/y.aiff"},
      {"https://x/y.amr"},
      {"https://x/y.m3u8"},
      {"https://x/y.wma"},
      {"https://x/y.mka"},
      {"https://x/y.tsv"},
      {"https://x/y.pdf%20"},
      {"https://x/y.pdf%20%20?a=b"},
      {"https://x/y.mp4;x"},
      {"https://x/y.mp4;v=1.0"},
      {"https://x/y.mp4&a=1"},
      {"https://x/y.mp4?a=1"},
      {"https://x/y.mp4#t=1"},
      {"https://x/y.mp4/"},
      {"https://x/y.mp4 "},
      {"https://x/y.pdf.png", true},
      {"https://x/y.pdf%20page%201.png", true},
      {"https://x/y.png?from=z.pdf", true},
      {"https://x.md/y.png", true},
      {"https://x/pdf", true},
      {"https://x/y.tsx.jpg", true},
      {"https://x/mp4;y.jpg", true},
      // Hosts.
      {"https://youtube.com/watch?v=a"},
      {"https://www.youtube.com/watch?v=a"},
      {"HTTPS://M.YouTube.com:443/shorts/a"},
      {"https://youtu.be/a"},
      {"https://a@youtu.be/a"},
      {"//youtu.be/a"},
      {"www.youtube.com/watch?v=a"},
      {"https://www.youtube-nocookie.com/embed/a"},
      {"https://generativelanguage.googleapis.com/v1beta/files/a"},
      {"https://img.youtube.com/vi/a/0.jpg", true},
      {"https://notyoutube.com/a", true},
      {"https://x/youtube.com", true},
      {"https://x/?u=//youtu.be/a", true},
      // Ids of a store.
      {"file-abc"},
      {"files/abc"},
      {"file_abc"},
      {"FILES/abc"},
      {"file-abc.png", true},
      {"https://x/files/abc", true},
  };
  for (const bool strict : {false, true}) {
    GatewayOptions options;
    options.strict_bound = strict;
    for (const auto& c : cases) {
      const std::string url = c.url;
      for (const std::string& part :
           {R"({"type":"image_url","image_url":{"url":")" + url + "\"}}",
            R"({"type":"image_url","image_url":")" + url + "\"}",
            R"({"type":"image","source":{"type":"url","url":")" + url + "\"}}"}) {
        const int64_t held = HeldFor(BodyWith(part, "", "") + "}", 10'000'000, options);
        EXPECT_EQ(held == 10'000'000, !c.picture) << part;
        EXPECT_LT(held, c.picture ? kPicture + 1200 : held + 1) << part;
      }
    }
  }
}

TEST(HoldUnsizedTest, TheOperatorMayHoldForLess) {
  GatewayOptions options;
  options.max_media_tokens = 30'000;
  const std::string document = R"({"type":"file","file":{"file_id":"file-1"}})";
  const std::string picture = R"({"type":"image_url","image_url":{"url":"https://x/y"}})";
  const auto held = [&options](const std::string& part, int64_t context) {
    return HeldFor(BodyWith(part, "", "") + "}", context, options);
  };
  const int64_t plain = held("", 0);
  for (const int64_t context : {0, 1'000'000}) {
    const auto beside = [&](const std::string& part) { return held(part, context) - plain; };
    EXPECT_EQ(beside(document) / 100, 30'000 / 100);
    EXPECT_EQ(beside(document + "," + document) / 100, 2 * 30'000 / 100);
    EXPECT_EQ(beside(picture) / 100, kPicture / 100);
  }
  EXPECT_EQ(held(document, 20'000), 20'000);
}

class UnsizedCreditsTest : public CreditsTest {
 protected:
  const Seen& AskWith(const std::string& part, const std::string& field = "") {
    const ExchangeId id = SubmitBody(BodyWith(part, "", field) + "}");
    Rest();
    return seen_[id];
  }
};

// A customer whose balance is small for a document learns what it is that costs so much.
TEST_F(UnsizedCreditsTest, ARefusalSaysWhatIsHeldForAndWhatToDo) {
  const std::string document = R"({"type":"file","file":{"file_id":"file-1"}})";
  endpoint_context_ = 200'000;
  for (const std::string& field :
       {std::string(), std::string(R"("max_tokens":300)"), std::string(R"("max_cost":0.01)")}) {
    Open({100'000'000});
    const Seen& seen = AskWith(document, field);
    EXPECT_EQ(seen.status, 402) << seen.body;
    for (const char* words :
         {"One part of the prompt has no size that can be told", "a document, a video",
          "the whole context of 200000 tokens", "send its text instead", R"("unsized_parts":1)"}) {
      EXPECT_NE(seen.body.find(words), std::string::npos) << words << seen.body;
    }
  }
  options_.max_media_tokens = 60'000;
  Open({100'000'000});
  const Seen& two = AskWith(document + "," + document);
  EXPECT_NE(two.body.find("Parts of the prompt have no size"), std::string::npos) << two.body;
  EXPECT_NE(two.body.find("may take 120000 tokens"), std::string::npos) << two.body;
  // One that can pay is answered, and no longer answer is refused for what it might be.
  Open({1'000'000'000});
  EXPECT_EQ(AskWith(document, R"("max_tokens":300)").status, 200);
  // A text that is too dear has no such part.
  Open({1});
  const Seen& text = AskWith("");
  EXPECT_EQ(text.status, 402);
  EXPECT_EQ(text.body.find("unsized"), std::string::npos) << text.body;
  EXPECT_EQ(text.body.find("has no size"), std::string::npos) << text.body;
}

}  // namespace
}  // namespace seekroute::testing
