#include "gateway/ids.h"

#include <gtest/gtest.h>

#include <set>

namespace seekroute {
namespace {

class CountingRng : public Rng {
 public:
  uint64_t Next() override { return state_ += 0x9E3779B97F4A7C15u; }

 private:
  uint64_t state_ = 0;
};

TEST(IdsTest, GenerationIdsAreDistinctAndSortByAge) {
  CountingRng rng;
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(NewGenerationId("gen-", {1'700'000'000'000}, &rng));
  EXPECT_EQ(seen.size(), 1000u);
  EXPECT_EQ(seen.begin()->size(), 4u + 26u);
  EXPECT_LT(*seen.rbegin(), NewGenerationId("gen-", {1'700'000'000'001}, &rng));
}

TEST(IdsTest, RequestIdsAreUuid7) {
  CountingRng rng;
  const std::string id = NewRequestId({1'700'000'000'000}, &rng);
  ASSERT_EQ(id.size(), 36u);
  EXPECT_EQ(id[14], '7');
  EXPECT_NE(std::string("89ab").find(id[19]), std::string::npos);
}

TEST(IdsTest, EchoesOnlyHarmlessRequestIds) {
  EXPECT_TRUE(IsAcceptableRequestId("a-B_9.x:y"));
  EXPECT_FALSE(IsAcceptableRequestId(""));
  EXPECT_FALSE(IsAcceptableRequestId(std::string(129, 'a')));
  for (const char* bad : {"a b", "a\r\nx: y", "\xc3\xa9", "<script>", "a\"b"}) {
    EXPECT_FALSE(IsAcceptableRequestId(bad)) << bad;
  }
}

}  // namespace
}  // namespace seekroute
