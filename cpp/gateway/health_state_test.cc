// What the health table knows after a restart.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "gateway/gateway.h"
#include "gateway/health_table.h"
#include "gateway/kept_state.h"
#include "testing/virtual_world.h"

namespace seekroute {
namespace {

using Key = AttemptVerdict::Key;

constexpr AttemptVerdict kOk{Outcome::kOk, Key::kWorked, {}};
constexpr AttemptVerdict kFault{Outcome::kFault, Key::kNothing, {}};
constexpr AttemptVerdict kBadKey{Outcome::kNeutral, Key::kBad, {}};
constexpr AttemptVerdict kTooQuick{Outcome::kLimited, Key::kLimited, Duration::Seconds(40)};
constexpr uint64_t kFirstId = 1000;

// One model of `hosts` providers with two keys each.
std::unique_ptr<Snapshot> SnapshotOf(size_t hosts, const std::string& secret = "s") {
  auto snapshot = std::make_unique<Snapshot>();
  Catalog::Parts parts;
  Model model{.id = "a/m", .endpoints = {}};
  for (size_t i = 0; i < hosts; ++i) {
    Provider provider;
    provider.id = "p" + std::to_string(i);
    for (const char* id : {"a", "b"}) provider.keys.push_back({id, Secret(secret + id), 1});
    snapshot->providers.push_back(std::move(provider));
    Endpoint endpoint;
    endpoint.provider = static_cast<uint32_t>(i);
    endpoint.upstream_model = "up";
    endpoint.price = PriceTable::Flat({});
    endpoint.id = kFirstId + i;
    model.endpoints.push_back(std::move(endpoint));
  }
  parts.models.push_back(std::move(model));
  snapshot->catalog = *Catalog::Make(std::move(parts));
  return snapshot;
}

class HealthStateTest : public ::testing::Test {
 protected:
  static constexpr size_t kHosts = 4;

  // With whatever is left of its keys but `but`; false: nobody is let.
  bool Try(HealthTable* table, size_t host, const AttemptVerdict& verdict, size_t but = 2,
           const Measured& measured = {}) {
    const Endpoint& endpoint = snapshot_->catalog.models().front().endpoints[host];
    HealthAnswer answer = table->Ask({.provider = &snapshot_->providers[host],
                                      .endpoint = &endpoint,
                                      .tried_keys = but < 2 ? uint32_t{1} << but : 0},
                                     now_);
    if (answer.skip != Skip::kNone) return false;
    table->Report(std::move(answer.permit), verdict, {}, measured, 0, now_);
    return true;
  }
  // All that can be known of anybody.
  void Fill() {
    table_.Learn(*snapshot_, now_);
    for (int i = 0; i < 42; ++i) {
      Try(&table_, 0, i % 4 == 3 ? kFault : kOk, 2,
          {Duration::Milliseconds(100 * (i + 1)), 1.5 * (i + 1)});
      now_ = now_ + Duration::Seconds(17);
    }
    for (int i = 0; i < 5; ++i) Try(&table_, 1, kFault);
    Try(&table_, 2, kBadKey, 1);
    Try(&table_, 2, kTooQuick, 0);
    Try(&table_, 3, {Outcome::kNeutral, Key::kNothing, Duration::Seconds(90)});
  }
  // A table that was begun `passed` later, by a clock that begins anew.
  std::unique_ptr<HealthTable> Restarted(Duration passed, TimePoint now,
                                         const std::string& secret = "s") {
    Result<KeptState> state = ReadKeptState(WriteKeptState({.routing = table_.Keep(now_)}));
    EXPECT_TRUE(state);
    state->Age(passed);
    auto table = std::make_unique<HealthTable>(HealthRules(), RetryBudget());
    table->Restore(state->routing, now);
    snapshot_ = SnapshotOf(kHosts, secret);
    table->Learn(*snapshot_, now);
    now_ = now;
    return table;
  }
  static std::string Told(const HealthTable& table, TimePoint now) {
    std::string told;
    for (const HealthRow& row : table.Rows(now)) {
      told += row.provider + (row.is_key ? '#' + row.key : "") + ' ' + std::string(row.state) +
              ' ' + std::to_string(row.retry_in.ns) + ' ' + std::to_string(row.uptime_30m) + ' ' +
              std::to_string(row.uptime_1d) + ' ' + std::to_string(row.judged_1d) + ' ' +
              std::to_string(row.ttft_ms_30m.at[1]) + ' ' +
              std::to_string(row.tokens_per_second_30m.at[1]) + '\n';
    }
    return told;
  }

  TimePoint now_{1'000'000'000'000};
  std::unique_ptr<Snapshot> snapshot_ = SnapshotOf(kHosts);
  HealthTable table_{{}, {}};
};

TEST_F(HealthStateTest, KeptAndRestoredIsTheSame) {
  Fill();
  const RoutingState state = table_.Keep(now_);
  ASSERT_EQ(state.endpoints.size(), kHosts);
  ASSERT_EQ(state.providers.size(), kHosts);
  const auto restored = Restarted({}, now_);
  EXPECT_EQ(restored->Keep(now_), state);
  EXPECT_EQ(Told(*restored, now_), Told(table_, now_));
}

// The monotonic clock of a machine that was started anew begins at 0.
TEST_F(HealthStateTest, WhatWasBeforeTheClockBeganIsKept) {
  Fill();
  const std::string before = Told(table_, now_);
  const auto restored = Restarted({}, TimePoint{5'000'000'000});
  EXPECT_EQ(Told(*restored, now_), before);
}

TEST_F(HealthStateTest, ADeadKeyStaysDead) {
  Fill();
  auto restored = Restarted(Duration::Seconds(60), TimePoint{77'000'000'000});
  EXPECT_FALSE(Try(restored.get(), 2, kOk, 1));
  now_ = now_ + Duration::Seconds(539);
  EXPECT_FALSE(Try(restored.get(), 2, kOk, 1));
  now_ = now_ + Duration::Seconds(1);
  EXPECT_TRUE(Try(restored.get(), 2, kOk, 1));  // the probe
}

TEST_F(HealthStateTest, ANewSecretIsAliveAndAtNoLimit) {
  Fill();
  auto restored = Restarted(Duration::Seconds(1), now_, "new");
  EXPECT_TRUE(Try(restored.get(), 2, kOk, 1));
  EXPECT_TRUE(Try(restored.get(), 2, kOk, 0));
}

TEST_F(HealthStateTest, AnEjectionEndsWhenItWouldHave) {
  Fill();
  const auto retry_in = [](const HealthTable& table, TimePoint now) {
    return table.Rows(now)[1].retry_in;
  };
  const Duration left = retry_in(table_, now_);
  ASSERT_GT(left, Duration::Seconds(20));
  auto restored = Restarted(Duration::Seconds(10), TimePoint{3'000'000'000});
  EXPECT_EQ(retry_in(*restored, now_), left - Duration::Seconds(10));
  restored = Restarted(Duration::Seconds(3600), TimePoint{3'000'000'000});
  EXPECT_EQ(restored->Rows(now_)[1].state, "ejected");
  EXPECT_EQ(restored->Rows({now_.ns + 1})[1].state, "half_open");
}

TEST_F(HealthStateTest, WhatTheConfigurationHasNoLongerIsKeptForAnHour) {
  Fill();
  snapshot_ = SnapshotOf(1);
  table_.Learn(*snapshot_, now_);
  // But for the last, of which nothing is left to be known by then.
  EXPECT_EQ(table_.Keep({now_.ns + HealthTable::kKeptFor.ns}).endpoints.size(), kHosts - 1);
  EXPECT_EQ(table_.Keep({now_.ns + HealthTable::kKeptFor.ns + 1}).endpoints.size(), 1U);
  size_t keys = 0;  // whose provider has gone
  for (const HealthRow& row : table_.Rows(now_)) keys += row.is_key ? 1 : 0;
  EXPECT_EQ(keys, 2U);
}

TEST_F(HealthStateTest, WhatIsOnlyMeasuredLeavesNobodyOut) {
  HealthTable table({.leave_out = false}, {});
  table.Learn(*snapshot_, now_);
  for (int i = 0; i < 30; ++i) {
    EXPECT_TRUE(Try(&table, 0, i % 3 == 0 ? kOk : kFault));
    EXPECT_TRUE(Try(&table, 0, kBadKey));
    EXPECT_TRUE(Try(&table, 0, kTooQuick));
  }
  const HealthView view = table.ViewOf(kFirstId, now_);
  EXPECT_EQ(view.state, HealthState::kOk);
  EXPECT_TRUE(view.has_live_key && view.has_room);
  EXPECT_EQ(view.uptime, 333);
  EXPECT_EQ(table.Rows(now_)[0].in_flight, 0);
}

TEST(GatewayStateTest, WhatIsUsedOfLimitsGoesOn) {
  const auto limits = std::make_shared<const LimitSet>(LimitSet{.requests_per_day = 5});
  const auto left = [&limits](Gateway* gateway) {
    gateway->SetLimits(LimitScope::kOrg, "o", limits);
    gateway->keys().Put(HmacSha256(Secret("pepper"), "good"), {.key_id = "k", .org_id = "o"});
    for (const auto& [name, value] : gateway->LimitHeaders(Secret("Bearer good")).headers) {
      if (name == "x-ratelimit-remaining-requests") return value;
    }
    return std::string();
  };
  const GatewayOptions options{.pepper = Secret("pepper")};
  Gateway before{options}, after{options};
  EXPECT_EQ(left(&before), "5");
  before.RaiseToday(LimitScope::kOrg, "o", "o", 3, 0);
  const std::string state = before.ExportState();
  ASSERT_TRUE(after.RestoreState(state).ok());
  EXPECT_EQ(left(&after), "2");
}

TEST(GatewayStateTest, OnlyWhatIsOfTheLastDayIsTaken) {
  const auto taken = [](int64_t age_ms) {
    Gateway gateway{GatewayOptions()};
    KeptState state;
    state.wall_ms = gateway.clock().WallTime().ms - age_ms;
    return gateway.RestoreState(WriteKeptState(state)).ok();
  };
  EXPECT_TRUE(taken(0));
  EXPECT_TRUE(taken(86'000'000));
  EXPECT_FALSE(taken(86'400'001));
  EXPECT_FALSE(taken(int64_t{1} << 50));
  EXPECT_TRUE(taken(-1'000'000'000));  // its clock ran ahead
  EXPECT_FALSE(Gateway{GatewayOptions()}.RestoreState("SRRS").ok());
  Gateway gateway{GatewayOptions()};
  EXPECT_TRUE(Gateway{GatewayOptions()}.RestoreState(gateway.ExportState()).ok());
}

}  // namespace
}  // namespace seekroute
