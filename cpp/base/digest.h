// HMAC-SHA-256, SHA-256 and constant-time comparison. The only room that sees OpenSSL.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/secret.h"

namespace seekroute {

using Mac = std::array<uint8_t, 32>;

// A key of HMAC-SHA-256 (RFC 2104) that is made ready once, for what every request asks. It holds
// the key's bytes, and overwrites them in the end. Thread-safe.
class MacKey {
 public:
  explicit MacKey(const Secret& key);
  ~MacKey();
  MacKey(const MacKey&) = delete;
  MacKey& operator=(const MacKey&) = delete;

  Mac Of(std::string_view message) const;

 private:
  static constexpr size_t kBlock = 64;  // bytes that SHA-256 takes at once

  std::array<uint8_t, kBlock> inner_ = {};
  std::array<uint8_t, kBlock> outer_ = {};
};

// HMAC-SHA-256(key, message). Thread-safe.
Mac HmacSha256(const Secret& key, std::string_view message);

// SHA-256 of `message`, which is no secret. Thread-safe.
Mac Sha256(std::string_view message);

// Compares without a branch on the content.
bool ConstantTimeEqual(const Mac& a, const Mac& b);

}  // namespace seekroute
