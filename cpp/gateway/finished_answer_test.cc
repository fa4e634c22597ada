// What counts as a finished answer, and what each outcome costs.
#include "testing/credits_fixture.h"

namespace seekroute::testing {
namespace {

class FinishedAnswerTest : public CreditsTest {
 protected:
  const Seen& AskStream(const std::string& bytes) {
    script_ = {};
    script_.head.content_type = "text/event-stream";
    script_.pieces = {{{}, bytes}};
    return Ask(R"(,"stream":true)");
  }
};

TEST_F(FinishedAnswerTest, AFinishReasonOfErrorIsAFailure) {
  Open({10'000'000});
  const std::string failed =
      R"({"choices":[{"index":0,"delta":{},"finish_reason":"error","error":{"message":"broke"}}],)"
      R"("usage":{"prompt_tokens":7,"completion_tokens":3}})";
  const Seen middle = AskStream(std::string(kStart) + std::string(kContent) + "data: " + failed +
                                "\n\ndata: [DONE]\n\n");
  EXPECT_EQ(middle.status, 200);
  EXPECT_EQ(middle.row->settlement, Settlement::kFailed);
  EXPECT_EQ(middle.row->error, "upstream_error");
  EXPECT_EQ(middle.row->cost.nano, 0);
  EXPECT_GT(middle.row->Suspected().nano, 0);
  EXPECT_NE(middle.body.find("broke"), std::string::npos);
  EXPECT_EQ(middle.body.find("[DONE]"), std::string::npos);

  const Seen before = AskStream(std::string(kStart) + "data: " + failed + "\n\n");
  EXPECT_EQ(before.status, 502);
  EXPECT_EQ(before.row->settlement, Settlement::kFailed);

  script_ = {};
  script_.pieces = {
      {{},
       R"({"choices":[{"index":0,"message":{"content":"x"},"finish_reason":"error"}],)"
       R"("usage":{"prompt_tokens":3,"completion_tokens":1}})"}};
  const Seen& plain = Ask();
  EXPECT_EQ(plain.status, 502);
  EXPECT_EQ(plain.row->settlement, Settlement::kFailed);
  EXPECT_EQ(store_->balance().nano, 10'000'000);
}

// By what the client has and what the provider will bill, however the connection ended.
TEST_F(FinishedAnswerTest, WhatIsChargedOfAStreamWithoutDone) {
  const std::string begun = std::string(kStart) + std::string(kContent);
  const std::string stop =
      "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
  const std::string null =
      "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"null\"}]}\n\n";
  const std::string usage =
      "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":60}}\n\n";
  using Ending = UpstreamScript::Ending;
  const struct {
    std::string bytes;
    Settlement clean;
    Settlement broken;
  } cases[] = {
      {begun + stop + usage, Settlement::kExact, Settlement::kExact},
      {begun + usage, Settlement::kExact, Settlement::kExact},
      {begun + null + usage, Settlement::kExact, Settlement::kExact},
      {begun + null, Settlement::kFailed, Settlement::kFailed},
      {begun, Settlement::kFailed, Settlement::kFailed},
      {std::string(kStart) + usage, Settlement::kFailed, Settlement::kFailed},
  };
  Open({1'000'000'000});
  for (const auto& c : cases) {
    for (const Ending ending : {Ending::kClean, Ending::kBroken, Ending::kHang}) {
      SCOPED_TRACE(c.bytes + "\nending " + std::to_string(static_cast<int>(ending)));
      script_ = {};
      script_.head.content_type = "text/event-stream";
      script_.pieces = {{{}, c.bytes}};
      script_.ending = ending;
      const Seen& seen = Ask(R"(,"stream":true)");
      const Settlement settlement = ending == Ending::kClean ? c.clean : c.broken;
      EXPECT_EQ(seen.row->settlement, settlement);
      const bool whole = settlement == Settlement::kExact;
      EXPECT_EQ(seen.row->cost.nano, whole ? 7 * kInputNano + 60 * kOutputNano : 0);
      EXPECT_EQ(seen.body.ends_with("data: [DONE]\n\n"), whole);
      EXPECT_EQ(seen.body.find("\"error\":") == std::string::npos, whole);
    }
  }
}

// What goes out before the first content is life, but nothing that is paid for.
TEST_F(FinishedAnswerTest, ProgressIsNoContent) {
  Open({10'000'000});
  std::string progress;
  const auto chunk = [](int i) {
    return "data: {\"choices\":[],\"prompt_progress\":{\"processed\":" + std::to_string(i) +
           "}}\n\n";
  };
  for (int i = 0; i < 300; ++i) progress += chunk(i);
  const std::string end =
      std::string(kContent) +
      "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],"
      "\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}\n\n";
  const Seen whole = AskStream(progress + end);
  EXPECT_EQ(whole.row->settlement, Settlement::kExact);
  EXPECT_NE(whole.body.find("\"processed\":0}"), std::string::npos);
  EXPECT_NE(whole.body.find("\"processed\":299}"), std::string::npos);

  // Slower than any silence that is allowed between two pieces of content.
  script_.pieces.clear();
  for (int i = 0; i < 300; ++i) script_.pieces.push_back({Duration::Seconds(1), chunk(i)});
  script_.pieces.push_back({{}, end});
  const Seen slow = Ask(R"(,"stream":true,"return_progress":true)");
  EXPECT_EQ(slow.row->settlement, Settlement::kExact) << slow.row->error;
  EXPECT_GE(slow.row->first_content, Duration::Seconds(300));

  options_.on_upstream_failure = ChargePolicy::kCharge;
  const Money before = store_->balance();
  const Seen failed = AskStream(progress + "data: {\"error\":\"no\"}\n\n");
  EXPECT_EQ(failed.status, 200);
  EXPECT_EQ(failed.row->settlement, Settlement::kFailed);
  EXPECT_EQ(failed.row->first_content, Duration{});
  script_.pieces = {{{}, progress}, {Duration::Seconds(20), end}};
  const ExchangeId left = Submit(R"(,"stream":true)");
  agenda_.After(Duration::Seconds(5), [this, left] { engine_->Cancel(left); });
  Rest();
  EXPECT_EQ(seen_[left].row->settlement, Settlement::kCancelled);
  EXPECT_EQ(store_->balance(), before);
}

TEST_F(FinishedAnswerTest, APictureMayBeAsLongAsItsModelMakesThem) {
  const std::string picture =
      "data: "
      "{\"choices\":[{\"index\":0,\"delta\":{\"images\":[{\"image_url\":{\"url\":\"data:image/png;"
      "base64," +
      std::string(6 << 20, 'A') +
      "\"}}]},\"finish_reason\":\"stop\"}],"
      "\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}\n\n";
  Open({10'000'000});
  EXPECT_EQ(AskStream(picture).row->error, "bad_upstream_response");
  other_output_ = true;
  window_ = size_t{16} << 20;
  Open({10'000'000});
  const Seen& seen = AskStream(picture);
  EXPECT_EQ(seen.row->settlement, Settlement::kExact) << seen.row->error;
  EXPECT_GT(seen.body.size(), size_t{6} << 20);
  options_.max_media_event_bytes = 1 << 20;
  EXPECT_EQ(AskStream(picture).row->error, "bad_upstream_response");
}

TEST_F(FinishedAnswerTest, CountsThatContradictOneAnotherAreToldAsTheyAreCharged) {
  Open({1'000'000'000});
  script_.pieces = {
      {{},
       R"({"choices":[{"index":0,"message":{"content":"x"},"finish_reason":"stop"}],)"
       R"("usage":{"prompt_tokens":56322,"completion_tokens":5,"prompt_tokens_details":)"
       R"({"cached_tokens":72960},"completion_tokens_details":{"reasoning_tokens":9}}})"}};
  const Seen& seen = Ask();
  EXPECT_TRUE(seen.row->usage_odd);
  EXPECT_FALSE(seen.row->estimated);
  EXPECT_EQ(seen.row->settlement, Settlement::kExact);
  EXPECT_EQ(seen.row->prompt_tokens, 56322);
  EXPECT_EQ(seen.row->cached_tokens, 56322);
  EXPECT_EQ(seen.row->reasoning_tokens, 5);
  EXPECT_NE(
      seen.body.find(
          R"("usage":{"prompt_tokens":56322,"completion_tokens":5,"total_tokens":56327,)"
          R"("prompt_tokens_details":{"cached_tokens":56322},)"
          R"("completion_tokens_details":{"reasoning_tokens":5},"reported":{"prompt_tokens":56322,)"
          R"("completion_tokens":5,"total_tokens":56327,"prompt_tokens_details":{"cached_tokens":72960},)"
          R"("completion_tokens_details":{"reasoning_tokens":9}})"),
      std::string::npos)
      << seen.body;
  EXPECT_EQ(seen.row->tried[0].words,
            "usage as reported: prompt 56322 cached 72960 completion 5 reasoning 9");
  script_.pieces = {{{}, std::string(kAnswer)}};
  const Seen& sane = Ask();
  EXPECT_EQ(sane.body.find("reported"), std::string::npos);
  EXPECT_EQ(sane.row->tried[0].words, "");
}

TEST_F(FinishedAnswerTest, ADoubledUsageIsEstimated) {
  Open({10'000'000});
  std::string answer(kAnswer);
  answer.insert(1, R"("usage":{"prompt_tokens":3,"completion_tokens":5},)");
  script_.pieces = {{{}, answer}};
  const Seen& seen = Ask();
  EXPECT_EQ(seen.status, 200);
  EXPECT_EQ(seen.row->settlement, Settlement::kEstimated);
  EXPECT_TRUE(seen.row->estimated);
}

// Also where comments keep its connection alive until the time is up.
TEST_F(FinishedAnswerTest, AWholeStreamIsCompleteAtTheDeadline) {
  options_.total_timeout = Duration::Seconds(30);
  Open({10'000'000});
  script_ = {};
  script_.head.content_type = "text/event-stream";
  script_.pieces = {
      {{},
       std::string(kStart) + std::string(kContent) +
           "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"}};
  for (int i = 0; i < 20; ++i) script_.pieces.push_back({Duration::Seconds(2), ": ping\n\n"});
  const Seen seen = Ask(R"(,"stream":true)");
  EXPECT_EQ(seen.row->error, "");
  EXPECT_NE(seen.body.find("[DONE]"), std::string::npos) << seen.body;
  EXPECT_GT(seen.row->cost, Money{});
  EXPECT_NE(seen.row->settlement, Settlement::kFailed);
}

// Pictures are asked for whole: of those that nobody waited for nothing is seen.
TEST_F(FinishedAnswerTest, PicturesThatWereNotWaitedForAreSuspected) {
  dialect_ = DialectId::kOpenAiImages;
  Open({10'000'000'000});
  script_ = {};
  script_.sends_head = false;
  script_.ending = UpstreamScript::Ending::kHang;
  for (const char* members : {"", R"(,"stream":true)"}) {
    const Seen seen = Ask(members);
    EXPECT_NE(seen.row->error, "") << members;
    EXPECT_GE(seen.row->Suspected().nano, kImageNano) << members;
  }
}

// A prompt that the request can have is a count also where its client has left.
TEST_F(FinishedAnswerTest, WhoLeavesIsJudgedAsWhoStays) {
  endpoint_context_ = 2000;
  options_.strict_bound = true;
  for (const int64_t prompt : {int64_t{1500}, int64_t{3000}, int64_t{90'000}}) {
    Open({1'000'000'000});
    script_ = {};
    script_.head.content_type = "text/event-stream";
    std::string start(kStart);
    start.replace(start.find(":7,"), 3, ":" + std::to_string(prompt) + ",");
    script_.pieces = {{{}, start + std::string(kContent)}, {Duration::Seconds(5), ""}};
    const ExchangeId id =
        Submit(R"(,"stream":true,"documents":[")" + std::string(5000, 'e') + R"("])");
    agenda_.After(Duration::Seconds(2), [&] { engine_->Cancel(id); });
    Rest();
    EXPECT_EQ(seen_[id].row->settlement, Settlement::kPartial);
    EXPECT_EQ(seen_[id].row->prompt_tokens == prompt, prompt < 90'000) << prompt;
  }
}

}  // namespace
}  // namespace seekroute::testing
