#include "store/sqlite/ledger_verify.h"

#include <algorithm>
#include <unordered_map>

#include "store/sqlite/schema.h"

namespace seekroute {
namespace {

// The journal in order, each entry beside the row of its request.
constexpr const char* kJournal =
    "SELECT e.seq, e.kind, e.id IS NULL, e.org, e.available, e.held, e.debt, e.cash, e.revenue, "
    "e.loss, r.n, r.state, r.held, r.hold_seq, r.end_seq, r.cost, r.org FROM entry e "
    "LEFT JOIN request r ON r.n = e.request ORDER BY e.seq";

class Verifier {
 public:
  Verifier(Database* db, int64_t seen) : db_(db), seen_(seen) {}

  Result<LedgerReport> Run() {
    if (Status guarded = Guards(); !guarded.ok()) return guarded.error();
    Result<Statement> journal = db_->Prepare(kJournal);
    Result<Statement> snapshot = db_->Prepare("SELECT seq, cash, revenue, loss FROM snapshot");
    if (!journal || !snapshot) return db_->LastError("verifying");
    if (snapshot->Step() != SQLITE_ROW) return db_->LastError("verifying");
    snapshot_seq_ = snapshot->Int(0);
    const Postings own{0, 0, 0, snapshot->Int(1), snapshot->Int(2), snapshot->Int(3)};
    snapshot->Reset();
    if (snapshot_seq_ == 0 && sound()) CompareSnapshot(own);
    int code = SQLITE_ROW;
    while (sound() && (code = journal->Step()) == SQLITE_ROW) {
      CheckEntry(*journal);
      if (sound() && seq_ == snapshot_seq_) CompareSnapshot(own);
    }
    if (sound() && code != SQLITE_DONE) return db_->LastError("verifying");
    if (sound() && std::max(snapshot_seq_, seen_) > seq_)
      Break("L9", seq_, "the end of the journal is missing");
    if (sound()) CheckRest();
    if (failed_) return *failed_;
    return report_;
  }

 private:
  bool sound() const { return report_.rule.empty() && !failed_; }

  void Break(const char* rule, int64_t seq, std::string why) {
    if (!sound()) return;
    report_.rule = rule;
    report_.seq = seq;
    report_.why = std::move(why);
  }

  int64_t Ask(std::string_view sql) {
    const Result<int64_t> answer = db_->QueryInt(sql);
    if (!answer && !failed_) failed_ = answer.error();
    return answer ? *answer : 0;
  }

  Status Guards() {
    for (const char* guard : kGuards) {
      Result<Statement> find =
          db_->Prepare("SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND name = ?");
      if (!find) return find.error();
      find->Bind(std::string_view(guard));
      if (find->Step() != SQLITE_ROW) return db_->LastError("verifying");
      if (find->Int(0) != 1) Break("L9", 0, "the trigger " + std::string(guard) + " is gone");
      find->Reset();
    }
    return Status();
  }

  void CheckEntry(const Statement& row) {
    const int64_t seq = row.Int(0);
    const auto kind = static_cast<EntryKind>(row.Int(1));
    const Postings p{row.Int(4), row.Int(5), row.Int(6), row.Int(7), row.Int(8), row.Int(9)};
    const bool first = report_.entries++ == 0;
    if (first ? seq != 1 && kind != EntryKind::kOpening : seq != seq_ + 1) {
      Break("L9", seq, "entries are missing before it");
    }
    seq_ = seq;
    if (kind == EntryKind::kOpening && !opening_)
      Break("L9", seq, "an opening after other entries");
    opening_ = kind == EntryKind::kOpening;
    if (!IsBalanced(p)) Break("L1", seq, "its postings do not sum to zero");
    Postings& balance = balances_[row.Int(3)];
    if (!AddPostings({p.available, p.held, p.debt, 0, 0, 0}, &balance) ||
        !AddPostings({0, 0, 0, p.cash, p.revenue, p.loss}, &operator_)) {
      Break("L1", seq, "a balance overflows");
    }
    if (balance.available < 0) Break("L2", seq, "more is spent than is available");
    if (balance.held < 0) Break("L2", seq, "more is given back than is held");
    if (balance.debt > 0) Break("L2", seq, "more is repaid than is owed");
    if (balance.available > 0 && balance.debt < 0) {
      Break("L2", seq, "something is available while something is owed");
    }
    if (row.Int(2) != 0 && kind != EntryKind::kOpening) CheckOfRequest(row, kind, seq, p);
    if (kind == EntryKind::kRefund && row.IsNull(10)) Break("L11", seq, "of an unknown request");
    settled_ = kind == EntryKind::kSettle ? row.Int(10) : 0;
  }

  void CheckOfRequest(const Statement& row, EntryKind kind, int64_t seq, const Postings& p) {
    if (row.IsNull(10)) return Break("L5", seq, "it belongs to no request");
    const int64_t held = row.Int(12);
    if (row.Int(16) != row.Int(3)) Break("L5", seq, "its request is another organization's");
    if (kind == EntryKind::kHold) {
      ++holds_;
      if (row.Int(13) != seq) Break("L5", seq, "its request has another hold");
      if (p.held != held || p.available + p.debt != -held)
        Break("L3", seq, "its request holds another sum");
      return;
    }
    if (kind == EntryKind::kOverrun) {
      if (settled_ != row.Int(10)) Break("L5", seq, "an overrun without its settlement");
      if (p.revenue <= 0 || p.loss != -p.revenue) Break("L8", seq, "an overrun of nothing");
      return;
    }
    ++ends_;
    const auto state = static_cast<RequestState>(row.Int(11));
    const bool fits = kind == EntryKind::kSettle   ? state == RequestState::kSettled
                      : kind == EntryKind::kVoid   ? state == RequestState::kVoided
                      : kind == EntryKind::kExpire ? state == RequestState::kExpired
                                                   : false;
    if (!fits || row.IsNull(14) || row.Int(14) != seq) {
      Break("L5", seq, "its request ended otherwise");
    }
    if (row.Int(13) >= seq) Break("L5", seq, "it ends a request that was not held before");
    if (p.held != -held) Break("L3", seq, "it gives back another sum than was held");
    if (p.revenue != row.Int(15)) Break("L8", seq, "it charges another sum than its request");
    if (p.revenue > held || p.revenue < 0) Break("L8", seq, "it charges more than was held");
  }

  // The stored balances must be the journal's up to there.
  void CompareSnapshot(const Postings& own) {
    if (own != operator_) Break("L6", snapshot_seq_, "the operator's balance is not the journal's");
    Result<Statement> accounts = db_->Prepare("SELECT org, available, held, debt FROM account");
    if (!accounts) {
      failed_ = accounts.error();
      return;
    }
    size_t count = 0;
    int code = SQLITE_DONE;
    while (sound() && (code = accounts->Step()) == SQLITE_ROW) {
      ++count;
      const auto found = balances_.find(accounts->Int(0));
      const Postings stored{accounts->Int(1), accounts->Int(2), accounts->Int(3), 0, 0, 0};
      if (found == balances_.end() ? stored != Postings{} : stored != found->second) {
        Break("L6", snapshot_seq_, "a stored balance is not the journal's");
      }
    }
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
      failed_ = db_->LastError("reading");
      return;
    }
    if (count < balances_.size()) Break("L6", snapshot_seq_, "a stored balance is missing");
  }

  void CheckRest() {
    report_.requests = Ask("SELECT count(*) FROM request");
    if (Ask("SELECT count(*) FROM pragma_foreign_key_check") != 0)
      Break("L5", 0, "a row refers to one that is not there");
    if (Ask("SELECT count(*) FROM request WHERE hold_seq > 0") != holds_)
      Break("L5", 0, "a request without a hold");
    if (Ask("SELECT count(*) FROM request WHERE state <> 0 AND end_seq > 0") != ends_) {
      Break("L5", 0, "a request that ended without an entry");
    }
    Result<Statement> held =
        db_->Prepare("SELECT org, sum(held) FROM request WHERE state = 0 GROUP BY org");
    if (!held) {
      failed_ = held.error();
      return;
    }
    std::unordered_map<int64_t, int64_t> live;
    int code = SQLITE_ROW;
    while ((code = held->Step()) == SQLITE_ROW) live[held->Int(0)] = held->Int(1);
    if (code != SQLITE_DONE) {
      failed_ = db_->LastError("reading");
      return;
    }
    for (const auto& [org, balance] : balances_) {
      const auto found = live.find(org);
      if (balance.held != (found == live.end() ? 0 : found->second)) {
        Break("L3", 0, "the live holds of an organization are not its held balance");
      }
    }
    const int64_t refunded = Ask(
        "SELECT coalesce((SELECT max(e.seq) FROM entry e JOIN request r ON r.n = e.request "
        "WHERE e.kind = 7 GROUP BY e.request HAVING sum(e.available + e.debt) + coalesce((SELECT "
        "sum(p.available + p.debt) FROM past_order p WHERE p.kind = 7 AND p.generation = "
        "r.generation), 0) "
        "> max(r.cost)), 0)");
    if (refunded != 0) Break("L11", refunded, "more is refunded than was charged");
    if (Ask("SELECT count(*) FROM checkpoint c LEFT JOIN request r ON r.n = c.request "
            "WHERE r.n IS NULL OR r.state <> 0") != 0) {
      Break("L5", 0, "a progress note of a request that is not held");
    }
    if (Ask("SELECT count(*) FROM idempotency i LEFT JOIN request r ON r.n = i.request "
            "WHERE r.n IS NULL") != 0) {
      Break("L5", 0, "an idempotency claim of an unknown request");
    }
    const int64_t twice =
        Ask("SELECT coalesce((SELECT max(seq) FROM entry NOT INDEXED WHERE id IS NOT NULL "
            "GROUP BY kind, id HAVING count(*) > 1), 0)");
    if (twice != 0) Break("L13", twice, "its id was booked before");
    const int64_t both =
        Ask("SELECT coalesce((SELECT e.seq FROM entry e JOIN past_order p ON p.kind = e.kind "
            "AND p.id = e.id WHERE e.id IS NOT NULL), 0)");
    if (both != 0) Break("L13", both, "its id was booked before");
    if (Ask("SELECT count(*) FROM (SELECT 1 FROM request NOT INDEXED GROUP BY generation "
            "HAVING count(*) > 1)") != 0) {
      Break("L16", 0, "a generation id was given out twice");
    }
  }

  Database* const db_;
  const int64_t seen_;
  LedgerReport report_;
  std::optional<Error> failed_;
  std::unordered_map<int64_t, Postings> balances_;  // by organization
  Postings operator_;
  int64_t snapshot_seq_ = 0;
  int64_t seq_ = 0;
  int64_t holds_ = 0;
  int64_t ends_ = 0;
  int64_t settled_ = 0;  // the request of the entry before, if that was its settlement
  bool opening_ = true;  // only openings so far
};

}  // namespace

Result<LedgerReport> VerifyLedger(Database* db, int64_t seen) {
  if (db->Execute("BEGIN") != SQLITE_OK) return db->LastError("verifying");
  Result<LedgerReport> report = Verifier(db, seen).Run();
  db->RollbackIfOpen();
  return report;
}

}  // namespace seekroute
