#include "store/sqlite/prune.h"

#include <algorithm>

#include "base/failpoint.h"

namespace seekroute {
namespace {

constexpr int64_t kEntriesPerStep = 10'000;

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

// The last entry that can go: none after it is old enough. An overrun is not parted from its
// settlement. Of what a clock that ran ahead has dated later than `now` nobody knows the age: it
// goes with what is old and came after it. `more`: what comes after `limit` may be old enough, too.
bool FindCut(Database* db, UnixMillis older_than, UnixMillis now, int64_t limit, int64_t* cut,
             bool* more) {
  int64_t young = 0;
  int64_t kind = 0;
  if (!Ask(db, &young,
           "SELECT coalesce((SELECT seq FROM entry WHERE at >= ? AND at <= ? AND seq <= ? "
           "ORDER BY seq LIMIT 1), 0)",
           older_than.ms, now.ms, limit) ||
      !Ask(db, cut,
           "SELECT coalesce((SELECT seq FROM entry WHERE at < ? AND seq <= ? "
           "ORDER BY seq DESC LIMIT 1), 0)",
           older_than.ms, young > 0 ? young - 1 : limit) ||
      !Ask(db, &kind, "SELECT coalesce((SELECT kind FROM entry WHERE seq = ? + 1), 0)", *cut)) {
    return false;
  }
  if (kind == static_cast<int64_t>(EntryKind::kOverrun)) --*cut;
  *more = young == 0;
  return true;
}

// Requests are numbered in the order of their holds: these have theirs up to ?1.
#define SR_OLD_REQUESTS                                                                   \
  " n <= (SELECT coalesce((SELECT request FROM entry WHERE seq <= ?1 AND kind = 2 ORDER " \
  "BY seq DESC LIMIT 1), 0)) "
#define SR_IS_NEEDED                                                                               \
  " (EXISTS (SELECT 1 FROM entry e WHERE e.kind = 7 AND e.request = request.n AND e.seq > ?1) OR " \
  "EXISTS (SELECT 1 FROM idempotency i WHERE i.request = request.n)) "

// An organization's openings have what is available or what it owes, never both; the holds behind
// them take it as they would have, so the balance after them is what it was.
// In this order. Of a request that is still held, or ended after the cut, the hold is booked again
// behind the openings. One that ended before, and is refunded after or has a claim that counts,
// keeps its row, without entries.
constexpr std::string_view kRollUp[] = {
    // NOLINTNEXTLINE(bugprone-suspicious-missing-comma): one statement over several lines
    "INSERT INTO past_order SELECT e.kind, e.id, e.org, coalesce(r.generation, ''), e.available, "
    "e.held, e.debt, e.cash, e.revenue, e.loss, e.at, coalesce(e.note, '') FROM entry e "
    "LEFT JOIN request r ON r.n = e.request WHERE e.seq <= ?1 AND e.id IS NOT NULL",
    "CREATE TEMP TABLE kept AS SELECT e.* FROM entry e JOIN request r ON r.n = e.request "
    "WHERE e.seq <= ?1 AND e.kind = 2 AND (r.end_seq IS NULL OR r.end_seq > ?1) ORDER BY e.seq",
    "CREATE TEMP TABLE opening AS SELECT org, sum(available) + sum(debt) AS net, "
    "sum(cash) AS cash, sum(revenue) AS revenue, sum(loss) AS loss, max(at) AS at FROM entry "
    "WHERE seq <= ?1 AND seq NOT IN (SELECT seq FROM temp.kept) GROUP BY org "
    "HAVING sum(available) + sum(debt) OR sum(cash) OR sum(revenue) OR sum(loss)",
    "DELETE FROM attempt WHERE request IN (SELECT n FROM request WHERE" SR_OLD_REQUESTS
    "AND end_seq <= ?1 AND NOT" SR_IS_NEEDED ")",
    "UPDATE request SET hold_seq = 0, end_seq = 0 WHERE" SR_OLD_REQUESTS
    "AND end_seq <= ?1 AND" SR_IS_NEEDED,
};
constexpr std::string_view kDropRequests =
    "DELETE FROM request WHERE" SR_OLD_REQUESTS "AND end_seq <= ?1 AND NOT" SR_IS_NEEDED;
// Numbered so that the last of them is the last that went: the journal stays gapless.
constexpr std::string_view kBookAgain[] = {
    "INSERT INTO entry (seq, kind, org, available, held, debt, cash, revenue, loss, at) "
    "SELECT ?1 - (SELECT count(*) FROM temp.kept) - (SELECT count(*) FROM temp.opening) + rowid, "
    "9, org, max(net, 0), 0, min(net, 0), cash, revenue, loss, at FROM temp.opening",
    "WITH before AS (SELECT k.*, k.rowid AS place, coalesce((SELECT net FROM temp.opening o "
    "WHERE o.org = k.org), 0) + held - sum(held) OVER (PARTITION BY org ORDER BY k.rowid) AS net "
    "FROM temp.kept k) "
    "INSERT INTO entry SELECT ?1 - (SELECT count(*) FROM temp.kept) + place, kind, id, org, "
    "request, -min(held, max(net, 0)), held, min(held, max(net, 0)) - held, cash, revenue, loss, "
    "at, note FROM before",
    "UPDATE request SET hold_seq = ?1 - (SELECT count(*) FROM temp.kept) + k.rowid "
    "FROM temp.kept k WHERE k.request = request.n",
};

bool RollUp(Database* db, int64_t cut, Pruned* pruned) {
  if (!Execute(db, "INSERT INTO pruning VALUES (1)")) return false;
  for (const std::string_view sql : kRollUp) {
    if (!Execute(db, sql, cut)) return false;
  }
  if (!Execute(db, kDropRequests, cut)) return false;
  pruned->requests += sqlite3_changes64(db->handle());
  SR_FAILPOINT("in_prune");
  if (!Execute(db, "DELETE FROM entry WHERE seq <= ?", cut)) return false;
  pruned->entries += sqlite3_changes64(db->handle());
  for (const std::string_view sql : kBookAgain) {
    if (!Execute(db, sql, cut)) return false;
  }
  int64_t left = 0;
  if (!Ask(db, &left, "SELECT count(*) FROM entry WHERE seq <= ?", cut)) return false;
  pruned->entries -= left;
  return db->Execute("DROP TABLE temp.opening; DROP TABLE temp.kept; DELETE FROM pruning") ==
         SQLITE_OK;
}

Status DropClaims(LedgerWriter* writer, UnixSeconds now) {
  int64_t dropped = kEntriesPerStep;
  while (dropped == kEntriesPerStep) {
    Status done = writer->RunTask([&](Database* db, Ledger*, SqliteJournal*) -> TaskResult {
      if (db->Execute("BEGIN IMMEDIATE") == SQLITE_OK) {
        dropped = DropOldClaims(db, now, kEntriesPerStep);
        if (dropped >= 0 && db->Execute("COMMIT") == SQLITE_OK) return Status();
      }
      const TaskEnd end = EndOf(db->LastCode());
      Error error = db->LastError("pruning");
      db->RollbackIfOpen();
      return {std::move(error), end};
    });
    if (!done.ok()) return done;
  }
  return Status();
}

}  // namespace

Result<Pruned> Prune(LedgerWriter* writer, UnixMillis older_than) {
  if (Status dropped = DropClaims(writer, writer->wall_time().seconds()); !dropped.ok()) {
    return dropped.error();
  }
  Pruned pruned;
  bool more = true;
  int64_t span = kEntriesPerStep;  // longer where little else than live holds is in it
  const auto step = [&](Database* db, Ledger* ledger, SqliteJournal* journal) -> TaskResult {
    const auto fail = [db, journal](std::string_view doing) -> TaskResult {
      const TaskEnd end = EndOf(journal->ok() ? db->LastCode() : journal->failure());
      Error error = journal->ok() ? db->LastError(doing) : *journal->error();
      db->RollbackIfOpen();
      journal->OnRollback();
      return {std::move(error), end};
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
    const int64_t limit = std::min(ledger->last_seq(), first + openings + span - 1);
    const UnixMillis now = writer->wall_time();
    if (!FindCut(db, older_than, now, limit, &cut, &more)) return fail("pruning");
    more = more && limit < ledger->last_seq();
    if (cut < first + openings) {  // nothing but what is rolled up already
      db->RollbackIfOpen();
      span *= 2;
      return Status();
    }
    Pruned gone;
    if (!RollUp(db, cut, &gone)) return fail("pruning");
    // A start replays what follows the snapshot: that must not be before the cut.
    journal->WriteSnapshot(*ledger, false);
    if (!journal->ok() || db->Execute("COMMIT") != SQLITE_OK) return fail("pruning");
    journal->OnCommit();
    journal->OnForeignWrite();
    pruned.entries += gone.entries;
    pruned.requests += gone.requests;
    if (gone.entries < span / 2) span *= 2;
    return Status();
  };
  while (more) {
    Status done = writer->RunTask(step);
    if (!done.ok()) return done.error();
  }
  return pruned;
}

}  // namespace seekroute
