// Orders to a ledger: what an operator does to an account, and what became of it.
#pragma once

#include <cstdint>
#include <string>

#include "base/money.h"
#include "base/result.h"
#include "billing/ledger.h"

namespace seekroute {

// What an operator does to an account, or the gateway to its own charge. `id` makes it happen once.
struct LedgerOrder {
  enum class Kind : uint8_t {
    kTopup,
    kAdjust,
    kChargeback,
    kRefund,
    kUndelivered,  // a refund (of 0: none), after which the request may be sent again
  };
  Kind kind = Kind::kTopup;
  std::string id;
  std::string org;      // not of refunds
  std::string request;  // generation id, of refunds
  Money amount;
  std::string note;  // why, of an adjustment
};

struct OrderAnswer {
  Status status;  // ok: `result` says what became of it
  LedgerResult result = LedgerResult::kInvalid;
  Postings balance;  // of the organization, afterwards
};

// What becomes of the holds of a process that is gone, at the next start.
enum class Orphans : uint8_t {
  kExpire,  // given back uncharged
  kCharge,  // one with a progress note is charged by it, the others expire
};

}  // namespace seekroute
