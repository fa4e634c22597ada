#include "base/crc32c.h"

#include <gtest/gtest.h>

#include <string>

namespace seekroute {
namespace {

TEST(Crc32cTest, IsTheOneOfTheStandard) {
  EXPECT_EQ(Crc32c(""), 0U);
  EXPECT_EQ(Crc32c("123456789"), 0xE3069283U);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8A9136AAU);  // RFC 3720, B.4
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62A8AB43U);
}

}  // namespace
}  // namespace seekroute
