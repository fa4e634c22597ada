#include "store/sqlite/schema.h"

#include <unistd.h>

#include "base/failpoint.h"
#include "store/sqlite/backup.h"

namespace seekroute {
namespace {

// Texts that repeat are numbers (`name`). Entries of requests have no id of their own: their
// request's row knows the numbers of its hold and of its end, which saves an index of the journal.
// `pruning` has a row while old rows are being rolled up, and only then do they go; a request with
// hold_seq 0 is one whose entries went, and which a younger refund needs.
constexpr const char* kVersion1 = R"sql(
CREATE TABLE name (n INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;

CREATE TABLE instance (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, started INTEGER NOT NULL)
STRICT;

CREATE TABLE request (
  n INTEGER PRIMARY KEY,
  generation TEXT NOT NULL UNIQUE,
  request_id TEXT NOT NULL,
  state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 3),
  instance INTEGER NOT NULL REFERENCES instance (n),
  org INTEGER NOT NULL REFERENCES name (n),
  key INTEGER NOT NULL REFERENCES name (n),
  requested_model INTEGER NOT NULL REFERENCES name (n),
  model INTEGER NOT NULL REFERENCES name (n),
  price_revision INTEGER NOT NULL REFERENCES name (n),
  created INTEGER NOT NULL,
  held INTEGER NOT NULL CHECK (held >= 0),
  hold_seq INTEGER NOT NULL,
  flags INTEGER NOT NULL,
  end_seq INTEGER,
  ended INTEGER,
  cost INTEGER CHECK (cost >= 0 AND cost <= held),
  lost_bound INTEGER,
  upstream_cost INTEGER,
  settlement INTEGER,
  status INTEGER,
  provider INTEGER REFERENCES name (n),
  error INTEGER REFERENCES name (n),
  finish_reason INTEGER REFERENCES name (n),
  service_tier INTEGER REFERENCES name (n),
  prompt_tokens INTEGER,
  completion_tokens INTEGER,
  cached_tokens INTEGER,
  reasoning_tokens INTEGER,
  cache_write_tokens INTEGER,
  total_us INTEGER,
  first_content_us INTEGER,
  overhead_us INTEGER,
  CHECK ((state = 0) = (end_seq IS NULL))
) STRICT;
CREATE INDEX request_held ON request (n) WHERE state = 0;
CREATE INDEX request_by_org ON request (org);

CREATE TABLE attempt (
  request INTEGER NOT NULL REFERENCES request (n),
  place INTEGER NOT NULL,
  provider INTEGER NOT NULL REFERENCES name (n),
  status INTEGER NOT NULL,
  error INTEGER NOT NULL REFERENCES name (n),
  waited_us INTEGER NOT NULL,
  suspected INTEGER NOT NULL,
  PRIMARY KEY (request, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
  name BLOB PRIMARY KEY CHECK (length(name) = 32),
  body BLOB NOT NULL CHECK (length(body) = 32),
  request INTEGER NOT NULL REFERENCES request (n),
  at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_request ON idempotency (request);

-- Progress notes of streams.
CREATE TABLE checkpoint (
  request INTEGER PRIMARY KEY REFERENCES request (n),
  cost INTEGER NOT NULL CHECK (cost >= 0),
  upstream_cost INTEGER NOT NULL,
  prompt_tokens INTEGER NOT NULL,
  completion_tokens INTEGER NOT NULL,
  cached_tokens INTEGER NOT NULL,
  reasoning_tokens INTEGER NOT NULL,
  cache_write_tokens INTEGER NOT NULL,
  provider INTEGER NOT NULL REFERENCES name (n),
  service_tier INTEGER NOT NULL REFERENCES name (n),
  at INTEGER NOT NULL
) STRICT;

CREATE TABLE entry (
  seq INTEGER PRIMARY KEY,
  kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 9),
  id TEXT,
  org INTEGER NOT NULL REFERENCES name (n),
  request INTEGER,
  available INTEGER NOT NULL,
  held INTEGER NOT NULL,
  debt INTEGER NOT NULL,
  cash INTEGER NOT NULL,
  revenue INTEGER NOT NULL,
  loss INTEGER NOT NULL,
  at INTEGER NOT NULL,
  note TEXT,
  CHECK (available + held + debt + cash + revenue + loss = 0)
) STRICT;
CREATE UNIQUE INDEX entry_by_id ON entry (kind, id) WHERE id IS NOT NULL;
CREATE INDEX refund_by_request ON entry (request) WHERE kind = 7;

CREATE TABLE past_order (
  kind INTEGER NOT NULL,
  id TEXT NOT NULL,
  org INTEGER NOT NULL REFERENCES name (n),
  generation TEXT NOT NULL,
  available INTEGER NOT NULL,
  held INTEGER NOT NULL,
  debt INTEGER NOT NULL,
  cash INTEGER NOT NULL,
  revenue INTEGER NOT NULL,
  loss INTEGER NOT NULL,
  at INTEGER NOT NULL,
  note TEXT NOT NULL,
  PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX past_refund ON past_order (generation) WHERE kind = 7;

CREATE TABLE account (
  org INTEGER PRIMARY KEY REFERENCES name (n),
  available INTEGER NOT NULL CHECK (available >= 0),
  held INTEGER NOT NULL CHECK (held >= 0),
  debt INTEGER NOT NULL CHECK (debt <= 0)
) STRICT;
CREATE TABLE snapshot (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  seq INTEGER NOT NULL,
  cash INTEGER NOT NULL,
  revenue INTEGER NOT NULL,
  loss INTEGER NOT NULL,
  clean INTEGER NOT NULL
) STRICT;
INSERT INTO snapshot VALUES (1, 0, 0, 0, 0, 1);

CREATE TABLE day_total (
  org INTEGER NOT NULL REFERENCES name (n),
  key INTEGER NOT NULL REFERENCES name (n),
  day INTEGER NOT NULL,
  model INTEGER NOT NULL REFERENCES name (n),
  requests INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  prompt_tokens INTEGER NOT NULL,
  completion_tokens INTEGER NOT NULL,
  cached_tokens INTEGER NOT NULL,
  reasoning_tokens INTEGER NOT NULL,
  cost INTEGER NOT NULL,
  upstream_cost INTEGER NOT NULL,
  suspected_cost INTEGER NOT NULL,
  PRIMARY KEY (org, key, day, model)
) STRICT, WITHOUT ROWID;

CREATE TABLE pruning (one INTEGER PRIMARY KEY CHECK (one = 1)) STRICT;

CREATE TRIGGER entry_is_final BEFORE UPDATE ON entry
BEGIN SELECT RAISE(ABORT, 'a journal entry is never rewritten'); END;
CREATE TRIGGER entry_is_kept BEFORE DELETE ON entry WHEN NOT EXISTS (SELECT 1 FROM pruning)
BEGIN SELECT RAISE(ABORT, 'a journal entry is never deleted'); END;
CREATE TRIGGER request_is_final BEFORE UPDATE ON request
WHEN NOT EXISTS (SELECT 1 FROM pruning) AND (OLD.state <> 0 OR NEW.state = 0 OR NEW.n <> OLD.n
  OR NEW.generation <> OLD.generation OR NEW.org <> OLD.org OR NEW.held <> OLD.held
  OR NEW.hold_seq <> OLD.hold_seq)
BEGIN SELECT RAISE(ABORT, 'a request is completed once'); END;
CREATE TRIGGER request_is_kept BEFORE DELETE ON request WHEN NOT EXISTS (SELECT 1 FROM pruning)
BEGIN SELECT RAISE(ABORT, 'a request is never deleted'); END;
)sql";

// For the writer's time. The guard in two, the first of which is all that completing a request goes
// through. It rolls back, as the statement itself does: one that might only be aborted copies the
// pages it changes first. An index by organization is a page more for every organization in a
// commit, and only lists of requests used it.
constexpr const char* kVersion2 = R"sql(
DROP INDEX request_by_org;
DROP TRIGGER request_is_final;
CREATE TRIGGER request_is_final AFTER UPDATE ON request
WHEN (OLD.state <> 0 OR NEW.state = 0) AND NOT EXISTS (SELECT 1 FROM pruning)
BEGIN SELECT RAISE(ROLLBACK, 'a request is completed once'); END;
CREATE TRIGGER request_is_same BEFORE UPDATE OF n, generation, org, held, hold_seq ON request
WHEN (NEW.n <> OLD.n OR NEW.generation <> OLD.generation OR NEW.org <> OLD.org
  OR NEW.held <> OLD.held OR NEW.hold_seq <> OLD.hold_seq) AND NOT EXISTS (SELECT 1 FROM pruning)
BEGIN SELECT RAISE(ROLLBACK, 'a request stays the one that was held'); END;
)sql";

// What a provider said of an attempt that failed.
constexpr const char* kVersion3 = R"sql(
ALTER TABLE attempt ADD COLUMN words TEXT NOT NULL DEFAULT '';
)sql";

// How a request was routed, where its row and its attempts do not tell all; and of which model an
// attempt was made, where the row names another.
constexpr const char* kVersion4 = R"sql(
ALTER TABLE request ADD COLUMN routing TEXT CHECK (length(routing) <= 4096);
ALTER TABLE attempt ADD COLUMN model INTEGER;
)sql";

struct Step {
  int64_t to;
  const char* sql;
};
// Each brings a file of version to - 1 to `to`.
constexpr Step kSteps[] = {{1, kVersion1}, {2, kVersion2}, {3, kVersion3}, {4, kVersion4}};

constexpr int kMostCopies = 100;

int64_t LastSeq(Database* db) {
  const Result<int64_t> seq = db->QueryInt("SELECT coalesce(max(seq), 0) FROM entry");
  return seq ? *seq : -1;
}

// Whether the file `name` is this ledger as it is now, in its `version`.
bool IsCopy(Database* db, int64_t version, const std::string& name) {
  Result<Database> copy = Database::Open(name, Database::Mode::kReadOnly);
  if (!copy) return false;
  const Result<int64_t> theirs = copy->QueryInt("PRAGMA user_version");
  const int64_t end = LastSeq(db);
  return theirs && *theirs == version && end >= 0 && LastSeq(&*copy) == end;
}

// No copy takes another file's place. One that an upgrade which died has left is good enough: a
// start that dies again and again must not fill the disk.
Status KeepCopy(Database* db, int64_t version, const std::string& path) {
  const std::string stem = path + ".v" + std::to_string(version);
  for (int i = 1; i <= kMostCopies; ++i) {
    const std::string name = stem + (i == 1 ? "" : "." + std::to_string(i)) + ".bak";
    if (access(name.c_str(), F_OK) != 0) return BackUp(db, name);
    if (IsCopy(db, version, name)) return Status();
  }
  return MakeError(ErrorCode::kStoreUnavailable,
                   "there are too many copies " + stem + "*.bak; move some away");
}

}  // namespace

Status Migrate(Database* db, const std::string& path) {
  const Result<int64_t> version = db->QueryInt("PRAGMA user_version");
  if (!version) return version.error();
  const Result<int64_t> tables = db->QueryInt("SELECT count(*) FROM sqlite_master");
  if (!tables) return tables.error();
  if (*version == 0 && *tables > 0) {
    return MakeError(ErrorCode::kStoreUnavailable,
                     path + " is a database, but not a ledger; name another file");
  }
  if (*version > 0) {
    if (Status known = CheckVersion(db); known.ok()) return known;
    if (*version >= kSchemaVersion) return CheckVersion(db);
    Status saved = KeepCopy(db, *version, path);
    if (!saved.ok()) return saved;
  }
  std::string sql = "BEGIN IMMEDIATE;";
  for (const Step& step : kSteps) {
    if (step.to > *version) sql += step.sql;
  }
  sql += "PRAGMA application_id=" + std::to_string(kApplicationId) + ";";
  sql += "PRAGMA user_version=" + std::to_string(kSchemaVersion) + ";";
  int code = db->Execute(sql);
  if (code == SQLITE_OK) {
    SR_FAILPOINT("in_migration");
    code = db->Execute("COMMIT");
  }
  if (code != SQLITE_OK) {
    Error error = db->LastError("creating its tables in " + path);
    db->RollbackIfOpen();
    return error;
  }
  return Status();
}

Status CheckVersion(Database* db) {
  const Result<int64_t> application = db->QueryInt("PRAGMA application_id");
  if (!application) return application.error();
  const Result<int64_t> version = db->QueryInt("PRAGMA user_version");
  if (!version) return version.error();
  if (*application != kApplicationId) {
    return MakeError(ErrorCode::kStoreUnavailable, "the file is not a ledger; name another");
  }
  if (*version != kSchemaVersion) {
    return MakeError(ErrorCode::kStoreUnavailable,
                     "the ledger has schema version " + std::to_string(*version) +
                         " and this seekroute knows " + std::to_string(kSchemaVersion) +
                         (*version > kSchemaVersion ? ": install the newer seekroute"
                                                    : ": start the server once to upgrade it"));
  }
  return Status();
}

}  // namespace seekroute
