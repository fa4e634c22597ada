#include "store/store.h"

#include <algorithm>
#include <array>

namespace seekroute {

std::string_view NameOf(Settlement settlement) {
  constexpr std::array<std::string_view, kSettlementCount> kNames = {
      "exact", "estimated", "partial", "cancelled", "failed", "free"};
  return kNames[static_cast<size_t>(settlement)];
}

Money ShareOf(Money amount, Money at_least, Money available) {
  const Money half{available.nano / 2};
  return std::min(amount, std::max(at_least, half));
}

Money ExchangeRow::Suspected() const {
  Money sum;
  for (const AttemptRow& attempt : tried) {
    if (__builtin_add_overflow(sum.nano, attempt.suspected.nano, &sum.nano)) return kUnlimitedLine;
  }
  return sum;
}

// Not in the header: GCC 12 at -O3 inlines it into the caller, takes the observer for the caller
// itself, and calls memcpy() in the place of its OnStored().
void NullStore::Hold(StoreTicket ticket, const ExchangeRow&, const HoldRequest& request,
                     StoreObserver* observer) {
  observer->OnHeld(ticket, {Status(), request.amount, request.amount, false});
}

void NullStore::Settle(StoreTicket ticket, const ExchangeRow&, StoreObserver* observer) {
  observer->OnStored(ticket, Status());
}

}  // namespace seekroute
