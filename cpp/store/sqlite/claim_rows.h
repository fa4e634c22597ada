// The claims of requests with an Idempotency-Key, in the ledger's file: made in the transaction of
// the hold, so that a restart knows what was sent.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "store/claim.h"
#include "store/sqlite/database.h"
#include "store/sqlite/sqlite_journal.h"

namespace seekroute {

// Inside the transaction that the caller has opened; failures are the journal's. Writer's thread.
class ClaimRows {
 public:
  // Nothing is owned; both outlive it.
  static Result<std::unique_ptr<ClaimRows>> Make(Database* db, SqliteJournal* journal);

  // Why `claim` cannot be made: its name was taken within kClaimKeptSeconds.
  std::optional<Error> Taken(const IdempotencyClaim& claim, UnixSeconds now);
  // Makes it for a request whose hold was written. Drops up to two old ones, so that the table is
  // bounded by the requests of a day also where nobody prunes.
  void Put(const IdempotencyClaim& claim, std::string_view generation, UnixSeconds now);
  // The request was not sent, was stopped by its gateway, or its answer was not delivered by it:
  // its name is free again.
  void Free(std::string_view generation);

  // When the last one was made; 0 where there is none.
  UnixSeconds Newest();
  // What a clock that ran ahead has dated later than `now` counts as made at `now`: at most
  // kClaimKeptSeconds from here, as if it were new, for nobody knows how old it is. Reads all.
  void Redate(UnixSeconds now);

  // The newest `most` that still count, oldest first.
  std::vector<KeptClaim> Kept(UnixSeconds now, size_t most);

 private:
  ClaimRows() = default;

  SqliteJournal* journal_ = nullptr;
  Statement find_, put_, free_, drop_, kept_, newest_, redate_;
};

// Drops at most `most` claims that no longer count, the oldest first, in a transaction that is
// open; tells how many. Negative: it failed.
int64_t DropOldClaims(Database* db, UnixSeconds now, int64_t most);

}  // namespace seekroute
