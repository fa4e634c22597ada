// Answers that are given again, and what is written down of those that run.
#include <gtest/gtest.h>

#include "testing/credits_fixture.h"

namespace seekroute::testing {
namespace {

constexpr std::string_view kEnd =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],"
    "\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}\n\ndata: [DONE]\n\n";

class ReplayTest : public CreditsTest {
 protected:
  ReplayTest() { store_answers_ = true; }

  void Stream(Duration pause = Duration::Seconds(1)) {
    script_.head.content_type = "text/event-stream";
    script_.pieces = {{{}, std::string(kStart)},
                      {pause, std::string(kContent)},
                      {pause, std::string(kContent)},
                      {pause, std::string(kEnd)}};
  }

  void ExpectReplay(const Seen& first, const Seen& again) {
    EXPECT_EQ(again.status, 200);
    EXPECT_EQ(again.body, first.body);
    EXPECT_EQ(again.headers.at("x-seekroute-idempotent-replay"), "true");
    for (const auto& [name, value] : first.headers) {
      if (name == "x-request-id") {
        EXPECT_NE(again.headers.at(name), value);
      } else {
        EXPECT_EQ(again.headers.at(name), value) << name;
      }
    }
    EXPECT_EQ(again.row->cost.nano, 0);
    EXPECT_EQ(again.row->attempts, 0);
    EXPECT_EQ(again.row->generation_id, first.row->generation_id);
  }
};

TEST_F(ReplayTest, AWholeAnswerIsGivenAgainByteForByte) {
  Open({10'000'000});
  const Seen first = Ask("", "order-1");
  const Money left = store_->balance();
  EXPECT_FALSE(first.headers.contains("x-seekroute-idempotent-replay"));
  for (int i = 0; i < 3; ++i) ExpectReplay(first, Ask("", "order-1"));
  EXPECT_EQ(Ask(R"(,"seed":1)", "order-1").status, 422);
  EXPECT_EQ(transport_->seen().size(), 1u);
  EXPECT_EQ(store_->bookings().size(), 1u);
  EXPECT_EQ(store_->balance(), left);
}

TEST_F(ReplayTest, AStreamIsGivenAgainByteForByte) {
  options_.keep_alive = Duration::Seconds(15);
  Open({10'000'000});
  Stream(Duration::Seconds(20));
  const Seen first = Ask(R"(,"stream":true)", "order-1");
  EXPECT_NE(first.body.find("[DONE]"), std::string::npos);
  EXPECT_NE(first.body.find(": SEEKROUTE"), std::string::npos);
  ExpectReplay(first, Ask(R"(,"stream":true)", "order-1"));
  EXPECT_EQ(transport_->seen().size(), 1u);
}

TEST_F(ReplayTest, WithoutTheKeysWishItIsOnlyTold) {
  store_answers_ = false;
  Open({10'000'000});
  EXPECT_EQ(Ask("", "order-1").status, 200);
  EXPECT_EQ(Ask("", "order-1").status, 409);
  EXPECT_EQ(idempotency_.answer_bytes(), 0u);
}

TEST_F(ReplayTest, AFailureAndAnAnswerThatWasLeftAreNotStored) {
  Open({10'000'000});
  script_.head.status = 400;
  EXPECT_GE(Ask("", "order-1").status, 400);
  EXPECT_EQ(Ask("", "order-1").status, 409);
  script_.head.status = 200;
  Stream();
  const ExchangeId left = Submit(R"(,"stream":true)", "order-2");
  agenda_.After(Duration::Milliseconds(1500), [&] { engine_->Cancel(left); });
  Rest();
  EXPECT_EQ(Ask(R"(,"stream":true)", "order-2").status, 409);
  EXPECT_EQ(idempotency_.answer_bytes(), 0u);
}

// The client that needs its answer again most: it lost it while it was being settled.
TEST_F(ReplayTest, WhoLeavesWhileItIsSettledGetsItLater) {
  Open({10'000'000}, {.slow = true});
  script_.head_delay = Duration::Seconds(1);
  int replayed = 0;
  for (int i = 0; i < 20; ++i) {
    const std::string key = "order-" + std::to_string(i);
    const ExchangeId id = Submit("", key);
    // Watched: the settlement has been asked for, the client has nothing yet.
    while (engine_->size() > 0) {
      Step();
      const CreditStore::Booking* booking = store_->Find(id);
      if (booking != nullptr && booking->settles > 0 && !seen_[id].row) engine_->Cancel(id);
    }
    Rest();
    if (seen_[id].status == 200) continue;  // settled at once
    const Seen& again = Ask("", key);
    EXPECT_EQ(again.status, 200);
    EXPECT_NE(again.body.find("hello"), std::string::npos);
    ++replayed;
  }
  EXPECT_GT(replayed, 0);
  EXPECT_EQ(transport_->seen().size(), 20u);
}

TEST_F(ReplayTest, TheOldestAnswersGoFirst) {
  StoredAnswers answers(5000);
  const auto put = [&](uint8_t name, size_t size) {
    auto answer = std::make_shared<StoredAnswer>();
    answer->body.assign(size, 'x');
    answers.Put(Mac{name}, std::move(answer));
  };
  put(1, 2000);
  put(2, 2000);
  put(3, 2000);
  EXPECT_EQ(answers.Find(Mac{1}), nullptr);
  EXPECT_NE(answers.Find(Mac{2}), nullptr);
  put(4, 5001);  // more than all
  EXPECT_EQ(answers.Find(Mac{4}), nullptr);
  EXPECT_NE(answers.Find(Mac{2}), nullptr);
  put(2, 100);  // in the place of the larger one
  EXPECT_LT(answers.bytes(), 3000u);
  answers.Erase(Mac{2});
  answers.Erase(Mac{3});
  EXPECT_EQ(answers.bytes(), 0u);
}

TEST_F(ReplayTest, ALongAnswerIsNotKept) {
  AnswerRecorder recorder;
  recorder.Body(std::string(kMaxStoredAnswerBytes, 'x'));
  EXPECT_NE(recorder.Finish("g"), nullptr);
  AnswerRecorder longer;
  longer.Body(std::string(kMaxStoredAnswerBytes, 'x'));
  longer.Body("y");
  EXPECT_EQ(longer.Finish("g"), nullptr);
}

TEST_F(ReplayTest, AStreamWritesDownWhatItHasDelivered) {
  options_.note_interval = Duration::Milliseconds(1500);
  Open({10'000'000});
  Stream();
  const Seen seen = Ask(R"(,"stream":true)");
  EXPECT_EQ(seen.row->settlement, Settlement::kExact);
  EXPECT_EQ(seen.row->cost.nano, 7 * kInputNano + 3 * kOutputNano);
  const auto& notes = store_->Find(1)->notes;
  ASSERT_EQ(notes.size(), 1u);  // 1.5 s after the first content of three seconds
  const int64_t delivered = EstimateTokens("one two threeone two three").tokens;
  EXPECT_EQ(notes[0].settlement, Settlement::kPartial);
  EXPECT_EQ(notes[0].prompt_tokens, 7);
  EXPECT_EQ(notes[0].completion_tokens, delivered);
  EXPECT_EQ(notes[0].cost.nano, 7 * kInputNano + delivered * kOutputNano);
}

TEST_F(ReplayTest, SilenceWritesNothingDown) {
  options_.note_interval = Duration::Seconds(1);
  Open({10'000'000});
  Stream(Duration::Seconds(20));
  Ask(R"(,"stream":true)");
  EXPECT_EQ(store_->Find(1)->notes.size(), 2u);  // one after each piece of content
  options_.note_interval = {};
  Ask(R"(,"stream":true)");
  EXPECT_TRUE(store_->Find(2)->notes.empty());
}

}  // namespace
}  // namespace seekroute::testing
