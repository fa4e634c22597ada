// A copy of a ledger that is in use.
#pragma once

#include <string>

#include "base/result.h"
#include "store/sqlite/database.h"

namespace seekroute {

// Copies `from` to `path` as of one moment, durable when it returns. Writers are not held up. Fails
// when `path` exists; leaves nothing behind when it fails.
Status BackUp(Database* from, const std::string& path);

}  // namespace seekroute
