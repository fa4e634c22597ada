#include "gateway/idempotency.h"

#include <gtest/gtest.h>

namespace seekroute {
namespace {

constexpr UnixSeconds kNow{1'800'000'000};

std::string Told(const Status& status) {
  return status.ok() ? "ok" : std::string(status.error().name());
}

TEST(IdempotencyTest, ARequestIsTakenOnce) {
  IdempotencyTable table(10);
  const auto name = IdempotencyTable::NameOf("k", "order-1");
  EXPECT_EQ(Told(table.Claim(name, "body", "gen-1", kNow)), "ok");
  Status again = table.Claim(name, "body", "gen-2", kNow);
  ASSERT_EQ(Told(again), "idempotency_in_progress");
  EXPECT_EQ(again.error().facts[0].value, "gen-1");
  EXPECT_GT(again.error().retry_after_ms, 0);
  EXPECT_EQ(Told(table.Claim(name, "other", "gen-2", kNow)), "idempotency_mismatch");
  table.End(name, true);
  again = table.Claim(name, "body", "gen-3", kNow);
  ASSERT_EQ(Told(again), "idempotency_completed");
  EXPECT_EQ(again.error().facts[0].value, "gen-1");
  EXPECT_EQ(Told(table.Claim(name, "other", "gen-3", kNow)), "idempotency_mismatch");
}

TEST(IdempotencyTest, WhatWasNotSentMayBeRepeated) {
  IdempotencyTable table(10);
  const auto name = IdempotencyTable::NameOf("k", "order-1");
  ASSERT_EQ(Told(table.Claim(name, "body", "gen-1", kNow)), "ok");
  table.End(name, false);
  EXPECT_EQ(Told(table.Claim(name, "other", "gen-2", kNow)), "ok");
}

TEST(IdempotencyTest, KeysDoNotMeet) {
  EXPECT_NE(IdempotencyTable::NameOf("k", "1"), IdempotencyTable::NameOf("k1", ""));
  EXPECT_NE(IdempotencyTable::NameOf("a", "x"), IdempotencyTable::NameOf("b", "x"));
}

TEST(IdempotencyTest, ForgetsAfterADay) {
  IdempotencyTable table(10);
  const auto name = IdempotencyTable::NameOf("k", "order-1");
  ASSERT_EQ(Told(table.Claim(name, "body", "gen-1", kNow)), "ok");
  table.End(name, true);
  const UnixSeconds day{kNow.s + IdempotencyTable::kKeptSeconds};
  EXPECT_EQ(Told(table.Claim(name, "body", "gen-2", {day.s - 1})), "idempotency_completed");
  EXPECT_EQ(Told(table.Claim(name, "body", "gen-2", day)), "ok");
  // What runs is not forgotten, however long it does.
  EXPECT_EQ(Told(table.Claim(name, "body", "gen-3", {day.s * 2})), "idempotency_in_progress");
}

TEST(IdempotencyTest, IsBounded) {
  IdempotencyTable table(3);
  const auto name = [](int i) { return IdempotencyTable::NameOf("k", std::to_string(i)); };
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(Told(table.Claim(name(i), "b", "g" + std::to_string(i), kNow)), "ok");
  }
  EXPECT_EQ(Told(table.Claim(name(3), "b", "g3", kNow)), "overloaded");
  table.End(name(1), true);
  EXPECT_EQ(Told(table.Claim(name(3), "b", "g3", kNow)), "ok");  // in the place of 1
  EXPECT_EQ(table.size(), 3u);
  EXPECT_EQ(Told(table.Claim(name(0), "b", "g", kNow)), "idempotency_in_progress");
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
