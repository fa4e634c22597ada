#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "gateway/hedge_budget.h"
#include "gateway/tries.h"
#include "limits/limiter.h"
#include "testing/tries_fixture.h"

namespace seekroute {
namespace {

using testing::SeededRng;
using testing::TriesHealthTest;
using testing::TriesTest;
using testing::UpstreamScript;
using testing::Words;

// One provider: each call of it is the next of these.
class AloneTest : public TriesTest {
 protected:
  AloneTest() { model_.endpoints.resize(1); }

  void Play(std::vector<UpstreamScript> scripts) {
    next_ = 0;
    script_of_ = [this, all = std::move(scripts)](const TransportRequest&) {
      return all[std::min(next_++, all.size() - 1)];
    };
  }
  static UpstreamScript Busy(int status, int64_t retry_after_ms) {
    UpstreamScript script = Refusal(100, status);
    script.head.retry_after_ms = retry_after_ms;
    return script;
  }
  // From the end of the first call to the beginning of the second.
  Duration Waited() const {
    return transport_.seen()[1].started - transport_.seen()[0].started -
           Duration::Milliseconds(100);
  }

  SeededRng rng_{1};
  size_t next_ = 0;
};

TEST_F(AloneTest, AFaultIsFollowedByOneMoreCallAfterAShortPause) {
  world_.rng = &rng_;
  for (const int status : {500, 502, 503, 504, 529, 429}) {
    Play({Refusal(100, status), Stream(100, "again")});
    answered_ = 0;
    const size_t before = transport_.seen().size();
    Begin(true);
    Run();
    EXPECT_EQ(answered_, 1) << status;
    ASSERT_EQ(transport_.seen().size(), before + 2) << status;
    const Duration pause = transport_.seen()[before + 1].started -
                           transport_.seen()[before].started - Duration::Milliseconds(100);
    EXPECT_GE(pause.ns, 0) << status;
    EXPECT_LE(pause, Duration::Milliseconds(100)) << status;
  }
}

TEST_F(AloneTest, WhatFailsTwiceIsNotAskedAThirdTime) {
  Play({Refusal(100, 503)});
  Begin(true);
  Run();
  EXPECT_EQ(Booked(), (Words{"a upstream_unavailable", "a upstream_unavailable"}));
  EXPECT_EQ(failures_, Words{"upstream_unavailable"});
}

TEST_F(AloneTest, ATimeThatTheProviderNamesIsWaitedForIfItIsShort) {
  world_.rng = &rng_;
  Play({Busy(429, 1500), Stream(100, "again")});
  Begin(true);
  Run();
  EXPECT_EQ(answered_, 1);
  EXPECT_GE(Waited(), Duration::Milliseconds(1500));
  EXPECT_LE(Waited(), Duration::Milliseconds(1650));
}

TEST_F(AloneTest, ALongOneIsToldAtOnce) {
  for (const int status : {429, 503}) {
    Play({Busy(status, 2001)});
    Begin(true);
    Run();
    EXPECT_EQ(tries_->sent(), 1) << status;
    EXPECT_EQ(failures_.size(), 1u);
    failures_.clear();
  }
}

TEST_F(AloneTest, WhatNoRepeatMendsIsNotRepeated) {
  UpstreamScript broken = Stream(100, "half");
  broken.pieces.clear();
  broken.ending = UpstreamScript::Ending::kBroken;
  UpstreamScript silent = Refusal(100, 503);
  silent.pieces.clear();  // of a machine on the way, perhaps
  for (const UpstreamScript& script : {Refusal(100, 400), Refusal(100, 401), Refusal(100, 402),
                                       Refusal(100, 403), Refusal(100, 404), broken, silent}) {
    Play({script});
    Begin(true);
    Run();
    EXPECT_EQ(tries_->sent(), 1) << script.head.status;
  }
}

TEST_F(AloneTest, ALongBodyIsNotKeptForIt) {
  content_of_prompt_ = std::string(size_t{3} << 20, 'w');
  Play({Refusal(100, 503)});
  Begin(false);
  EXPECT_TRUE(body_.empty());
  Run();
  EXPECT_EQ(tries_->sent(), 1);
}

TEST_F(AloneTest, NoWaitLeavesLessThanASecond) {
  time_ = Duration::Milliseconds(1099);
  Play({Refusal(100, 503)});
  Begin(true);
  Run();
  EXPECT_EQ(tries_->sent(), 1);
  time_ = Duration::Milliseconds(1100);
  Begin(true);
  Run();
  EXPECT_EQ(tries_->sent(), 2);
}

TEST_F(AloneTest, WhoLeavesDuringAPauseIsNotAskedFor) {
  Play({Busy(429, 1500)});
  Begin(true);
  while (tries_->records().empty()) agenda_.RunNext();
  EXPECT_FALSE(tries_->running());
  EXPECT_NE(tries_->NextDeadline(), TimePoint::Never());
  EXPECT_FALSE(tries_->ReadOut());
  tries_->Abandon();
  EXPECT_EQ(tries_->NextDeadline(), TimePoint::Never());
  Run();
  EXPECT_EQ(tries_->sent(), 1);
  EXPECT_EQ(failures_, Words());
}

// Where others were asked, it is not alone.
TEST_F(TriesTest, TheLastOfSeveralIsNotRepeated) {
  scripts_ = {{"https://a", Refusal(100, 503)}, {"https://b", Refusal(100, 503)}};
  model_.endpoints.resize(2);
  Begin(true);
  Run();
  EXPECT_EQ(tries_->sent(), 2);
}

TEST_F(TriesTest, AProviderThatWasAskedIsLeftAPauseBeforeItsNextEndpoint) {
  SeededRng rng(3);
  world_.rng = &rng;
  scripts_ = {{"https://a", Refusal(100, 503)}, {"https://b", Refusal(100, 503)}};
  model_.endpoints[2].provider = 0;
  Begin(true);
  Run();
  EXPECT_EQ(Booked(),
            (Words{"a upstream_unavailable", "b upstream_unavailable", "a upstream_unavailable"}));
  const auto& seen = transport_.seen();
  EXPECT_EQ(seen[1].started - seen[0].started, Duration::Milliseconds(100));  // elsewhere: at once
  EXPECT_GT(seen[2].started - seen[1].started, Duration::Milliseconds(100));
}

TEST_F(TriesTest, WhereAnotherMayBeAskedASlowOneGetsHalfOfTheTime) {
  options_.retry.retry_ambiguous = true;
  UpstreamScript silent;
  silent.sends_head = false;
  silent.ending = UpstreamScript::Ending::kHang;
  scripts_ = {{"https://a", silent}, {"https://b", silent}, {"https://c", Stream(100, "third")}};
  time_ = Duration::Seconds(40);
  Begin(true);
  agenda_.At(clock_.Now() + Duration::Seconds(20), [this] { tries_->OnTimer(clock_.Now()); });
  agenda_.At(clock_.Now() + Duration::Seconds(30), [this] { tries_->OnTimer(clock_.Now()); });
  Run();
  EXPECT_EQ(answered_, 1);
  EXPECT_EQ(transport_.seen()[1].started - transport_.seen()[0].started, Duration::Seconds(20));
  EXPECT_EQ(transport_.seen()[2].started - transport_.seen()[1].started, Duration::Seconds(10));
}

// The first has answered in 400 ms a hundred times and more.
class HedgeTest : public TriesHealthTest {
 protected:
  HedgeTest() { world_.hedges = &hedges_; }
  void Warm(size_t streams, int64_t ms = 400) {
    Learn(&snapshot_);
    for (size_t i = 0; i < streams; ++i) {
      HealthQuestion question{.provider = snapshot_.providers.data(),
                              .endpoint = model_.endpoints.data()};
      HealthAnswer answer = health_.Ask(question, clock_.Now());
      Measured measured;
      measured.first_content = Duration::Milliseconds(ms);
      health_.Report(std::move(answer.permit), Answered(), {}, measured, 0, clock_.Now());
    }
  }
  double Hedges(std::string_view result) const {
    for (const Sample& sample : stats_.Samples()) {
      if (sample.name == "seekroute_hedges_total" && sample.labels[0].second == result) {
        return sample.value;
      }
    }
    return 0;
  }

  HedgeBudget hedges_{{.enabled = true}};
};

// Whether the time is up in the middle of a call, or somebody else is to have the other half.
TEST_F(HedgeTest, TheHurryOfAClientSaysNothingOfAProvider) {
  UpstreamScript silent;
  silent.sends_head = false;
  silent.ending = UpstreamScript::Ending::kHang;
  scripts_ = {{"https://a", silent}, {"https://b", silent}, {"https://c", silent}};
  time_ = Duration::Seconds(20);
  Learn(&snapshot_);
  for (const bool hurried : {true, false}) {
    for (const bool ambiguous : {true, false}) {
      hurried_ = hurried;
      options_.retry.retry_ambiguous = ambiguous;
      for (int i = 0; i < 5; ++i) {
        content_of_prompt_ += "i";
        Begin(true);
        Run();
        const TimePoint end = clock_.Now() + time_;
        for (const auto at : {time_.ns / 2, time_.ns * 3 / 4}) {
          agenda_.At(clock_.Now() + Duration{at}, [this] { tries_->OnTimer(clock_.Now()); });
        }
        Run();
        clock_.MoveTo(end);
        tries_->Abandon();
        Run();
      }
      const HealthState state = health_.ViewOf(1, clock_.Now()).state;
      EXPECT_EQ(state == HealthState::kOk, hurried) << ambiguous;
    }
  }
}

TEST_F(HedgeTest, ASecondIsAskedBesideASlowStreamAndTheFirstContentWins) {
  Warm(120);
  scripts_ = {{"https://a", Stream(5000, "late")}, {"https://b", Stream(100, "soon")}};
  Begin(true);
  Run();
  EXPECT_EQ(Booked(), (Words{"a hedge_lost", "b answered"}));
  const Duration after = transport_.seen()[1].started - transport_.seen()[0].started;
  EXPECT_GE(after, Duration::Milliseconds(380));  // the figure has an error of five percent
  EXPECT_LE(after, Duration::Milliseconds(420));
  EXPECT_EQ(Hedges("won"), 1);
  EXPECT_EQ(content_.find("late"), std::string::npos);
  EXPECT_TRUE(transport_.seen()[0].cancelled);
  // It was waited for until it was stopped, and the time of both counts once.
  EXPECT_EQ(tries_->records()[0].waited, after + Duration::Milliseconds(100));
  EXPECT_EQ(tries_->waited(), after + tries_->records()[1].waited);
}

TEST_F(HedgeTest, TheFirstMayStillWin) {
  Warm(120);
  scripts_ = {{"https://a", Stream(500, "late")}, {"https://b", Stream(900, "later")}};
  Begin(true);
  Run();
  EXPECT_EQ(Booked(), (Words{"b hedge_lost", "a answered"}));
  EXPECT_EQ(tries_->waited(), tries_->records()[1].waited);
  EXPECT_GT(tries_->records()[0].waited, Duration::Milliseconds(50));
  EXPECT_LT(tries_->records()[0].waited, Duration::Milliseconds(150));
  EXPECT_EQ(Hedges("lost"), 1);
  EXPECT_EQ(Hedges("won"), 0);
}

TEST_F(HedgeTest, NobodyIsAskedBesideAQuickOneOrAWholeAnswer) {
  Warm(120);
  scripts_ = {{"https://a", Stream(300, "soon")}};
  Begin(true);
  Run();
  EXPECT_EQ(tries_->sent(), 1);
  scripts_ = {{"https://a", Stream(5000, "late")}};
  Begin(false);
  Run();
  EXPECT_EQ(tries_->sent(), 1);
}

TEST_F(HedgeTest, AFewAnswersSayNothingOfWhatIsSlow) {
  Warm(99);
  scripts_ = {{"https://a", Stream(5000, "late")}};
  Begin(true);
  Run();
  EXPECT_EQ(tries_->sent(), 1);
}

TEST_F(HedgeTest, WhoChargesAnywayIsNotAskedTwice) {
  Warm(120);
  scripts_ = {{"https://a", Stream(5000, "late")}, {"https://c", Stream(100, "third")}};
  snapshot_.providers[1].on_abort = OnAbort::kReadOut;
  Begin(true);
  Run();
  EXPECT_EQ(Booked(), (Words{"a hedge_lost", "c answered"}));
  snapshot_.providers[0].on_abort = OnAbort::kReadOut;
  Begin(true);
  Run();
  EXPECT_EQ(Booked(), Words{"a answered"});
}

TEST_F(HedgeTest, AMuchDearerOneIsNotAsked) {
  Warm(120);
  scripts_ = {{"https://a", Stream(5000, "late")}, {"https://c", Stream(100, "third")}};
  Rates dear;
  dear[PriceClass::kInput] = Rate{1'600'000};
  dear[PriceClass::kOutput] = Rate{3'200'000};
  model_.endpoints[1].price = PriceTable::Flat(dear);
  Begin(true);
  Run();
  EXPECT_EQ(Booked(), (Words{"a hedge_lost", "c answered"}));
}

TEST_F(HedgeTest, NoMoreThanTenAndTwoOfAHundredAreMade) {
  Warm(400, 300);
  constexpr int kRequests = 300;
  for (int i = 0; i < kRequests; ++i) {
    Warm(20, 300);  // a slow one in twenty is what is slow
    scripts_ = {{"https://a", Stream(5000, "late")}, {"https://b", Stream(9000, "later")}};
    Begin(true);
    Run();
  }
  const double made = Hedges("won") + Hedges("lost");
  EXPECT_GE(made, 10);
  EXPECT_LE(made, 10 + kRequests / 50);
  EXPECT_EQ(made + Hedges("skipped"), kRequests);
}

TEST_F(HedgeTest, AKeyOrElseItsOrganizationSaysWhetherItIsHedged) {
  struct Case {
    bool usual;
    std::optional<bool> org, key;
    bool hedged;
  };
  const Case cases[] = {
      {true, {}, {}, true},      {false, {}, {}, false},      {true, false, {}, false},
      {false, true, {}, true},   {true, {}, false, false},    {false, {}, true, true},
      {true, false, true, true}, {false, true, false, false}, {true, true, true, true},
  };
  Limiter limiter;
  world_.limiter = &limiter;
  Warm(120);
  scripts_ = {{"https://a", Stream(5000, "late")}, {"https://b", Stream(100, "soon")}};
  for (const Case& each : cases) {
    HedgeBudget hedges{{.enabled = each.usual}};
    world_.hedges = &hedges;
    limiter.Set(LimitScope::kOrg, "o",
                std::make_shared<const LimitSet>(LimitSet{.hedge = each.org}),
                {clock_.Now(), clock_.WallTime()});
    auto key = std::make_shared<ApiKey>();
    key->org_id = "o";
    key->limits = std::make_shared<const LimitSet>(LimitSet{.hedge = each.key});
    keys_.Put(admission_.key_mac, *key);
    admission_.key = std::move(key);
    Begin(true);
    Run();
    EXPECT_EQ(tries_->sent(), each.hedged ? 2 : 1) << &each - cases;
  }
  // What neither says is as usual also of one without limits, and in process.
  HedgeBudget usual{{.enabled = true}};
  world_.hedges = &usual;
  for (const bool has_key : {true, false}) {
    admission_.key = has_key ? std::make_shared<const ApiKey>() : nullptr;
    Begin(true);
    Run();
    EXPECT_EQ(tries_->sent(), 2);
  }
}

TEST_F(HedgeTest, OnlyThoseThatMayHaveOneFillTheBudget) {
  HedgeBudget hedges{{.enabled = false}};
  world_.hedges = &hedges;
  while (hedges.Take()) {
  }
  Warm(120);
  scripts_ = {{"https://a", Stream(100, "soon")}};
  for (int i = 0; i < 50; ++i) Begin(true), Run();
  EXPECT_FALSE(hedges.Take());
}

TEST_F(HedgeTest, WhoFailsBesideTheOtherEndsNothing) {
  Warm(120);
  scripts_ = {{"https://a", Stream(2000, "only")}, {"https://b", Refusal(100, 503)}};
  Begin(true);
  Run();
  EXPECT_EQ(Booked(), (Words{"b upstream_unavailable", "a answered"}));
  EXPECT_EQ(Hedges("lost"), 1);
}

}  // namespace
}  // namespace seekroute
