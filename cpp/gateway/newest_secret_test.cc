// Requests of an older snapshot, when a newer one has other keys and providers.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gateway/health_table.h"
#include "gateway/tries.h"
#include "testing/tries_fixture.h"

namespace seekroute {
namespace {

using testing::TriesHealthTest;
using testing::UpstreamScript;
using testing::Words;

class NewestSecretTest : public TriesHealthTest {
 protected:
  NewestSecretTest() {
    for (Provider& each : snapshot_.providers) {
      each.upstream.authorization = Secret(each.id + " old");
    }
    script_of_ = [this](const TransportRequest& sent) {
      secrets_.emplace_back(sent.credentials().Reveal());
      return scripts_.at(sent.upstream->base_url);
    };
    scripts_ = {{"https://a", Refusal(100, 503)},
                {"https://b", Stream(100, "b")},
                {"https://c", Stream(100, "c")}};
  }

  // The endpoints of providers that there are not go with them.
  void Swap() {
    Catalog::Parts parts;
    Model model{.id = model_.id, .endpoints = {}};
    for (const Endpoint& each : model_.endpoints) {
      const std::string& id = snapshot_.providers[each.provider].id;
      for (size_t i = 0; i < newer_.providers.size(); ++i) {
        if (newer_.providers[i].id != id) continue;
        model.endpoints.push_back(each);
        model.endpoints.back().provider = static_cast<uint32_t>(i);
      }
    }
    parts.models.push_back(std::move(model));
    newer_.catalog = std::move(*Catalog::Make(std::move(parts)));
    health_.Learn(newer_, clock_.Now());
  }
  // The first call has been made, and not been answered.
  void BeginBeforeTheSwap() {
    Learn(&snapshot_);
    newer_.providers = snapshot_.providers;
    Begin(true);
    ASSERT_EQ(secrets_, Words{"a old"});
  }

  Snapshot newer_;
  std::vector<std::string> secrets_;  // that calls were made with
};

TEST_F(NewestSecretTest, AnAttemptIsMadeWithTheSecretThatTheKeyHasByThen) {
  BeginBeforeTheSwap();
  newer_.providers[1].upstream.authorization = Secret("b new");
  Swap();
  Run();
  EXPECT_EQ(secrets_, (Words{"a old", "b new"}));
  EXPECT_EQ(answered_, 1);
}

TEST_F(NewestSecretTest, AProviderThatHasGoneIsAskedNoMore) {
  BeginBeforeTheSwap();
  newer_.providers.erase(newer_.providers.begin() + 1);
  Swap();
  Run();
  EXPECT_EQ(Booked(), (Words{"a upstream_unavailable", "c answered"}));
  EXPECT_EQ(tries_->skipped(), (std::vector{Skip::kNone, Skip::kGone, Skip::kNone}));
  EXPECT_EQ(NameOf(Skip::kGone), "provider_gone");
}

TEST_F(NewestSecretTest, WhereNobodyIsLeftThatIsSaidAndNoTimeIsNamed) {
  BeginBeforeTheSwap();
  newer_.providers.clear();
  Swap();
  Run();
  EXPECT_EQ(Booked(), Words{"a upstream_unavailable"});
  EXPECT_EQ(failures_, Words{"upstream_unavailable"});
  failures_.clear();
  Begin(true);  // of one that was admitted before the swap
  Run();
  EXPECT_EQ(tries_->sent(), 0);
  EXPECT_EQ(failures_, Words{"no_upstream"});
}

TEST_F(NewestSecretTest, ARunningAttemptFinishes) {
  scripts_["https://a"] = Stream(100, "from a");
  BeginBeforeTheSwap();
  newer_.providers.clear();
  Swap();
  Run();
  EXPECT_EQ(Booked(), Words{"a answered"});
  EXPECT_NE(content_.find("from a"), std::string::npos);
}

TEST_F(NewestSecretTest, OfSeveralKeysTheOneThatHasGoneIsNotUsed) {
  Provider& two = snapshot_.providers[0];
  two.keys = {{"one", Secret("one old"), 1}, {"two", Secret("two old"), 1}};
  Learn(&snapshot_);
  newer_.providers = snapshot_.providers;
  HealthQuestion question{.provider = &two, .endpoint = model_.endpoints.data()};
  newer_.providers[0].keys.erase(newer_.providers[0].keys.begin());
  newer_.providers[0].keys[0].authorization = Secret("two new");
  Swap();
  const HealthAnswer answer = health_.Ask(question, clock_.Now());
  EXPECT_EQ(answer.permit.key(), 1u);
  EXPECT_EQ(answer.permit.secret()->Reveal(), "two new");
  question.tried_keys = 2;
  EXPECT_EQ(health_.Ask(question, clock_.Now()).skip, Skip::kGone);
  // Its place is another key's.
  newer_.providers[0].keys = {{"three", Secret("three"), 1}, {"four", Secret("four"), 1}};
  Swap();
  question.tried_keys = 0;
  EXPECT_EQ(health_.Ask(question, clock_.Now()).skip, Skip::kGone);
  // And it may come back.
  newer_.providers[0].keys = {{"one", Secret("one again"), 1}};
  Swap();
  const HealthAnswer again = health_.Ask(question, clock_.Now());
  EXPECT_EQ(again.permit.key(), 0u);
  EXPECT_EQ(again.permit.secret()->Reveal(), "one again");
}

TEST_F(NewestSecretTest, AlsoWhereNobodyIsLeftOut) {
  HealthTable table({.leave_out = false}, options_.retry_budget);
  world_.health = &table;
  Learn(&snapshot_);
  table.Learn(snapshot_, clock_.Now());
  newer_.providers = snapshot_.providers;
  Begin(true);
  newer_.providers.erase(newer_.providers.begin() + 1);
  newer_.providers[1].upstream.authorization = Secret("c new");
  Swap();
  table.Learn(newer_, clock_.Now());
  Run();
  EXPECT_EQ(secrets_, (Words{"a old", "c new"}));
  EXPECT_EQ(tries_->skipped(), (std::vector{Skip::kNone, Skip::kGone, Skip::kNone}));
}

// What is said of a secret that has been replaced is not said of the one in its place.
TEST_F(NewestSecretTest, ALateWordOfAnOldSecretSaysNothingOfTheNew) {
  ToldLimits nothing_left;
  nothing_left.of[0] = {10, 0, Duration::Seconds(50)};
  const HealthQuestion question{.provider = snapshot_.providers.data(),
                                .endpoint = model_.endpoints.data()};
  const auto skip = [&] { return health_.Look(question, clock_.Now()).skip; };
  for (const bool replaced : {true, false}) {
    for (const auto key : {AttemptVerdict::Key::kLimited, AttemptVerdict::Key::kForbidden,
                           AttemptVerdict::Key::kNoModel, AttemptVerdict::Key::kBad}) {
      Learn(&snapshot_);
      health_.Reset("a", clock_.Now());
      HealthAnswer late = health_.Ask(question, clock_.Now());
      newer_.providers = snapshot_.providers;
      if (replaced) newer_.providers[0].upstream.authorization = Secret("a new");
      Swap();
      health_.Tell(late.permit, nothing_left, clock_.Now());
      EXPECT_EQ(skip(), replaced ? Skip::kNone : Skip::kLimited);
      health_.Report(std::move(late.permit), {Outcome::kNeutral, key, Duration::Seconds(55)}, {},
                     {}, 0, clock_.Now());
      EXPECT_EQ(skip() == Skip::kNone, replaced) << static_cast<int>(key);
    }
  }
}

}  // namespace
}  // namespace seekroute
