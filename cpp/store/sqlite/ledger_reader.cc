#include "store/sqlite/ledger_reader.h"

#include <limits>

#include "store/sqlite/backup.h"
#include "store/sqlite/ledger_verify.h"
#include "store/sqlite/schema.h"
#include "store/sqlite/seq_mark.h"
#include "store/sqlite/sqlite_journal.h"

namespace seekroute {
namespace {

constexpr int64_t kAny = std::numeric_limits<int64_t>::max();

// The entries that the stored balances do not have.
#define SR_TAIL(columns) "SELECT " columns " FROM entry WHERE seq > (SELECT seq FROM snapshot)"

#define SR_REQUEST_COLUMNS                                                                      \
  "SELECT r.n, r.generation, r.request_id, "                                                    \
  "CASE r.state WHEN 0 THEN 'held' WHEN 1 THEN 'settled' WHEN 2 THEN 'voided' ELSE 'expired' "  \
  "END AS state, o.text AS org, k.text AS key, rm.text AS requested_model, m.text AS model, "   \
  "p.text AS provider, pr.text AS price_revision, r.created, r.ended, r.held, r.cost, "         \
  "r.upstream_cost, coalesce((SELECT sum(a.suspected) FROM attempt a "                          \
  "WHERE a.request = r.n), 0) AS suspected_cost, r.lost_bound, "                                \
  "CASE r.settlement WHEN 0 THEN 'exact' WHEN 1 THEN 'estimated' WHEN 2 THEN 'partial' "        \
  "WHEN 3 THEN 'cancelled' WHEN 4 THEN 'failed' WHEN 5 THEN 'free' END AS settlement, "         \
  "r.status, e.text AS error, f.text AS finish_reason, t.text AS service_tier, "                \
  "r.prompt_tokens, r.completion_tokens, r.cached_tokens, r.reasoning_tokens, "                 \
  "r.cache_write_tokens, r.total_us, r.first_content_us, r.overhead_us, "                       \
  "r.flags & 1 AS streamed, (r.flags & 2) / 2 AS estimated, (r.flags & 4) / 4 AS usage_odd, "   \
  "(r.flags & 16) / 16 AS cap_ignored, "                                                        \
  "r.hold_seq, r.end_seq FROM request r JOIN name o ON o.n = r.org JOIN name k ON k.n = r.key " \
  "JOIN name rm ON rm.n = r.requested_model JOIN name m ON m.n = r.model "                      \
  "JOIN name pr ON pr.n = r.price_revision LEFT JOIN name p ON p.n = r.provider "               \
  "LEFT JOIN name e ON e.n = r.error LEFT JOIN name f ON f.n = r.finish_reason "                \
  "LEFT JOIN name t ON t.n = r.service_tier "

// Orders in the journal, and those that were pruned.
#define SR_ORDER_COLUMNS                                                                      \
  " AS entry_kind, CASE WHEN x.kind = 1 THEN 'topup' WHEN x.kind = 7 THEN 'refund' "          \
  "WHEN x.cash <> 0 THEN 'chargeback' ELSE 'adjust' END AS kind, x.id AS id, o.text AS org, " \
  "x.available + x.debt AS amount, coalesce(x.note, '') AS note, "
#define SR_ORDERS_OF_JOURNAL                                                        \
  "SELECT x.kind" SR_ORDER_COLUMNS                                                  \
  "coalesce(r.generation, '') AS generation "                                       \
  "FROM entry x JOIN name o ON o.n = x.org LEFT JOIN request r ON r.n = x.request " \
  "WHERE x.id IS NOT NULL AND "
#define SR_ORDERS_OF_PAST          \
  "SELECT x.kind" SR_ORDER_COLUMNS \
  "x.generation AS generation "    \
  "FROM past_order x JOIN name o ON o.n = x.org WHERE "

Result<std::string> FirstInstance(Database* db) {
  Result<Statement> statement = db->Prepare("SELECT id FROM instance ORDER BY n LIMIT 1");
  if (!statement) return statement.error();
  const int code = statement->Step();
  if (code != SQLITE_ROW && code != SQLITE_DONE) return db->LastError("reading");
  std::string id = code == SQLITE_ROW ? statement->Text(0) : std::string();
  statement->Reset();
  return id;
}

}  // namespace

Result<LedgerReader> LedgerReader::Open(const std::string& path) {
  Result<Database> db = Database::Open(path, Database::Mode::kReadOnly);
  if (!db) return db.error();
  Status known = CheckVersion(&*db);
  if (!known.ok()) return known.error();
  return LedgerReader(std::move(*db), path);
}

Result<LedgerRows> LedgerReader::Collect(Result<Statement> statement) {
  if (!statement) return statement.error();
  return RowsOf(&*statement);
}

Result<LedgerRows> LedgerReader::RowsOf(Statement* statement) {
  LedgerRows rows;
  int code = SQLITE_ROW;
  while ((code = statement->Step()) == SQLITE_ROW) {
    LedgerRow row;
    for (int i = 0; i < statement->columns(); ++i) {
      LedgerCell cell;
      if (statement->IsInteger(i)) {
        cell = statement->Int(i);
      } else if (!statement->IsNull(i)) {
        cell = statement->Text(i);
      }
      row.emplace_back(statement->ColumnName(i), std::move(cell));
    }
    rows.push_back(std::move(row));
  }
  if (code != SQLITE_DONE) return db_.LastError("reading");
  return rows;
}

Result<LedgerRow> LedgerReader::CollectOne(Result<Statement> statement) {
  Result<LedgerRows> rows = Collect(std::move(statement));
  if (!rows) return rows.error();
  return std::move(rows->front());  // of sums there is always one row
}

Result<Postings> LedgerReader::Balance(std::string_view org) {
  // What the last snapshot says, and the entries after it.
  Result<Statement> statement =
      org.empty()
          ? db_.Prepare("WITH part(cash, revenue, loss) AS (SELECT cash, revenue, loss FROM snapshot "
                        "UNION ALL " SR_TAIL("cash, revenue, loss") ") "
                        "SELECT 0, 0, 0, sum(cash), sum(revenue), sum(loss) FROM part")
          : db_.Prepare("WITH part(org, available, held, debt) AS "
                        "(SELECT org, available, held, debt FROM account "
                        "WHERE org = (SELECT n FROM name WHERE text = ?1) "
                        "UNION ALL " SR_TAIL("org, available, held, debt")
                        " AND org = (SELECT n FROM name WHERE text = ?1)) "
                        "SELECT coalesce(sum(available), 0), coalesce(sum(held), 0), "
                        "coalesce(sum(debt), 0), 0, 0, 0 FROM part");
  if (!statement) return statement.error();
  if (!org.empty()) statement->Bind(org);
  if (statement->Step() != SQLITE_ROW) return db_.LastError("reading");
  Postings p{statement->Int(0), statement->Int(1), statement->Int(2),
             statement->Int(3), statement->Int(4), statement->Int(5)};
  statement->Reset();
  return p;
}

Result<LedgerRows> LedgerReader::Balances() {
  return Collect(db_.Prepare(
      "WITH part(org, available, held, debt) AS (SELECT org, available, held, debt FROM account "
      "UNION ALL " SR_TAIL(
          "org, available, held, debt") ") "
                                        "SELECT o.text AS org, sum(available) AS available, "
                                        "sum(held) AS held, sum(debt) AS debt "
                                        "FROM part p JOIN name o ON o.n = p.org GROUP BY p.org "
                                        "ORDER BY o.text"));
}

Result<std::optional<LedgerRow>> LedgerReader::Generation(std::string_view id) {
  Result<Statement> statement = db_.Prepare(SR_REQUEST_COLUMNS "WHERE r.generation = ?");
  if (statement) statement->Bind(id);
  Result<LedgerRows> rows = Collect(std::move(statement));
  if (!rows) return rows.error();
  if (rows->empty()) return std::optional<LedgerRow>();
  return std::optional<LedgerRow>(std::move(rows->front()));
}

Result<LedgerRows> LedgerReader::FindRequests(std::string_view id, bool begins, int64_t most) {
  // Two queries: an OR would read the table for what the index has.
  constexpr std::string_view kBySaid =
      "SELECT n, generation FROM request WHERE request_id = ?1 ORDER BY n DESC LIMIT ?2";
  constexpr std::string_view kEither =
      "SELECT n, generation FROM (SELECT n, generation FROM request WHERE request_id = ?1 "
      "ORDER BY n DESC LIMIT ?2) UNION SELECT n, generation FROM (SELECT n, generation FROM "
      "request "
      // Past whatever begins so: no id has a character after this one.
      "WHERE generation >= ?1 AND generation < ?1 || char(0x10ffff) ORDER BY n DESC LIMIT ?2) "
      "ORDER BY n DESC LIMIT ?2";
  Result<Statement> statement = db_.Prepare(begins ? kEither : kBySaid);
  if (statement) statement->Bind(id, most);
  return Collect(std::move(statement));
}

Result<LedgerRows> LedgerReader::Attempts(std::string_view generation) {
  Result<Statement> statement = db_.Prepare(
      "WITH r AS (SELECT * FROM request WHERE generation = ?), a AS "
      "(SELECT t.place, t.provider, coalesce(t.model, r.model) AS model, t.status, t.error, "
      "t.waited_us, t.suspected, t.words "
      "FROM r JOIN attempt t ON t.request = r.n UNION ALL "
      // What the row itself tells: see the journal.
      "SELECT 0, provider, model, status, error, total_us - overhead_us, 0, '' FROM r "
      "WHERE flags & 8) "
      "SELECT p.text AS provider, a.status, e.text AS error, a.waited_us, a.suspected, a.words, "
      "m.text AS model "
      "FROM a "
      "JOIN name p ON p.n = a.provider JOIN name m ON m.n = a.model JOIN name e ON e.n = a.error "
      "ORDER BY a.place");
  if (statement) statement->Bind(generation);
  return Collect(std::move(statement));
}

Result<std::string> LedgerReader::Routing(std::string_view generation) {
  Result<Statement> statement =
      db_.Prepare("SELECT coalesce(routing, '') FROM request WHERE generation = ?");
  if (!statement) return statement.error();
  if (statement->Bind(generation).Step() != SQLITE_ROW) return db_.LastError("reading");
  std::string routing = statement->Text(0);
  statement->Reset();
  return routing;
}

Result<int64_t> LedgerReader::Refunded(std::string_view generation) {
  Result<Statement> statement = db_.Prepare(
      "SELECT (SELECT coalesce(sum(e.available + e.debt), 0) FROM request r JOIN entry e "
      "ON e.request = r.n "
      "AND e.kind = 7 WHERE r.generation = ?1) + (SELECT coalesce(sum(available + debt), 0) "
      "FROM past_order WHERE kind = 7 AND generation = ?1)");
  if (!statement) return statement.error();
  if (statement->Bind(generation).Step() != SQLITE_ROW) return db_.LastError("reading");
  const int64_t sum = statement->Int(0);
  statement->Reset();
  return sum;
}

Result<LedgerRow> LedgerReader::Account(std::string_view org) {
  // One statement sees one moment. A refund is found by the index of refunds, of which there are
  // few, and what was charged by the totals of days: neither by the journal.
  Result<Statement> statement = db_.Prepare(
      "WITH o(n) AS (SELECT n FROM name WHERE text = ?1), part(available, held, debt) AS "
      "(SELECT available, held, debt FROM account WHERE org = (SELECT n FROM o) "
      "UNION ALL " SR_TAIL("available, held, debt")
      " AND org = (SELECT n FROM o)), refund(amount) AS "
      "(SELECT available + debt FROM entry INDEXED BY refund_by_request "
      "WHERE kind = 7 AND org = (SELECT n FROM o) UNION ALL SELECT available + debt FROM past_order "
      "WHERE kind = 7 AND org = (SELECT n FROM o)) "
      "SELECT coalesce(sum(available), 0) AS available, coalesce(sum(held), 0) AS held, "
      "coalesce(sum(debt), 0) AS debt, (SELECT coalesce(sum(cost), 0) FROM day_total "
      "WHERE org = (SELECT n FROM o)) AS charged, "
      "(SELECT coalesce(sum(amount), 0) FROM refund) AS refunded FROM part");
  if (statement) statement->Bind(org);
  return CollectOne(std::move(statement));
}

Result<LedgerRow> LedgerReader::KeyUse(std::string_view org, std::string_view key,
                                       const KeyDays& days) {
  Result<Statement> statement = db_.Prepare(
      "WITH o(n) AS (SELECT n FROM name WHERE text = ?1), k(n) AS (SELECT n FROM name "
      "WHERE text = ?2) SELECT coalesce(sum(cost), 0) AS total, "
      "coalesce(sum(cost) FILTER (WHERE day >= ?3 AND day < ?4), 0) AS daily, "
      "coalesce(sum(cost) FILTER (WHERE day >= ?5 AND day < ?6), 0) AS weekly, "
      "coalesce(sum(cost) FILTER (WHERE day >= ?7 AND day < ?8), 0) AS monthly, "
      "coalesce(sum(cost) FILTER (WHERE day >= ?9 AND day < ?10), 0) AS window, "
      "(SELECT coalesce(sum(held), 0) FROM request INDEXED BY request_held "
      "WHERE state = 0 AND org = (SELECT n FROM o) "
      "AND key = (SELECT n FROM k) AND created >= ?9 * 86400 "
      "AND created < ?10 * 86400) AS held FROM day_total "
      "WHERE org = (SELECT n FROM o) AND key = (SELECT n FROM k)");
  if (statement) {
    statement->Bind(org, key, days.day.first, days.day.end, days.week.first, days.week.end,
                    days.month.first, days.month.end, days.window.first, days.window.end);
  }
  return CollectOne(std::move(statement));
}

Result<LedgerRows> LedgerReader::Requests(const RowFilter& filter) {
  // Backwards through the file, whoever is asked for: an index would cost every hold more than it
  // saves the few who ask.
  Result<Statement> statement =
      db_.Prepare(SR_REQUEST_COLUMNS
                  "WHERE (?1 = '' OR r.org = (SELECT n FROM name WHERE text = ?1)) "
                  "AND (?2 = '' OR k.text = ?2) AND r.n < ?3 ORDER BY r.n DESC LIMIT ?4");
  if (statement) {
    statement->Bind(filter.org, filter.key, filter.before.value_or(kAny), filter.limit);
  }
  return Collect(std::move(statement));
}

Result<LedgerRows> LedgerReader::Activity(const DayFilter& filter) {
  Result<Statement> statement = db_.Prepare(
      "SELECT d.day * 86400 AS day, o.text AS org, k.text AS key, m.text AS model, d.requests, "
      "d.failed, d.prompt_tokens, d.completion_tokens, d.cached_tokens, d.reasoning_tokens, "
      "d.cost, d.upstream_cost, d.suspected_cost FROM day_total d JOIN name o ON o.n = d.org "
      "JOIN name k ON k.n = d.key JOIN name m ON m.n = d.model "
      "WHERE (?1 = '' OR o.text = ?1) AND (?2 = '' OR k.text = ?2) AND d.day BETWEEN ?3 AND ?4 "
      "ORDER BY d.day, o.text, k.text, m.text");
  if (statement) {
    statement->Bind(filter.org, filter.key, filter.from / kSecondsPerDay,
                    filter.until.value_or(kAny) / kSecondsPerDay);
  }
  return Collect(std::move(statement));
}

Result<LedgerRows> LedgerReader::Days(const DayPage& page) {
  Result<Statement> statement = db_.Prepare(
      "SELECT d.day * 86400 AS day, CASE WHEN ?3 THEN k.text ELSE '' END AS key, m.text AS model, "
      "sum(d.requests) AS requests, sum(d.failed) AS failed, "
      "sum(d.prompt_tokens) AS prompt_tokens, sum(d.completion_tokens) AS completion_tokens, "
      "sum(d.cached_tokens) AS cached_tokens, sum(d.reasoning_tokens) AS reasoning_tokens, "
      "sum(d.cost) AS cost FROM day_total d JOIN name k ON k.n = d.key "
      "JOIN name m ON m.n = d.model WHERE d.org = (SELECT n FROM name WHERE text = ?1) "
      "AND (?2 = '' OR k.text = ?2) AND d.day BETWEEN ?4 AND ?5 "
      "GROUP BY d.day, CASE WHEN ?3 THEN d.key END, d.model "
      "ORDER BY d.day, m.text, CASE WHEN ?3 THEN k.text END LIMIT ?6 OFFSET ?7");
  if (statement) {
    statement->Bind(page.org, page.key, int64_t{page.by_key ? 1 : 0}, page.from, page.to,
                    page.limit, page.offset);
  }
  return Collect(std::move(statement));
}

Result<LedgerRows> LedgerReader::KeyCharges() {
  return Collect(
      db_.Prepare("SELECT k.text AS key, d.cost FROM (SELECT key, sum(cost) AS cost FROM day_total "
                  "GROUP BY key) d JOIN name k ON k.n = d.key ORDER BY k.text"));
}

Result<LedgerRows> LedgerReader::Entries(int64_t after, int64_t limit) {
  Result<Statement> statement = db_.Prepare(
      "SELECT e.seq, CASE e.kind WHEN 1 THEN 'topup' WHEN 2 THEN 'hold' WHEN 3 THEN 'settle' "
      "WHEN 4 THEN 'overrun' WHEN 5 THEN 'void' WHEN 6 THEN 'expire' WHEN 7 THEN 'refund' "
      "WHEN 8 THEN 'adjust' ELSE 'opening' END AS kind, "
      "coalesce(e.id, r.generation) AS id, o.text AS org, e.available, e.held, e.debt, e.cash, "
      "e.revenue, e.loss, e.at, coalesce(r.generation, '') AS generation, "
      "coalesce(e.note, '') AS note FROM entry e JOIN name o ON o.n = e.org "
      "LEFT JOIN request r ON r.n = e.request WHERE e.seq > ? ORDER BY e.seq LIMIT ?");
  if (statement) statement->Bind(after, limit);
  return Collect(std::move(statement));
}

Result<LedgerRows> LedgerReader::OrdersAfter(const OrderName& after, int64_t limit) {
  Result<Statement> statement = db_.Prepare(
      "SELECT * FROM (" SR_ORDERS_OF_JOURNAL
      "(x.kind, x.id) > (?1, ?2) ORDER BY x.kind, x.id LIMIT ?3) UNION ALL SELECT * FROM "
      "(" SR_ORDERS_OF_PAST
      "(x.kind, x.id) > (?1, ?2) ORDER BY x.kind, x.id LIMIT ?3) ORDER BY entry_kind, id LIMIT ?3");
  if (statement) statement->Bind(after.kind, after.id, limit);
  return Collect(std::move(statement));
}

Result<LedgerRows> LedgerReader::FindOrders(const std::vector<OrderName>& names) {
  Result<Statement> find =
      db_.Prepare(SR_ORDERS_OF_JOURNAL "x.kind = ?1 AND x.id = ?2 UNION ALL " SR_ORDERS_OF_PAST
                                       "x.kind = ?1 AND x.id = ?2");
  if (!find) return find.error();
  LedgerRows found;
  for (const OrderName& name : names) {
    find->Bind(name.kind, name.id);
    Result<LedgerRows> rows = RowsOf(&*find);
    if (!rows) return rows.error();
    found.push_back(rows->empty() ? LedgerRow() : std::move(rows->front()));
  }
  return found;
}

Result<std::string> LedgerReader::Identity() { return FirstInstance(&db_); }

Result<std::string> LedgerReader::IdentityOf(const std::string& path) {
  Result<Database> db = Database::Open(path, Database::Mode::kReadOnly);
  if (!db) return db.error();
  return FirstInstance(&*db);
}

Result<LedgerReport> LedgerReader::Verify() {
  const int64_t seen = SeqMark::Read(MarkPath(path_));  // first: the journal only gets longer
  return VerifyLedger(&db_, seen);
}

Status LedgerReader::BackUpTo(const std::string& path) { return BackUp(&db_, path); }

}  // namespace seekroute
