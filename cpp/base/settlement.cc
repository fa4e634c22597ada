#include "base/settlement.h"

#include <array>

namespace seekroute {

std::string_view NameOf(Settlement settlement) {
  constexpr std::array<std::string_view, kSettlementCount> kNames = {
      "exact", "estimated", "partial", "cancelled", "failed", "free"};
  return kNames[static_cast<size_t>(settlement)];
}

}  // namespace seekroute
