// The tables of a ledger file, and how an older file becomes a current one.
#pragma once

#include <string>

#include "base/result.h"
#include "store/sqlite/database.h"

namespace seekroute {

inline constexpr int64_t kSchemaVersion = 4;
// "Skrt" in the file's header, so that another program's database is not taken for a ledger.
inline constexpr int64_t kApplicationId = 0x536b7274;

// request.state. Stored: never reused.
enum class RequestState : int64_t { kHeld = 0, kSettled = 1, kVoided = 2, kExpired = 3 };

// Brings the file at `path` to kSchemaVersion in one transaction, after copying it to
// `path`.v<old>.bak (or .v<old>.2.bak, ..., the first name that is free) unless it was empty or
// such a copy of it is there. Fails on a file that is newer, or is no ledger.
Status Migrate(Database* db, const std::string& path);

// Fails unless the file is a ledger of kSchemaVersion: for readers, which change nothing.
Status CheckVersion(Database* db);

// The names of the triggers that keep the journal from being rewritten.
inline constexpr const char* kGuards[] = {"entry_is_final", "entry_is_kept", "request_is_final",
                                          "request_is_same", "request_is_kept"};

}  // namespace seekroute
