#include "wire/told_limits.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace seekroute {
namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;
using enum ToldDimension;

constexpr UnixSeconds kNow{1'796'044'800};  // 2026-11-30T13:20:00Z

// What a reset of requests is read as, in milliseconds; 0: as none.
double ResetMs(const std::string& reset) {
  const Headers headers = {{"x-ratelimit-remaining-requests", "0"},
                           {"x-ratelimit-reset-requests", reset}};
  return ReadToldLimits(headers, kNow)[kRequests].reset.ms();
}

TEST(ToldLimits, ReadsOpenAis) {
  const ToldLimits told = ReadToldLimits(Headers{{"x-ratelimit-limit-requests", "60"},
                                                 {"x-ratelimit-limit-tokens", "150000"},
                                                 {"x-ratelimit-remaining-requests", "59"},
                                                 {"x-ratelimit-remaining-tokens", "149984"},
                                                 {"x-ratelimit-reset-requests", "1s"},
                                                 {"x-ratelimit-reset-tokens", "6m0s"},
                                                 {"x-request-id", "7"}},
                                         kNow);
  EXPECT_EQ(told[kRequests].limit, 60);
  EXPECT_EQ(told[kRequests].remaining, 59);
  EXPECT_EQ(told[kRequests].reset, Duration::Seconds(1));
  EXPECT_EQ(told[kTokens].limit, 150'000);
  EXPECT_EQ(told[kTokens].remaining, 149'984);
  EXPECT_EQ(told[kTokens].reset, Duration::Seconds(360));
  EXPECT_FALSE(told[kInputTokens].told());
}

TEST(ToldLimits, ReadsAnthropics) {
  const ToldLimits told =
      ReadToldLimits(Headers{{"anthropic-ratelimit-requests-limit", "50"},
                             {"anthropic-ratelimit-requests-remaining", "0"},
                             {"anthropic-ratelimit-requests-reset", "2026-11-30T13:20:07Z"},
                             {"anthropic-ratelimit-input-tokens-limit", "30000"},
                             {"anthropic-ratelimit-input-tokens-remaining", "29000"},
                             {"anthropic-ratelimit-input-tokens-reset", "2026-11-30T13:21:00Z"},
                             {"anthropic-ratelimit-output-tokens-limit", "8000"},
                             {"anthropic-ratelimit-output-tokens-remaining", "0"},
                             {"anthropic-ratelimit-output-tokens-reset", "2026-11-30T13:19:59Z"}},
                     kNow);
  EXPECT_EQ(told[kRequests].remaining, 0);
  EXPECT_EQ(told[kRequests].reset, Duration::Seconds(7));
  EXPECT_EQ(told[kInputTokens].remaining, 29'000);
  EXPECT_EQ(told[kInputTokens].reset, Duration::Seconds(60));
  EXPECT_FALSE(told[kOutputTokens].told()) << "its reset is past";
  EXPECT_FALSE(told[kTokens].told());
}

TEST(ToldLimits, ReadsResetsOfManySpellings) {
  for (const auto& [text, ms] :
       std::vector<std::pair<std::string, double>>{{"12ms", 12},
                                                   {"1s", 1000},
                                                   {"1.5s", 1500},
                                                   {"6m0s", 360'000},
                                                   {"1m30.951s", 90'951},
                                                   {"1h0m0.25s", 3'600'250},
                                                   {"500us", .5},
                                                   {"500\xc2\xb5s", .5},
                                                   {"500\xce\xbcs", .5},
                                                   {"20ns", .00002},
                                                   {"59", 59'000},
                                                   {"0.07", 70},
                                                   {"24h", 86'400'000},
                                                   {"2026-11-30T13:20:30Z", 30'000},
                                                   {"2026-11-30t13:20:30.999z", 30'000},
                                                   {"2026-11-30T14:20:30+01:00", 30'000},
                                                   {"2026-11-30T08:50:30-04:30", 30'000},
                                                   {"2026-12-01T00:00:00Z", 38'400'000}}) {
    EXPECT_NEAR(ResetMs(text), ms, 1e-3) << text;
  }
}

TEST(ToldLimits, WhatIsNoResetAheadIsNone) {
  for (const char* text : {"",
                           "0",
                           "0s",
                           "-1",
                           "-5s",
                           "+5s",
                           ".5s",
                           "5x",
                           "5s ",
                           "6m5",
                           "s",
                           "1e3",
                           "inf",
                           "nan",
                           "1796044900",
                           "24h1ms",
                           "9999999999999999999999h",
                           "2026-11-30T13:20:00Z",
                           "2025-11-30T13:20:30Z",
                           "2026-12-02T13:20:30Z",
                           "2026-11-30 13:20:30Z",
                           "2026-02-30T13:20:30Z",
                           "2026-11-30T24:20:30Z",
                           "2026-11-30T13:60:30Z",
                           "2026-11-30T13:20:30",
                           "2026-11-30T13:20:3",
                           "2026-11-30T13:20:30+1",
                           "20x6-11-30T13:20:30Z",
                           "2026-11-30T13:20:30.Q",
                           "2026-11-30T13:20:30+0a:00"}) {
    EXPECT_EQ(ResetMs(text), 0) << text;
  }
}

// -1, Azure's 0 of 0, and more digits than any limit has.
TEST(ToldLimits, OddFiguresTellNothing) {
  const auto is_told = [](const Headers& figures) {
    Headers headers = figures;
    headers.emplace_back("x-ratelimit-reset-requests", "10s");
    return ReadToldLimits(headers, kNow)[kRequests].told();
  };
  const std::string limit = "x-ratelimit-limit-requests";
  const std::string remaining = "x-ratelimit-remaining-requests";
  EXPECT_TRUE(is_told({{limit, "10"}, {remaining, "0"}}));
  EXPECT_TRUE(is_told({{remaining, "0"}}));
  EXPECT_FALSE(is_told({{limit, "10"}}));
  EXPECT_FALSE(is_told({{limit, "-1"}, {remaining, "-1"}}));
  EXPECT_FALSE(is_told({{limit, "-1"}, {remaining, "0"}}));
  EXPECT_FALSE(is_told({{limit, "10"}, {remaining, "-1"}}));
  EXPECT_FALSE(is_told({{limit, "0"}, {remaining, "0"}}));
  EXPECT_FALSE(is_told({{limit, "10"}, {remaining, "none"}}));
  EXPECT_FALSE(is_told({{limit, "10"}, {remaining, ""}}));
  EXPECT_FALSE(is_told({{limit, "9999999999999999"}, {remaining, "0"}}));
  EXPECT_FALSE(is_told({{limit, "10"}, {"x-ratelimit-remaining", "0"}}));
  EXPECT_FALSE(is_told({{limit, "10"}, {"x-ratelimit-remaining-", "0"}}));
  EXPECT_FALSE(is_told({{limit, "10"}, {"anthropic-ratelimit-", "0"}}));
}

TEST(ToldLimits, NoResetTellsNothing) {
  EXPECT_TRUE(
      ReadToldLimits(
          Headers{{"x-ratelimit-limit-tokens", "10"}, {"x-ratelimit-remaining-tokens", "0"}}, kNow)
          .empty());
  EXPECT_TRUE(ReadToldLimits({}, kNow).empty());
}

}  // namespace
}  // namespace seekroute
