#include "gateway/laps.h"

#include <gtest/gtest.h>

#include "testing/virtual_world.h"

namespace seekroute {
namespace {

TEST(LapsTest, EachEndsWhereTheNextBegins) {
  testing::VirtualClock clock;
  Laps laps(&clock);
  clock.MoveTo(clock.Now() + Duration::Seconds(5));
  laps.Begin();
  clock.MoveTo(clock.Now() + Duration{41'400});
  laps.End("parse");
  clock.MoveTo(clock.Now() + Duration{1'500'000});
  laps.End("auth");
  clock.MoveTo(clock.Now() + Duration::Milliseconds(2000));
  laps.End("parse");
  laps.End("plan");
  EXPECT_EQ(laps.Header(), "parse;dur=2000.041, auth;dur=1.500, plan;dur=0.000");
}

TEST(LapsTest, WithoutAClockNothingIsTimed) {
  Laps laps;
  laps.Begin();
  laps.End("parse");
  EXPECT_EQ(laps.Header(), "");
}

}  // namespace
}  // namespace seekroute
