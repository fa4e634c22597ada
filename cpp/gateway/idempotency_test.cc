#include "gateway/idempotency.h"

#include <gtest/gtest.h>

namespace seekroute {
namespace {

constexpr UnixSeconds kNow{1'800'000'000};

IdempotencyClaim ClaimOf(const std::string& header, const std::string& body) {
  return IdempotencyTable::ClaimOf("k", header, body);
}

std::string Told(const Status& status) {
  return status.ok() ? "ok" : std::string(status.error().name());
}

TEST(IdempotencyTest, ARequestIsTakenOnce) {
  IdempotencyTable table(10);
  const auto name = ClaimOf("order-1", "body");
  const auto other = ClaimOf("order-1", "other");
  EXPECT_EQ(Told(table.Claim(name, "gen-1", kNow)), "ok");
  Status again = table.Claim(name, "gen-2", kNow);
  ASSERT_EQ(Told(again), "idempotency_in_progress");
  EXPECT_EQ(again.error().facts[0].value, "gen-1");
  EXPECT_GT(again.error().retry_after_ms, 0);
  EXPECT_EQ(Told(table.Claim(other, "gen-2", kNow)), "idempotency_mismatch");
  table.End(name.name, true);
  again = table.Claim(name, "gen-3", kNow);
  ASSERT_EQ(Told(again), "idempotency_completed");
  EXPECT_EQ(again.error().facts[0].value, "gen-1");
  EXPECT_EQ(Told(table.Claim(other, "gen-3", kNow)), "idempotency_mismatch");
}

TEST(IdempotencyTest, WhatWasNotSentMayBeRepeated) {
  IdempotencyTable table(10);
  const auto name = ClaimOf("order-1", "body");
  const auto other = ClaimOf("order-1", "other");
  ASSERT_EQ(Told(table.Claim(name, "gen-1", kNow)), "ok");
  table.End(name.name, false);
  EXPECT_EQ(Told(table.Claim(other, "gen-2", kNow)), "ok");
}

TEST(IdempotencyTest, KeysDoNotMeet) {
  const auto name = [](std::string_view key_id, std::string_view header) {
    return IdempotencyTable::ClaimOf(key_id, header, "body").name;
  };
  EXPECT_NE(name("k", "1"), name("k1", ""));
  EXPECT_NE(name("a", "x"), name("b", "x"));
}

TEST(IdempotencyTest, ForgetsAfterADay) {
  IdempotencyTable table(10);
  const auto name = ClaimOf("order-1", "body");
  ASSERT_EQ(Told(table.Claim(name, "gen-1", kNow)), "ok");
  table.End(name.name, true);
  const UnixSeconds day{kNow.s + kClaimKeptSeconds};
  EXPECT_EQ(Told(table.Claim(name, "gen-2", {day.s - 1})), "idempotency_completed");
  EXPECT_EQ(Told(table.Claim(name, "gen-2", day)), "ok");
  // What runs is not forgotten, however long it does.
  EXPECT_EQ(Told(table.Claim(name, "gen-3", {day.s * 2})), "idempotency_in_progress");
}

TEST(IdempotencyTest, IsBounded) {
  IdempotencyTable table(3);
  const auto name = [](int i) { return ClaimOf(std::to_string(i), "b"); };
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(Told(table.Claim(name(i), "g" + std::to_string(i), kNow)), "ok");
  }
  EXPECT_EQ(Told(table.Claim(name(3), "g3", kNow)), "overloaded");
  table.End(name(1).name, true);
  EXPECT_EQ(Told(table.Claim(name(3), "g3", kNow)), "ok");  // in the place of 1
  EXPECT_EQ(table.size(), 3u);
  EXPECT_EQ(Told(table.Claim(name(0), "g", kNow)), "idempotency_in_progress");
}

TEST(IdempotencyTest, RestoresTheNewestOfAnEarlierProcess) {
  IdempotencyTable table(3);
  std::vector<KeptClaim> kept;
  for (int i = 0; i < 4; ++i) {
    kept.push_back({ClaimOf(std::to_string(i), "b"), "g" + std::to_string(i), {kNow.s + i}});
  }
  table.Restore(kept);
  EXPECT_EQ(table.size(), 3u);  // not the oldest
  const Status again = table.Claim(kept[2].claim, "g9", {kNow.s + 9});
  ASSERT_EQ(Told(again), "idempotency_completed");
  EXPECT_EQ(again.error().facts[0].value, "g2");
  EXPECT_EQ(Told(table.Claim(ClaimOf("2", "c"), "g9", {kNow.s + 9})), "idempotency_mismatch");
  EXPECT_EQ(Told(table.Claim(kept[2].claim, "g9", {kNow.s + 2 + kClaimKeptSeconds})), "ok");
}

TEST(IdempotencyTest, WhatAClockDatedAheadIsHeldForADayFromNow) {
  IdempotencyTable table(10);
  const UnixSeconds ahead{kNow.s + 5 * 365 * 86'400};
  for (int i = 0; i < 3; ++i) {
    const IdempotencyClaim claim = ClaimOf(std::to_string(i), "b");
    EXPECT_EQ(Told(table.Claim(claim, "g", ahead)), "ok");
    table.End(claim.name, true);
  }
  const IdempotencyClaim first = ClaimOf("0", "b");
  EXPECT_EQ(Told(table.Claim(first, "g9", kNow)), "idempotency_completed");
  EXPECT_EQ(Told(table.Claim(first, "g9", {kNow.s + kClaimKeptSeconds - 1})),
            "idempotency_completed");
  EXPECT_EQ(Told(table.Claim(first, "g9", {kNow.s + kClaimKeptSeconds})), "ok");
  EXPECT_EQ(table.size(), 1u);  // the others are not kept for years behind it
}

TEST(IdempotencyTest, TakesPrintableHeaders) {
  EXPECT_EQ(Told(IdempotencyTable::CheckHeader("6f1c 0b")), "ok");
  EXPECT_EQ(Told(IdempotencyTable::CheckHeader(std::string(255, 'a'))), "ok");
  const std::string bad[] = {"", std::string(256, 'a'), "a\n", "caf\xc3\xa9", std::string(1, '\0')};
  for (const std::string& header : bad) {
    EXPECT_EQ(Told(IdempotencyTable::CheckHeader(header)), "idempotency_key_invalid");
  }
}

}  // namespace
}  // namespace seekroute
