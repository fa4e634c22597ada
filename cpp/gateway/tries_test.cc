#include "gateway/tries.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "testing/tries_fixture.h"

namespace seekroute {
namespace {

using testing::TriesTest;
using testing::UpstreamScript;
using testing::Words;

constexpr std::string_view kWhole =
    R"({"id":"u","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,)"
    R"("message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],)"
    R"("usage":{"prompt_tokens":3,"completion_tokens":5}})";

UpstreamScript RefusesOptions(int64_t ms) {
  UpstreamScript script;
  script.head_delay = Duration::Milliseconds(ms);
  script.head.status = 400;
  script.pieces = {{{},
                    R"({"error":{"message":"Unknown parameter: stream_options",)"
                    R"("type":"invalid_request_error"}})"}};
  return script;
}

// Else the sick hosts of the first model starve the second.
TEST_F(TriesTest, TheFirstModelLeavesAnAttemptForTheNext) {
  scripts_ = {{"https://a", Refusal(100, 503)},
              {"https://b", Refusal(100, 503)},
              {"https://c", Stream(100, "third")}};
  other_ = model_;
  other_.id = "x/other";
  other_.endpoints = {model_.endpoints[2]};
  model_.endpoints = {model_.endpoints[0], model_.endpoints[1], model_.endpoints[0]};
  Begin(true);
  Run();
  EXPECT_EQ(Booked(), (Words{"a upstream_unavailable", "b upstream_unavailable", "c answered"}));
  EXPECT_EQ(tries_->candidate().model, &other_);
  EXPECT_NE(content_.find(R"("model":"x/other")"), std::string::npos);
}

TEST_F(TriesTest, AnotherModelIsNotCalledByTheNameOfTheFirst) {
  profile_.answer_model = AnswerModel::kAsAsked;
  scripts_ = {{"https://a", Refusal(100, 503)}, {"https://c", Stream(100, "third")}};
  other_ = model_;
  other_.id = "x/other";
  other_.endpoints = {model_.endpoints[2]};
  model_.endpoints.resize(1);
  Begin(true);
  Run();
  EXPECT_NE(content_.find(R"("model":"x/other")"), std::string::npos);
}

TEST_F(TriesTest, AModelForLongPromptsIsAskedAfterOneThatWasTooLongAlone) {
  UpstreamScript too_long = Refusal(100, 400);
  too_long.pieces = {{{}, R"({"error":{"message":"too long","code":"context_length_exceeded"}})"}};
  scripts_ = {
      {"https://a", too_long}, {"https://b", Stream(9, "b")}, {"https://c", Stream(9, "c")}};
  other_ = model_;
  other_.endpoints = {model_.endpoints[2]};
  model_.endpoints.resize(2);
  after_ = AskedAfter::kContextTooLong;
  Begin(true);
  Run();
  // Not at another host of the same model.
  EXPECT_EQ(Booked(), (Words{"a context_length_exceeded", "c answered"}));
}

TEST_F(TriesTest, AModelForLongPromptsIsNotAskedAfterAnyOtherFailure) {
  scripts_ = {{"https://a", Refusal(100, 503)}, {"https://b", Refusal(100, 503)}};
  other_ = model_;
  other_.endpoints = {model_.endpoints[2]};
  model_.endpoints.resize(2);
  after_ = AskedAfter::kContextTooLong;
  Begin(true);
  Run();
  EXPECT_EQ(Booked(), (Words{"a upstream_unavailable", "b upstream_unavailable"}));
  EXPECT_EQ(failures_, Words{"upstream_unavailable"});
}

TEST_F(TriesTest, TheFirstContentWinsAndTheLoserIsBookedOnce) {
  scripts_ = {{"https://a", Stream(900, "late")}, {"https://b", Stream(100, "soon")}};
  Begin(true);
  EXPECT_TRUE(tries_->StartAnother());
  EXPECT_EQ(tries_->sent(), 2);
  Run();
  EXPECT_EQ(answered_, 1);
  EXPECT_EQ(failures_, Words());
  EXPECT_NE(content_.find("soon"), std::string::npos);
  EXPECT_EQ(content_.find("late"), std::string::npos);
  EXPECT_EQ(Booked(), (Words{"a hedge_lost", "b answered"}));
  // The prompt, which the loser may charge for; nothing had come of it.
  const int64_t prompt = tries_->Prompt().tokens;
  EXPECT_EQ(tries_->records()[0].suspected.nano, prompt * 1000);
  EXPECT_TRUE(transport_.seen()[0].cancelled);
  EXPECT_EQ(tries_->selected(), 2u);
  EXPECT_EQ(tries_->candidate().endpoint, &model_.endpoints[1]);
  EXPECT_EQ(tries_->current()->provider().id, "b");
  EXPECT_FALSE(tries_->running());
  EXPECT_TRUE(tries_->quiet());
}

TEST_F(TriesTest, OfWholeAnswersTheFirstWins) {
  UpstreamScript late, soon;
  late.pieces = {{Duration::Milliseconds(900), std::string(kWhole)}};
  soon.pieces = {{Duration::Milliseconds(100), std::string(kWhole)}};
  scripts_ = {{"https://a", late}, {"https://b", soon}};
  Begin(false);
  EXPECT_TRUE(tries_->StartAnother());
  Run();
  EXPECT_EQ(answered_, 1);
  EXPECT_EQ(Booked(), (Words{"a hedge_lost", "b answered"}));
  std::string out;
  tries_->transcoder()->Finish({{}, std::nullopt, {}}, &out);
  EXPECT_NE(out.find("hello"), std::string::npos);
}

TEST_F(TriesTest, WhatFailsBesideARunningOneEndsNothing) {
  scripts_ = {{"https://a", Stream(900, "only")}, {"https://b", Refusal(100, 503)}};
  Begin(true);
  EXPECT_TRUE(tries_->StartAnother());
  Run();
  EXPECT_EQ(answered_, 1);
  EXPECT_EQ(failures_, Words());
  EXPECT_NE(content_.find("only"), std::string::npos);
  EXPECT_EQ(Booked(), (Words{"b upstream_unavailable", "a answered"}));
  EXPECT_EQ(tries_->selected(), 1u);
}

TEST_F(TriesTest, TheNextIsAskedWhenAllThatRanHaveFailed) {
  scripts_ = {{"https://a", Refusal(100, 503)},
              {"https://b", Refusal(200, 429)},
              {"https://c", Stream(100, "third")}};
  Begin(true);
  EXPECT_TRUE(tries_->StartAnother());
  Run();
  EXPECT_EQ(answered_, 1);
  EXPECT_EQ(Booked(), (Words{"a upstream_unavailable", "b upstream_rate_limited", "c answered"}));
  EXPECT_EQ(tries_->sent(), 3);
}

TEST_F(TriesTest, TheLastFailureIsToldWhereNobodyIsLeft) {
  scripts_ = {{"https://a", Refusal(300, 503)},
              {"https://b", Refusal(200, 429)},
              {"https://c", Refusal(100, 500)}};
  options_.retry.max_attempts = 2;
  Begin(true);
  EXPECT_TRUE(tries_->StartAnother());
  EXPECT_FALSE(tries_->StartAnother());  // two run
  Run();
  EXPECT_EQ(failures_, Words{"upstream_unavailable"});
  EXPECT_EQ(answered_, 0);
  EXPECT_EQ(tries_->sent(), 2);
  EXPECT_FALSE(tries_->StartAnother());  // none runs
}

TEST_F(TriesTest, WhoTheCapOfAttemptsKeepsOutIsToldOf) {
  scripts_ = {{"https://a", Refusal(100, 503)}, {"https://b", Refusal(100, 503)}};
  options_.retry.max_attempts = 2;
  Begin(true);
  Run();
  EXPECT_EQ(tries_->skipped(), (std::vector{Skip::kNone, Skip::kNone, Skip::kAttemptCap}));
  // Another failure would not have led to it.
  scripts_["https://b"] = Refusal(100, 400);
  Begin(true);
  Run();
  EXPECT_EQ(tries_->skipped(), std::vector<Skip>());
}

TEST_F(TriesTest, NobodyIsAskedBesideAWinner) {
  scripts_ = {{"https://a", Stream(100, "first")}};
  Begin(true);
  while (content_.empty()) agenda_.RunNext();
  EXPECT_TRUE(tries_->won());
  EXPECT_FALSE(tries_->StartAnother());
  Run();
  EXPECT_EQ(answered_, 1);
  EXPECT_EQ(Booked(), Words{"a answered"});
}

// Whatever failed beside it before: its bytes are out.
TEST_F(TriesTest, NothingIsAskedAfterAWinnerThatBreaksOff) {
  UpstreamScript broken = Stream(400, "half");
  broken.pieces.pop_back();
  broken.ending = UpstreamScript::Ending::kBroken;
  for (const UpstreamScript& beside : {Refusal(100, 503), RefusesOptions(100)}) {
    scripts_ = {{"https://a", broken}, {"https://b", beside}, {"https://c", Stream(100, "again")}};
    failures_.clear();
    content_.clear();
    Begin(true);
    EXPECT_TRUE(tries_->StartAnother());
    Run();
    EXPECT_EQ(failures_, Words{"upstream_truncated"});
    EXPECT_EQ(tries_->sent(), 2);
    EXPECT_EQ(content_.find("again"), std::string::npos);
  }
}

// A winner that breaks off is the end: its bytes are out.
TEST_F(TriesTest, NothingIsAskedAfterContent) {
  UpstreamScript broken = Stream(100, "half");
  broken.pieces.pop_back();
  broken.ending = UpstreamScript::Ending::kBroken;
  scripts_ = {{"https://a", broken}};
  Begin(true);
  Run();
  EXPECT_EQ(failures_, Words{"upstream_truncated"});
  EXPECT_EQ(tries_->sent(), 1);
}

TEST_F(TriesTest, AllThatRunAreAbandonedTogether) {
  scripts_ = {{"https://a", Stream(900, "x")}, {"https://b", Stream(900, "y")}};
  Begin(true);
  EXPECT_TRUE(tries_->StartAnother());
  clock_.MoveTo(clock_.Now() + Duration::Milliseconds(100));
  tries_->Abandon();
  Run();
  EXPECT_EQ(answered_, 0);
  EXPECT_EQ(failures_, Words());
  EXPECT_EQ(content_, "");
  EXPECT_EQ(Booked(), (Words{"a abandoned", "b abandoned"}));
  EXPECT_TRUE(tries_->quiet());
  tries_->Abandon();  // again: nothing runs
  EXPECT_EQ(tries_->records().size(), 2u);
}

// The request is that of the try that runs, whichever was made last.
TEST_F(TriesTest, TheCurrentOneIsOneThatRuns) {
  UpstreamScript told = Stream(50, "");
  told.pieces = {{Duration::Milliseconds(50),
                  "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"}}],"
                  "\"usage\":{\"prompt_tokens\":7000,\"completion_tokens\":0}}\n\n"}};
  told.ending = UpstreamScript::Ending::kBroken;
  scripts_ = {{"https://a", Stream(900, "only")}, {"https://b", told}};
  for (const bool leaves : {false, true}) {
    Begin(true);
    EXPECT_TRUE(tries_->StartAnother());
    while (tries_->records().empty()) agenda_.RunNext();
    EXPECT_EQ(tries_->current()->provider().id, "a");
    EXPECT_EQ(tries_->selected(), 1u);
    EXPECT_EQ(tries_->transcoder()->reading().usage.prompt, std::nullopt);
    if (leaves) {
      EXPECT_TRUE(tries_->ReadOut());
    } else {
      tries_->Abandon();
      EXPECT_EQ(Booked(), (Words{"b upstream_truncated", "a abandoned"}));
    }
    Run();
  }
}

// A large body is kept as long as one that runs may have to be sent again, and is sent again also
// where that was found out beside another one.
TEST_F(TriesTest, WhatWasRefusedForAMemberOfOursIsRepeatedWhenAllHaveFailed) {
  for (const size_t bytes : {size_t{10}, size_t{3} << 20}) {
    for (const int64_t other : {100, 500}) {
      scripts_ = {{"https://a", RefusesOptions(300)}, {"https://b", Refusal(other, 503)}};
      snapshot_.providers[1].stream_options = false;
      options_.retry.max_attempts = 2;
      content_of_prompt_ = std::string(bytes, 'w');
      const size_t before = transport_.seen().size();
      Begin(true);
      EXPECT_TRUE(tries_->StartAnother());
      EXPECT_FALSE(body_.empty());
      Run();
      ASSERT_EQ(tries_->sent(), 3) << bytes << ' ' << other;
      const std::string& again = transport_.seen()[before + 2].body;
      EXPECT_GT(again.size(), bytes);
      EXPECT_EQ(again.find("stream_options"), std::string::npos);
    }
  }
}

// One of those that ran together failed so that another may be asked, the other one did not.
TEST_F(TriesTest, TheNextIsAskedIfAnyFailureAllowsIt) {
  for (const auto& [a, b] : {std::pair{503, 400}, std::pair{400, 503}}) {
    scripts_ = {{"https://a", Refusal(100, a)},
                {"https://b", Refusal(300, b)},
                {"https://c", Stream(100, "third")}};
    answered_ = 0;
    Begin(true);
    EXPECT_TRUE(tries_->StartAnother());
    Run();
    EXPECT_EQ(answered_, 1) << a << ' ' << b;
  }
}

// An answer is read out alone, takes a slot while it runs, and is followed by nobody.
TEST_F(TriesTest, AReadOutHoldsASlotUntilItsTryIsOver) {
  scripts_ = {{"https://a", Refusal(100, 503)}, {"https://b", Stream(100, "no")}};
  Begin(true);
  EXPECT_TRUE(tries_->StartAnother());
  EXPECT_FALSE(tries_->ReadOut());  // two run
  EXPECT_EQ(read_outs_.taken(), 0);
  tries_.reset();

  Begin(true);
  EXPECT_TRUE(tries_->ReadOut());
  EXPECT_EQ(read_outs_.taken(), 1);
  EXPECT_FALSE(tries_->StartAnother());
  Run();
  EXPECT_EQ(failures_, Words{"upstream_unavailable"});
  EXPECT_EQ(tries_->sent(), 1);
  EXPECT_EQ(read_outs_.taken(), 0);

  Begin(true);
  EXPECT_TRUE(tries_->ReadOut());
  tries_.reset();  // the engine ends
  EXPECT_EQ(read_outs_.taken(), 0);
}

}  // namespace
}  // namespace seekroute
