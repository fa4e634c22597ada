// How a ledger file is taken into use, and left.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <system_error>

#include "base/failpoint.h"
#include "store/sqlite/ledger_writer.h"
#include "store/sqlite/schema.h"

namespace seekroute {
namespace {

// Up to this size a start waits for the check; a larger file is checked while it is in use.
constexpr int64_t kCheckAtOnce = 64 << 20;

// Old claims that a start drops, at most; the rest goes with the next claims, or with a prune.
constexpr int kClaimsPerStep = 1000;
constexpr int kMostClaimSteps = 100;

// Empty when the file is sound.
std::string QuickCheck(Database* db) {
  Result<Statement> check = db->Prepare("PRAGMA quick_check(1)");
  if (!check) return check.error().message;
  if (check->Step() != SQLITE_ROW) return db->LastError("checking").message;
  std::string said = check->Text(0);
  std::replace(said.begin(), said.end(), '\n', ' ');  // it is one line of a log
  return said == "ok" ? std::string() : said;
}

Error Damaged(const std::string& path, const std::string& why) {
  return MakeError(ErrorCode::kStorageCorrupt,
                   path + " is damaged: " + why + "; restore a backup of it");
}

// A command that root gave leaves files that the server's user may not write.
std::string CannotWrite(const std::string& path, int reason) {
  return "cannot write " + path + ": " + std::generic_category().message(reason) +
         "; it, its directory and the other files of the ledger must be the server's own";
}

}  // namespace

Result<std::unique_ptr<LedgerWriter>> LedgerWriter::Open(const Options& options,
                                                         const Clock* clock) {
  std::unique_ptr<LedgerWriter> writer(new LedgerWriter(options, clock));
  Status started = writer->Start();
  if (!started.ok()) return started.error();
  return writer;
}

Status LedgerWriter::TakeLock() {
  // A file of its own: closing any descriptor of the database would drop SQLite's own locks on it.
  const std::string path = options_.path + ".lock";
  lock_fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_fd_ < 0) {
    return MakeError(ErrorCode::kStoreUnavailable, CannotWrite(path, errno));
  }
  if (flock(lock_fd_, LOCK_EX | LOCK_NB) != 0) {
    return MakeError(ErrorCode::kStoreUnavailable,
                     options_.path + " is in use by another process; stop it first");
  }
  return Status();
}

Status LedgerWriter::Start() {
  if (Status locked = TakeLock(); !locked.ok()) return locked;
  const mode_t before = umask(0077);
  Result<Database> opened = Database::Open(options_.path, Database::Mode::kWriter, options_.vfs);
  umask(before);
  if (!opened) return opened.error();
  db_ = std::move(*opened);
  if (Status sound = CheckFile(); !sound.ok()) return sound;
  if (Status migrated = Migrate(&db_, options_.path); !migrated.ok()) return migrated;
  Result<std::unique_ptr<SqliteJournal>> journal = SqliteJournal::Make(&db_);
  if (!journal) return journal.error();
  journal_ = std::move(*journal);
  ledger_ = std::make_unique<Ledger>(journal_.get());
  Result<std::unique_ptr<ClaimRows>> claims = ClaimRows::Make(&db_, journal_.get());
  if (!claims) return claims.error();
  claims_ = std::move(*claims);
  Result<std::unique_ptr<ProgressNotes>> notes = ProgressNotes::Make(&db_, journal_.get());
  if (!notes) return notes.error();
  notes_ = std::move(*notes);
  Result<Statement> begin = db_.Prepare("BEGIN IMMEDIATE");
  Result<Statement> commit = db_.Prepare("COMMIT");
  if (!begin || !commit) return db_.LastError("starting");
  begin_ = std::move(*begin);
  commit_ = std::move(*commit);
  sqlite3_wal_hook(
      db_.handle(),
      [](void* pages, sqlite3*, const char*, int count) {
        *static_cast<int*>(pages) = count;
        return SQLITE_OK;
      },
      &wal_pages_);
  if (Status loaded = Load(); !loaded.ok()) return loaded;
  if (Status whole = CheckBalances(); !whole.ok()) return whole;
  mark_.emplace(MarkPath(options_.path));
  if (!mark_->writable()) {
    return MakeError(ErrorCode::kStoreUnavailable, CannotWrite(MarkPath(options_.path), errno));
  }
  if (Status ended = EndOrphans(); !ended.ok()) return ended;
  Publish();
  if (options_.own_thread) thread_ = std::thread([this] { Run(); });
  started_ = true;
  return Status();
}

Status LedgerWriter::CheckFile() {
  const Result<int64_t> pages = db_.QueryInt("PRAGMA page_count");
  const Result<int64_t> size = db_.QueryInt("PRAGMA page_size");
  if (!pages) return pages.error();
  if (!size) return size.error();
  if (*pages * *size <= kCheckAtOnce) {
    const std::string why = QuickCheck(&db_);
    return why.empty() ? Status() : Status(Damaged(options_.path, why));
  }
  if (!options_.background_check) return Status();
  checker_ = std::thread([this] {
    Result<Database> db = Database::Open(options_.path, Database::Mode::kReadOnly, options_.vfs);
    if (!db) return;
    // Ends early when the writer closes.
    sqlite3_progress_handler(
        db->handle(), 10'000,
        [](void* self) {
          auto* writer = static_cast<LedgerWriter*>(self);
          const MutexLock lock(&writer->mu_);
          return writer->stopping_ ? 1 : 0;
        },
        this);
    const std::string why = QuickCheck(&*db);
    bool stopping = false;
    {
      const MutexLock lock(&mu_);
      stopping = stopping_;
    }
    if (!why.empty() && !stopping) FailStop(Damaged(options_.path, why));
  });
  return Status();
}

Status LedgerWriter::Load() {
  Result<Statement> accounts = db_.Prepare(
      "SELECT o.text, a.available, a.held, a.debt FROM account a JOIN name o ON o.n = a.org");
  Result<Statement> snapshot = db_.Prepare("SELECT seq, cash, revenue, loss FROM snapshot");
  Result<Statement> tail = db_.Prepare(
      "SELECT e.seq, o.text, e.available, e.held, e.debt, e.cash, e.revenue, e.loss FROM entry e "
      "JOIN name o ON o.n = e.org WHERE e.seq > ? ORDER BY e.seq");
  Result<Statement> live = db_.Prepare(
      "SELECT r.generation, o.text, r.held FROM request r JOIN name o ON o.n = r.org "
      "WHERE r.state = 0");
  if (!accounts || !snapshot || !tail || !live) return db_.LastError("starting");
  std::map<std::string, Postings, std::less<>> balances;
  int code = SQLITE_ROW;
  while ((code = accounts->Step()) == SQLITE_ROW) {
    balances[accounts->Text(0)] = {accounts->Int(1), accounts->Int(2), accounts->Int(3), 0, 0, 0};
  }
  if (code != SQLITE_DONE) return db_.LastError("reading the balances");
  if (snapshot->Step() != SQLITE_ROW) return Damaged(options_.path, "its snapshot is gone");
  snapshot_seq_ = snapshot->Int(0);
  ledger_->Restore(std::move(balances),
                   {0, 0, 0, snapshot->Int(1), snapshot->Int(2), snapshot->Int(3)}, snapshot_seq_);
  snapshot->Reset();
  tail->Bind(snapshot_seq_);
  while ((code = tail->Step()) == SQLITE_ROW) {
    LedgerEntry entry;
    entry.seq = tail->Int(0);
    entry.org = tail->Text(1);
    entry.postings = {tail->Int(2), tail->Int(3), tail->Int(4),
                      tail->Int(5), tail->Int(6), tail->Int(7)};
    if (!IsBalanced(entry.postings) || !ledger_->Replay(entry)) {
      return Damaged(options_.path, "entry " + std::to_string(entry.seq) + " does not follow");
    }
    journal_->MarkChanged(entry.org);
  }
  if (code != SQLITE_DONE) return db_.LastError("reading the journal");
  std::map<std::string, int64_t, std::less<>> held;
  while ((code = live->Step()) == SQLITE_ROW) {
    ledger_->RestoreHold(live->Text(0), {live->Text(1), {live->Int(2)}});
    held[live->Text(1)] += live->Int(2);
  }
  if (code != SQLITE_DONE) return db_.LastError("reading the holds");
  for (const auto& [org, balance] : ledger_->balances()) {
    const auto found = held.find(org);
    if (balance.held != (found == held.end() ? 0 : found->second)) {
      return Damaged(options_.path, "the holds of " + org + " do not add up");
    }
  }
  const Result<int64_t> last_at =
      db_.QueryInt("SELECT coalesce((SELECT at FROM entry ORDER BY seq DESC LIMIT 1), 0)");
  if (!last_at) return last_at.error();
  last_at_ = *last_at;
  return Status();
}

// What can be seen of a journal without reading all of it.
Status LedgerWriter::CheckBalances() {
  const int64_t seen = SeqMark::Read(MarkPath(options_.path));
  if (ledger_->last_seq() < seen) {
    return Damaged(options_.path, "its last entry is " + std::to_string(ledger_->last_seq()) +
                                      " and was " + std::to_string(seen) +
                                      " (if it was restored: remove " + MarkPath(options_.path) +
                                      ")");
  }
  __extension__ __int128 sum = 0;
  const auto add = [&sum](const Postings& p) {
    for (const int64_t each : {p.available, p.held, p.debt, p.cash, p.revenue, p.loss}) sum += each;
  };
  add(ledger_->operator_balance());
  for (const auto& [org, balance] : ledger_->balances()) {
    add(balance);
    if (balance.available < 0 || balance.held < 0 || balance.debt > 0) {
      return Damaged(options_.path, "the balance of " + org + " has the wrong sign");
    }
  }
  return sum == 0 ? Status() : Status(Damaged(options_.path, "its balances do not sum to zero"));
}

// Whoever held these is gone: this writer has the file's lock, and has held nothing yet.
Status LedgerWriter::EndOrphans() {
  std::vector<std::string> orphans;
  for (const auto& [id, hold] : ledger_->holds()) orphans.push_back(id);
  size_t at = 0;
  bool named = false;
  while (!named || at < orphans.size()) {
    if (begin_.Run() != SQLITE_OK) return db_.LastError("starting");
    if (!named) {
      Result<Statement> insert = db_.Prepare("INSERT INTO instance (id, started) VALUES (?, ?)");
      if (!insert) return insert.error();
      insert->Bind(options_.instance, clock_->WallTime().ms);
      if (insert->Run() != SQLITE_OK) return db_.LastError("starting");
      journal_->set_instance(sqlite3_last_insert_rowid(db_.handle()));
      if (db_.Execute("UPDATE snapshot SET clean = 0") != SQLITE_OK) {
        return db_.LastError("starting");
      }
      claimed_at_ = claims_->Newest().s * 1000;
      const UnixSeconds now = ClaimTime();
      if (!journal_->ok()) return *journal_->error();
      for (int i = 0, dropped = kClaimsPerStep; i < kMostClaimSteps && dropped == kClaimsPerStep;
           ++i) {
        dropped = static_cast<int>(DropOldClaims(&db_, now, kClaimsPerStep));
        if (dropped < 0) return db_.LastError("starting");
      }
      named = true;
    }
    for (size_t i = 0; i < kMostInBatch && at < orphans.size(); ++i, ++at) {
      EndOrphan(orphans[at]);
    }
    journal_->FlushTotals();
    if (!journal_->ok()) return *journal_->error();
    SR_FAILPOINT_IF(!orphans.empty(), "in_expire");
    if (commit_.Run() != SQLITE_OK) return db_.LastError("starting");
    ledger_->Release();
    journal_->OnCommit();
    mark_->Write(ledger_->last_seq());
  }
  expired_at_start_ = orphans.size() - charged_at_start_;
  return Status();
}

void LedgerWriter::EndOrphan(const std::string& id) {
  std::optional<ExchangeRecord> row;
  if (options_.orphans == Orphans::kCharge) row = notes_->RowOf(id);
  if (row) {
    const Money held = ledger_->holds().at(id).amount;
    journal_->SetRow(&*row);
    ledger_->Settle(id, std::min(row->cost, held), Now());
    journal_->SetRow(nullptr);
    ++charged_at_start_;
  } else {
    ledger_->Expire(id, Now());
  }
  notes_->Remove(id);
}

LedgerWriter::~LedgerWriter() { Close(); }

void LedgerWriter::Close() {
  {
    const MutexLock lock(&mu_);
    stopping_ = true;
    wake_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
  if (started_ && !options_.own_thread) {
    Step();
    RefuseWaiting();
  }
  if (started_) {
    // A start after this one has nothing to replay.
    if (ready() && begin_.Run() == SQLITE_OK) {
      journal_->WriteSnapshot(*ledger_, true);
      if (!journal_->ok() || commit_.Run() != SQLITE_OK) db_.RollbackIfOpen();
    }
  }
  if (checker_.joinable()) checker_.join();
  begin_ = Statement();
  commit_ = Statement();
  claims_.reset();
  notes_.reset();
  journal_.reset();
  db_ = Database();
  mark_.reset();
  if (lock_fd_ >= 0) close(lock_fd_);
}

}  // namespace seekroute
