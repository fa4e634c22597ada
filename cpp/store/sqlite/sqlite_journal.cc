#include "store/sqlite/sqlite_journal.h"

#include <algorithm>

#include "base/failpoint.h"

namespace seekroute {
namespace {

constexpr size_t kMostNames = 1u << 16;
constexpr int64_t kStreamed = 1, kEstimated = 2, kUsageOdd = 4, kOneAttempt = 8, kCapIgnored = 16;

// Parameters 1 to 21.
#define SR_COMPLETE                                                                              \
  "UPDATE OR ROLLBACK request SET state = ?, end_seq = ?, ended = ?, cost = ?, lost_bound = ?, " \
  "upstream_cost = ?, settlement = ?, status = ?, provider = ?, error = ?, finish_reason = ?, "  \
  "service_tier = ?, prompt_tokens = ?, completion_tokens = ?, cached_tokens = ?, "              \
  "reasoning_tokens = ?, cache_write_tokens = ?, total_us = ?, first_content_us = ?, "           \
  "overhead_us = ?, flags = ?"

constexpr std::array<const char*, 18> kSql = {
    "SELECT n FROM name WHERE text = ?",
    "INSERT INTO name (text) VALUES (?)",
    "INSERT INTO request (generation, request_id, state, instance, org, key, requested_model, "
    "model, price_revision, created, held, hold_seq, flags) "
    "VALUES (?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    SR_COMPLETE " WHERE n = ?22",
    SR_COMPLETE ", model = ?23, price_revision = ?24, routing = ?25 WHERE n = ?22",
    "INSERT INTO attempt (request, place, provider, status, error, waited_us, suspected, words, "
    "model) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "INSERT INTO entry (seq, kind, id, org, request, available, held, debt, cash, revenue, loss, "
    "at, note) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "SELECT n, hold_seq, held, model, price_revision, end_seq FROM request WHERE generation = ?",
    "SELECT coalesce(max(generation), '') FROM request",
    "SELECT e.seq, e.kind, e.id, o.text, e.available, e.held, e.debt, e.cash, e.revenue, e.loss, "
    "e.at, e.note, '' FROM entry e JOIN name o ON o.n = e.org WHERE e.seq = ?",
    "SELECT e.seq, e.kind, e.id, o.text, e.available, e.held, e.debt, e.cash, e.revenue, e.loss, "
    "e.at, e.note, coalesce(r.generation, '') FROM entry e JOIN name o ON o.n = e.org "
    "LEFT JOIN request r ON r.n = e.request WHERE e.kind = ? AND e.id = ?",
    "SELECT 0, p.kind, p.id, o.text, p.available, p.held, p.debt, p.cash, p.revenue, p.loss, "
    "p.at, p.note, p.generation FROM past_order p JOIN name o ON o.n = p.org "
    "WHERE p.kind = ? AND p.id = ?",
    "SELECT coalesce(sum(e.available + e.debt), 0) FROM entry e JOIN request r ON r.n = e.request "
    "WHERE e.kind = 7 AND r.generation = ?",
    "INSERT INTO day_total VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE "
    "SET "
    "requests = requests + excluded.requests, failed = failed + excluded.failed, "
    "prompt_tokens = prompt_tokens + excluded.prompt_tokens, "
    "completion_tokens = completion_tokens + excluded.completion_tokens, "
    "cached_tokens = cached_tokens + excluded.cached_tokens, "
    "reasoning_tokens = reasoning_tokens + excluded.reasoning_tokens, cost = cost + excluded.cost, "
    "upstream_cost = upstream_cost + excluded.upstream_cost, "
    "suspected_cost = suspected_cost + excluded.suspected_cost",
    "SELECT coalesce(sum(cost), 0) FROM day_total WHERE org = ? AND key = ? AND day >= ? AND day < "
    "?",
    "SELECT coalesce(sum(held), 0) FROM request WHERE state = 0 AND key = ? AND created >= ? "
    "AND created < ?",
    "INSERT INTO account VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
    "available = excluded.available, held = excluded.held, debt = excluded.debt",
    "UPDATE snapshot SET seq = ?, cash = ?, revenue = ?, loss = ?, clean = ?",
};

int64_t Microseconds(Duration d) { return d.ns / 1000; }

// Of most requests: the only try answered, and its row says the same of it. It is not stored; who
// reads takes it from there.
bool IsToldByRow(const ExchangeRecord& row) {
  if (row.tried.size() != 1) return false;
  const AttemptRecord& only = row.tried.front();
  const bool same = only.model.empty() || only.model == row.model;
  return same && only.provider == row.provider && only.status == row.status && only.error.empty() &&
         row.error.empty() && only.suspected.nano == 0 &&
         only.waited.ns == (row.total - row.overhead).ns;
}

bool HasRequest(EntryKind kind) {
  return kind == EntryKind::kHold || kind == EntryKind::kSettle || kind == EntryKind::kOverrun ||
         kind == EntryKind::kVoid || kind == EntryKind::kExpire;
}

LedgerEntry EntryFrom(const Statement& row) {
  LedgerEntry entry;
  entry.seq = row.Int(0);
  entry.kind = static_cast<EntryKind>(row.Int(1));
  entry.id = row.Text(2);
  entry.org = row.Text(3);
  entry.postings = {row.Int(4), row.Int(5), row.Int(6), row.Int(7), row.Int(8), row.Int(9)};
  entry.at = {row.Int(10)};
  entry.note = row.Text(11);
  entry.request = row.Text(12);
  return entry;
}

}  // namespace

Result<std::unique_ptr<SqliteJournal>> SqliteJournal::Make(Database* db) {
  static_assert(kSql.size() == kQueryCount);
  std::unique_ptr<SqliteJournal> journal(new SqliteJournal(db));
  for (size_t i = 0; i < kSql.size(); ++i) {
    Result<Statement> statement = db->Prepare(kSql[i]);
    if (!statement) return statement.error();
    journal->sql_[i] = std::move(*statement);
  }
  return journal;
}

bool SqliteJournal::Step(Statement& statement) {
  if (!ok()) return false;
  const int code = statement.Step();
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) {
    failure_ = code;
    error_ = db_->LastError("writing");
  }
  return false;
}

void SqliteJournal::Run(Statement& statement) {
  while (Step(statement)) {
  }
}

int64_t SqliteJournal::NameOfText(std::string_view text) {
  if (const auto found = names_.find(text); found != names_.end()) return found->second;
  if (names_.size() >= kMostNames) names_.clear();
  Statement& select = sql_[kNameByText].Bind(text);
  int64_t n = 0;
  if (Step(select)) {
    n = select.Int(0);
    select.Reset();
  } else {
    Run(sql_[kInsertName].Bind(text));
    n = sqlite3_last_insert_rowid(db_->handle());
  }
  if (ok()) names_.emplace(text, n);
  return n;
}

void SqliteJournal::Remember(const std::string& generation, const RequestKeys& keys) {
  if (!recent_floor_ || generation <= *recent_floor_) return;
  if (recent_.size() >= most_recent_) {
    for (const auto& [each, of_each] : recent_) recent_floor_ = std::max(*recent_floor_, each);
    recent_.clear();
    if (generation <= *recent_floor_) return;
  }
  recent_.insert_or_assign(generation, keys);
}

std::optional<SqliteJournal::RequestKeys> SqliteJournal::FindRequest(std::string_view generation) {
  if (!recent_floor_) {
    Statement& last = sql_[kLastGeneration].Bind();
    if (!Step(last)) return std::nullopt;
    recent_floor_ = last.Text(0);
    last.Reset();
  }
  if (generation > *recent_floor_) {
    const auto found = recent_.find(generation);
    return found == recent_.end() ? std::nullopt : std::optional(found->second);
  }
  Statement& select = sql_[kRequestByGeneration].Bind(generation);
  if (!Step(select)) return std::nullopt;
  RequestKeys keys{select.Int(0), select.Int(1), select.Int(2), select.Int(3), select.Int(4), {}};
  if (!select.IsNull(5)) keys.end_seq = select.Int(5);
  select.Reset();
  return keys;
}

std::optional<LedgerEntry> SqliteJournal::EntryAt(int64_t seq, std::string_view request) {
  Statement& select = sql_[kEntryBySeq].Bind(seq);
  if (!Step(select)) return std::nullopt;
  LedgerEntry entry = EntryFrom(select);
  select.Reset();
  if (HasRequest(entry.kind)) entry.id = entry.request = request;
  return entry;
}

std::optional<LedgerEntry> SqliteJournal::FindOfRequest(EntryKind kind, std::string_view id) {
  const std::optional<RequestKeys> request = FindRequest(id);
  if (!request) return std::nullopt;
  if (kind == EntryKind::kHold) return EntryAt(request->hold_seq, id);
  if (!request->end_seq) return std::nullopt;
  // An overrun is the entry right after its settle, booked in the same operation.
  const bool after = kind == EntryKind::kOverrun;
  std::optional<LedgerEntry> entry = EntryAt(*request->end_seq, id);
  if (after) {
    if (!entry || entry->kind != EntryKind::kSettle) return std::nullopt;
    entry = EntryAt(*request->end_seq + 1, id);
  }
  return entry && entry->kind == kind ? entry : std::nullopt;
}

std::optional<LedgerEntry> SqliteJournal::Find(EntryKind kind, std::string_view id) {
  if (HasRequest(kind)) return FindOfRequest(kind, id);
  for (const Query query : {kEntryById, kPastOrder}) {
    Statement& select = sql_[query].Bind(static_cast<int64_t>(kind), id);
    if (!Step(select)) continue;
    LedgerEntry entry = EntryFrom(select);
    select.Reset();
    return entry;
  }
  return std::nullopt;
}

Money SqliteJournal::Refunded(std::string_view request) {
  Statement& select = sql_[kRefunds].Bind(request);
  if (!Step(select)) return {};
  const Money sum{select.Int(0)};
  select.Reset();
  return sum;
}

int64_t SqliteJournal::InsertRequest(const LedgerEntry& entry) {
  const ExchangeRecord empty;
  const ExchangeRecord& row = row_ == nullptr ? empty : *row_;
  const int64_t model = NameOfText(row.model), revision = NameOfText(row.price_revision);
  Run(sql_[kInsertRequest].Bind(entry.id, row.request_id, instance_, NameOfText(entry.org),
                                NameOfText(row.key_id), NameOfText(row.requested_model), model,
                                revision, row.created.s, entry.postings.held, entry.seq,
                                row.streamed ? kStreamed : int64_t{0}));
  const int64_t n = sqlite3_last_insert_rowid(db_->handle());
  if (ok()) Remember(entry.id, {n, entry.seq, entry.postings.held, model, revision, {}});
  return n;
}

void SqliteJournal::CompleteRequest(const LedgerEntry& entry, const RequestKeys& request) {
  const auto state = entry.kind == EntryKind::kSettle ? RequestState::kSettled
                     : entry.kind == EntryKind::kVoid ? RequestState::kVoided
                                                      : RequestState::kExpired;
  // Of an owner that is gone nobody knows what its upstream did: at most what was held.
  const ExchangeRecord unknown;
  std::optional<int64_t> lost_bound;
  if (state == RequestState::kExpired) lost_bound = request.held;
  const ExchangeRecord& row = row_ == nullptr ? unknown : *row_;
  const std::string_view error = row_ == nullptr ? std::string_view("unknown") : row.error;
  const bool told = IsToldByRow(row);
  const int64_t flags = (row.streamed ? kStreamed : 0) | (row.estimated ? kEstimated : 0) |
                        (row.usage_odd ? kUsageOdd : 0) | (told ? kOneAttempt : 0) |
                        (row.cap_ignored ? kCapIgnored : 0);
  // The difference is what was waited, also in whole microseconds.
  const int64_t overhead = told ? Microseconds(row.total) - Microseconds(row.tried.front().waited)
                                : Microseconds(row.overhead);
  // Of most requests these are as when it was held for, and not written again.
  const int64_t model = row.model.empty() ? request.model : NameOfText(row.model);
  const int64_t revision =
      row.price_revision.empty() ? request.price_revision : NameOfText(row.price_revision);
  const bool rerouted =
      model != request.model || revision != request.price_revision || !row.routing.empty();
  Statement& complete = sql_[rerouted ? kCompleteRerouted : kCompleteRequest];
  complete.Bind(static_cast<int64_t>(state), entry.seq, entry.at.ms, entry.postings.revenue,
                lost_bound, row.upstream_cost.nano, static_cast<int64_t>(row.settlement),
                int64_t{row.status}, NameOfText(row.provider), NameOfText(error),
                NameOfText(row.finish_reason), NameOfText(row.service_tier), row.prompt_tokens,
                row.completion_tokens, row.cached_tokens, row.reasoning_tokens,
                row.cache_write_tokens, Microseconds(row.total), Microseconds(row.first_content),
                overhead, flags, request.n);
  if (rerouted) {
    complete.BindOne(23, model);
    complete.BindOne(24, revision);
    row.routing.empty() ? complete.BindOne(25, std::nullopt)
                        : complete.BindOne(25, std::string_view(row.routing));
  }
  Run(complete);
  RequestKeys completed = request;
  completed.end_seq = entry.seq;
  Remember(entry.id, completed);
  int64_t place = 0;
  for (const AttemptRecord& attempt : row.tried) {
    if (told) break;  // the only one
    Run(sql_[kInsertAttempt].Bind(request.n, place++, NameOfText(attempt.provider),
                                  int64_t{attempt.status}, NameOfText(attempt.error),
                                  Microseconds(attempt.waited), attempt.suspected.nano,
                                  std::string_view(attempt.words),
                                  NameOfText(attempt.model.empty() ? row.model : attempt.model)));
  }
  if (row_ != nullptr) AddToDay(NameOfText(entry.org), {entry.postings.revenue});
}

void SqliteJournal::AddToDay(int64_t org, Money charge) {
  const ExchangeRecord& row = *row_;
  DayTotal& total =
      totals_[{org, NameOfText(row.key_id), row.created.s / kSecondsPerDay, NameOfText(row.model)}];
  total.requests += 1;
  total.failed += row.error.empty() ? 0 : 1;
  total.prompt += row.prompt_tokens;
  total.completion += row.completion_tokens;
  total.cached += row.cached_tokens;
  total.reasoning += row.reasoning_tokens;
  total.cost += charge.nano;
  total.upstream += row.upstream_cost.nano;
  total.suspected += row.Suspected().nano;
}

void SqliteJournal::Append(const LedgerEntry& entry) {
  std::optional<int64_t> request;
  if (entry.kind == EntryKind::kHold) {
    request = InsertRequest(entry);
  } else if (!entry.request.empty()) {
    const std::optional<RequestKeys> found = FindRequest(entry.request);
    if (!found) return;  // a failed read: the state machine knows the request
    request = found->n;
    const bool ends = HasRequest(entry.kind) && entry.kind != EntryKind::kOverrun;
    if (ends) CompleteRequest(entry, *found);
  }
  Statement& insert = sql_[kInsertEntry];
  const int64_t org = NameOfText(entry.org);
  const Postings& p = entry.postings;
  insert.Bind(entry.seq, static_cast<int64_t>(entry.kind), std::nullopt, org, request, p.available,
              p.held, p.debt, p.cash, p.revenue, p.loss, entry.at.ms, std::nullopt);
  if (!HasRequest(entry.kind)) insert.BindOne(3, std::string_view(entry.id));
  if (!entry.note.empty()) insert.BindOne(13, std::string_view(entry.note));
  SR_FAILPOINT_IF(entry.kind == EntryKind::kSettle, "in_settle");  // its row is written
  Run(insert);
  SR_FAILPOINT_IF(!HasRequest(entry.kind), "in_order");
  changed_.insert(entry.org);
}

Money SqliteJournal::SpentByKey(std::string_view org, std::string_view key, const KeyLimit& window,
                                Money* held) {
  FlushTotals();
  const int64_t first = window.since.s / kSecondsPerDay;
  const int64_t end = window.until.s / kSecondsPerDay;
  const int64_t n = NameOfText(key);
  Money charged;
  *held = {};
  for (const auto& [select, sum] :
       {std::pair{&sql_[kSumOfKey].Bind(NameOfText(org), n, first, end), &charged},
        std::pair{&sql_[kHoldsOfKey].Bind(n, first * kSecondsPerDay, end * kSecondsPerDay),
                  held}}) {
    if (!Step(*select)) return {};
    sum->nano = select->Int(0);
    select->Reset();
  }
  return {charged.nano + held->nano};
}

void SqliteJournal::FlushTotals() {
  for (const auto& [key, t] : totals_) {
    const auto& [org, who, day, model] = key;
    Run(sql_[kAddTotal].Bind(org, who, day, model, t.requests, t.failed, t.prompt, t.completion,
                             t.cached, t.reasoning, t.cost, t.upstream, t.suspected));
  }
  totals_.clear();
}

void SqliteJournal::WriteSnapshot(const Ledger& ledger, bool clean) {
  for (const std::string& org : changed_) {
    const Postings p = ledger.BalanceOf(org);
    Run(sql_[kPutAccount].Bind(NameOfText(org), p.available, p.held, p.debt));
  }
  const Postings& own = ledger.operator_balance();
  Run(sql_[kPutSnapshot].Bind(ledger.last_seq(), own.cash, own.revenue, own.loss,
                              int64_t{clean ? 1 : 0}));
  snapshot_written_ = true;
}

void SqliteJournal::OnRollback() {
  failure_ = SQLITE_OK;
  error_.reset();
  row_ = nullptr;
  names_.clear();
  OnForeignWrite();
  totals_.clear();
  snapshot_written_ = false;
}

void SqliteJournal::OnCommit() {
  if (snapshot_written_) changed_.clear();
  snapshot_written_ = false;
}

}  // namespace seekroute
