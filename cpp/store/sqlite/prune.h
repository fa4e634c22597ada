// Forgetting old requests while the sums stay.
#pragma once

#include "store/sqlite/ledger_writer.h"

namespace seekroute {

// What Prune() dropped.
struct Pruned {
  int64_t entries = 0;
  int64_t requests = 0;
};

// Replaces the journal's entries before `older_than` by one opening entry an organization, and
// drops the requests that ended there. Top-ups, adjustments and refunds keep their ids, so that
// none is booked twice; the totals of days stay; a dropped request cannot be refunded. In
// transactions of bounded size between the writer's batches. Thread-safe; not from the writer's
// callbacks.
Result<Pruned> Prune(LedgerWriter* writer, UnixMillis older_than);

}  // namespace seekroute
