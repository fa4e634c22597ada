// What running requests had delivered when it was last written down: what an orphan is charged,
// where the operator wants that.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "store/sqlite/database.h"
#include "store/sqlite/sqlite_journal.h"
#include "store/store.h"

namespace seekroute {

// Inside the transaction that the caller has opened; failures are the journal's. Writer's thread.
class ProgressNotes {
 public:
  // Nothing is owned; both outlive it.
  static Result<std::unique_ptr<ProgressNotes>> Make(Database* db, SqliteJournal* journal);

  // Replaces what is known of the request, which must be held.
  void Put(const ExchangeRecord& row, UnixMillis at);
  // The request ends in this transaction.
  void Remove(std::string_view generation);
  // The row that settles an orphan by its progress note; nothing when it has none. Its cost may be
  // more than was held.
  std::optional<ExchangeRecord> RowOf(std::string_view generation);

 private:
  ProgressNotes() = default;

  SqliteJournal* journal_ = nullptr;
  Statement put_, remove_, find_;
  bool any_ = false;  // false: the table is empty, and a request's end need not look
};

}  // namespace seekroute
