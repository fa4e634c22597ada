#include "routing/sketch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "testing/virtual_world.h"

namespace seekroute {
namespace {

constexpr std::array<double, 4> kQuantiles = {0.5, 0.75, 0.9, 0.99};

TimePoint At(int64_t seconds) { return TimePoint{} + Duration::Seconds(seconds); }

TEST(LogBucketsTest, KnownPlaces) {
  EXPECT_EQ(LogBuckets::Of(0), 0u);
  EXPECT_EQ(LogBuckets::Of(1), 0u);
  EXPECT_EQ(LogBuckets::Of(850), 71u);
  EXPECT_EQ(std::lround(LogBuckets::ValueOf(71)), 827);
  EXPECT_EQ(LogBuckets::Of(30'000), 109u);
  EXPECT_EQ(LogBuckets::Of(1e12), LogBuckets::kCount - 1);
  EXPECT_EQ(LogBuckets::Of(std::nan("")), 0u);
}

TEST(LogBucketsTest, NoValueIsToldFarFromWhatItIs) {
  for (double units = 1.5; units < 600'000; units *= 1.013) {
    const double told = LogBuckets::ValueOf(LogBuckets::Of(units));
    EXPECT_LE(std::abs(told - units) / units, 0.0477) << units;
  }
}

TEST(SketchTest, FewSamplesSayNothing) {
  Sketch sketch;
  for (int i = 0; i < 19; ++i) sketch.Add(100, At(1));
  EXPECT_EQ(sketch.Over5Minutes(At(1), kQuantiles).at[0], 0);
  EXPECT_EQ(sketch.Over5Minutes(At(1), kQuantiles).samples, 19u);
  sketch.Add(100, At(1));
  EXPECT_NEAR(sketch.Over5Minutes(At(1), kQuantiles).at[0], 100, 4.77);
}

TEST(SketchTest, QuantilesAreThoseOfTheSamples) {
  testing::SeededRng rng(7);
  Sketch sketch;
  std::vector<double> samples;
  for (int i = 0; i < 5000; ++i) {
    samples.push_back(1 + static_cast<double>(rng.Below(20'000)));
    sketch.Add(samples.back(), At(10));
  }
  std::ranges::sort(samples);
  const Sketch::Figures figures = sketch.Over5Minutes(At(20), kQuantiles);
  for (size_t k = 0; k < kQuantiles.size(); ++k) {
    const double exact = samples[static_cast<size_t>(std::ceil(kQuantiles[k] * 5000)) - 1];
    EXPECT_LE(std::abs(figures.at[k] - exact) / exact, 0.0478) << kQuantiles[k];
  }
}

TEST(SketchTest, ForgetsWhatIsOlderThanItsWindow) {
  Sketch sketch;
  for (int i = 0; i < 30; ++i) sketch.Add(1000, At(0));
  EXPECT_EQ(sketch.Over5Minutes(At(359), kQuantiles).samples, 30u);
  EXPECT_EQ(sketch.Over5Minutes(At(360), kQuantiles).samples, 0u);
  EXPECT_EQ(sketch.Over30Minutes(At(1799), kQuantiles).samples, 30u);
  EXPECT_EQ(sketch.Over30Minutes(At(1800), kQuantiles).samples, 0u);
  for (int i = 0; i < 30; ++i) sketch.Add(10, At(400));
  EXPECT_NEAR(sketch.Over5Minutes(At(400), kQuantiles).at[0], 10, 0.5);
}

TEST(SketchTest, AClockThatGoesBackClearsNothing) {
  Sketch sketch;
  for (int i = 0; i < 30; ++i) sketch.Add(1000, At(4000));
  sketch.Add(1000, At(10));
  EXPECT_EQ(sketch.Over5Minutes(At(10), kQuantiles).samples, 31u);
  EXPECT_EQ(sketch.Over5Minutes(At(4000), kQuantiles).samples, 31u);
}

TEST(SketchTest, AFullBucketKeepsItsShape) {
  Sketch sketch;
  for (int i = 0; i < 200'000; ++i) sketch.Add(i % 4 == 0 ? 5000 : 50, At(1));
  const Sketch::Figures figures = sketch.Over5Minutes(At(1), kQuantiles);
  EXPECT_NEAR(figures.at[0], 50, 2.5);
  EXPECT_NEAR(figures.at[2], 5000, 250);
}

}  // namespace
}  // namespace seekroute
