#include "transport/special_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

namespace seekroute {
namespace {

struct Ipv4Block {
  uint32_t prefix;
  int bits;
};

// The IANA IPv4 special-purpose registry, and multicast.
constexpr Ipv4Block kIpv4Blocks[] = {
    {0x00000000, 8},   // 0/8: this network
    {0x0A000000, 8},   // 10/8: private
    {0x64400000, 10},  // 100.64/10: shared by carriers
    {0x7F000000, 8},   // 127/8: loopback
    {0xA9FE0000, 16},  // 169.254/16: link-local, cloud metadata
    {0xAC100000, 12},  // 172.16/12: private
    {0xC0000000, 24},  // 192.0.0/24: protocol assignments
    {0xC0000200, 24},  // 192.0.2/24: documentation
    {0xC0586300, 24},  // 192.88.99/24: 6to4 relays, withdrawn
    {0xC0A80000, 16},  // 192.168/16: private
    {0xC6120000, 15},  // 198.18/15: benchmarking
    {0xC6336400, 24},  // 198.51.100/24: documentation
    {0xCB007100, 24},  // 203.0.113/24: documentation
    {0xE0000000, 4},   // 224/4: multicast
    {0xF0000000, 4},   // 240/4: reserved, broadcast
};

struct Ipv6Block {
  std::array<uint8_t, 6> prefix;  // none is longer than 48 bits
  int bits;
};

// Only 2000::/3 is global unicast; these are the special blocks inside it. Everything outside
// (unspecified, loopback, mapped, 64:ff9b::/96, discard, unique local, link-local, site-local,
// multicast) is special without being listed.
constexpr Ipv6Block kIpv6Blocks[] = {
    {{0x20, 0x01, 0x00}, 23},              // 2001::/23: protocol assignments, Teredo, ORCHID
    {{0x20, 0x01, 0x0D, 0xB8}, 32},        // 2001:db8::/32: documentation
    {{0x20, 0x02}, 16},                    // 2002::/16: 6to4, embeds an IPv4 address
    {{0x26, 0x20, 0x00, 0x4F, 0x80}, 48},  // 2620:4f:8000::/48: AS112
    {{0x3F, 0xFF, 0x00}, 20},              // 3fff::/20: documentation
};

bool HasPrefix(const std::array<uint8_t, 16>& address, const Ipv6Block& block) {
  const auto whole = static_cast<size_t>(block.bits / 8);
  if (std::memcmp(address.data(), block.prefix.data(), whole) != 0) return false;
  const int rest = block.bits % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<uint8_t>(0xFF << (8 - rest));
  return (address[whole] & mask) == (block.prefix[whole] & mask);
}

}  // namespace

bool IsSpecialAddress(const std::array<uint8_t, 4>& ipv4) {
  const uint32_t address = (static_cast<uint32_t>(ipv4[0]) << 24) |
                           (static_cast<uint32_t>(ipv4[1]) << 16) |
                           (static_cast<uint32_t>(ipv4[2]) << 8) | ipv4[3];
  for (const Ipv4Block& block : kIpv4Blocks) {
    const uint32_t mask = ~uint32_t{0} << (32 - block.bits);
    if ((address & mask) == block.prefix) return true;
  }
  return false;
}

bool IsSpecialAddress(const std::array<uint8_t, 16>& ipv6) {
  if ((ipv6[0] & 0xE0) != 0x20) return true;  // not 2000::/3
  for (const Ipv6Block& block : kIpv6Blocks) {
    if (HasPrefix(ipv6, block)) return true;
  }
  return false;
}

bool IsSpecialAddress(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, &address, sizeof in);
    std::array<uint8_t, 4> bytes;
    std::memcpy(bytes.data(), &in.sin_addr, bytes.size());
    return IsSpecialAddress(bytes);
  }
  if (address.sa_family == AF_INET6) {
    sockaddr_in6 in;
    std::memcpy(&in, &address, sizeof in);
    std::array<uint8_t, 16> bytes;
    std::memcpy(bytes.data(), &in.sin6_addr, bytes.size());
    return IsSpecialAddress(bytes);
  }
  return true;
}

bool IsSpecialAddress(std::string_view literal) {
  char text[INET6_ADDRSTRLEN];
  if (literal.size() >= sizeof text) return true;
  literal.copy(text, literal.size());
  text[literal.size()] = '\0';
  std::array<uint8_t, 4> ipv4;
  if (inet_pton(AF_INET, text, ipv4.data()) == 1) return IsSpecialAddress(ipv4);
  std::array<uint8_t, 16> ipv6;
  if (inet_pton(AF_INET6, text, ipv6.data()) == 1) return IsSpecialAddress(ipv6);
  return true;
}

}  // namespace seekroute
