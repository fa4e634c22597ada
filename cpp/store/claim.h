// What a request with an Idempotency-Key claims, and what who repeats it is told.
#pragma once

#include <cstdint>
#include <string>

#include "base/digest.h"
#include "base/error.h"
#include "base/time.h"

namespace seekroute {

// For so long a claim keeps its name from being sent again.
inline constexpr int64_t kClaimKeptSeconds = int64_t{24} * 3600;

// Digests: neither the API key, nor the header, nor the body can be had from them.
struct IdempotencyClaim {
  Mac name{};  // of the API key's id and the header's value
  Mac body{};
};

// A claim that a store has kept.
struct KeptClaim {
  IdempotencyClaim claim;
  std::string generation_id;
  UnixSeconds at;  // when it was made
};

// The name was taken by the request of `generation_id`, which runs or has ended.
Error ClaimInProgress(const std::string& generation_id);
Error ClaimCompleted(const std::string& generation_id);
// The name was taken for another body.
Error ClaimMismatch();

}  // namespace seekroute
