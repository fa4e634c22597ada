#include "routing/order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

namespace seekroute {
namespace {

// Candidates of one model, called A, B, C, ... in the catalog's order.
class Order : public testing::Test {
 protected:
  // One per price, in any unit.
  void Offer(const std::vector<double>& prices) {
    constexpr double kUnit = 1e6;
    model_.endpoints.resize(prices.size());
    ranked_.clear();
    for (size_t i = 0; i < prices.size(); ++i) {
      model_.endpoints[i].id = i + 1;
      Ranked each;
      each.candidate.model = &model_;
      each.candidate.endpoint = &model_.endpoints[i];
      each.candidate.expected_pico = static_cast<uint64_t>(std::llround(prices[i] * kUnit));
      ranked_.push_back(each);
    }
  }

  void Group(size_t at, RouteGroup group) {
    ranked_[at].candidate.group = static_cast<uint8_t>(group);
  }

  // With the sort that is asked for.
  std::vector<Ranked> Asked() const {
    std::vector<Ranked> asked = ranked_;
    for (Ranked& each : asked) each.sort = sort_;
    return asked;
  }

  std::string Sorted(uint64_t seed = 0) const {
    std::vector<Ranked> sorted = Asked();
    SortCandidates({balance_, seed}, &sorted);
    std::string names;
    for (const Ranked& each : sorted) {
      names += static_cast<char>('A' + (each.candidate.endpoint - model_.endpoints.data()));
    }
    return names;
  }

  // How often each comes first, over many seeds; the probabilities that are told must say the same.
  std::vector<double> Shares(const std::string& after = "") const {
    constexpr int kDraws = 1'000'000;
    std::vector<double> shares(ranked_.size());
    int counted = 0;
    const std::vector<Ranked> asked = Asked();
    std::vector<Ranked> sorted;
    for (int seed = 0; seed < kDraws; ++seed) {
      sorted = asked;
      SortCandidates({balance_, SplitMix64(static_cast<uint64_t>(seed))}, &sorted);
      const auto name = [&](size_t at) {
        return static_cast<size_t>(sorted[at].candidate.endpoint - model_.endpoints.data());
      };
      if (!after.empty()) {
        if (name(0) != static_cast<size_t>(after[0] - 'A')) continue;
        shares[name(1)] += 1;
      } else {
        shares[name(0)] += 1;
      }
      ++counted;
    }
    for (double& share : shares) share /= counted;
    if (after.empty()) {
      for (const Ranked& each : sorted) {
        const auto at = static_cast<size_t>(each.candidate.endpoint - model_.endpoints.data());
        EXPECT_NEAR(each.candidate.probability, shares[at], kTolerance);
      }
    }
    return shares;
  }

  static auto Are(const std::vector<double>& shares) {
    return testing::Pointwise(testing::DoubleNear(kTolerance), shares);
  }

  static constexpr double kTolerance = 0.002;
  Model model_;
  std::vector<Ranked> ranked_;
  RouteSort sort_ = RouteSort::kDefault;
  Balance balance_ = Balance::kInverseSquare;
};

TEST_F(Order, GoesByTheInverseSquareOfThePrice) {
  Offer({1, 2, 3});
  EXPECT_THAT(Shares(), Are({.7347, .1837, .0816}));
  Offer({.5, .55, .6, 2});
  EXPECT_THAT(Shares(), Are({.3871, .3199, .2688, .0242}));
}

TEST_F(Order, PicksFromThoseThatAreLeftInTheSameWay) {
  Offer({1, 2, 3});
  EXPECT_THAT(Shares("A"), Are({0, .6923, .3077}));
}

TEST_F(Order, AsksWhoIsDegradedLast) {
  Offer({1, 2, 3});
  Group(1, RouteGroup::kDegraded);
  EXPECT_THAT(Shares(), Are({.9, 0, .1}));
  for (uint64_t seed = 0; seed < 100; ++seed) {
    EXPECT_THAT(Sorted(seed), testing::AnyOf("ACB", "CAB"));
  }
}

TEST_F(Order, CountsWeights) {
  Offer({1, 1});
  model_.endpoints[0].weight = 3;
  EXPECT_THAT(Shares(), Are({.75, .25}));
}

TEST_F(Order, AsksWhoHasNoWeightAfterAllOthersOfItsGroup) {
  Offer({1, 2, 3, 1});
  model_.endpoints[0].weight = 0;
  Group(3, RouteGroup::kDegraded);
  for (uint64_t seed = 0; seed < 100; ++seed) {
    EXPECT_THAT(Sorted(seed), testing::AnyOf("BCAD", "CBAD"));
  }
}

TEST_F(Order, AsksWhoTakesNothingFirst) {
  Offer({0, 0, 1});
  EXPECT_THAT(Shares(), Are({.5, .5, 0}));
  for (uint64_t seed = 0; seed < 100; ++seed) EXPECT_EQ(Sorted(seed)[2], 'C');
}

TEST_F(Order, IsSlowToAskWhoIsJustBack) {
  Offer({1, 2});
  ranked_[0].health.state = HealthState::kSlowStart;
  ranked_[0].health.slow_start = .1F;
  EXPECT_THAT(Shares(), Are({.2857, .7143}));
}

TEST_F(Order, LeavesHeadRoomInWhatAnUpstreamTold) {
  Offer({1, 1});
  ranked_[0].health.head = .5F;
  EXPECT_THAT(Shares(), Are({.3333, .6667}));
}

TEST_F(Order, SortsByLatencyAndLeavesWhatIsNotMeasuredLast) {
  Offer({1, 1, 1});
  sort_ = RouteSort::kLatency;
  ranked_[0].health.ttft_ms.at[0] = 800;
  ranked_[1].health.ttft_ms.at[0] = 300;
  EXPECT_EQ(Sorted(), "BAC");
  sort_ = RouteSort::kThroughput;
  ranked_[2].health.tokens_per_second.at[0] = 10;
  ranked_[0].health.tokens_per_second.at[0] = 20;
  EXPECT_EQ(Sorted(), "ACB");
}

TEST_F(Order, FallsBackToTheDefaultWhereNothingIsMeasured) {
  Offer({1, 2, 3});
  sort_ = RouteSort::kThroughput;
  EXPECT_THAT(Shares(), Are({.7347, .1837, .0816}));
}

TEST_F(Order, SortsByPriceAndOfEqualsByUptimeThenById) {
  Offer({2, 1, 1, 1});
  sort_ = RouteSort::kPrice;
  EXPECT_EQ(Sorted(), "BCDA");
  ranked_[3].health.uptime = 999;
  ranked_[1].health.uptime = 990;
  EXPECT_EQ(Sorted(), "DBCA");
}

TEST_F(Order, KeepsModelsApartUnlessTheyAreOneList) {
  Offer({3, 1, 2});  // A1, A2, B1
  sort_ = RouteSort::kPrice;
  EXPECT_EQ(Sorted(), "BCA");
  ranked_[2].model_rank = 1;
  EXPECT_EQ(Sorted(), "BAC");
}

TEST_F(Order, KeepsWhatIsListedInPlaceButTheLastResort) {
  Offer({1, 5, 4, 3, 2});
  ranked_[1].listed = 0;
  ranked_[2].listed = 0;
  ranked_[3].listed = 1;
  Group(3, RouteGroup::kDegraded);  // the client asked for it
  sort_ = RouteSort::kPrice;
  EXPECT_EQ(Sorted(), "CBDAE");
  Group(2, RouteGroup::kLastResort);
  ranked_[2].health.last_resort = true;
  EXPECT_EQ(Sorted(), "BDAEC");
}

TEST_F(Order, IsTheCatalogsWhereTheOperatorSaysSo) {
  Offer({3, 1, 2});
  balance_ = Balance::kListed;
  for (uint64_t seed = 0; seed < 20; ++seed) EXPECT_EQ(Sorted(seed), "ABC");
  Group(0, RouteGroup::kDegraded);
  EXPECT_EQ(Sorted(), "BCA");
}

TEST_F(Order, IsTheSameForTheSameSeed) {
  Offer({1, 1, 1, 1, 1, 1});
  bool differs = false;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    EXPECT_EQ(Sorted(seed), Sorted(seed));
    differs = differs || Sorted(seed) != Sorted(0);
  }
  EXPECT_TRUE(differs);
}

// What the generator's authors give for the state 0.
TEST(SplitMix64, IsTheOneThatIsMeant) {
  EXPECT_EQ(SplitMix64(0), 0xe220a8397b1dcdafULL);
  EXPECT_EQ(SplitMix64(0x9e3779b97f4a7c15ULL), 0x6e789e6aa1b965f4ULL);
  EXPECT_GT(UnitDraw(0, 0), 0);
  EXPECT_LT(UnitDraw(0, 0), 1);
}

}  // namespace
}  // namespace seekroute
