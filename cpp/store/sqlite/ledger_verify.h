// The ledger's invariants, as far as its file shows them.
#pragma once

#include "store/sqlite/ledger_reader.h"

namespace seekroute {

// Reads the whole journal under one read transaction; memory is one record an organization.
Result<LedgerReport> VerifyLedger(Database* db);

}  // namespace seekroute
