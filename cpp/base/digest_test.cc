#include "base/digest.h"

#include <gtest/gtest.h>

#include <string>

namespace seekroute {
namespace {

std::string Hex(const Mac& mac) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : mac) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

// Cases 1, 2 and 6 of RFC 4231; the last key is longer than a block.
TEST(Digest, HmacIsThatOfTheRfc) {
  EXPECT_EQ(Hex(HmacSha256(Secret(std::string(20, '\x0b')), "Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(Hex(HmacSha256(Secret("Jefe"), "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(Hex(HmacSha256(Secret(std::string(131, '\xaa')),
                           "Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Digest, AKeyThatIsMadeReadyAnswersAgainAndAgain) {
  const MacKey key(Secret("Jefe"));
  const Mac first = key.Of("what do ya want for nothing?");
  EXPECT_EQ(first, HmacSha256(Secret("Jefe"), "what do ya want for nothing?"));
  EXPECT_NE(key.Of("another"), first);
  EXPECT_EQ(key.Of("what do ya want for nothing?"), first);
}

TEST(Digest, NothingHasADigest) {
  EXPECT_EQ(Hex(Sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Hex(HmacSha256(Secret(), {})),
            "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(Digest, ComparesWhole) {
  const Mac one = Sha256("one");
  Mac other = one;
  EXPECT_TRUE(ConstantTimeEqual(one, other));
  other.back() ^= 1;
  EXPECT_FALSE(ConstantTimeEqual(one, other));
}

}  // namespace
}  // namespace seekroute
