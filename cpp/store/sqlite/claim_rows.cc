#include "store/sqlite/claim_rows.h"

#include <algorithm>

namespace seekroute {
namespace {

// Requests are numbered as they come, and claims are made with them: the order of age is an index.
constexpr const char* kDropOld =
    "DELETE FROM idempotency WHERE name IN (SELECT name FROM idempotency ORDER BY request LIMIT ?) "
    "AND at <= ?";

}  // namespace

Result<std::unique_ptr<ClaimRows>> ClaimRows::Make(Database* db, SqliteJournal* journal) {
  std::unique_ptr<ClaimRows> rows(new ClaimRows());
  rows->journal_ = journal;
  const std::pair<Statement*, const char*> statements[] = {
      {&rows->find_,
       "SELECT i.body, r.generation, r.state FROM idempotency i JOIN request r ON r.n = i.request "
       "WHERE i.name = ? AND i.at > ?"},
      {&rows->put_,
       "INSERT INTO idempotency SELECT ?, ?, n, ? FROM request WHERE generation = ? "
       "ON CONFLICT (name) DO UPDATE SET body = excluded.body, request = excluded.request, "
       "at = excluded.at"},
      {&rows->free_,
       "DELETE FROM idempotency WHERE request = (SELECT n FROM request WHERE generation = ?)"},
      {&rows->drop_, kDropOld},
      {&rows->kept_,
       "SELECT i.name, i.body, r.generation, i.at FROM idempotency i "
       "JOIN request r ON r.n = i.request WHERE i.at > ? ORDER BY i.request DESC LIMIT ?"},
      {&rows->newest_, "SELECT at FROM idempotency ORDER BY request DESC LIMIT 1"},
      {&rows->redate_, "UPDATE idempotency SET at = ?1 WHERE at > ?1"},
  };
  for (const auto& [statement, sql] : statements) {
    Result<Statement> prepared = db->Prepare(sql);
    if (!prepared) return prepared.error();
    *statement = std::move(*prepared);
  }
  return rows;
}

std::optional<Error> ClaimRows::Taken(const IdempotencyClaim& claim, UnixSeconds now) {
  find_.Bind(claim.name, now.s - kClaimKeptSeconds);
  if (!journal_->Step(find_)) return std::nullopt;
  const bool same = find_.Blob(0) == claim.body;
  const std::string generation = find_.Text(1);
  const bool running = find_.Int(2) == static_cast<int64_t>(RequestState::kHeld);
  find_.Reset();
  if (!same) return ClaimMismatch();
  return running ? ClaimInProgress(generation) : ClaimCompleted(generation);
}

void ClaimRows::Put(const IdempotencyClaim& claim, std::string_view generation, UnixSeconds now) {
  journal_->Run(drop_.Bind(int64_t{2}, now.s - kClaimKeptSeconds));
  journal_->Run(put_.Bind(claim.name, claim.body, now.s, generation));
}

void ClaimRows::Free(std::string_view generation) { journal_->Run(free_.Bind(generation)); }

UnixSeconds ClaimRows::Newest() {
  UnixSeconds at;
  if (journal_->Step(newest_.Bind())) {
    at.s = newest_.Int(0);
    newest_.Reset();
  }
  return at;
}

void ClaimRows::Redate(UnixSeconds now) { journal_->Run(redate_.Bind(now.s)); }

std::vector<KeptClaim> ClaimRows::Kept(UnixSeconds now, size_t most) {
  std::vector<KeptClaim> kept;
  kept_.Bind(now.s - kClaimKeptSeconds, static_cast<int64_t>(most));
  while (journal_->Step(kept_)) {
    kept.push_back({{kept_.Blob(0), kept_.Blob(1)}, kept_.Text(2), {kept_.Int(3)}});
  }
  std::reverse(kept.begin(), kept.end());
  return kept;
}

int64_t DropOldClaims(Database* db, UnixSeconds now, int64_t most) {
  Result<Statement> drop = db->Prepare(kDropOld);
  if (!drop) return -1;
  if (drop->Bind(most, now.s - kClaimKeptSeconds).Run() != SQLITE_OK) return -1;
  return sqlite3_changes64(db->handle());
}

}  // namespace seekroute
