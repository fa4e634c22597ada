#include "wire/openai/sent_parts.h"

#include <gtest/gtest.h>

namespace seekroute {
namespace {

constexpr std::string_view kOther = R"({"y":1})";

// A call with whole arguments of that size.
size_t AddLongCall(SentParts* sent) {
  const std::string arguments = R"({"x":")" + std::string(size_t{200} << 10, 'x') + "\"}";
  sent->AddCall({.id = "a", .name = "f", .arguments = arguments}, 0);
  return arguments.size();
}

TEST(SentPartsTest, WhatContradictsIsSpelledOnce) {
  SentParts sent;
  const size_t size = AddLongCall(&sent);
  constexpr size_t kTimes = 10'000;
  for (size_t i = 0; i < kTimes; ++i) {
    ASSERT_FALSE(sent.NewArguments(0, 0, kOther).has_value());
    ASSERT_TRUE(sent.NewArguments(0, 0, R"({ "x" )").has_value());
  }
  EXPECT_LT(sent.work(), 2 * size + kTimes * 64);
  EXPECT_FALSE(sent.IsFull());
}

// Arguments that grow between two messages that contradict them are spelled anew each time: that
// ends, and what follows counts as repeated.
TEST(SentPartsTest, TheWorkIsLinearInWhatCame) {
  SentParts sent;
  size_t came = AddLongCall(&sent);
  const size_t size = came;
  size_t compared = 0;
  for (size_t i = 0; i < 10'000; ++i, ++came) {
    sent.AddCall({.arguments = " "}, 0);
    if (sent.IsFull()) break;
    (void)sent.NewArguments(0, 0, kOther);
    ++compared;
  }
  EXPECT_TRUE(sent.IsFull());
  EXPECT_LE(sent.work(), SentParts::kFreeWork + SentParts::kWorkPerByte * came + 2 * size);
  EXPECT_GT(compared, 10u) << "as many as a stream has that is only odd";
}

TEST(SentPartsTest, ItemsAreKeptUpToABound) {
  SentParts sent;
  for (uint64_t i = 0; i < SentParts::kMaxItems; ++i) sent.AddItem({0, i});
  EXPECT_TRUE(sent.HasItem(0, SentParts::kMaxItems - 1));
  EXPECT_FALSE(sent.HasItem(0, SentParts::kMaxItems));
  EXPECT_FALSE(sent.HasItem(1, 0));
  sent.AddItem({0, SentParts::kMaxItems});
  EXPECT_TRUE(sent.HasItem(1, 0)) << "of more than is kept everything was sent";
}

}  // namespace
}  // namespace seekroute
