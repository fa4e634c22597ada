// HMAC-SHA-256, SHA-256 and constant-time comparison. The only room that sees OpenSSL.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/secret.h"

namespace seekroute {

using Mac = std::array<uint8_t, 32>;

// HMAC-SHA-256(key, message). Thread-safe.
Mac HmacSha256(const Secret& key, std::string_view message);

// SHA-256 of `message`, which is no secret. Thread-safe.
Mac Sha256(std::string_view message);

// Compares without a branch on the content.
bool ConstantTimeEqual(const Mac& a, const Mac& b);

}  // namespace seekroute
