// Questions to a ledger file, also while it is written. Every answer is as of one moment.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "billing/ledger.h"
#include "store/sqlite/database.h"

namespace seekroute {

// One row of an answer: names and values in order. Money is nano-USD, time Unix seconds (`created`,
// `day`) or milliseconds (`at`, `ended`).
using LedgerCell = std::variant<std::monostate, int64_t, std::string>;
using LedgerRow = std::vector<std::pair<std::string, LedgerCell>>;
using LedgerRows = std::vector<LedgerRow>;

// What verify() found.
struct LedgerReport {
  std::string rule;  // the first broken invariant, "L1" to "L16"; empty: none
  int64_t seq = 0;   // of the entry that breaks it; 0: none in particular
  std::string why;
  int64_t entries = 0;   // that were read
  int64_t requests = 0;  // likewise
};

// Empty strings and absent values in a filter mean any.
struct RowFilter {
  std::string org;
  std::string key;
  std::optional<int64_t> before;  // rows with a smaller `n`
  int64_t limit = 100;
};
struct DayFilter {
  std::string org;
  std::string key;
  int64_t from = 0;              // first and
  std::optional<int64_t> until;  // last second, by whole UTC days; both included
};

// One page of the sums of one organization by day and model. From day to day, both included,
// counted from 1970 in UTC.
struct DayPage {
  std::string org;
  std::string key;      // empty: all of its keys
  bool by_key = false;  // whether the sums of different keys stay apart
  int64_t from = 0;
  int64_t to = 0;
  int64_t limit = 100;
  int64_t offset = 0;
};

// Days counted from 1970 in UTC: from `first` to the one before `end`.
struct DaySpan {
  int64_t first = 0;
  int64_t end = 0;
};

// In which the charges of a key are summed. The live holds are those of requests that were created
// in the `window`.
struct KeyDays {
  DaySpan day;
  DaySpan week;
  DaySpan month;
  DaySpan window;
};

// What names an order that was booked: the number of its EntryKind, and its id.
struct OrderName {
  int64_t kind = 0;
  std::string id;
};

// Not thread-safe. Memory is bounded by the rows that are asked for.
class LedgerReader {
 public:
  // Fails when the file is absent, no ledger, or of another version.
  static Result<LedgerReader> Open(const std::string& path);

  // Of one organization: available, held, debt; zeros when it has no entry. "": the operator's.
  Result<Postings> Balance(std::string_view org);
  // All of them, by name: org, available, held, debt.
  Result<LedgerRows> Balances();
  // The request of a generation id with its attempts as a list of rows; nothing when unknown.
  Result<std::optional<LedgerRow>> Generation(std::string_view id);
  // The `generation` ids of at most `most` requests that `id` may mean, newest first: those with
  // this request_id, and where it `begins` one, those whose own id begins so. Own ids have an
  // index; for request_ids the whole table is read, for an index of them would cost the writer with
  // every request.
  Result<LedgerRows> FindRequests(std::string_view id, bool begins, int64_t most);
  Result<LedgerRows> Attempts(std::string_view generation);
  // How it was routed, as JSON; empty: its row and its attempts tell all.
  Result<std::string> Routing(std::string_view generation);
  // What was given back of its charge.
  Result<int64_t> Refunded(std::string_view generation);
  // Newest first. `n` pages on.
  Result<LedgerRows> Requests(const RowFilter& filter);
  // Sums by day, key and model, oldest first.
  Result<LedgerRows> Activity(const DayFilter& filter);
  Result<LedgerRows> Days(const DayPage& page);
  // What each key was charged in all: key, cost. A row a key, however many days and models it has.
  Result<LedgerRows> KeyCharges();
  // available, held, debt, and what was charged and refunded in all: of one organization, in time
  // that grows with its days and all refunds, not with its entries.
  Result<LedgerRow> Account(std::string_view org);
  // total, daily, weekly, monthly and window: what requests of a key were charged; held: what is
  // set aside for those that run. Refunds are not taken off, as they are not off its limit.
  Result<LedgerRow> KeyUse(std::string_view org, std::string_view key, const KeyDays& days);
  // At most `limit` entries after `seq`, in order.
  Result<LedgerRows> Entries(int64_t after, int64_t limit);
  // Top-ups, adjustments and refunds after one by entry_kind and id, in that order, pruned ones
  // too: entry_kind, kind ("topup", "refund", "adjust" or "chargeback"), id, org, generation, note,
  // and the amount that the organization was given, or (negative) that was taken.
  Result<LedgerRows> OrdersAfter(const OrderName& after, int64_t limit);
  // Likewise, one an order that was asked for; an empty row: it was never booked.
  Result<LedgerRows> FindOrders(const std::vector<OrderName>& names);
  // What tells this ledger from others, and its copies not: random, of its first start. Empty
  // before that.
  Result<std::string> Identity();
  // The same of the file at `path`, whatever its schema.
  static Result<std::string> IdentityOf(const std::string& path);

  // Reads everything and stops at the first broken invariant.
  Result<LedgerReport> Verify();
  // A durable copy at `path`, which must not exist.
  Status BackUpTo(const std::string& path);

 private:
  LedgerReader(Database db, std::string path) : db_(std::move(db)), path_(std::move(path)) {}
  Result<LedgerRows> Collect(Result<Statement> statement);
  Result<LedgerRows> RowsOf(Statement* statement);
  Result<LedgerRow> CollectOne(Result<Statement> statement);

  Database db_;
  std::string path_;
};

}  // namespace seekroute
