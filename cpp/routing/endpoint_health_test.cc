#include "routing/endpoint_health.h"

#include <gtest/gtest.h>

namespace seekroute {
namespace {

class EndpointHealthTest : public ::testing::Test {
 protected:
  // An attempt that ends so, each with a body of its own.
  EjectedFor End(Outcome outcome) { return End(outcome, ++body_, ++attempt_); }
  EjectedFor End(Outcome outcome, uint64_t body, uint64_t attempt) {
    return health_.Report(attempt, outcome, body, {}, rules_, random_, now_);
  }
  EndpointGate::Is Ask(bool last_resort = false) {
    return health_.Ask(++attempt_, last_resort, now_).is;
  }
  void Pass(int64_t seconds) { now_ = now_ + Duration::Seconds(seconds); }
  void Eject() {
    for (int i = 0; i < 5; ++i) End(Outcome::kFault);
    ASSERT_TRUE(health_.ejected());
  }
  Duration Out() const { return health_.ejected_until() - now_; }

  HealthRules rules_;
  EndpointHealth health_;
  TimePoint now_{1'000'000'000'000};
  uint64_t body_ = 100;
  uint64_t attempt_ = 0;
  uint64_t random_ = 0;
};

using enum Outcome;

TEST_F(EndpointHealthTest, FiveFaultsInARowEject) {
  for (int i = 0; i < 4; ++i) EXPECT_EQ(End(kFault), EjectedFor::kNothing);
  End(kOk);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(End(kFault), EjectedFor::kNothing);
  EXPECT_EQ(Ask(), EndpointGate::Is::kOpen);
  EXPECT_EQ(End(kFault), EjectedFor::kConsecutive);
  EXPECT_EQ(Ask(), EndpointGate::Is::kEjected);
  EXPECT_EQ(Out(), Duration::Seconds(30));
}

TEST_F(EndpointHealthTest, TellsWhenItWasEjectedLastAlsoWhenItIsBack) {
  EXPECT_EQ(health_.View(false, rules_, now_).ejected_at, TimePoint{});
  Eject();
  const TimePoint at = now_;
  Pass(30);
  EXPECT_EQ(Ask(), EndpointGate::Is::kProbe);
  End(kOk, 1, attempt_);
  EXPECT_FALSE(health_.ejected());
  EXPECT_EQ(health_.View(false, rules_, now_).ejected_at, at);
}

TEST_F(EndpointHealthTest, ThreeFailuresToConnectAreEnough) {
  End(kOriginFault);
  End(kFault);
  End(kOriginFault);
  EXPECT_FALSE(health_.ejected());
  EXPECT_EQ(End(kOriginFault), EjectedFor::kConsecutive);
}

TEST_F(EndpointHealthTest, NeutralOutcomesChangeNothing) {
  for (int i = 0; i < 4; ++i) End(kFault);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(End(kNeutral), EjectedFor::kNothing);
    EXPECT_EQ(End(kLimited), EjectedFor::kNothing);
  }
  EXPECT_FALSE(health_.ejected());
  EXPECT_EQ(health_.Uptime5Minutes(now_), HealthView::kUnknownUptime);
  End(kFault);
  EXPECT_TRUE(health_.ejected());  // nor was the run forgotten
}

TEST_F(EndpointHealthTest, ABadRequestCountsOnceAmongOthers) {
  for (int i = 0; i < 100; ++i) End(kFault, 1 + static_cast<uint64_t>(i % 4), ++attempt_);
  EXPECT_FALSE(health_.ejected());
  EXPECT_EQ(End(kFault), EjectedFor::kConsecutive);
}

TEST_F(EndpointHealthTest, OneBadRequestEjectsNobody) {
  for (int i = 0; i < 20; ++i) End(kFault, 7, ++attempt_);
  EXPECT_FALSE(health_.ejected());
  for (int i = 0; i < 4; ++i) End(kFault);
  EXPECT_TRUE(health_.ejected());
}

TEST_F(EndpointHealthTest, WithoutABodyToCompareEachCounts) {
  for (int i = 0; i < 5; ++i) End(kFault, 0, ++attempt_);
  EXPECT_TRUE(health_.ejected());
}

TEST_F(EndpointHealthTest, OneAttemptProbesWhatIsDue) {
  Eject();
  Pass(29);
  EXPECT_EQ(Ask(), EndpointGate::Is::kEjected);
  Pass(1);
  EXPECT_EQ(Ask(), EndpointGate::Is::kProbe);
  const uint64_t probe = attempt_;
  EXPECT_EQ(Ask(), EndpointGate::Is::kEjected);
  End(kOk);  // of one that had been on its way
  EXPECT_TRUE(health_.ejected());
  EXPECT_EQ(Ask(), EndpointGate::Is::kEjected);
  End(kOk, 1, probe);
  EXPECT_FALSE(health_.ejected());
  EXPECT_EQ(Ask(), EndpointGate::Is::kOpen);
}

TEST_F(EndpointHealthTest, AProbeThatFailsMakesItLonger) {
  Eject();
  for (int times = 2; times < 14; ++times) {
    now_ = health_.ejected_until();
    ASSERT_EQ(Ask(), EndpointGate::Is::kProbe);
    // The same body as ever: a probe counts.
    EXPECT_EQ(End(kFault, 7, attempt_), EjectedFor::kProbeFailed);
    EXPECT_EQ(Out(), Duration::Seconds(30 * std::min(times, 10)));
  }
}

TEST_F(EndpointHealthTest, AProbeThatSaysNothingIsGivenBack) {
  Eject();
  Pass(30);
  ASSERT_EQ(Ask(), EndpointGate::Is::kProbe);
  End(kNeutral, 1, attempt_);
  ASSERT_EQ(Ask(), EndpointGate::Is::kProbe);
  End(kLimited, 1, attempt_);
  ASSERT_EQ(Ask(), EndpointGate::Is::kProbe);
  health_.Release(attempt_);
  ASSERT_EQ(Ask(), EndpointGate::Is::kProbe);
}

TEST_F(EndpointHealthTest, AProbeThatIsNeverHeardOfIsGivenUp) {
  Eject();
  Pass(30);
  ASSERT_EQ(Ask(), EndpointGate::Is::kProbe);
  Pass(59);
  EXPECT_EQ(Ask(), EndpointGate::Is::kEjected);
  Pass(1);
  EXPECT_EQ(Ask(), EndpointGate::Is::kProbe);
}

TEST_F(EndpointHealthTest, TheLastResortIsAskedOnceInFiveSeconds) {
  Eject();
  EXPECT_EQ(Ask(true), EndpointGate::Is::kEjected);
  EXPECT_EQ(health_.Look(true, now_).retry_at, now_ + Duration::Seconds(5));
  Pass(5);
  ASSERT_EQ(Ask(true), EndpointGate::Is::kLastResort);
  EXPECT_EQ(Ask(true), EndpointGate::Is::kEjected);
  const TimePoint until = health_.ejected_until();
  EXPECT_EQ(End(kFault, 0, attempt_ - 1), EjectedFor::kNothing);
  EXPECT_EQ(health_.ejected_until(), until);  // it is not made longer
  EXPECT_EQ(Ask(true), EndpointGate::Is::kEjected);
  Pass(5);
  ASSERT_EQ(Ask(true), EndpointGate::Is::kLastResort);
  End(kOk, 0, attempt_);
  EXPECT_FALSE(health_.ejected());
}

TEST_F(EndpointHealthTest, MinutesInServiceAreForgiven) {
  Eject();
  now_ = health_.ejected_until();
  ASSERT_EQ(Ask(), EndpointGate::Is::kProbe);
  End(kFault, 0, attempt_);
  EXPECT_EQ(Out(), Duration::Seconds(60));
  now_ = health_.ejected_until();
  ASSERT_EQ(Ask(), EndpointGate::Is::kProbe);
  End(kOk, 0, attempt_);
  Pass(60);
  Eject();
  EXPECT_EQ(Out(), Duration::Seconds(60));  // 2 - 1 + 1
  now_ = health_.ejected_until();
  ASSERT_EQ(Ask(), EndpointGate::Is::kProbe);
  End(kOk, 0, attempt_);
  Pass(600);
  Eject();
  EXPECT_EQ(Out(), Duration::Seconds(30));
}

TEST_F(EndpointHealthTest, JitterIsATenthAtMost) {
  random_ = ~uint64_t{0};
  Eject();
  EXPECT_GT(Out(), Duration::Milliseconds(32'900));
  EXPECT_LE(Out(), Duration::Seconds(33));
}

TEST_F(EndpointHealthTest, ComesBackSlowly) {
  EXPECT_EQ(health_.SlowStart(rules_, now_), 1);
  Eject();
  Pass(30);
  ASSERT_EQ(Ask(), EndpointGate::Is::kProbe);
  End(kOk, 0, attempt_);
  EXPECT_FLOAT_EQ(health_.SlowStart(rules_, now_), 0.1F);
  EXPECT_EQ(health_.View(false, rules_, now_).state, HealthState::kSlowStart);
  Pass(6);
  EXPECT_FLOAT_EQ(health_.SlowStart(rules_, now_), 0.1F);
  Pass(24);
  EXPECT_FLOAT_EQ(health_.SlowStart(rules_, now_), 0.5F);
  Pass(24);
  EXPECT_FLOAT_EQ(health_.SlowStart(rules_, now_), 0.9F);
  Pass(6);
  EXPECT_EQ(health_.SlowStart(rules_, now_), 1);
  EXPECT_EQ(health_.View(false, rules_, now_).state, HealthState::kOk);
}

TEST_F(EndpointHealthTest, AFaultDegradesForHalfAMinute) {
  End(kFault);
  EXPECT_TRUE(health_.Degraded(now_));
  EXPECT_EQ(health_.View(false, rules_, now_).state, HealthState::kDegraded);
  End(kOk);
  EXPECT_FALSE(health_.Degraded(now_));
  End(kFault);
  Pass(30);
  EXPECT_FALSE(health_.Degraded(now_));
}

TEST_F(EndpointHealthTest, ThreeFaultsAmongFewDegrade) {
  for (int i = 0; i < 3; ++i) End(kFault), End(kOk);
  EXPECT_TRUE(health_.Degraded(now_));
  for (int i = 0; i < 20; ++i) End(kOk);
  EXPECT_FALSE(health_.Degraded(now_));
}

TEST_F(EndpointHealthTest, KeepsAwayAsLongAsItWasAsked) {
  health_.LeaveAlone(Duration::Seconds(90), now_);
  EXPECT_EQ(Ask(true), EndpointGate::Is::kOut);
  EXPECT_EQ(health_.Look(false, now_).retry_at, now_ + Duration::Seconds(90));
  health_.LeaveAlone(Duration::Seconds(10), now_);
  Pass(89);
  EXPECT_EQ(Ask(), EndpointGate::Is::kOut);
  Pass(1);
  EXPECT_EQ(Ask(), EndpointGate::Is::kOpen);
  health_.LeaveAlone(Duration::Seconds(24 * 3600), now_);
  Pass(600);
  EXPECT_EQ(Ask(), EndpointGate::Is::kOpen);
}

TEST_F(EndpointHealthTest, UptimeNeedsTwentyOutcomes) {
  for (int i = 0; i < 19; ++i) End(kOk);
  EXPECT_EQ(health_.Uptime30Minutes(now_), HealthView::kUnknownUptime);
  End(kFault);
  EXPECT_EQ(health_.Uptime30Minutes(now_), 950);
  EXPECT_EQ(health_.Uptime1Day(now_), 950);
  Pass(1801);
  EXPECT_EQ(health_.Uptime30Minutes(now_), HealthView::kUnknownUptime);
  EXPECT_EQ(health_.Uptime1Day(now_), 950);
}

TEST_F(EndpointHealthTest, WhatIsKeptIsRestored) {
  Eject();
  Pass(10);
  EndpointHealth again;
  again.Restore(health_.Keep(now_), rules_, TimePoint{5});
  EXPECT_EQ(again.ejected_until(), TimePoint{5} + Duration::Seconds(20));
  // Never longer than it may have been.
  again.Restore({.ejected_for = Duration::Seconds(100'000), .times = 2}, rules_, TimePoint{5});
  EXPECT_EQ(again.ejected_until(), TimePoint{5} + Duration::Seconds(66));
}

}  // namespace
}  // namespace seekroute
