// The ledger's invariants, as far as its file shows them.
#pragma once

#include "store/sqlite/ledger_reader.h"

namespace seekroute {

// Reads the whole journal under one read transaction; memory is one record an organization.
// `seen`: the number of an entry that the journal is known to have had; 0: of none.
Result<LedgerReport> VerifyLedger(Database* db, int64_t seen);

}  // namespace seekroute
