#include "gateway/outbox.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "testing/virtual_world.h"

namespace seekroute {
namespace {

constexpr Duration kKeepAlive = Duration::Seconds(15);
constexpr std::string_view kAlive = ": alive\n";

// What went out, in order.
struct Sent {
  std::vector<std::string> all;
  bool full = false;
};

class SpyOutlet final : public Outlet {
 public:
  explicit SpyOutlet(Sent* sent) : sent_(*sent) {}
  void BodyGone() override { sent_.all.emplace_back("body gone"); }
  void Head(ResponseHead head) override { sent_.all.push_back(std::to_string(head.status)); }
  Flow Body(std::string_view bytes, bool counted) override {
    sent_.all.push_back(std::string(bytes) + (counted ? "" : " uncounted"));
    return counted && sent_.full ? Flow::kPause : Flow::kContinue;
  }
  void End(ExchangeRecord&& record) override { sent_.all.push_back("end " + record.generation_id); }

 private:
  Sent& sent_;
};

class OutboxTest : public ::testing::Test {
 protected:
  static ExchangeRecord RecordOf(std::string id) {
    ExchangeRecord record;
    record.generation_id = std::move(id);
    return record;
  }

  testing::VirtualClock clock_;
  Sent sent_;
  Outbox outbox_{std::make_unique<SpyOutlet>(&sent_), &clock_, kKeepAlive, kAlive};
};

TEST_F(OutboxTest, SendsHeadBytesAndEnd) {
  EXPECT_FALSE(outbox_.head_sent());
  outbox_.Head({200, {}});
  EXPECT_TRUE(outbox_.head_sent());
  EXPECT_EQ(outbox_.Body("a"), Flow::kContinue);
  sent_.full = true;
  EXPECT_EQ(outbox_.Body("b"), Flow::kPause);
  outbox_.Rest("c");
  outbox_.End(RecordOf("g"));
  EXPECT_EQ(sent_.all, (std::vector<std::string>{"200", "a", "b", "c uncounted", "end g"}));
}

TEST_F(OutboxTest, KnowsWhenContentFirstCame) {
  EXPECT_FALSE(outbox_.has_content());
  EXPECT_EQ(outbox_.first_content(), TimePoint::Never());
  outbox_.NoteContent();
  const TimePoint first = clock_.Now();
  clock_.MoveTo(first + Duration::Seconds(1));
  outbox_.NoteContent();
  EXPECT_TRUE(outbox_.has_content());
  EXPECT_EQ(outbox_.first_content(), first);
}

TEST_F(OutboxTest, OnlyTheEndGoesToAClientThatLeft) {
  outbox_.Head({200, {}});
  outbox_.Body("a");
  outbox_.Leave();
  sent_.full = true;
  EXPECT_EQ(outbox_.Body("b"), Flow::kContinue);
  outbox_.Rest("c");
  outbox_.KeepAlive(clock_.Now() + kKeepAlive);
  outbox_.End(RecordOf("g"));
  EXPECT_EQ(sent_.all, (std::vector<std::string>{"200", "a", "end g"}));
}

TEST_F(OutboxTest, KeepsTheWholeAnswerAlsoForAClientThatLeft) {
  outbox_.Record(std::make_unique<AnswerRecorder>());
  EXPECT_TRUE(outbox_.records());
  outbox_.Head({200, {}});
  outbox_.Body("a");
  outbox_.Leave();
  outbox_.Rest("b");
  const std::shared_ptr<const StoredAnswer> kept = outbox_.TakeRecorded("g");
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->body, "ab");
  EXPECT_EQ(kept->generation_id, "g");
  EXPECT_EQ(outbox_.TakeRecorded("g"), nullptr);
}

TEST_F(OutboxTest, SaysThatItLivesAfterSilenceAlone) {
  outbox_.Head({200, {}});
  outbox_.Body("a");
  outbox_.KeepAlive(outbox_.NextKeepAlive() + Duration{-1});
  EXPECT_EQ(sent_.all.size(), 2u);
  const TimePoint due = outbox_.NextKeepAlive();
  outbox_.KeepAlive(due);
  EXPECT_EQ(sent_.all.back(), ": alive\n uncounted");
  EXPECT_EQ(outbox_.NextKeepAlive(), due + kKeepAlive);
}

}  // namespace
}  // namespace seekroute
