#include "billing/cost.h"

#include <gtest/gtest.h>

#include <limits>

namespace seekroute {
namespace {

constexpr Price kPrice{.input = Rate{3'000'000},
                       .cache_read = Rate{300'000},
                       .output = Rate{15'000'000},
                       .per_request = {},
                       .per_image = {}};

Usage Tokens(int64_t prompt, int64_t completion) {
  Usage usage;
  usage.prompt = prompt;
  usage.completion = completion;
  return usage;
}

TEST(CostTest, PricesEachClassOnce) {
  EXPECT_EQ(CostOf(Tokens(100, 10), kPrice).nano, 450'000);
  Usage cached = Tokens(100, 10);
  cached.cached = 40;
  EXPECT_EQ(CostOf(cached, kPrice).nano, 60 * 3000 + 40 * 300 + 10 * 15000);
  Usage reasoning = Tokens(100, 110);
  reasoning.reasoning = 100;  // inside completion already
  EXPECT_EQ(CostOf(reasoning, kPrice).nano, 1'950'000);
}

TEST(CostTest, RoundsUpOnceAtTheEnd) {
  const Price cheap{
      .input = Rate{1}, .cache_read = {}, .output = Rate{1}, .per_request = {}, .per_image = {}};
  EXPECT_EQ(CostOf(Tokens(1, 1), cheap).nano, 1);
  EXPECT_EQ(CostOf(Tokens(500, 500), cheap).nano, 1);
  EXPECT_EQ(CostOf(Tokens(500, 501), cheap).nano, 2);
  EXPECT_EQ(CostOf(Tokens(0, 0), cheap).nano, 0);
}

TEST(CostTest, SurvivesAbsurdCounts) {
  const Price dear{.input = Rate{std::numeric_limits<uint64_t>::max()},
                   .cache_read = {},
                   .output = {},
                   .per_request = {},
                   .per_image = {}};
  EXPECT_EQ(CostOf(Tokens(int64_t{1} << 53, 0), dear).nano, std::numeric_limits<int64_t>::max());
  Usage more_cached_than_prompt = Tokens(10, 0);
  more_cached_than_prompt.cached = 1000;
  EXPECT_EQ(CostOf(more_cached_than_prompt, kPrice).nano, 3000);
  EXPECT_EQ(CostOf(Usage{}, kPrice).nano, 0);
}

TEST(CostTest, ImagesAndRequestsHaveTheirOwnRates) {
  const Price price{.input = {},
                    .cache_read = {},
                    .output = {},
                    .per_request = Rate{1'000'000'000},
                    .per_image = Rate{30'000'000'000}};
  Usage usage;
  usage.images = 2;
  EXPECT_EQ(CostOf(usage, price).nano, 61'000'000);
}

TEST(CostTest, NothingDeliveredIsNotCharged) {
  EXPECT_TRUE(IsFree(Tokens(100, 0), ""));
  EXPECT_TRUE(IsFree(Tokens(100, 5), "error"));
  EXPECT_FALSE(IsFree(Tokens(100, 0), "content_filter"));
  EXPECT_FALSE(IsFree(Tokens(100, 1), ""));
}

TEST(CostTest, EstimatesAreCompleteAndTakeWhatIsExpected) {
  const Usage usage = EstimateUsage({.tokens = 108, .upper = 150}, {.tokens = 1, .upper = 3});
  EXPECT_TRUE(usage.complete());
  EXPECT_EQ(*usage.prompt, 108);
  EXPECT_EQ(*usage.completion, 1);
  EXPECT_EQ(*usage.total, 109);
}

}  // namespace
}  // namespace seekroute
