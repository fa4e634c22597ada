#include "store/sqlite/prune.h"

#include <algorithm>

namespace seekroute {
namespace {

constexpr int64_t kEntriesPerStep = 50'000;

// Runs one statement with its parameters; false: it failed.
template <typename... Values>
bool Execute(Database* db, std::string_view sql, const Values&... values) {
  Result<Statement> statement = db->Prepare(sql);
  if (!statement) return false;
  statement->Bind(values...);
  return statement->Run() == SQLITE_OK;
}

template <typename... Values>
bool Ask(Database* db, int64_t* answer, std::string_view sql, const Values&... values) {
  Result<Statement> statement = db->Prepare(sql);
  if (!statement) return false;
  statement->Bind(values...);
  if (statement->Step() != SQLITE_ROW) return false;
  *answer = statement->Int(0);
  statement->Reset();
  return true;
}

// Requests are numbered in the order of their holds: the last one whose hold is not after ?1.
#define SR_LAST_REQUEST                                                                    \
  "(SELECT coalesce((SELECT request FROM entry WHERE seq <= ?1 AND kind = 2 ORDER BY seq " \
  "DESC LIMIT 1), 0))"

// The last entry that can go: nothing after it, and no request that stays, refers to it or to one
// before it. Each round moves it before one more request that straddles it.
bool FindCut(Database* db, UnixMillis older_than, int64_t limit, int64_t* cut) {
  if (!Ask(db, cut,
           "SELECT coalesce((SELECT seq - 1 FROM entry WHERE at >= ? AND seq <= ? "
           "ORDER BY seq LIMIT 1), ?)",
           older_than.ms, limit, limit)) {
    return false;
  }
  for (;;) {
    int64_t before = 0;
    if (!Ask(db, &before,
             "SELECT coalesce(min(r.hold_seq), ?1 + 1) FROM request r WHERE r.n <= " SR_LAST_REQUEST
             " AND "
             "(r.end_seq IS NULL OR r.end_seq > ?1 OR EXISTS (SELECT 1 FROM entry e WHERE "
             "e.kind = 7 AND e.request = r.n AND e.seq > ?1))",
             *cut)) {
      return false;
    }
    // An overrun is not parted from its settlement.
    int64_t kind = 0;
    if (!Ask(db, &kind, "SELECT coalesce((SELECT kind FROM entry WHERE seq = ?), 0)", before)) {
      return false;
    }
    const int64_t next = before - 1 - (kind == static_cast<int64_t>(EntryKind::kOverrun) ? 1 : 0);
    if (next >= *cut) return true;
    *cut = next;
  }
}

bool RollUp(Database* db, int64_t cut, Pruned* pruned) {
  constexpr std::string_view kOrders =
      "INSERT INTO past_order SELECT e.kind, e.id, e.org, coalesce(r.generation, ''), e.available, "
      "e.held, e.debt, e.cash, e.revenue, e.loss, e.at, coalesce(e.note, '') FROM entry e "
      "LEFT JOIN request r ON r.n = e.request WHERE e.seq <= ? AND e.id IS NOT NULL";
  constexpr std::string_view kSums =
      "CREATE TEMP TABLE opening AS SELECT org, sum(available) AS available, sum(debt) AS debt, "
      "sum(cash) AS cash, sum(revenue) AS revenue, sum(loss) AS loss, max(at) AS at FROM entry "
      "WHERE seq <= ? GROUP BY org";
  // Numbered so that the last of them is the last that went: the journal stays gapless.
  constexpr std::string_view kOpenings =
      "INSERT INTO entry (seq, kind, org, available, held, debt, cash, revenue, loss, at) "
      "SELECT ? - (SELECT count(*) FROM temp.opening) + rowid, 9, org, available, 0, debt, cash, "
      "revenue, loss, at FROM temp.opening";
  if (!Execute(db, "INSERT INTO pruning VALUES (1)") || !Execute(db, kOrders, cut)) return false;
  if (!Execute(db, "DELETE FROM attempt WHERE request <= " SR_LAST_REQUEST, cut)) return false;
  if (!Execute(db, "DELETE FROM request WHERE n <= " SR_LAST_REQUEST, cut)) return false;
  pruned->requests += sqlite3_changes64(db->handle());
  if (!Execute(db, kSums, cut) || !Execute(db, "DELETE FROM entry WHERE seq <= ?", cut)) {
    return false;
  }
  pruned->entries += sqlite3_changes64(db->handle());
  if (!Execute(db, kOpenings, cut)) return false;
  pruned->entries -= sqlite3_changes64(db->handle());
  return Execute(db, "DROP TABLE temp.opening") && Execute(db, "DELETE FROM pruning");
}

}  // namespace

Result<Pruned> Prune(LedgerWriter* writer, UnixMillis older_than) {
  Pruned pruned;
  bool more = true;
  const auto step = [&](Database* db, Ledger* ledger, SqliteJournal* journal) -> Status {
    const auto fail = [db, journal](std::string_view doing) {
      Error error = db->LastError(doing);
      if (!journal->ok()) error = *journal->error();
      db->RollbackIfOpen();
      journal->OnRollback();
      return error;
    };
    more = false;
    if (db->Execute("BEGIN IMMEDIATE") != SQLITE_OK) return fail("pruning");
    int64_t first = 0;
    int64_t openings = 0;
    int64_t cut = 0;
    if (!Ask(db, &first, "SELECT coalesce(min(seq), 1) FROM entry") ||
        !Ask(db, &openings, "SELECT count(*) FROM entry WHERE kind = 9 AND seq < ? + 1000000",
             first)) {
      return fail("pruning");
    }
    const int64_t limit = std::min(ledger->last_seq(), first + openings + kEntriesPerStep - 1);
    if (!FindCut(db, older_than, limit, &cut)) return fail("pruning");
    if (cut < first + openings) {  // nothing but what is rolled up already
      db->RollbackIfOpen();
      return Status();
    }
    Pruned now;
    if (!RollUp(db, cut, &now)) return fail("pruning");
    // A start replays what follows the snapshot: that must not be before the cut.
    journal->WriteSnapshot(*ledger, false);
    if (!journal->ok() || db->Execute("COMMIT") != SQLITE_OK) return fail("pruning");
    journal->OnCommit();
    pruned.entries += now.entries;
    pruned.requests += now.requests;
    more = cut == limit && limit < ledger->last_seq();
    return Status();
  };
  while (more) {
    Status done = writer->RunTask(step);
    if (!done.ok()) return done.error();
  }
  return pruned;
}

}  // namespace seekroute
