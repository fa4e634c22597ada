// Addresses a gateway must not be talked into calling: itself, its host, its cloud's metadata
// service, its private network. Looked at on the resolved address, so DNS cannot go around it.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

struct sockaddr;

namespace seekroute {

// Network order. True unless the address is ordinary global unicast: the IANA special-purpose
// registries (loopback, private, shared, link-local, multicast, documentation, benchmarking, ...),
// and IPv6 forms that embed an IPv4 address, judged as special whatever they embed.
bool IsSpecialAddress(const std::array<uint8_t, 4>& ipv4);
bool IsSpecialAddress(const std::array<uint8_t, 16>& ipv6);

// True for the above, and for every family that is neither IPv4 nor IPv6.
bool IsSpecialAddress(const sockaddr& address);

// The same on an address literal without brackets; true when it is none.
bool IsSpecialAddress(std::string_view literal);

}  // namespace seekroute
