// The one thread that writes a ledger file. What waits is written in one transaction and is
// answered after its commit: the more wait, the more share one fsync; there is no timer. It can do
// without its thread, so that the simulator steps it by hand.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "base/time.h"
#include "store/ledger.h"
#include "store/sqlite/claim_rows.h"
#include "store/sqlite/database.h"
#include "store/sqlite/key_spends.h"
#include "store/sqlite/ledger_options.h"
#include "store/sqlite/ledger_order.h"
#include "store/sqlite/ledger_task.h"
#include "store/sqlite/progress_notes.h"
#include "store/sqlite/seq_mark.h"
#include "store/sqlite/sqlite_journal.h"

namespace seekroute {

// Thread-safe but for Open() and the destructor.
class LedgerWriter {
 public:
  using Options = LedgerOptions;
  // Called on the writer's thread, or from inside Step() or the destructor.
  using Held = std::function<void(const HoldAnswer&)>;
  using Stored = std::function<void(const Status&)>;
  using Ordered = std::function<void(const OrderAnswer&)>;
  using Work = std::function<TaskResult(Database*, Ledger*, SqliteJournal*)>;
  // Shared with whoever waits for the answer, so that a row is copied once.
  using SharedRow = std::shared_ptr<const ExchangeRecord>;
  // kAtFlush: the caller asks for more, and then calls Flush(). The thread may begin before.
  enum class Wake : uint8_t { kNow, kAtFlush };

  static constexpr size_t kMostInBatch = 1024;
  static constexpr size_t kMostQueued = 65'536;          // past it holds and orders are refused
  static constexpr size_t kMostNotes = 1024;             // queued; past it they are dropped
  static constexpr size_t kMostWaitingSettles = 10'000;  // past it holds are
  static constexpr int64_t kEntriesPerSnapshot = 10'000;
  // Milliseconds that a clock may go back and count as standing still; more: it was wrong before.
  static constexpr int64_t kMostStepBack = 60'000;

  // Takes the file's lock, creates or migrates the file, replays what follows the last snapshot
  // and gives back the holds of owners that are gone. `clock` is not owned and outlives it. Fails
  // when another process or writer has the file, and when the file is damaged or not a ledger.
  static Result<std::unique_ptr<LedgerWriter>> Open(const Options& options, const Clock* clock);
  // Writes what is queued, answers everything, and closes.
  ~LedgerWriter();
  LedgerWriter(const LedgerWriter&) = delete;
  LedgerWriter& operator=(const LedgerWriter&) = delete;

  void Hold(SharedRow row, HoldRequest request, Held done, Wake wake = Wake::kNow);
  void Hold(ExchangeRecord row, HoldRequest request, Held done) {
    Hold(std::make_shared<const ExchangeRecord>(std::move(row)), request, std::move(done));
  }
  // Tried again until it is durable, unless the writer has failed or closes.
  void Settle(SharedRow row, Stored done, Wake wake = Wake::kNow);
  void Settle(ExchangeRecord row, Stored done) {
    Settle(std::make_shared<const ExchangeRecord>(std::move(row)), std::move(done));
  }
  void Flush();
  void Order(LedgerOrder order, Ordered done);
  // What a running request has delivered. Dropped when the writer is behind or has failed, and when
  // the request is not held.
  void Note(ExchangeRecord row);
  // The newest `most` claims that still count, oldest first. Waits, as RunTask() does.
  Result<std::vector<KeptClaim>> Claims(size_t most);
  // Without a thread of its own: writes and answers the batch that a thread would take now, if any.
  void Step();
  // Runs `work` on the writer's thread between transactions and waits for it. Not from a callback.
  // Where it leaves the file in a state that nobody knows, the writer takes no more money.
  Status RunTask(const Work& work);
  // Called after each batch, on its thread: ports deliver in bulk. Set before the first operation.
  void OnBatch(std::function<void()> delivered) { delivered_ = std::move(delivered); }

  // False once a write or fsync has failed: what is on the disk is not certain until a restart.
  bool ready() const { return !failed_.load(); }
  // Why, when not ready().
  Status health() const;
  // Why what is asked is refused for now: the disk is full, or the file locked. Ok again once a
  // write has succeeded, which the writer tries by itself each retry_pace.
  Status blocked() const;
  uint64_t commits() const { return commits_.load(); }
  LedgerFigures figures() const;
  // Holds of owners that are gone, by what became of them.
  size_t expired_at_start() const { return expired_at_start_; }
  size_t charged_at_start() const { return charged_at_start_; }
  const std::string& path() const { return options_.path; }
  UnixMillis wall_time() const { return clock_->WallTime(); }

 private:
  struct Operation {
    enum class Kind : uint8_t { kHold, kSettle, kOrder, kNote };
    Kind kind = Kind::kOrder;
    SharedRow row;  // not of an order
    HoldRequest request;
    LedgerOrder order;
    Held held;
    Stored stored;
    Ordered ordered;
    // What to answer once it is durable.
    HoldAnswer hold_answer;
    Status status;
    OrderAnswer order_answer;
  };
  using Batch = std::vector<std::unique_ptr<Operation>>;
  struct Task;

  LedgerWriter(Options options, const Clock* clock) : options_(std::move(options)), clock_(clock) {}
  Status Start();
  Status TakeLock();
  Status CheckFile();
  Status Load();
  Status CheckBalances();
  Status EndOrphans();
  void EndOrphan(const std::string& id);
  void Run();
  void AwaitWork() SR_REQUIRES(mu_);
  Batch TakeBatch(bool all) SR_REQUIRES(mu_);
  void RefuseWaiting();
  // Writes the balances, while nothing else is due, to see whether it is still blocked.
  void TryDisk();
  void SetBlocked(std::optional<Error> why);
  void Enqueue(std::unique_ptr<Operation> operation, Wake wake);
  void Write(Batch batch);
  static bool Has(const Batch& batch, Operation::Kind kind);
  void WriteBackLog();
  // 0, or SQLite's failure: then everything is as before the batch.
  int Commit(const Batch& batch);
  void Apply(Operation* operation);
  void ApplyHold(Operation* operation);
  void ApplySettle(Operation* operation);
  void ApplyOrder(Operation* operation);
  LedgerResult ApplyRefund(const LedgerOrder& order);
  void ApplyNote(const ExchangeRecord& row);
  void Undo(size_t mark);
  void Answer(Operation* operation);
  void Refuse(Operation* operation, const Error& error);
  void FailStop(const Error& error);
  void Publish();
  UnixMillis Now();         // of entries, which follow a clock that ran ahead and was set right
  UnixSeconds ClaimTime();  // of claims, in a transaction: dates those of the future anew
  void Close();

  const Options options_;
  const Clock* const clock_;
  int lock_fd_ = -1;
  std::function<void()> delivered_;
  size_t expired_at_start_ = 0;
  size_t charged_at_start_ = 0;
  bool started_ = false;

  // The writer's thread.
  Database db_;
  std::unique_ptr<SqliteJournal> journal_;
  std::unique_ptr<ClaimRows> claims_;
  std::unique_ptr<ProgressNotes> notes_;
  std::unique_ptr<Ledger> ledger_;
  Statement begin_, commit_;
  std::optional<SeqMark> mark_;
  KeySpends spends_;
  std::deque<std::unique_ptr<Operation>> waiting_;  // settles that could not be written
  TimePoint retry_at_ = TimePoint::Never();
  int wal_pages_ = 0;  // as of the last commit
  int64_t snapshot_seq_ = 0;
  int64_t last_at_ = 0;
  int64_t claimed_at_ = 0;  // the wall time of the last claim

  std::atomic<bool> failed_{false};
  std::atomic<uint64_t> commits_{0};
  std::atomic<size_t> waiting_count_{0};
  std::atomic<size_t> live_holds_{0};
  std::atomic<int64_t> revenue_{0}, loss_{0}, drift_{0};
  TimePoint drift_at_ = {std::numeric_limits<int64_t>::min() / 2};  // the writer's thread

  mutable Mutex mu_;
  CondVar wake_;       // the writer
  CondVar task_done_;  // whoever waits in RunTask()
  std::deque<std::unique_ptr<Operation>> queue_ SR_GUARDED_BY(mu_);
  std::deque<Task*> tasks_ SR_GUARDED_BY(mu_);
  bool stopping_ SR_GUARDED_BY(mu_) = false;
  std::optional<Error> failure_ SR_GUARDED_BY(mu_);
  std::optional<Error> blocked_ SR_GUARDED_BY(mu_);

  std::thread thread_;
  std::thread checker_;
};

}  // namespace seekroute
