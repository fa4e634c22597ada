#include "gateway/health_table.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <thread>
#include <vector>

namespace seekroute {
namespace {

using Key = AttemptVerdict::Key;

constexpr AttemptVerdict kFault{Outcome::kFault, Key::kNothing, {}};

// One model, `hosts` providers with `keys` keys each.
class HealthTableTest : public ::testing::Test {
 protected:
  void Learn(size_t hosts, size_t keys = 1, const std::string& secret = "s") {
    snapshot_ = std::make_unique<Snapshot>();
    Catalog::Parts parts;
    Model model{.id = "a/m", .endpoints = {}};
    for (size_t i = 0; i < hosts; ++i) {
      Provider provider;
      provider.id = "p" + std::to_string(i);
      provider.upstream.authorization = Secret(secret);
      for (size_t k = 0; keys > 1 && k < keys; ++k) {
        provider.keys.push_back({"k" + std::to_string(k), Secret(secret + std::to_string(k)), 1});
      }
      snapshot_->providers.push_back(std::move(provider));
      Endpoint endpoint;
      endpoint.provider = static_cast<uint32_t>(i);
      endpoint.upstream_model = "up";
      endpoint.price = PriceTable::Flat({});
      endpoint.id = 1000 + i;
      model.endpoints.push_back(std::move(endpoint));
    }
    parts.models.push_back(std::move(model));
    snapshot_->catalog = *Catalog::Make(std::move(parts));
    table_.Learn(*snapshot_, now_);
  }

  const Endpoint& EndpointAt(size_t host) const {
    return snapshot_->catalog.models().front().endpoints[host];
  }
  HealthQuestion Question(size_t host) const {
    return {.provider = &snapshot_->providers[host], .endpoint = &EndpointAt(host)};
  }
  HealthAnswer Ask(size_t host) { return table_.Ask(Question(host), now_); }
  Skip Try(size_t host, const AttemptVerdict& verdict, const Sent& sent = {}) {
    HealthAnswer answer = Ask(host);
    if (answer.skip != Skip::kNone) return answer.skip;
    table_.Report(std::move(answer.permit), verdict, sent, {}, 0, now_);
    return Skip::kNone;
  }
  void Eject(size_t host) {
    for (int i = 0; i < 5; ++i) ASSERT_EQ(Try(host, kFault), Skip::kNone);
  }
  void Pass(int64_t ms) { now_ = now_ + Duration::Milliseconds(ms); }
  HealthState StateOf(size_t host) { return table_.ViewOf(1000 + host, now_).state; }

  TimePoint now_{1'000'000'000'000};
  HealthTable table_{{}, {}};
  std::unique_ptr<Snapshot> snapshot_;
};

TEST_F(HealthTableTest, WhatIsNotKnownIsAsked) {
  Learn(1);
  Endpoint strange;
  const HealthAnswer answer =
      table_.Ask({.provider = &snapshot_->providers[0], .endpoint = &strange}, now_);
  EXPECT_EQ(answer.skip, Skip::kNone);
  EXPECT_EQ(table_.ViewOf(77, now_).state, HealthState::kOk);
}

TEST_F(HealthTableTest, HalfOfAModelsEndpointsMayBeOut) {
  for (const auto& [hosts, out] :
       std::map<size_t, size_t>{{1, 0}, {2, 1}, {3, 1}, {4, 2}, {5, 2}}) {
    HealthTable table({}, {});
    Learn(hosts);
    table.Learn(*snapshot_, now_);
    size_t excluded = 0, last_resort = 0;
    for (size_t host = 0; host < hosts; ++host) {
      for (int i = 0; i < 5; ++i) {
        HealthAnswer answer = table.Ask(Question(host), now_);
        ASSERT_EQ(answer.skip, Skip::kNone);
        table.Report(std::move(answer.permit), kFault, {}, {}, 0, now_);
      }
      now_ = now_ + Duration::Milliseconds(10);
    }
    now_ = now_ + Duration::Seconds(6);
    for (size_t host = 0; host < hosts; ++host) {
      HealthQuestion question = Question(host);
      EXPECT_EQ(table.Look(question, now_).skip, Skip::kEjected);
      question.last_resort = true;
      ++(table.Look(question, now_).skip == Skip::kNone ? last_resort : excluded);
    }
    EXPECT_EQ(excluded, out) << hosts;
    EXPECT_EQ(last_resort, hosts - out) << hosts;
  }
}

TEST_F(HealthTableTest, AnEndpointWithoutAKeyTellsWhatIsSoOfAllOfThem) {
  constexpr AttemptVerdict kForbidden{Outcome::kNeutral, Key::kForbidden, {}};
  constexpr AttemptVerdict kNoModel{Outcome::kNeutral, Key::kNoModel, {}};
  constexpr AttemptVerdict kBad{Outcome::kNeutral, Key::kBad, {}};
  const auto shown = [this] { return table_.Rows(now_).front().shown(); };
  // Two requests, or it may be of one of them.
  const auto refuse = [this](const AttemptVerdict& verdict) {
    for (int i = 0; i < 2; ++i) EXPECT_EQ(Try(0, verdict), Skip::kNone);
  };
  Learn(1, 2);
  refuse(kForbidden);
  EXPECT_EQ(shown(), "ok");
  refuse(kForbidden);
  EXPECT_EQ(shown(), "forbidden");
  table_.Reset("p0", now_);
  refuse(kNoModel);
  refuse(kNoModel);
  EXPECT_EQ(shown(), "no_model");
  table_.Reset("p0", now_);
  refuse(kNoModel);
  refuse(kForbidden);
  EXPECT_EQ(shown(), "dead_key");
  table_.Reset("p0", now_);
  refuse(kNoModel);
  EXPECT_EQ(Try(0, kBad), Skip::kNone);
  EXPECT_EQ(shown(), "dead_key");
}

// Of an endpoint in two models the smaller one decides, in whichever order they are listed.
TEST_F(HealthTableTest, AnEndpointThatIsAllOfAModelIsItsLastResort) {
  for (const bool small_first : {false, true}) {
    Learn(2);
    Catalog::Parts parts;
    parts.models = snapshot_->catalog.models();
    Model small = parts.models.front();
    small.id = "a/small";
    small.endpoints.pop_back();
    parts.models.insert(small_first ? parts.models.begin() : parts.models.end(), std::move(small));
    snapshot_->catalog = *Catalog::Make(std::move(parts));
    HealthTable table({}, {});
    table.Learn(*snapshot_, now_);
    HealthQuestion question{
        .provider = &snapshot_->providers[0], .endpoint = &EndpointAt(0), .last_resort = true};
    for (int i = 0; i < 5; ++i) {
      table.Report(table.Ask(question, now_).permit, kFault, {}, {}, 0, now_);
    }
    Pass(6000);
    EXPECT_EQ(table.Look(question, now_).skip, Skip::kNone) << small_first;
  }
}

// Those that come back first.
TEST_F(HealthTableTest, TheLastResortIsWhoIsDueFirst) {
  Learn(2);
  Eject(0);
  Pass(1000);
  Eject(1);
  Pass(10'000);
  EXPECT_TRUE(table_.ViewOf(1000, now_).last_resort);
  EXPECT_FALSE(table_.ViewOf(1001, now_).last_resort);
}

TEST_F(HealthTableTest, OneProbesAndAPermitThatGoesAwayGivesItBack) {
  Learn(2);
  Eject(0);
  Pass(30'000);
  {
    const HealthAnswer probe = Ask(0);
    EXPECT_EQ(probe.skip, Skip::kNone);
    EXPECT_EQ(Ask(0).skip, Skip::kEjected);
  }
  EXPECT_EQ(Try(0, {}), Skip::kNone);  // neutral
  EXPECT_EQ(Try(0, Answered()), Skip::kNone);
  EXPECT_EQ(StateOf(0), HealthState::kSlowStart);
}

TEST_F(HealthTableTest, TwoThreadsNeverProbeTogether) {
  for (int round = 0; round < 50; ++round) {
    HealthTable table({}, {});
    Learn(2);
    table.Learn(*snapshot_, now_);
    for (int i = 0; i < 5; ++i) {
      HealthAnswer answer = table.Ask(Question(0), now_);
      table.Report(std::move(answer.permit), kFault, {}, {}, 0, now_);
    }
    const TimePoint due = now_ + Duration::Seconds(31);
    std::vector<HealthAnswer> answers(4);
    {
      std::vector<std::jthread> threads;
      for (HealthAnswer& answer : answers) {
        threads.emplace_back([&] { answer = table.Ask(Question(0), due); });
      }
    }
    EXPECT_EQ(std::ranges::count(answers, Skip::kNone, &HealthAnswer::skip), 1);
  }
}

TEST_F(HealthTableTest, HealthOutlivesASwapAndIsForgottenAfterAnHour) {
  Learn(2);
  Eject(0);
  Learn(2);
  EXPECT_EQ(Ask(0).skip, Skip::kEjected);
  Pass(1000);
  Learn(0);
  Pass(3'600'000);
  Learn(2);
  EXPECT_EQ(StateOf(0), HealthState::kHalfOpen);  // an hour, not more
  Learn(0);
  Pass(3'600'001);
  Learn(2);
  EXPECT_EQ(StateOf(0), HealthState::kOk);
}

TEST_F(HealthTableTest, ABadKeyIsOutAndTheOthersGoOn) {
  Learn(1, 3);
  HealthAnswer first = Ask(0);
  const size_t bad = first.permit.key();
  table_.Report(std::move(first.permit), {Outcome::kNeutral, Key::kBad, {}}, {}, {}, 0, now_);
  HealthAnswer second = Ask(0);
  EXPECT_NE(second.permit.key(), bad);
  table_.Report(std::move(second.permit), Answered(), {}, {}, 0, now_);
  EXPECT_EQ(StateOf(0), HealthState::kOk);
  EXPECT_TRUE(table_.ViewOf(1000, now_).has_live_key);
}

// It may be of the one request: of its files, its length, its wishes.
TEST_F(HealthTableTest, ARefusalIsBelievedWhereAnotherBodyGotIt) {
  for (const Key key : {Key::kNoCredit, Key::kForbidden, Key::kNoModel}) {
    SCOPED_TRACE(static_cast<int>(key));
    Learn(1);
    table_.Reset("p0", now_);
    const AttemptVerdict refused{Outcome::kNeutral, key, {}};
    for (int i = 0; i < 5; ++i) EXPECT_EQ(Try(0, refused, {.body = 1}), Skip::kNone);
    EXPECT_EQ(Try(0, Answered(), {.body = 2}), Skip::kNone);
    EXPECT_EQ(Try(0, refused, {.body = 3}), Skip::kNone);
    EXPECT_EQ(Ask(0).skip, Skip::kNone);
    EXPECT_EQ(Try(0, refused, {.body = 4}), Skip::kNone);
    EXPECT_NE(Ask(0).skip, Skip::kNone);
    // As long as nothing is answered, it is believed at once.
    Pass(600'000);
    EXPECT_EQ(Try(0, refused, {.body = 4}), Skip::kNone);
    EXPECT_NE(Ask(0).skip, Skip::kNone);
  }
  Learn(1);
  table_.Reset("p0", now_);
  EXPECT_EQ(Try(0, {Outcome::kNeutral, Key::kBad, {}}, {.body = 1}), Skip::kNone);
  EXPECT_EQ(Ask(0).skip, Skip::kDeadKey);  // which says it of the key
}

TEST_F(HealthTableTest, TheRequestsOfOneOwnerPutNobodyElseOut) {
  Learn(1);
  const AttemptVerdict refused{Outcome::kNeutral, Key::kForbidden, {}};
  uint64_t body = 0;
  EXPECT_EQ(Try(0, Answered(), {.body = ++body, .owner = 7}), Skip::kNone);
  for (int i = 0; i < 9; ++i) {
    EXPECT_EQ(Try(0, refused, {.body = ++body, .owner = 8}), Skip::kNone);
  }
  EXPECT_EQ(Try(0, refused, {.body = ++body, .owner = 9}), Skip::kNone);
  EXPECT_EQ(Ask(0).skip, Skip::kDeadKey);
  // Where nobody else was answered, two of its own are enough.
  table_.Reset("p0", now_);
  EXPECT_EQ(Try(0, Answered(), {.body = ++body, .owner = 8}), Skip::kNone);
  EXPECT_EQ(Try(0, refused, {.body = ++body, .owner = 8}), Skip::kNone);
  EXPECT_EQ(Try(0, refused, {.body = ++body, .owner = 8}), Skip::kNone);
  EXPECT_EQ(Ask(0).skip, Skip::kDeadKey);
}

// The provider tells with the same answer that plenty is left: it was too much for this one.
TEST_F(HealthTableTest, AWaitThatWhatIsLeftContradictsIsBelievedOfTwo) {
  const AttemptVerdict paced{Outcome::kLimited, Key::kLimited, Duration::Seconds(45)};
  for (const int64_t remaining : {29'000, 5'000}) {
    Learn(1);
    table_.Reset("p0", now_);
    ToldLimits told;
    told.of[0] = {30'000, remaining, Duration::Seconds(50)};
    const auto refuse = [&](uint64_t body) {
      HealthAnswer answer = Ask(0);
      table_.Tell(answer.permit, told, now_);
      table_.Report(std::move(answer.permit), paced, {.body = body}, {}, 0, now_);
    };
    refuse(1);
    EXPECT_EQ(Ask(0).skip, remaining > 6000 ? Skip::kNone : Skip::kLimited);
    if (remaining < 6000) continue;
    refuse(1);
    EXPECT_EQ(Ask(0).skip, Skip::kNone);
    refuse(2);
    EXPECT_EQ(Ask(0).skip, Skip::kLimited);
  }
}

TEST_F(HealthTableTest, WithoutALiveKeyNobodyIsAskedUntilTheProbe) {
  Learn(1);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(Try(0, {Outcome::kNeutral, Key::kNoCredit, {}}), Skip::kNone);
  }
  const HealthAnswer answer = Ask(0);
  EXPECT_EQ(answer.skip, Skip::kDeadKey);
  EXPECT_EQ(answer.retry_at, now_ + Duration::Seconds(300));
  EXPECT_FALSE(table_.ViewOf(1000, now_).has_live_key);
  Pass(300'000);
  HealthAnswer probe = Ask(0);
  EXPECT_EQ(probe.skip, Skip::kNone);
  EXPECT_EQ(Ask(0).skip, Skip::kDeadKey);
  table_.Report(std::move(probe.permit), Answered(), {}, {}, 0, now_);
  EXPECT_EQ(Ask(0).skip, Skip::kNone);
  EXPECT_TRUE(table_.ViewOf(1000, now_).has_live_key);
}

TEST_F(HealthTableTest, ANewSecretIsAliveAndTheOldOnesRefusalIsNotItsOwn) {
  Learn(1);
  HealthAnswer late = Ask(0);
  const std::unique_ptr<Snapshot> old = std::move(snapshot_);
  EXPECT_EQ(table_
                .Ask({.provider = &old->providers[0],
                      .endpoint = &old->catalog.models().front().endpoints[0]},
                     now_)
                .skip,
            Skip::kNone);
  Learn(1, 1, "new");
  table_.Report(std::move(late.permit), {Outcome::kNeutral, Key::kBad, {}}, {}, {}, 0, now_);
  EXPECT_EQ(Ask(0).skip, Skip::kNone);
  EXPECT_EQ(Try(0, {Outcome::kNeutral, Key::kBad, {}}), Skip::kNone);
  EXPECT_EQ(Ask(0).skip, Skip::kDeadKey);
  Learn(1, 1, "newer");
  EXPECT_EQ(Ask(0).skip, Skip::kNone);
}

TEST_F(HealthTableTest, APaceIsThePairsUntilItIsShared) {
  Learn(2);
  EXPECT_EQ(Try(0, {Outcome::kLimited, Key::kLimited, Duration::Seconds(20)}), Skip::kNone);
  const HealthAnswer answer = Ask(0);
  EXPECT_EQ(answer.skip, Skip::kLimited);
  EXPECT_EQ(answer.retry_at, now_ + Duration::Seconds(20));
  EXPECT_EQ(StateOf(0), HealthState::kOk);
  EXPECT_FALSE(table_.ViewOf(1000, now_).has_room);
  EXPECT_EQ(Ask(1).skip, Skip::kNone);
  Pass(20'000);
  EXPECT_EQ(Ask(0).skip, Skip::kNone);
}

TEST_F(HealthTableTest, AnOwnerKeepsToItsKeyAndADeadOneMovesItsOwnAlone) {
  Learn(1, 4);
  std::map<uint64_t, size_t> before;
  std::map<size_t, int> shares;
  for (uint64_t owner = 1; owner <= 4000; ++owner) {
    HealthQuestion question = Question(0);
    question.owner = owner * 0x9E3779B97F4A7C15U;
    before[owner] = table_.Look(question, now_).permit.key();
    ++shares[before[owner]];
  }
  for (const auto& [key, share] : shares) EXPECT_NEAR(share, 1000, 120) << key;
  HealthQuestion first = Question(0);
  first.owner = 0x9E3779B97F4A7C15U;
  HealthAnswer answer = table_.Ask(first, now_);
  const size_t dead = answer.permit.key();
  table_.Report(std::move(answer.permit), {Outcome::kNeutral, Key::kBad, {}}, {}, {}, 0, now_);
  for (const auto& [owner, key] : before) {
    HealthQuestion question = Question(0);
    question.owner = owner * 0x9E3779B97F4A7C15U;
    const size_t now = table_.Look(question, now_).permit.key();
    if (key != dead) {
      EXPECT_EQ(now, key) << owner;
    } else {
      EXPECT_NE(now, dead) << owner;
    }
  }
}

TEST_F(HealthTableTest, KeysAreSharedOutAlsoWhereNobodyIsLeftOut) {
  HealthTable table({.leave_out = false}, {});
  Learn(1, 4);
  table.Learn(*snapshot_, now_);
  for (uint64_t owner = 1; owner <= 200; ++owner) {
    HealthQuestion question = Question(0);
    question.owner = owner * 0x9E3779B97F4A7C15U;
    const size_t key = table_.Look(question, now_).permit.key();
    HealthAnswer answer = table.Ask(question, now_);
    EXPECT_EQ(answer.permit.key(), key) << owner;
    EXPECT_EQ(answer.permit.secret()->Reveal(), "s" + std::to_string(key)) << owner;
    // However it has done.
    table.Report(std::move(answer.permit), {Outcome::kNeutral, Key::kBad, {}}, {}, {}, 0, now_);
    EXPECT_EQ(table.Look(question, now_).permit.key(), key) << owner;
    question.tried_keys = uint32_t{1} << key;
    EXPECT_NE(table.Look(question, now_).permit.key(), key) << owner;
    question.tried_keys = 0xf;
    EXPECT_EQ(table.Look(question, now_).skip, Skip::kTried);
  }
}

TEST_F(HealthTableTest, RepeatsHaveABudgetAndFirstVisitsNone) {
  Learn(1);
  std::vector<HealthAnswer> running;
  HealthQuestion repeat = Question(0);
  repeat.repeats = true;
  for (int i = 0; i < 3; ++i) {
    running.push_back(table_.Ask(repeat, now_));
    EXPECT_EQ(running.back().skip, Skip::kNone);
  }
  EXPECT_EQ(table_.Ask(repeat, now_).skip, Skip::kRetryBudget);
  for (int i = 0; i < 27; ++i) running.push_back(Ask(0));
  EXPECT_EQ(running.back().skip, Skip::kNone);
  // 30 run: 6 of them may be repeats.
  for (int i = 0; i < 3; ++i) {
    running.push_back(table_.Ask(repeat, now_));
    EXPECT_EQ(running.back().skip, Skip::kNone);
  }
  EXPECT_EQ(table_.Ask(repeat, now_).skip, Skip::kRetryBudget);
  running.clear();
  EXPECT_EQ(table_.Ask(repeat, now_).skip, Skip::kNone);
}

TEST_F(HealthTableTest, ARateOfSuccessFarBelowTheOthersEjects) {
  Learn(8);
  for (int i = 0; i < 30; ++i) {
    for (size_t host = 1; host < 8; ++host) EXPECT_EQ(Try(host, Answered()), Skip::kNone);
    if (Ask(0).skip == Skip::kNone) Try(0, i % 3 == 2 ? kFault : Answered());
    Pass(500);
  }
  EXPECT_EQ(StateOf(0), HealthState::kEjected);
  for (size_t host = 1; host < 8; ++host) EXPECT_EQ(StateOf(host), HealthState::kOk);
}

TEST_F(HealthTableTest, HalfOfTheAnswersAreTooFewForAnybody) {
  Learn(2);
  for (int i = 0; i < 60 && Ask(0).skip == Skip::kNone; ++i) {
    Try(0, i % 3 == 0 ? Answered() : kFault);
    Pass(500);
  }
  EXPECT_EQ(Ask(0).skip, Skip::kEjected);
}

TEST_F(HealthTableTest, OperatorsSeeAndResetIt) {
  Learn(2, 2);
  Eject(0);
  HealthAnswer answer = Ask(1);
  const size_t key = answer.permit.key();
  table_.Report(std::move(answer.permit), {Outcome::kNeutral, Key::kBad, {}}, {}, {}, 0, now_);
  std::map<std::string, std::string> states;
  for (const HealthRow& row : table_.Rows(now_)) {
    states[row.is_key ? row.provider + "#" + row.key : row.provider + "/" + row.upstream_model] =
        row.state;
  }
  EXPECT_EQ(states.size(), 6u);
  EXPECT_EQ(states["p0/up"], "ejected");
  EXPECT_EQ(states["p1/up"], "ok");
  EXPECT_EQ(states["p1#k" + std::to_string(key)], "bad_key");
  const auto requests = [this] { return table_.Rows(now_).front().judged_1d; };
  const uint64_t before = requests();
  EXPECT_GE(before, 5u);
  EXPECT_EQ(table_.Reset("p0/up", now_), 1u);
  EXPECT_EQ(Ask(0).skip, Skip::kNone);
  // It may fail as often again; what it was asked is not forgotten.
  EXPECT_EQ(table_.Rows(now_).front().state, "ok");
  EXPECT_EQ(requests(), before);
  Try(0, kFault);
  EXPECT_EQ(Ask(0).skip, Skip::kNone);
  EXPECT_EQ(table_.Reset("p1", now_), 3u);
  EXPECT_EQ(Ask(1).permit.key(), key);
  EXPECT_EQ(table_.Reset("nobody", now_), 0u);
}

}  // namespace
}  // namespace seekroute
