// What was used of limits and outlives a restart, as values and as bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"
#include "base/varint.h"
#include "limits/limit_set.h"
#include "limits/meter.h"

namespace seekroute {

// Of one limiter. Value type.
struct LimitState {
  // About so many bytes are written at most. Of more holders some begin anew, keys first.
  static constexpr size_t kMostBytes = size_t{24} << 20;
  static constexpr size_t kMostIdBytes = 1024;  // of a holder; a longer one is not written
  static constexpr uint32_t kMostShards = 64;

  struct Holder {
    LimitScope scope = LimitScope::kKey;
    uint32_t shard = 0;  // of a key: the part of the limiter that has its organization
    std::string id;
    Meter::Kept used;
    friend bool operator==(const Holder&, const Holder&) = default;
  };

  std::vector<Holder> holders;  // of which something is used
  friend bool operator==(const LimitState&, const LimitState&) = default;

  // As it would have been kept `passed` later, were nothing asked meanwhile. `passed`: not
  // negative, and a day at most.
  void Age(Duration passed);
};

void WriteLimitState(const LimitState& state, VarintWriter* out);

// Of bytes that are something else `in` is not ok() any more. Figures are within their bounds,
// whatever the bytes are. Linear.
LimitState ReadLimitState(VarintReader* in);

}  // namespace seekroute
