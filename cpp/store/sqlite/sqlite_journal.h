// The ledger's journal and the requests' rows in SQLite, as the one writer sees them.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "base/calendar.h"
#include "billing/ledger.h"
#include "store/sqlite/database.h"
#include "store/sqlite/schema.h"
#include "store/store.h"

namespace seekroute {

// Everything runs inside the transaction that the caller has opened. After a failure nothing more
// is written and failure() says why: the caller rolls back and calls OnRollback(). Writer's thread.
class SqliteJournal : public LedgerJournal {
 public:
  // `db` is not owned and outlives the journal.
  static Result<std::unique_ptr<SqliteJournal>> Make(Database* db);

  // The request whose entries come next: a hold inserts its row, an end completes it. nullptr: the
  // request's owner is gone, and with it what happened. Not owned.
  void SetRow(const ExchangeRecord* row) { row_ = row; }
  void set_instance(int64_t instance) { instance_ = instance; }
  // How many requests are known without asking the file; for tests.
  void set_most_recent(size_t most) { most_recent_ = most; }

  void Append(const LedgerEntry& entry) override;
  std::optional<LedgerEntry> Find(EntryKind kind, std::string_view id) override;
  Money Refunded(std::string_view request) override;

  // Charges of a key's requests that were created on a day of the window, and their live holds,
  // which are told apart as well.
  Money SpentByKey(std::string_view org, std::string_view key, const KeyLimit& window, Money* held);

  // Start-up: the balance of `org` is not that of the stored snapshot.
  void MarkChanged(const std::string& org) { changed_.insert(org); }

  // Writes what a batch has gathered: totals of days.
  void FlushTotals();
  // The balances of the organizations that changed since the last call, as of ledger.last_seq().
  void WriteSnapshot(const Ledger& ledger, bool clean);

  // For rows beside the journal, in the same transaction. Step() remembers a failure; true: there
  // is a row.
  bool Step(Statement& statement);
  void Run(Statement& statement);
  int64_t NameOfText(std::string_view text);

  bool ok() const { return failure_ == SQLITE_OK; }
  const std::optional<Error>& error() const { return error_; }
  int failure() const { return failure_; }
  void OnRollback();
  // Somebody else has written to the file on this connection.
  void OnForeignWrite() { recent_.clear(), recent_floor_.reset(); }
  // A snapshot that was written is durable: until here its organizations count as changed.
  void OnCommit();

 private:
  enum Query : size_t {
    kNameByText,
    kInsertName,
    kInsertRequest,
    kCompleteRequest,
    kCompleteRerouted,
    kInsertAttempt,
    kInsertEntry,
    kRequestByGeneration,
    kLastGeneration,
    kEntryBySeq,
    kEntryById,
    kPastOrder,
    kRefunds,
    kAddTotal,
    kSumOfKey,
    kHoldsOfKey,
    kPutAccount,
    kPutSnapshot,
    kQueryCount,
  };
  struct DayTotal {
    int64_t requests = 0, failed = 0, prompt = 0, completion = 0, cached = 0, reasoning = 0;
    int64_t cost = 0, upstream = 0, suspected = 0;
  };
  // organization, key, day, model
  using DayKey = std::tuple<int64_t, int64_t, int64_t, int64_t>;
  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  struct RequestKeys {
    int64_t n = 0, hold_seq = 0, held = 0;
    int64_t model = 0, price_revision = 0;  // as it was held for
    std::optional<int64_t> end_seq;
  };

  static constexpr size_t kMostRecent = 1u << 14;

  explicit SqliteJournal(Database* db) : db_(db) {}
  std::optional<RequestKeys> FindRequest(std::string_view generation);
  void Remember(const std::string& generation, const RequestKeys& keys);
  std::optional<LedgerEntry> FindOfRequest(EntryKind kind, std::string_view id);
  std::optional<LedgerEntry> EntryAt(int64_t seq, std::string_view request);
  int64_t InsertRequest(const LedgerEntry& entry);
  void CompleteRequest(const LedgerEntry& entry, const RequestKeys& request);
  void AddToDay(int64_t org, Money charge);

  Database* const db_;
  std::array<Statement, kQueryCount> sql_;
  const ExchangeRecord* row_ = nullptr;
  int64_t instance_ = 0;
  int failure_ = SQLITE_OK;
  std::optional<Error> error_;
  // Text -> number, also of a string_view. At most kMostNames; then it starts anew.
  std::unordered_map<std::string, int64_t, TextHash, std::equal_to<>> names_;
  // The requests whose generation is above the floor: all of them, so that a new one is known to be
  // new without asking the file. At most most_recent_; then the floor rises.
  std::unordered_map<std::string, RequestKeys, TextHash, std::equal_to<>> recent_;
  std::optional<std::string> recent_floor_;  // none: not read yet
  size_t most_recent_ = kMostRecent;
  std::map<DayKey, DayTotal> totals_;        // of one batch
  std::unordered_set<std::string> changed_;  // organizations, since the last snapshot
  bool snapshot_written_ = false;
};

}  // namespace seekroute
