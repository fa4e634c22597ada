#include "store/sqlite/ledger_writer.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>

#include "base/failpoint.h"
#include "store/sqlite/schema.h"

namespace seekroute {

struct LedgerWriter::Task {
  const Work* work;
  Status status;
  bool done = false;
};

void LedgerWriter::Hold(SharedRow row, HoldRequest request, Held done, Wake wake) {
  auto operation = std::make_unique<Operation>();
  operation->kind = Operation::Kind::kHold;
  operation->row = std::move(row);
  operation->request = request;
  operation->held = std::move(done);
  Enqueue(std::move(operation), wake);
}

void LedgerWriter::Settle(SharedRow row, Stored done, Wake wake) {
  auto operation = std::make_unique<Operation>();
  operation->kind = Operation::Kind::kSettle;
  operation->row = std::move(row);
  operation->stored = std::move(done);
  Enqueue(std::move(operation), wake);
}

void LedgerWriter::Order(LedgerOrder order, Ordered done) {
  auto operation = std::make_unique<Operation>();
  operation->order = std::move(order);
  operation->ordered = std::move(done);
  Enqueue(std::move(operation), Wake::kNow);
}

void LedgerWriter::Note(ExchangeRecord row) {
  auto operation = std::make_unique<Operation>();
  operation->kind = Operation::Kind::kNote;
  operation->row = std::make_shared<const ExchangeRecord>(std::move(row));
  Enqueue(std::move(operation), Wake::kNow);
}

Result<std::vector<KeptClaim>> LedgerWriter::Claims(size_t most) {
  std::vector<KeptClaim> kept;
  const Status read = RunTask([&](Database*, Ledger*, SqliteJournal* journal) -> TaskResult {
    kept = claims_->Kept(clock_->WallTime().seconds(), most);
    if (journal->ok()) return Status();
    const TaskEnd end = EndOf(journal->failure());
    Error error = *journal->error();
    journal->OnRollback();
    return {std::move(error), end};
  });
  if (!read.ok()) return read.error();
  return kept;
}

// The thread answers refusals too: an answer never comes from inside the call.
void LedgerWriter::Enqueue(std::unique_ptr<Operation> operation, Wake wake) {
  const bool settle = operation->kind == Operation::Kind::kSettle;
  const size_t waiting = waiting_count_.load();
  {
    const MutexLock lock(&mu_);
    const bool crowded = queue_.size() >= kMostQueued || waiting > kMostWaitingSettles;
    if (operation->kind == Operation::Kind::kNote && (queue_.size() >= kMostNotes || waiting > 0)) {
      return;
    }
    if (!settle && crowded) {
      operation->status = MakeError(ErrorCode::kStoreUnavailable,
                                    "the ledger is behind with its writing; try again");
    }
    queue_.push_back(std::move(operation));
  }  // whoever is woken needs the lock at once
  if (wake == Wake::kNow) wake_.NotifyOne();
}

void LedgerWriter::Flush() {
  bool asked = false;
  {
    const MutexLock lock(&mu_);
    asked = !queue_.empty();
  }
  if (asked) wake_.NotifyOne();
}

Status LedgerWriter::RunTask(const Work& work) {
  Task task{&work, Status(), false};
  const MutexLock lock(&mu_);
  if (stopping_) return MakeError(ErrorCode::kShuttingDown, "the ledger is closing");
  tasks_.push_back(&task);
  wake_.NotifyOne();
  while (!task.done) task_done_.Wait(&mu_);
  return task.status;
}

Status LedgerWriter::health() const {
  const MutexLock lock(&mu_);
  return failure_ ? Status(*failure_) : Status();
}

Status LedgerWriter::blocked() const {
  const MutexLock lock(&mu_);
  return blocked_ ? Status(*blocked_) : Status();
}

void LedgerWriter::SetBlocked(std::optional<Error> why) {
  const MutexLock lock(&mu_);
  blocked_ = std::move(why);
}

// Holds that were refused do not come again by themselves, and whoever would send them may wait for
// this to be over.
void LedgerWriter::TryDisk() {
  if (blocked().ok() || failed_.load() || !waiting_.empty() || clock_->Now() < retry_at_) return;
  const int code = Commit({});
  retry_at_ = code == SQLITE_OK ? TimePoint::Never() : clock_->Now() + options_.retry_pace;
}

UnixMillis LedgerWriter::Now() {
  const int64_t now = clock_->WallTime().ms;
  if (now > last_at_ || now < last_at_ - kMostStepBack) last_at_ = now;
  return {last_at_};
}

UnixSeconds LedgerWriter::ClaimTime() {
  const int64_t now = clock_->WallTime().ms;
  if (now < claimed_at_ - kMostStepBack) claims_->Redate({now / 1000});
  claimed_at_ = now;
  return {now / 1000};
}

void LedgerWriter::Run() {
  pthread_setname_np(pthread_self(), "sr-ledger");
  bool stopping = false;
  while (!stopping) {
    Batch batch;
    Task* task = nullptr;
    {
      const MutexLock lock(&mu_);
      AwaitWork();
      stopping = stopping_ && queue_.size() <= kMostInBatch && tasks_.empty();
      if (!tasks_.empty()) {
        task = tasks_.front();
        tasks_.pop_front();
      }
      batch = TakeBatch(stopping);
    }
    if (!batch.empty()) {
      Write(std::move(batch));
    } else if (!stopping) {
      TryDisk();
    }
    if (task != nullptr) {
      const TaskResult result = ready() ? (*task->work)(&db_, ledger_.get(), journal_.get())
                                        : TaskResult(health(), TaskEnd::kUnchanged);
      if (result.end == TaskEnd::kUnknown) FailStop(result.status.error());
      WriteBackLog();  // a prune in many steps writes as much as many requests
      const MutexLock lock(&mu_);
      task->status = result.status;
      task->done = true;
      task_done_.NotifyAll();
    }
  }
  RefuseWaiting();
}

// Until something is to be done: something is asked, it is time to try again, or it is the end.
void LedgerWriter::AwaitWork() {
  using std::chrono::steady_clock;
  const bool retries = !waiting_.empty() || blocked_;
  const int64_t pause =
      std::clamp<int64_t>(retry_at_.ns - clock_->Now().ns, 0, options_.retry_pace.ns);
  const auto end = steady_clock::now() + std::chrono::nanoseconds(pause);
  while (!stopping_ && queue_.empty() && tasks_.empty()) {
    if (!retries) {
      wake_.Wait(&mu_);
    } else if (steady_clock::now() < end) {
      wake_.WaitUntil(&mu_, end);
    } else {
      return;
    }
  }
}

// Settles that failed, when they are due, and then what was asked since.
LedgerWriter::Batch LedgerWriter::TakeBatch(bool all) {
  Batch batch;
  const bool retry = all || clock_->Now() >= retry_at_;
  while (retry && !waiting_.empty() && (all || batch.size() < kMostInBatch)) {
    batch.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  while (!queue_.empty() && (all || batch.size() < kMostInBatch)) {
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  waiting_count_.store(waiting_.size());
  return batch;
}

void LedgerWriter::Step() {
  Batch batch;
  {
    const MutexLock lock(&mu_);
    batch = TakeBatch(stopping_);
  }
  if (batch.empty()) {
    TryDisk();
  } else {
    Write(std::move(batch));
  }
}

// The disk had its last chance: the holds of these are given back at the next start.
void LedgerWriter::RefuseWaiting() {
  for (const auto& operation : waiting_) {
    Refuse(operation.get(), MakeError(ErrorCode::kShuttingDown, "the ledger closed"));
  }
  if (delivered_) delivered_();
  waiting_.clear();
}

bool LedgerWriter::Has(const Batch& batch, Operation::Kind kind) {
  return std::any_of(batch.begin(), batch.end(),
                     [kind](const auto& each) { return each->kind == kind; });
}

void LedgerWriter::Write(Batch batch) {
  const auto refused = std::stable_partition(batch.begin(), batch.end(),
                                             [](const auto& each) { return each->status.ok(); });
  for (auto each = refused; each != batch.end(); ++each) {
    Refuse(each->get(), Error((*each)->status.error()));
  }
  batch.erase(refused, batch.end());
  const int code = failed_.load() || batch.empty() ? SQLITE_OK : Commit(batch);
  if (failed_.load()) {
    const Status why = health();
    for (const auto& each : batch) Refuse(each.get(), why.error());
  } else if (code == SQLITE_OK) {
    SR_FAILPOINT_IF(Has(batch, Operation::Kind::kHold), "after_hold_commit");
    SR_FAILPOINT_IF(Has(batch, Operation::Kind::kSettle), "after_settle_commit");
    for (const auto& each : batch) Answer(each.get());
    if (waiting_.empty()) retry_at_ = TimePoint::Never();
  } else {
    const Error error = StoreError(code, "writing", sqlite3_errstr(code));
    for (auto& each : batch) {
      if (each->kind == Operation::Kind::kSettle) {
        waiting_.push_back(std::move(each));
      } else {
        Refuse(each.get(), error);
      }
    }
    retry_at_ = clock_->Now() + options_.retry_pace;
    waiting_count_.store(waiting_.size());
  }
  if (delivered_) delivered_();
  WriteBackLog();
}

// By hand and not by SQLite's own hook, which swallows the failure of an fsync.
void LedgerWriter::WriteBackLog() {
  if (wal_pages_ < options_.log_pages || failed_.load()) return;
  wal_pages_ = 0;
  SR_FAILPOINT("in_write_back");  // before its first page...
  const int code =
      sqlite3_wal_checkpoint_v2(db_.handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  SR_FAILPOINT("in_write_back");  // ...and before the log is used anew
  if (code != SQLITE_OK && !IsTransient(code)) FailStop(db_.LastError("checkpointing"));
}

int LedgerWriter::Commit(const Batch& batch) {
  const size_t mark = ledger_->Mark();
  const int64_t claimed_at = claimed_at_;
  int code = begin_.Run();
  std::optional<Error> error;
  if (code == SQLITE_OK) {
    for (const auto& each : batch) {
      Apply(each.get());
      if (!journal_->ok()) break;
    }
    journal_->FlushTotals();
    const bool snapshot =
        batch.empty() || ledger_->last_seq() - snapshot_seq_ >= kEntriesPerSnapshot;
    if (snapshot) journal_->WriteSnapshot(*ledger_, false);
    code = journal_->failure();
    error = journal_->error();
    if (code == SQLITE_OK) {
      SR_FAILPOINT_IF(Has(batch, Operation::Kind::kSettle), "before_settle_commit");
      code = commit_.Run();
      if (code == SQLITE_OK) {
        if (snapshot) snapshot_seq_ = ledger_->last_seq();
        ledger_->Release();
        journal_->OnCommit();
        mark_->Write(ledger_->last_seq());
        ++commits_;
        SetBlocked({});
        Publish();
        return SQLITE_OK;
      }
    }
  }
  if (!error) error = db_.LastError("writing");
  Undo(mark);
  claimed_at_ = claimed_at;  // what was dated anew is as it was
  if (IsTransient(code)) {
    SetBlocked(*error);
  } else {
    FailStop(*error);
  }
  return code;
}

LedgerFigures LedgerWriter::figures() const {
  return {ready(),           commits_.load(), waiting_count_.load(), live_holds_.load(),
          {revenue_.load()}, {-loss_.load()}, {drift_.load()}};
}

void LedgerWriter::Publish() {
  live_holds_.store(ledger_->holds().size());
  revenue_.store(ledger_->operator_balance().revenue);
  loss_.store(ledger_->operator_balance().loss);
  // It looks at every organization, so not with every commit.
  const TimePoint now = clock_->Now();
  if (now < drift_at_ + Duration::Seconds(1)) return;
  drift_at_ = now;
  drift_.store(ledger_->Drift().nano);
}

void LedgerWriter::Undo(size_t mark) {
  db_.RollbackIfOpen();
  ledger_->Rollback(mark);
  ledger_->Release();
  journal_->OnRollback();
  spends_.Clear();
}

void LedgerWriter::FailStop(const Error& error) {
  const MutexLock lock(&mu_);
  if (failure_) return;
  blocked_.reset();  // it is not over by itself any more
  failure_ = error;
  failure_->message += "; no money is taken until a restart";
  failed_.store(true);
}

void LedgerWriter::Answer(Operation* operation) {
  if (operation->held) operation->held(operation->hold_answer);
  if (operation->stored) operation->stored(operation->status);
  if (operation->ordered) operation->ordered(operation->order_answer);
}

void LedgerWriter::Refuse(Operation* operation, const Error& error) {
  if (operation->held) operation->held({error, {}, {}, false});
  if (operation->stored) operation->stored(error);
  if (operation->ordered) operation->ordered({error, LedgerResult::kInvalid, {}});
}

}  // namespace seekroute
