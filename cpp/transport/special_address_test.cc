#include "transport/special_address.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <string>

namespace seekroute {
namespace {

struct Case {
  const char* literal;
  bool special;
};

class SpecialAddressTest : public testing::TestWithParam<Case> {};

TEST_P(SpecialAddressTest, IsJudgedByItsBlock) {
  EXPECT_EQ(IsSpecialAddress(std::string_view(GetParam().literal)), GetParam().special)
      << GetParam().literal;
}

// The first and the last address of every block, and their neighbours outside it.
INSTANTIATE_TEST_SUITE_P(
    Ipv4, SpecialAddressTest,
    testing::Values(
        Case{"0.0.0.0", true}, Case{"0.255.255.255", true}, Case{"1.0.0.0", false},
        Case{"9.255.255.255", false}, Case{"10.0.0.0", true}, Case{"10.255.255.255", true},
        Case{"11.0.0.0", false}, Case{"100.63.255.255", false}, Case{"100.64.0.0", true},
        Case{"100.127.255.255", true}, Case{"100.128.0.0", false}, Case{"126.255.255.255", false},
        Case{"127.0.0.1", true}, Case{"127.255.255.255", true}, Case{"128.0.0.0", false},
        Case{"169.253.255.255", false}, Case{"169.254.169.254", true}, Case{"169.255.0.0", false},
        Case{"172.15.255.255", false}, Case{"172.16.0.0", true}, Case{"172.31.255.255", true},
        Case{"172.32.0.0", false}, Case{"191.255.255.255", false}, Case{"192.0.0.0", true},
        Case{"192.0.0.255", true}, Case{"192.0.1.0", false}, Case{"192.0.2.1", true},
        Case{"192.0.3.0", false}, Case{"192.88.99.1", true}, Case{"192.88.98.255", false},
        Case{"192.167.255.255", false}, Case{"192.168.0.0", true}, Case{"192.168.255.255", true},
        Case{"192.169.0.0", false}, Case{"198.17.255.255", false}, Case{"198.18.0.0", true},
        Case{"198.19.255.255", true}, Case{"198.20.0.0", false}, Case{"198.51.100.7", true},
        Case{"198.51.101.0", false}, Case{"203.0.113.7", true}, Case{"203.0.114.0", false},
        Case{"223.255.255.255", false}, Case{"224.0.0.0", true}, Case{"239.255.255.255", true},
        Case{"240.0.0.0", true}, Case{"255.255.255.255", true}, Case{"8.8.8.8", false}));

INSTANTIATE_TEST_SUITE_P(
    Ipv6, SpecialAddressTest,
    testing::Values(
        Case{"::", true}, Case{"::1", true}, Case{"::ffff:8.8.8.8", true},
        Case{"::ffff:127.0.0.1", true}, Case{"::8.8.8.8", true}, Case{"64:ff9b::808:808", true},
        Case{"64:ff9b:1::1", true}, Case{"100::1", true}, Case{"1fff:ffff::", true},
        Case{"2001::1", true}, Case{"2001:1ff:ffff::", true}, Case{"2001:200::", false},
        Case{"2001:db7:ffff::", false}, Case{"2001:db8::1", true}, Case{"2001:db8:ffff::1", true},
        Case{"2001:db9::", false}, Case{"2002:7f00:1::", true}, Case{"2002:808:808::", true},
        Case{"2003::", false}, Case{"2606:4700:4700::1111", false}, Case{"2620:4f:8000::1", true},
        Case{"2620:4f:8001::", false}, Case{"3ffe:ffff::", false}, Case{"3fff::1", true},
        Case{"3fff:fff:ffff::", true}, Case{"3fff:1000::", false}, Case{"4000::", true},
        Case{"fbff::", true}, Case{"fc00::1", true}, Case{"fdff:ffff::1", true},
        Case{"fe80::1", true}, Case{"fec0::1", true}, Case{"ff02::1", true}));

INSTANTIATE_TEST_SUITE_P(NoAddress, SpecialAddressTest,
                         testing::Values(Case{"", true}, Case{"localhost", true},
                                         Case{"8.8.8", true}, Case{"fe80::1%eth0", true}));

TEST(SpecialAddressTest, LongTextIsSpecial) {
  EXPECT_TRUE(IsSpecialAddress(std::string_view(std::string(1000, '1'))));
}

TEST(SpecialAddressTest, SockaddrIsJudgedByItsFamily) {
  sockaddr_in public4 = {};
  public4.sin_family = AF_INET;
  public4.sin_addr.s_addr = htonl(0x08080808);
  EXPECT_FALSE(IsSpecialAddress(*reinterpret_cast<const sockaddr*>(&public4)));
  public4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_TRUE(IsSpecialAddress(*reinterpret_cast<const sockaddr*>(&public4)));

  sockaddr_in6 public6 = {};
  public6.sin6_family = AF_INET6;
  public6.sin6_addr.s6_addr[0] = 0x26;
  EXPECT_FALSE(IsSpecialAddress(*reinterpret_cast<const sockaddr*>(&public6)));
  public6.sin6_addr.s6_addr[0] = 0xFD;
  EXPECT_TRUE(IsSpecialAddress(*reinterpret_cast<const sockaddr*>(&public6)));

  sockaddr_un local = {};
  local.sun_family = AF_UNIX;
  EXPECT_TRUE(IsSpecialAddress(*reinterpret_cast<const sockaddr*>(&local)));
}

}  // namespace
}  // namespace seekroute
