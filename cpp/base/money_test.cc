#include "base/money.h"

#include <gtest/gtest.h>

#include <limits>

namespace seekroute {
namespace {

TEST(MoneyTest, FormatsExactDecimals) {
  EXPECT_EQ(FormatUsd(Money{14'800}), "0.0000148");
  EXPECT_EQ(FormatUsd(Money{0}), "0");
  EXPECT_EQ(FormatUsd(Money{1'500'000'000}), "1.5");
  EXPECT_EQ(FormatUsd(Money{-1}), "-0.000000001");
  EXPECT_EQ(FormatUsd(Money{std::numeric_limits<int64_t>::min()}), "-9223372036.854775808");
  EXPECT_EQ(FormatUsd(Rate{2'500'000}), "0.0000025");
  EXPECT_EQ(FormatUsd(Rate{0}), "0");
}

TEST(MoneyTest, ParsesWhatItFormats) {
  for (int64_t nano : {int64_t{0}, int64_t{1}, int64_t{999'999'999}, int64_t{1'000'000'001},
                       std::numeric_limits<int64_t>::max()}) {
    Result<Money> parsed = ParseUsd(FormatUsd(Money{nano}));
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(parsed->nano, nano);
    EXPECT_EQ(ParseUsd(FormatUsd(Money{-nano}))->nano, -nano);
  }
}

TEST(MoneyTest, RefusesWhatItCannotHoldExactly) {
  for (const char* text : {"", ".", "-", "1e3", "0x1", "1,5", "1.2.3", "0.0000000001",
                           "9223372036.854775808", "99999999999999999999", " 1", "+1"}) {
    EXPECT_FALSE(ParseUsd(text).has_value()) << text;
  }
  // The largest that 64 bits hold, and what does not fit in the last digit, or in the scaling.
  EXPECT_EQ(ParseRate("18446744.073709551615")->pico, std::numeric_limits<uint64_t>::max());
  EXPECT_FALSE(ParseRate("18446744.073709551616").has_value());
  EXPECT_FALSE(ParseRate("18446745").has_value());
  EXPECT_FALSE(ParseRate("0.0000000000001").has_value());
  EXPECT_FALSE(ParseRate("-1").has_value());
}

TEST(MoneyTest, ARateWithItsMarkupIsExact) {
  EXPECT_EQ(FormatUsd(Rate{2'500'000}, 550), "0.0000026375");
  EXPECT_EQ(FormatUsd(Rate{1}, 1), "0.0000000000010001");
  EXPECT_EQ(FormatUsd(Rate{2'500'000}, 0), "0.0000025");
  EXPECT_EQ(FormatUsd(Rate{2'500'000}, -10'000), "0");
  EXPECT_EQ(FormatUsd(Rate{std::numeric_limits<uint64_t>::max()}, 10'000'000),
            "18465190817.783261166615");
}

TEST(MoneyTest, TrailingZerosBeyondTheScaleAreHarmless) {
  EXPECT_EQ(ParseUsd("0.00000000100000")->nano, 1);
  EXPECT_EQ(ParseRate("0.000003")->pico, 3'000'000u);
}

}  // namespace
}  // namespace seekroute
