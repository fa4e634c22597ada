#include "gateway/kept_state.h"

#include <gtest/gtest.h>

#include <string>

#include "base/crc32c.h"
#include "base/varint.h"

namespace seekroute {
namespace {

KeptState Full() {
  KeptState state;
  state.wall_ms = 1'700'000'000'123;
  KeyHealth::Kept dead;
  dead.trouble = KeyTrouble::kBadKey;
  dead.dead_for = Duration::Seconds(500);
  state.routing.providers.push_back({7, {{11, 5, dead}}});
  Meter::Kept used;
  used.tokens = {RateLimit{90'000, Duration::Seconds(60), 70}, ExactTime{90'000'000'001, 89'999}};
  state.limits.holders.push_back({LimitScope::kKeyModel, 63, "k\nm", used});
  used.day = {19'675, Duration::Seconds(60), 3, 4'000'000'000'000};
  state.upstream_limits.holders.push_back({LimitScope::kEndpoint, 0, "17", used});
  AnswerLengths answers;
  answers.Learn("a/model", 0.3F, 120, false);
  state.answers = answers.Keep();
  return state;
}

std::string Sealed(std::string bytes) {
  const uint32_t crc = Crc32c(bytes);
  for (int i = 0; i < 4; ++i) bytes.push_back(static_cast<char>(crc >> (8 * i)));
  return bytes;
}

TEST(KeptStateTest, IsReadAsItWasWritten) {
  for (const KeptState& state : {KeptState(), Full()}) {
    const Result<KeptState> read = ReadKeptState(WriteKeptState(state));
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, state);
  }
}

TEST(KeptStateTest, WhateverIsDamagedIsRefused) {
  const std::string bytes = WriteKeptState(Full());
  for (size_t i = 0; i < bytes.size(); ++i) {
    EXPECT_FALSE(ReadKeptState(bytes.substr(0, i))) << i;
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      EXPECT_FALSE(ReadKeptState(damaged)) << i;
    }
  }
  EXPECT_FALSE(ReadKeptState(bytes + "x"));
  EXPECT_FALSE(ReadKeptState(Sealed(bytes.substr(0, bytes.size() - 4) + '\0')));
}

TEST(KeptStateTest, AnotherVersionIsRefusedByItsName) {
  for (const char* const version : {"\x01", "\x04"}) {
    const Result<KeptState> read = ReadKeptState(Sealed(std::string("SRRS") + version + "any"));
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().message, "it is of another version");
  }
}

// Of the release before: without lengths of answers.
TEST(KeptStateTest, TheVersionBeforeIsRead) {
  KeptState state = Full();
  state.answers = {};
  std::string bytes = WriteKeptState(state);
  VarintWriter nothing;
  WriteAnswerLengths({}, &nothing);
  bytes.resize(bytes.size() - 4 - nothing.bytes.size());
  bytes[4] = 2;
  const Result<KeptState> read = ReadKeptState(Sealed(bytes));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, state);
}

TEST(KeptStateTest, AllOfItGetsOlder) {
  KeptState state = Full();
  state.Age(Duration::Seconds(60));
  EXPECT_EQ(state.wall_ms, 1'700'000'060'123);
  EXPECT_EQ(state.routing.providers[0].keys[0].health.dead_for, Duration::Seconds(440));
  EXPECT_EQ(state.limits.holders[0].used.tokens->used, (ExactTime{30'000'000'001, 89'999}));
  EXPECT_EQ(state.upstream_limits.holders[0].used.day->age, Duration::Seconds(120));
  state.Age(Duration::Seconds(60));
  EXPECT_TRUE(state.limits.holders.empty());
  EXPECT_FALSE(state.upstream_limits.holders[0].used.tokens);
  state.Age(Duration::Seconds(86'400 * 9));
  EXPECT_EQ(state.upstream_limits.holders[0].used.day->age, Meter::kLeastDay);
}

}  // namespace
}  // namespace seekroute
