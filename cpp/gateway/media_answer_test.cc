// Pictures and sound that were delivered are paid for, also where the provider tells no usage; what
// was not delivered is not, whatever it tells.
#include "testing/credits_fixture.h"

namespace seekroute::testing {
namespace {

constexpr int64_t kPicture = 1290;
constexpr int64_t kMediaNano = 30'000;
constexpr std::string_view kDone = "data: [DONE]\n\n";
constexpr std::string_view kStop =
    R"(data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})"
    "\n\n";

std::string Picture() {
  return R"({"type":"image_url","image_url":{"url":"data:image/png;base64,)" +
         std::string(20'000, 'A') + R"("}})";
}

std::string Delta(const std::string& members) {
  return R"(data: {"choices":[{"index":0,"delta":{)" + members + "}}]}\n\n";
}

std::string SixPictures() {
  std::string pictures = Picture();
  for (int i = 1; i < 6; ++i) pictures += "," + Picture();
  return Delta("\"images\":[" + pictures + "]") + std::string(kDone);
}

class MediaAnswerTest : public CreditsTest {
 protected:
  void OpenForMedia() {
    other_output_ = true;
    media_nano_ = kMediaNano;
    Open({100'000'000'000}, {}, 5000);
  }

  const ExchangeRecord& AskStream(const std::string& bytes) {
    script_ = {};
    script_.head.content_type = "text/event-stream";
    script_.pieces = {{{}, bytes}};
    return *Ask(R"(,"stream":true)").row;
  }

  const ExchangeRecord& AskPlain(const std::string& body) {
    script_ = {};
    script_.pieces = {{{}, body}};
    return *Ask().row;
  }

  static int64_t Prompt() {
    const std::string body = R"({"model":"m","messages":[{"role":"user","content":"hi"}]})";
    return EstimateChatPrompt(body).tokens * kInputNano;
  }
};

TEST_F(MediaAnswerTest, WhoLeavesAfterAPicturePaysForIt) {
  OpenForMedia();
  script_ = {};
  script_.head.content_type = "text/event-stream";
  script_.pieces = {{{}, std::string(kStart) + Delta("\"images\":[" + Picture() + "]")},
                    {Duration::Seconds(20), std::string(kStop)}};
  const ExchangeId id = Submit(R"(,"stream":true)");
  agenda_.After(Duration::Seconds(2), [&] { engine_->Cancel(id); });
  Rest();
  const ExchangeRecord& row = *seen_[id].row;
  EXPECT_EQ(row.settlement, Settlement::kPartial);
  EXPECT_EQ(row.completion_tokens, kPicture);
  EXPECT_EQ(row.cost.nano, 7 * kInputNano + kPicture * kMediaNano);
}

TEST_F(MediaAnswerTest, WhatIsWrittenDownOfAStreamHasItsPictures) {
  options_.note_interval = Duration::Seconds(1);
  OpenForMedia();
  script_ = {};
  script_.head.content_type = "text/event-stream";
  script_.pieces = {{{}, std::string(kStart) + Delta("\"images\":[" + Picture() + "]")},
                    {Duration::Seconds(5), std::string(kStop) + std::string(kDone)}};
  Ask(R"(,"stream":true)");
  const auto& notes = store_->Find(1)->notes;
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_EQ(notes[0].completion_tokens, kPicture);
  EXPECT_EQ(notes[0].cost.nano, 7 * kInputNano + kPicture * kMediaNano);
}

TEST_F(MediaAnswerTest, APictureWithoutUsageIsEstimated) {
  OpenForMedia();
  const std::string pictures = "\"images\":[" + Picture() + "," + Picture() + "]";
  const std::string streamed = Delta("\"content\":\"\"," + pictures);
  for (const std::string_view end : {kStop, std::string_view()}) {
    const ExchangeRecord row = AskStream(streamed + std::string(end) + std::string(kDone));
    EXPECT_EQ(row.settlement, Settlement::kEstimated);
    EXPECT_EQ(row.completion_tokens, 2 * kPicture);
    EXPECT_EQ(row.cost.nano, Prompt() + 2 * kPicture * kMediaNano);
  }
  for (const char* reason : {"\"stop\"", "null"}) {
    const ExchangeRecord row = AskPlain(R"({"choices":[{"index":0,"message":{"content":null,)" +
                                        pictures + R"(},"finish_reason":)" + reason + "}]}");
    EXPECT_EQ(row.settlement, Settlement::kEstimated);
    EXPECT_EQ(row.completion_tokens, 2 * kPicture);
  }
}

TEST_F(MediaAnswerTest, EverySpellingOfAPictureCountsOnce) {
  OpenForMedia();
  const auto count = [this](const std::string& members) {
    return AskStream(Delta(members) + std::string(kDone)).completion_tokens;
  };
  const int64_t text = EstimateTokens("here").tokens;
  EXPECT_EQ(count(R"("images":["https://x/y.png"])"), kPicture);
  EXPECT_EQ(count(R"("images":[{"b64_json":"AAAA"},{"image_url":"https://x"}])"), 2 * kPicture);
  EXPECT_EQ(count(R"("content":[{"type":"text","text":"here"},)" + Picture() + "]"),
            text + kPicture);
  EXPECT_EQ(count(R"("content":[{"image_url":{"url":"https://x"},"type":"image_url"}])"), kPicture);
  EXPECT_EQ(count(R"("content":[{"type":"image","source":{"type":"base64",)"
                  R"("media_type":"image/png","data":"AAAA"}}])"),
            kPicture);
  EXPECT_EQ(count(R"("content":"here","images":[{"type":"image_url","image_url":{"url":""}}])"),
            text);
}

TEST_F(MediaAnswerTest, SoundCountsByItsBytesHoweverItIsCut) {
  OpenForMedia();
  const auto sound = [](size_t bytes) {
    return Delta(R"("audio":{"id":"a","data":")" + std::string(bytes, 'A') + "\"}");
  };
  const ExchangeRecord whole = AskStream(sound(20'480) + std::string(kDone));
  EXPECT_EQ(whole.settlement, Settlement::kEstimated);
  EXPECT_EQ(whole.completion_tokens, 11);
  EXPECT_EQ(whole.cost.nano, Prompt() + 11 * kMediaNano);
  std::string pieces;
  for (int i = 0; i < 20; ++i) pieces += sound(1024);
  EXPECT_EQ(AskStream(pieces + std::string(kDone)).cost.nano, whole.cost.nano);
  const ExchangeRecord plain =
      AskPlain(R"({"choices":[{"index":0,"message":{"content":null,"audio":{"id":"a","data":")" +
               std::string(20'480, 'A') + R"("}},"finish_reason":"stop"}]})");
  EXPECT_EQ(plain.cost.nano, whole.cost.nano);
}

TEST_F(MediaAnswerTest, TheProvidersCountsAreTakenWhereItTellsThem) {
  OpenForMedia();
  const ExchangeRecord row =
      AskStream(Delta("\"images\":[" + Picture() + "]") + std::string(kStop) +
                R"(data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":1120}})" +
                "\n\n" + std::string(kDone));
  EXPECT_EQ(row.settlement, Settlement::kExact);
  EXPECT_EQ(row.completion_tokens, 1120);
}

TEST_F(MediaAnswerTest, NoEstimateIsAboveTheLengthThatIsHeld) {
  OpenForMedia();
  const ExchangeRecord row = AskStream(SixPictures());  // six times 1290, but 5000 at most
  EXPECT_EQ(row.completion_tokens, 5000);
  EXPECT_EQ(row.cost.nano, Prompt() + 5000 * kMediaNano);
  EXPECT_LE(row.cost.nano, row.held.nano);
  EXPECT_FALSE(row.cap_ignored);
}

// The model is not known to make pictures: they are held as text, and charged so.
TEST_F(MediaAnswerTest, NoEstimateIsAboveTheHold) {
  media_nano_ = kMediaNano;
  Open({100'000'000'000}, {}, 5000);
  const ExchangeRecord row = AskStream(SixPictures());
  EXPECT_EQ(row.error, "");
  EXPECT_EQ(row.settlement, Settlement::kEstimated);
  EXPECT_EQ(row.completion_tokens, 5000);
  EXPECT_EQ(row.cost.nano, Prompt() + 5000 * kOutputNano);
  EXPECT_LE(row.cost.nano, row.held.nano);
}

TEST_F(MediaAnswerTest, NothingDeliveredIsFreeWhateverTheProviderCounts) {
  OpenForMedia();
  const std::string usage = R"("usage":{"prompt_tokens":500,"completion_tokens":100})";
  const ExchangeRecord plain = AskPlain(R"({"choices":[],)" + usage + "}");
  EXPECT_EQ(plain.settlement, Settlement::kFree);
  EXPECT_EQ(plain.cost.nano, 0);
  const ExchangeRecord streamed = AskStream(std::string(kStart) + R"(data: {"choices":[],)" +
                                            usage + "}\n\n" + std::string(kDone));
  EXPECT_EQ(streamed.settlement, Settlement::kFree);
  EXPECT_EQ(streamed.cost.nano, 0);
  // A finish reason makes it an answer: it is charged by its counts.
  const ExchangeRecord stopped =
      AskStream(std::string(kStart) + std::string(kStop) + R"(data: {"choices":[],)" + usage +
                "}\n\n" + std::string(kDone));
  EXPECT_EQ(stopped.settlement, Settlement::kExact);
  EXPECT_EQ(stopped.cost.nano, 500 * kInputNano + 100 * kOutputNano);
}

}  // namespace
}  // namespace seekroute::testing
