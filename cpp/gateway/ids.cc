#include "gateway/ids.h"

#include <algorithm>
#include <array>

#include "base/key_shapes.h"

namespace seekroute {
namespace {

constexpr size_t kMaxRequestId = 128;
constexpr std::string_view kBase32 = "0123456789abcdefghjkmnpqrstvwxyz";
constexpr std::string_view kHex = "0123456789abcdef";

// Both kinds of id: 48 bits of milliseconds, 80 of randomness.
std::array<uint8_t, 16> TimeAndRandomness(UnixMillis now, Rng* rng) {
  std::array<uint8_t, 16> bytes{};
  const uint64_t ms = static_cast<uint64_t>(now.ms);
  for (size_t i = 0; i < 6; ++i) bytes[i] = static_cast<uint8_t>(ms >> (8 * (5 - i)));
  const uint64_t a = rng->Next();
  const uint64_t b = rng->Next();
  for (size_t i = 0; i < 2; ++i) bytes[6 + i] = static_cast<uint8_t>(a >> (8 * i));
  for (size_t i = 0; i < 8; ++i) bytes[8 + i] = static_cast<uint8_t>(b >> (8 * i));
  return bytes;
}

}  // namespace

std::string NewGenerationId(std::string_view prefix, UnixMillis now, Rng* rng) {
  const std::array<uint8_t, 16> bytes = TimeAndRandomness(now, rng);
  std::string id(prefix);
  uint32_t bits = 0;
  int held = 2;  // 128 bits are 26 groups of five with two bits to spare, put in front as zeros
  for (const uint8_t byte : bytes) {
    bits = (bits << 8) | byte;
    held += 8;
    while (held >= 5) {
      held -= 5;
      id += kBase32[(bits >> held) & 31];
    }
  }
  return id;
}

std::string NewRequestId(UnixMillis now, Rng* rng) {
  std::array<uint8_t, 16> bytes = TimeAndRandomness(now, rng);
  bytes[6] = static_cast<uint8_t>(0x70 | (bytes[6] & 0x0f));  // version 7
  bytes[8] = static_cast<uint8_t>(0x80 | (bytes[8] & 0x3f));  // RFC 9562 variant
  std::string id;
  id.reserve(36);
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) id += '-';
    id += kHex[bytes[i] >> 4];
    id += kHex[bytes[i] & 15];
  }
  return id;
}

bool IsAcceptableRequestId(std::string_view offered) {
  return !offered.empty() && offered.size() <= kMaxRequestId && !HasKey(offered) &&
         std::all_of(offered.begin(), offered.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_' || c == ':' || c == '-';
         });
}

}  // namespace seekroute
