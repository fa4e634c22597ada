#include "store/store.h"

#include <algorithm>

namespace seekroute {

Money ShareOf(Money amount, Money at_least, Money available) {
  const Money half{available.nano / 2};
  return std::min(amount, std::max(at_least, half));
}

Money ExchangeRecord::Suspected() const {
  Money sum;
  for (const AttemptRecord& attempt : tried) {
    if (__builtin_add_overflow(sum.nano, attempt.suspected.nano, &sum.nano)) return kUnlimitedLine;
  }
  return sum;
}

// Not in the header: GCC 12 at -O3 inlines it into the caller, takes the observer for the caller
// itself, and calls memcpy() in the place of its OnStored().
void NullStore::Hold(StoreTicket ticket, const ExchangeRecord&, const HoldRequest& request,
                     StoreObserver* observer) {
  observer->OnHeld(ticket, {Status(), request.amount, request.amount, false});
}

void NullStore::Settle(StoreTicket ticket, const ExchangeRecord&, StoreObserver* observer) {
  observer->OnStored(ticket, Status());
}

}  // namespace seekroute
