// Large bodies read beside the engines.
#include "gateway/scan_pool.h"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <vector>

#include "gateway/system.h"
#include "wire/openai/chat_prompt.h"

namespace seekroute {
namespace {

const std::string kBody = R"({"model":"m","messages":[{"role":"user","content":")" +
                          std::string(100'000, 'x') + R"("}]})";

class ScanPoolTest : public ::testing::Test {
 protected:
  ScanPoolTest() {
    Profile strict;
    strict.id_prefix = "other-";
    snapshot_->profiles.emplace("seekroute", Profile());
    snapshot_->profiles.emplace("other", strict);
    snapshot_->default_profile = "seekroute";
    keys_.Put(HmacSha256(Secret("pepper"), "good"), {.key_id = "k", .profile = "other"});
    keys_.Put(HmacSha256(Secret("pepper"), "second"), {.key_id = "s", .profile = "other"});
    keys_.Put(HmacSha256(Secret("pepper"), "off"), {.key_id = "d", .disabled = true});
    keys_.Put(HmacSha256(Secret("pepper"), "few"), {.key_id = "f", .limits = few_});
  }

  // Of the key that may send one a minute.
  Reservation SendOne() {
    const LimitTime now{clock_.Now(), clock_.WallTime()};
    return limiter_.Reserve({.key = "f", .key_limits = few_.get()}, {}, now).reservation;
  }

  Submission From(const char* authorization) {
    Submission submission;
    submission.id = ++last_;
    submission.body = kBody;
    submission.authorization = Secret(authorization);
    submission.snapshot = snapshot_;
    return submission;
  }

  // The scan of what came back, if there is one.
  const std::optional<BodyScan>& Ask(const char* authorization, const std::string& body = kBody) {
    Submission submission;
    submission.id = ++last_;
    submission.body = body;
    if (authorization != nullptr) submission.authorization = Secret(authorization);
    if (authorization == nullptr) submission.origin = Origin::kInProcess;
    submission.snapshot = snapshot_;
    pool_.Submit(std::move(submission));
    std::unique_lock<std::mutex> lock(mu_);
    came_.wait(lock, [this] { return back_.contains(last_); });
    return back_.at(last_).scan;
  }

  // As it came back.
  Submission Back(Submission submission) {
    const ExchangeId id = submission.id;
    pool_.Submit(std::move(submission));
    std::unique_lock<std::mutex> lock(mu_);
    came_.wait(lock, [&] { return back_.contains(id); });
    return std::move(back_.at(id));
  }

  const std::shared_ptr<const LimitSet> few_ =
      std::make_shared<LimitSet>(LimitSet{.requests_per_minute = 1});
  SystemClock clock_;
  Limiter limiter_;
  GatewayOptions options_{.scan_threads = 2}, one_thread_{.scan_threads = 1};
  KeyRing keys_{Secret("pepper")};
  std::shared_ptr<Snapshot> snapshot_ = std::make_shared<Snapshot>();
  std::mutex mu_;
  std::condition_variable came_;
  std::map<ExchangeId, Submission> back_;  // mu_
  ExchangeId last_ = 0;
  ScanPool pool_{&options_, &keys_, &limiter_, &clock_, [this](Submission submission) {
                   const std::lock_guard<std::mutex> lock(mu_);
                   const ExchangeId id = submission.id;
                   back_.emplace(id, std::move(submission));
                   came_.notify_one();
                 }};
};

TEST_F(ScanPoolTest, ReadsByTheRulesOfTheKey) {
  const std::optional<BodyScan>& scan = Ask("Bearer good");
  ASSERT_TRUE(scan && scan->request);
  EXPECT_EQ(scan->profile, &snapshot_->ProfileNamed("other"));
  const ParsedRequest& request = **scan->request;
  EXPECT_EQ(request.ask.model, "m");
  ASSERT_TRUE(request.ask.prompt);
  EXPECT_EQ(request.ask.prompt->tokens, EstimateChatPrompt(kBody).tokens);
  EXPECT_EQ(scan->digest, IdempotencyTable::DigestOf(kBody));
  const ByteRange model = request.model_value;
  EXPECT_EQ(back_.at(last_).body.substr(model.begin, model.end - model.begin), "\"m\"");
  const std::optional<BodyScan>& local = Ask(nullptr);
  ASSERT_TRUE(local && local->request);
  EXPECT_EQ(local->profile, &snapshot_->ProfileNamed("seekroute"));
}

TEST_F(ScanPoolTest, ABodyThatIsWrongComesBackWithItsError) {
  const std::optional<BodyScan>& scan = Ask("Bearer good", kBody + "x");
  ASSERT_TRUE(scan);
  EXPECT_FALSE(scan->request);
  EXPECT_EQ(scan->request.error().code, ErrorCode::kInvalidJson);
}

TEST_F(ScanPoolTest, AStrangersBodyIsNotRead) {
  EXPECT_FALSE(Ask("Bearer bad"));
  EXPECT_FALSE(Ask("Bearer off"));
}

TEST_F(ScanPoolTest, NoBodyIsReadOfAKeyThatHasSentTooMuch) {
  const std::string large = R"({"model":"m","messages":[{"role":"user","content":")" +
                            std::string(1'000'000, 'x') + R"("}]})";
  const auto ask = [&](std::optional<Duration> queue) {
    Submission submission = From("Bearer few");
    submission.body = large;
    submission.options.queue = queue;
    return Back(std::move(submission));
  };
  EXPECT_TRUE(ask({}).scan);  // which takes nothing
  EXPECT_TRUE(ask({}).scan);
  Reservation one = SendOne();
  one.Settle({}, {clock_.Now(), clock_.WallTime()});
  for (int i = 0; i < 100; ++i) {
    const Submission back = ask({});
    EXPECT_FALSE(back.scan);
    ASSERT_TRUE(back.unread);
    EXPECT_EQ(back.unread->dimension, LimitDimension::kRequestsPerMinute);
  }
  EXPECT_FALSE(ask(Duration::Seconds(10)).scan);
  EXPECT_TRUE(ask(Duration::Seconds(60)).scan);  // it waits for its turn
}

TEST_F(ScanPoolTest, AfterAStopNothingIsRead) {
  pool_.Stop();
  EXPECT_FALSE(Ask("Bearer good"));
}

TEST_F(ScanPoolTest, KeysTakeTurns) {
  std::vector<ExchangeId> order;  // mu_
  bool held = true;               // mu_
  ScanPool pool(&one_thread_, &keys_, &limiter_, &clock_, [&](const Submission& submission) {
    std::unique_lock<std::mutex> lock(mu_);
    order.push_back(submission.id);
    came_.notify_all();
    came_.wait(lock, [&] { return !held; });
  });
  const auto wait_for = [&](size_t count) {
    std::unique_lock<std::mutex> lock(mu_);
    came_.wait(lock, [&] { return order.size() == count; });
  };
  pool.Submit(From("Bearer good"));
  wait_for(1);
  for (int i = 0; i < 3; ++i) pool.Submit(From("Bearer good"));
  for (int i = 0; i < 2; ++i) pool.Submit(From("bearer  good"));  // the same key
  for (int i = 0; i < 2; ++i) pool.Submit(From("Bearer bad"));    // strangers are one
  pool.Submit(From("Bearer worse"));
  for (int i = 0; i < 2; ++i) pool.Submit(From("Bearer second"));
  {
    const std::lock_guard<std::mutex> lock(mu_);
    held = false;
  }
  came_.notify_all();
  wait_for(11);
  EXPECT_EQ(order, (std::vector<ExchangeId>{1, 2, 7, 10, 3, 8, 11, 4, 9, 5, 6}));
}

// A thread that has read a body is idle then, and two come before it wakes. Many rounds, for it may
// be quick.
TEST_F(ScanPoolTest, ABodyThatNoIdleThreadIsLeftForGetsOne) {
  bool met = true;  // mu_
  for (int round = 0; round < 100 && met; ++round) {
    size_t back = 0;  // mu_
    ScanPool pool(&options_, &keys_, &limiter_, &clock_, [&](const Submission&) {
      std::unique_lock<std::mutex> lock(mu_);
      const bool first = ++back == 1;
      came_.notify_all();
      if (first) return;
      met = came_.wait_for(lock, std::chrono::seconds(5), [&] { return back == 3; }) && met;
    });
    const auto submit = [&] {
      Submission submission = From("Bearer good");
      submission.body = "{}";
      pool.Submit(std::move(submission));
    };
    submit();
    {
      std::unique_lock<std::mutex> lock(mu_);
      came_.wait(lock, [&] { return back == 1; });
    }
    submit();
    submit();
    std::unique_lock<std::mutex> lock(mu_);
    came_.wait(lock, [&] { return back == 3; });
  }
  EXPECT_TRUE(met);
}

TEST_F(ScanPoolTest, WhatWaitsAtTheEndIsDropped) {
  pool_.Close();
  pool_.Close();
  Submission submission;
  submission.id = 1;
  submission.snapshot = snapshot_;
  pool_.Submit(std::move(submission));
  EXPECT_TRUE(back_.empty());
}

}  // namespace
}  // namespace seekroute
