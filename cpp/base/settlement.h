// How the charge of a request was found.
#pragma once

#include <cstdint>
#include <string_view>

namespace seekroute {

enum class Settlement : uint8_t {
  kExact,      // from the provider's usage
  kEstimated,  // the answer is complete, its usage is not: from our own count
  kPartial,    // the client left in the middle: what it had been sent
  kCancelled,  // the client left before any content
  kFailed,     // no answer, or none that was complete
  kFree,       // answered, and not charged for
};
inline constexpr int kSettlementCount = static_cast<int>(Settlement::kFree) + 1;

// The word in rows and reports: "exact", "estimated", ...
std::string_view NameOf(Settlement settlement);

}  // namespace seekroute
