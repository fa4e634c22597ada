#include "base/counted.h"

#include <gtest/gtest.h>

namespace seekroute {
namespace {

TEST(Counted, SaysManyOfAllButOne) {
  EXPECT_EQ(Counted(0, "token"), "0 tokens");
  EXPECT_EQ(Counted(1, "token"), "1 token");
  EXPECT_EQ(Counted(2, "token"), "2 tokens");
}

TEST(Counted, ASpanIsNeverSaidToBeShorterThanItIs) {
  EXPECT_EQ(SpanInWords(0), "0 ms");
  EXPECT_EQ(SpanInWords(999), "999 ms");
  EXPECT_EQ(SpanInWords(1000), "1 s");
  EXPECT_EQ(SpanInWords(1001), "2 s");
  EXPECT_EQ(SpanInWords(59'001), "1 min");
  EXPECT_EQ(SpanInWords(545'000), "9 min 5 s");
  EXPECT_EQ(SpanInWords(599'952), "10 min");
  EXPECT_EQ(SpanInWords(3'600'000), "1 h");
  EXPECT_EQ(SpanInWords(3'600'001), "1 h 1 min");
}

}  // namespace
}  // namespace seekroute
