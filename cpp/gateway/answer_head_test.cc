#include "gateway/answer_head.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "base/time.h"

namespace seekroute {
namespace {

TEST(AnswerHeadTest, TellsTheOverheadInMillisecondsWithThreePlaces) {
  const std::pair<int64_t, const char*> cases[] = {
      {0, "0.000"},           {499, "0.000"},
      {500, "0.001"},         {42'000, "0.042"},
      {999'499, "0.999"},     {999'500, "1.000"},
      {12'034'567, "12.035"}, {3'600'000'000'000, "3600000.000"}};
  for (const auto& [ns, told] : cases) {
    ExchangeRecord row;
    row.overhead = Duration{ns};
    const ResponseHead head = AnswerHead(row, Profile(), 1, {});
    EXPECT_THAT(head.headers,
                ::testing::Contains(::testing::Pair("x-seekroute-overhead-ms", told)));
  }
}

}  // namespace
}  // namespace seekroute
