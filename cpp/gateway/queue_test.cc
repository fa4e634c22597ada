// Requests that wait for room in their limits: who is next, what ends a wait, and what is told.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gateway/queue_stay.h"
#include "testing/credits_fixture.h"

namespace seekroute::testing {
namespace {

constexpr std::string_view kEnd =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],"
    "\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}\n\ndata: [DONE]\n\n";

constexpr Money kPlenty{10'000'000'000};

class QueueTest : public CreditsTest {
 protected:
  // Streams whose heads take two seconds and a half; whoever waits for one is told where it stands.
  void OpenSlowStreams() {
    Open(kPlenty);
    script_.head.content_type = "text/event-stream";
    script_.head_delay = Duration::Milliseconds(2500);
    script_.pieces = {
        {{}, std::string(kStart)}, {{}, std::string(kContent)}, {{}, std::string(kEnd)}};
    header_options_.queue_progress = true;
  }

  // An answer takes a second.
  QueueTest() {
    script_.head_delay = Duration::Seconds(1);
    Patience(Duration::Seconds(30));
  }

  void Patience(Duration wait) { header_options_.queue = wait; }

  void Settle() {
    engine_->Advance();
    Deliver();
  }
  const Seen& Await(ExchangeId id) {
    Settle();
    while (!seen_[id].row) Step();
    return seen_[id];
  }
  void PassTo(TimePoint at) {
    while (std::min(agenda_.Next(), engine_->NextTimer()) <= at) Step();
    clock_.MoveTo(at);
    Settle();
  }
  TimePoint After(Duration d) const { return clock_.Now() + d; }

  int64_t running() { return limiter_.running(LimitScope::kKey, "o", "k"); }
  int64_t waiting() const { return limiter_.figures().waiting; }
  size_t sent() const { return transport_->seen().size(); }

  static std::string Header(const Seen& seen, const std::string& name) {
    const auto found = seen.headers.find(name);
    return found != seen.headers.end() ? found->second : "none";
  }
};

TEST_F(QueueTest, WaitsForASlotAndIsServedInTurn) {
  key_limits_ = {.concurrent = 1};
  Open(kPlenty);
  std::vector<ExchangeId> ids;
  for (int i = 0; i < 4; ++i) ids.push_back(Submit());
  Settle();
  EXPECT_EQ(waiting(), 3);
  EXPECT_EQ(running(), 1);
  EXPECT_EQ(sent(), 1u);
  for (size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ(Await(ids[i]).status, 200);
    EXPECT_EQ(waiting(), static_cast<int64_t>(i < 3 ? 2 - i : 0));
    EXPECT_LE(running(), 1);
    const std::string& kept = seen_[ids[i]].row->routing;
    const std::string waited = "\"queued_ms\":" + std::to_string(1000 * i) + "}";
    EXPECT_EQ(kept.find(waited) != std::string::npos, i > 0) << kept;
    EXPECT_EQ(seen_[ids[i]].row->queued, Duration::Seconds(static_cast<int64_t>(i)));
    for (size_t k = i + 1; k < ids.size(); ++k) EXPECT_FALSE(seen_[ids[k]].row);
  }
  EXPECT_EQ(clock_.Now(), TimePoint{1'000'000'000} + Duration::Seconds(4));
  Rest();
  EXPECT_EQ(limiter_.figures().refused[0][4], 0u);
}

TEST_F(QueueTest, TheReportTellsHowLongItWaited) {
  key_limits_ = {.requests_per_minute = 10, .concurrent = 1};
  explain_ = Explain::kSeekroute;
  Open(kPlenty);
  const ExchangeId first = Submit(), second = Submit();
  EXPECT_NE(Await(first).body.find(
                R"("limits":{"requests":{"scope":"key","limit":10,"remaining":9,"reset_ms":6000},)"
                R"("tokens":null,"concurrent":{"scope":"key","limit":1,"remaining":0,)"
                R"("reset_ms":0},"queued_ms":0})"),
            std::string::npos)
      << seen_[first].body;
  EXPECT_NE(Await(second).body.find("\"queued_ms\":1000}"), std::string::npos)
      << seen_[second].body;
  explain_ = Explain::kOpenRouter;
  EXPECT_EQ(Await(Submit()).body.find("queued_ms"), std::string::npos);
}

TEST_F(QueueTest, WithoutPatienceItIsRefusedAtOnce) {
  key_limits_ = {.concurrent = 1};
  header_options_ = {};
  Open(kPlenty);
  Submit();
  EXPECT_EQ(Await(Submit()).status, 429);
  EXPECT_EQ(seen_[2].body.find("queued_ms"), std::string::npos);
  Rest();
}

TEST_F(QueueTest, WhoseWordCounts) {
  options_.queue_wait = Duration::Milliseconds(100);
  header_options_ = {};
  key_limits_ = {.concurrent = 1};
  Open(kPlenty);
  limiter_.Set(LimitScope::kOrg, "o", std::make_shared<const LimitSet>(LimitSet{.queue_ms = 200}),
               {clock_.Now(), clock_.WallTime()});
  const auto waits = [&](Duration expected) {
    Submit();
    const TimePoint begun = clock_.Now();
    EXPECT_EQ(Await(Submit()).status, 429);
    EXPECT_EQ(clock_.Now(), begun + expected);
    Rest();
  };
  waits(Duration::Milliseconds(200));
  limiter_.Set(LimitScope::kOrg, "o", nullptr, {clock_.Now(), clock_.WallTime()});
  waits(Duration::Milliseconds(100));
  header_options_.queue = Duration::Milliseconds(50);
  waits(Duration::Milliseconds(50));
  header_options_ = {};
  key_limits_.queue_ms = 300;
  keys_.Put(
      HmacSha256(Secret("pepper"), "good"),
      {.key_id = "k", .org_id = "o", .limits = std::make_shared<const LimitSet>(key_limits_)});
  waits(Duration::Milliseconds(300));
}

TEST_F(QueueTest, AWaitThatEndsInVainIsTold) {
  key_limits_ = {.concurrent = 1};
  script_.head_delay = Duration::Seconds(20);
  Open(kPlenty);
  Submit();
  Patience(Duration::Milliseconds(1500));
  const TimePoint begun = clock_.Now();
  const Seen& refused = Await(Submit());
  EXPECT_EQ(clock_.Now(), begun + Duration::Milliseconds(1500));
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(Header(refused, "retry-after-ms"), "1000");
  EXPECT_NE(refused.body.find("\"queued_ms\":1500"), std::string::npos) << refused.body;
  EXPECT_EQ(waiting(), 0);
  EXPECT_EQ(limiter_.figures().refused[0][4], 1u);
  EXPECT_EQ(Await(1).status, 200);
  EXPECT_EQ(Await(Submit()).status, 200);  // nothing was kept for the one that was refused
  Rest();
}

TEST_F(QueueTest, ARateIsWaitedForToTheInstant) {
  key_limits_ = {.requests_per_minute = 60, .burst_requests = 1};
  script_.head_delay = {};
  Open(kPlenty);
  const TimePoint begun = clock_.Now();
  std::vector<ExchangeId> ids;
  for (int i = 0; i < 4; ++i) ids.push_back(Submit());
  for (size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ(Await(ids[i]).status, 200);
    EXPECT_EQ(clock_.Now(), begun + Duration::Seconds(static_cast<int64_t>(i)));
  }
  Rest();
}

// With 29 before it and one a second, the last of 31 would come too late for 30 s.
TEST_F(QueueTest, WhoCannotMakeItInTimeIsRefusedAtOnce) {
  key_limits_ = {.requests_per_minute = 60, .burst_requests = 1};
  script_.head_delay = {};
  Open(kPlenty);
  for (int i = 0; i < 31; ++i) Submit();
  Settle();
  EXPECT_EQ(waiting(), 30);
  const Seen& refused = Await(Submit());
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(Header(refused, "retry-after-ms"), "31000");
  EXPECT_NE(refused.body.find("\"exact\":false"), std::string::npos);
  EXPECT_EQ(waiting(), 30);
  Rest();
  for (ExchangeId id = 1; id <= 31; ++id) EXPECT_EQ(seen_[id].status, 200);
}

// What holds for the key when its money is held, not when the request came.
TEST_F(QueueTest, ASpendingLimitThatIsLoweredMeanwhileHolds) {
  key_limits_ = {.concurrent = 1};
  Open(kPlenty);
  Submit();
  const ExchangeId waits = Submit();
  Settle();
  EXPECT_EQ(waiting(), 1);
  ApiKey lowered{.key_id = "k", .org_id = "o", .limit = Money{1}, .credit_line = credit_line_};
  lowered.limits = std::make_shared<const LimitSet>(key_limits_);
  keys_.Put(HmacSha256(Secret("pepper"), "good"), std::move(lowered));
  const Seen& refused = Await(waits);
  EXPECT_EQ(refused.status, 402);
  EXPECT_NE(refused.body.find("the limit of this API key"), std::string::npos) << refused.body;
  EXPECT_EQ(sent(), 1u);
  Rest();
}

TEST_F(QueueTest, NobodyOvertakesWhoWaits) {
  key_limits_ = {.tokens_per_minute = 60'000, .burst_tokens = 2000};
  script_.head_delay = {};
  Open(kPlenty);
  Submit(R"(,"max_tokens":1900)");
  const ExchangeId large = Submit(R"(,"max_tokens":1500)");
  Settle();
  EXPECT_EQ(waiting(), 1);
  // There is room for this one, and it would keep the large one waiting.
  const ExchangeId small = Submit(R"(,"max_tokens":10)");
  header_options_ = {};
  const Seen& impatient = Await(Submit(R"(,"max_tokens":10)"));
  EXPECT_EQ(impatient.status, 429);
  EXPECT_FALSE(seen_[small].row);
  EXPECT_EQ(Await(large).status, 200);
  EXPECT_EQ(Await(small).status, 200);
  Rest();
}

TEST_F(QueueTest, AWaiterHoldsNothing) {
  key_limits_ = {.requests_per_minute = 10, .tokens_per_minute = 100'000, .concurrent = 1};
  Open(kPlenty);
  Submit();
  Settle();
  const LimitSubject who{.org = "o", .key = "k", .key_limits = &key_limits_};
  const LimitsLeft before = limiter_.Look(who, {clock_.Now(), clock_.WallTime()});
  for (int i = 0; i < 5; ++i) Submit();
  Settle();
  const LimitsLeft after = limiter_.Look(who, {clock_.Now(), clock_.WallTime()});
  EXPECT_EQ(waiting(), 5);
  EXPECT_EQ(running(), 1);
  EXPECT_EQ(after.requests->remaining, before.requests->remaining);
  EXPECT_EQ(after.tokens->remaining, before.tokens->remaining);
  EXPECT_EQ(store_->Find(2), nullptr);
  Rest();
}

TEST_F(QueueTest, ARepetitionIsToldOfTheOneThatWaits) {
  key_limits_ = {.concurrent = 1};
  Open(kPlenty);
  Submit();
  const ExchangeId waits = Submit("", "order");
  Settle();
  EXPECT_EQ(Await(Submit("", "order")).status, 409);
  EXPECT_EQ(Await(waits).status, 200);
  Rest();
}

// The second one waits for a slot, then for a request of the minute.
TEST_F(QueueTest, MovesToTheNextLimitWithItsTurn) {
  key_limits_ = {.requests_per_minute = 12, .concurrent = 1, .burst_requests = 2};
  Open(kPlenty);
  const TimePoint begun = clock_.Now();
  Submit();
  Submit();
  const ExchangeId third = Submit();
  EXPECT_EQ(Await(third).status, 200);
  EXPECT_EQ(clock_.Now(), begun + Duration::Seconds(6));  // one in five seconds, and its answer
  Rest();
}

TEST_F(QueueTest, EveryEndOfAWaitLeavesTheQueue) {
  key_limits_ = {.concurrent = 1};
  script_.head_delay = Duration::Seconds(20);
  Open(kPlenty);
  const ExchangeId first = Submit();
  const ExchangeId leaves = Submit(), stopped = Submit(), last = Submit();
  Settle();
  EXPECT_EQ(waiting(), 3);
  engine_->Cancel(leaves);
  Settle();
  EXPECT_EQ(waiting(), 2);
  EXPECT_EQ(seen_[leaves].row->error, "client_closed");
  engine_->Stop(stopped);
  Settle();
  EXPECT_EQ(seen_[stopped].status, 503);
  EXPECT_EQ(waiting(), 1);
  EXPECT_EQ(Await(first).status, 200);
  EXPECT_EQ(Await(last).status, 200);
  EXPECT_EQ(sent(), 2u);
  Rest();
}

TEST_F(QueueTest, AGatewayThatIsToStopKeepsNobodyWaiting) {
  key_limits_ = {.concurrent = 1};
  Open(kPlenty);
  const ExchangeId runs = Submit(), waits = Submit();
  Settle();
  engine_->StopWaiting();
  Settle();
  EXPECT_EQ(seen_[waits].status, 503);
  EXPECT_EQ(Await(Submit()).status, 429);
  EXPECT_EQ(Await(runs).status, 200);
  Rest();
}

TEST_F(QueueTest, AWaitIsNoOverheadOfTheGateway) {
  key_limits_ = {.concurrent = 1};
  Open(kPlenty);
  Submit();
  const Seen& waited = Await(Submit());
  EXPECT_EQ(waited.row->total, Duration::Seconds(2));
  EXPECT_EQ(waited.row->overhead, Duration{});
  Rest();
}

TEST_F(QueueTest, AKeyThatIsRevokedWaitsNoLonger) {
  key_limits_ = {.concurrent = 1};
  script_.head_delay = Duration::Seconds(20);
  Open(kPlenty);
  Submit();
  const ExchangeId revoked = Submit(), disabled = Submit();
  PassTo(After(Duration::Milliseconds(500)));
  const Mac mac = HmacSha256(Secret("pepper"), "good");
  keys_.Remove(mac);
  PassTo(After(Duration::Seconds(1)));
  EXPECT_EQ(seen_[revoked].status, 401);
  EXPECT_EQ(seen_[disabled].status, 401);
  keys_.Put(
      mac, {.key_id = "k", .org_id = "o", .limits = std::make_shared<const LimitSet>(key_limits_)});
  const ExchangeId third = Submit();
  Settle();
  keys_.Put(mac, {.key_id = "k",
                  .org_id = "o",
                  .disabled = true,
                  .limits = std::make_shared<const LimitSet>(key_limits_)});
  PassTo(After(Duration::Seconds(1)));
  EXPECT_EQ(seen_[third].status, 403);
  EXPECT_EQ(waiting(), 0);
  Rest();
}

TEST_F(QueueTest, ALimitThatIsRaisedLetsThemPass) {
  key_limits_ = {.concurrent = 1};
  script_.head_delay = Duration::Seconds(20);
  Open(kPlenty);
  for (int i = 0; i < 4; ++i) Submit();
  Settle();
  key_limits_.concurrent = 3;
  keys_.Put(
      HmacSha256(Secret("pepper"), "good"),
      {.key_id = "k", .org_id = "o", .limits = std::make_shared<const LimitSet>(key_limits_)});
  PassTo(After(Duration::Seconds(1)));
  EXPECT_EQ(running(), 3);
  EXPECT_EQ(waiting(), 1);
  Rest();
}

TEST_F(QueueTest, WhatIsLeftOfItsTimeBoundsTheWait) {
  key_limits_ = {.concurrent = 1};
  script_.head_delay = Duration::Seconds(20);
  Open(kPlenty);
  Submit();
  header_options_.timeout = Duration::Seconds(5);
  const TimePoint begun = clock_.Now();
  EXPECT_EQ(Await(Submit()).status, 429);
  EXPECT_EQ(clock_.Now(), begun + Duration::Seconds(4));
  Rest();
}

TEST_F(QueueTest, TellsAStreamWhereItStands) {
  key_limits_ = {.concurrent = 1};
  OpenSlowStreams();
  const std::string stream = R"(,"stream":true)";
  Submit(stream);
  const ExchangeId second = Submit(stream), third = Submit(stream);
  Await(third);
  EXPECT_EQ(seen_[1].body.find(": queue"), std::string::npos);
  EXPECT_TRUE(
      seen_[second].body.starts_with(": queue position=1 waited_ms=1000\n"
                                     ": queue position=1 waited_ms=2000\n"))
      << seen_[second].body;
  EXPECT_TRUE(
      seen_[third].body.starts_with(": queue position=2 waited_ms=1000\n"
                                    ": queue position=2 waited_ms=2000\n"
                                    ": queue position=1 waited_ms=3000\n"))
      << seen_[third].body;
  for (const ExchangeId id : {second, third}) {
    EXPECT_EQ(seen_[id].status, 200);
    EXPECT_NE(seen_[id].body.find("one two three"), std::string::npos);
    EXPECT_NE(seen_[id].body.find("[DONE]"), std::string::npos);
  }
  Rest();
}

// A repetition does not wait, and is not told that another one did.
TEST_F(QueueTest, AStoredAnswerHasNoProgressComment) {
  key_limits_ = {.concurrent = 1};
  store_answers_ = true;
  OpenSlowStreams();
  Submit(R"(,"stream":true)");
  const ExchangeId second = Submit(R"(,"stream":true)", "once");
  Await(second);
  EXPECT_NE(seen_[second].body.find(": queue"), std::string::npos);
  Rest();
  const Seen& again = Await(Submit(R"(,"stream":true)", "once"));
  EXPECT_EQ(again.status, 200);
  EXPECT_NE(again.body.find("one two three"), std::string::npos) << again.body;
  EXPECT_EQ(again.body.find(": queue"), std::string::npos) << again.body;
  Rest();
}

TEST_F(QueueTest, WhatFailsAfterAProgressCommentIsAnEvent) {
  key_limits_ = {.concurrent = 1};
  script_.head_delay = Duration::Seconds(20);
  Open(kPlenty);
  header_options_.queue_progress = true;
  Patience(Duration::Milliseconds(1500));
  Submit();
  const Seen& refused = Await(Submit(R"(,"stream":true)"));
  EXPECT_EQ(refused.status, 200);
  EXPECT_TRUE(refused.body.starts_with(": queue position=1 waited_ms=1000\ndata: {\"error\":{"))
      << refused.body;
  EXPECT_NE(refused.body.find("\"rate_limit_exceeded\""), std::string::npos);
  Rest();
}

TEST_F(QueueTest, AFullQueueRefusesAtOnce) {
  key_limits_ = {.concurrent = 1};
  Open(kPlenty);
  for (int i = 0; i < 101; ++i) Submit();
  Settle();
  EXPECT_EQ(waiting(), 100);  // of an organization
  const Seen& refused = Await(Submit());
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.body.find("queued_ms"), std::string::npos);
  for (ExchangeId id = 2; id <= 101; ++id) engine_->Cancel(id);
  Settle();
  EXPECT_EQ(waiting(), 0);
  Submit();
  Settle();
  EXPECT_EQ(waiting(), 1);
  Rest();
}

}  // namespace
}  // namespace seekroute::testing
