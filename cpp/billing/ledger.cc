#include "billing/ledger.h"

#include <algorithm>
#include <array>
#include <limits>

namespace seekroute {
namespace {

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

// The accounts of the organization, or those of the operator.
Postings OrgPart(const Postings& p) { return {p.available, p.held, p.debt, 0, 0, 0}; }
Postings OperatorPart(const Postings& p) { return {0, 0, 0, p.cash, p.revenue, p.loss}; }

Postings Negative(const Postings& p) {
  return {-p.available, -p.held, -p.debt, -p.cash, -p.revenue, -p.loss};
}

// Of an entry that gave money to an organization, or took it. Either half is at most as large.
int64_t AmountOf(const Postings& p) { return p.available + p.debt; }

// What an organization of that balance may set aside.
int64_t Spendable(const Postings& balance, Money line) {
  const int64_t unused = std::max<int64_t>(0, line.nano + balance.debt);  // of the credit line
  return balance.available > kMost - unused ? kMost : balance.available + unused;
}

}  // namespace

std::string_view NameOf(EntryKind kind) {
  constexpr std::array<std::string_view, 10> kNames = {
      "", "topup", "hold", "settle", "overrun", "void", "expire", "refund", "adjust", "opening"};
  const auto at = static_cast<size_t>(kind);
  return at < kNames.size() ? kNames[at] : kNames[0];
}

std::string_view NameOf(LedgerResult result) {
  constexpr std::array<std::string_view, 9> kNames = {
      "ok", "exists", "conflict", "insufficient", "debt", "invalid", "unknown", "late", "too_much"};
  return kNames[static_cast<size_t>(result)];
}

bool AddPostings(const Postings& more, Postings* sum) {
  Postings next;
  const bool overflow = __builtin_add_overflow(sum->available, more.available, &next.available) ||
                        __builtin_add_overflow(sum->held, more.held, &next.held) ||
                        __builtin_add_overflow(sum->debt, more.debt, &next.debt) ||
                        __builtin_add_overflow(sum->cash, more.cash, &next.cash) ||
                        __builtin_add_overflow(sum->revenue, more.revenue, &next.revenue) ||
                        __builtin_add_overflow(sum->loss, more.loss, &next.loss);
  // The one value without a negative is outside too: every balance and amount can be turned.
  for (const int64_t each :
       {next.available, next.held, next.debt, next.cash, next.revenue, next.loss}) {
    if (overflow || each == std::numeric_limits<int64_t>::min()) return false;
  }
  *sum = next;
  return true;
}

bool IsBalanced(const Postings& p) {
  __extension__ using Wide = __int128;
  return Wide{p.available} + p.held + p.debt + p.cash + p.revenue + p.loss == 0;
}

bool Ledger::Book(std::string_view org, const Postings& postings) {
  auto found = balances_.find(org);
  Postings balance = found == balances_.end() ? Postings{} : found->second;
  Postings operators = operator_;
  if (!AddPostings(OrgPart(postings), &balance)) return false;
  if (!AddPostings(OperatorPart(postings), &operators)) return false;
  if (found == balances_.end()) found = balances_.emplace(org, Postings{}).first;
  found->second = balance;
  operator_ = operators;
  return true;
}

bool Ledger::Post(LedgerEntry entry) {
  if (!Book(entry.org, entry.postings)) return false;
  entry.seq = ++last_seq_;
  undo_.push_back({entry.org, entry.postings, {}, {}});
  journal_->Append(entry);
  return true;
}

// What comes repays the debt first; what goes is taken from what is available first.
bool Ledger::PostSplit(LedgerEntry entry, int64_t amount) {
  const Postings balance = BalanceOf(entry.org);
  entry.postings.debt = amount > 0 ? std::min(-balance.debt, amount)
                                   : std::min<int64_t>(0, balance.available + amount);
  entry.postings.available = amount - entry.postings.debt;
  return Post(std::move(entry));
}

LedgerResult Ledger::GiveOrTake(LedgerEntry entry, Money amount, int64_t Postings::*counter) {
  if (entry.id.empty() || entry.org.empty()) return LedgerResult::kInvalid;
  if (amount.nano == 0 || amount.nano < -kMost) return LedgerResult::kInvalid;
  if (const auto past = journal_->Find(entry.kind, entry.id)) {
    const bool same = past->org == entry.org && AmountOf(past->postings) == amount.nano &&
                      past->postings.*counter == -amount.nano && past->note == entry.note;
    return same ? LedgerResult::kExists : LedgerResult::kConflict;
  }
  entry.postings.*counter = -amount.nano;
  return PostSplit(std::move(entry), amount.nano) ? LedgerResult::kOk : LedgerResult::kInvalid;
}

LedgerResult Ledger::Topup(std::string_view id, std::string_view org, Money amount, UnixMillis at) {
  if (amount.nano <= 0) return LedgerResult::kInvalid;
  LedgerEntry entry{0, EntryKind::kTopup, std::string(id), std::string(org), {}, at, {}, {}};
  return GiveOrTake(std::move(entry), amount, &Postings::cash);
}

LedgerResult Ledger::Adjust(std::string_view id, std::string_view org, Money amount,
                            bool chargeback, std::string_view note, UnixMillis at) {
  LedgerEntry entry{0,  EntryKind::kAdjust, std::string(id), std::string(org), {}, at,
                    {}, std::string(note)};
  return GiveOrTake(std::move(entry), amount, chargeback ? &Postings::cash : &Postings::loss);
}

Money Ledger::SpendableOf(std::string_view org, Money line) const {
  return {Spendable(BalanceOf(org), line)};
}

Ledger::HoldResult Ledger::Hold(std::string_view id, std::string_view org, Money amount,
                                Money at_least, Money line, UnixMillis at) {
  HoldResult answer;
  if (id.empty() || org.empty()) return answer;
  if (amount.nano < 0 || at_least.nano < 0 || at_least > amount || line.nano < 0) return answer;
  const Postings balance = BalanceOf(org);
  answer.available.nano = Spendable(balance, line);
  if (const auto past = journal_->Find(EntryKind::kHold, id)) {
    answer.granted.nano = past->postings.held;
    const bool same = past->org == org && answer.granted >= at_least && answer.granted <= amount;
    answer.result = same ? LedgerResult::kExists : LedgerResult::kConflict;
    return answer;
  }
  const Money granted = std::min(amount, answer.available);
  if (granted < at_least) {
    answer.result = balance.debt < 0 ? LedgerResult::kDebt : LedgerResult::kInsufficient;
    return answer;
  }
  LedgerEntry entry{0, EntryKind::kHold, std::string(id), std::string(org), {}, at, std::string(id),
                    {}};
  entry.postings.held = granted.nano;
  if (!PostSplit(std::move(entry), -granted.nano)) return answer;
  holds_.emplace(id, LiveHold{std::string(org), granted});
  undo_.back().hold = id;
  answer.granted = granted;
  answer.result = LedgerResult::kOk;
  return answer;
}

LedgerResult Ledger::Settle(std::string_view id, Money actual, UnixMillis at) {
  if (actual.nano < 0) return LedgerResult::kInvalid;
  const std::string key(id);
  const auto found = holds_.find(key);
  if (found == holds_.end()) {
    if (const auto past = journal_->Find(EntryKind::kSettle, id)) {
      const auto over = journal_->Find(EntryKind::kOverrun, id);
      const int64_t charged = past->postings.revenue + (over ? over->postings.revenue : 0);
      return charged == actual.nano ? LedgerResult::kExists : LedgerResult::kConflict;
    }
    const bool ended =
        journal_->Find(EntryKind::kVoid, id) || journal_->Find(EntryKind::kExpire, id);
    return ended ? LedgerResult::kLate : LedgerResult::kUnknown;
  }
  const LiveHold hold = found->second;
  const int64_t charge = std::min(actual, hold.amount).nano;
  LedgerEntry entry{0, EntryKind::kSettle, key, hold.org, {}, at, key, {}};
  entry.postings.held = -hold.amount.nano;
  entry.postings.revenue = charge;
  LedgerEntry overrun{0, EntryKind::kOverrun, key, hold.org, {}, at, key, {}};
  overrun.postings.revenue = actual.nano - charge;
  overrun.postings.loss = -overrun.postings.revenue;
  // Both or neither: asked before the first is written.
  Postings operators = operator_;
  if (!AddPostings(OperatorPart(entry.postings), &operators) ||
      !AddPostings(OperatorPart(overrun.postings), &operators)) {
    return LedgerResult::kInvalid;
  }
  if (!PostSplit(std::move(entry), hold.amount.nano - charge)) return LedgerResult::kInvalid;
  holds_.erase(found);
  undo_.back().hold = key;
  undo_.back().ended = hold;
  if (overrun.postings.revenue > 0) Post(std::move(overrun));
  return LedgerResult::kOk;
}

LedgerResult Ledger::Void(std::string_view id, UnixMillis at) {
  return GiveBack(id, EntryKind::kVoid, at);
}

LedgerResult Ledger::Expire(std::string_view id, UnixMillis at) {
  return GiveBack(id, EntryKind::kExpire, at);
}

LedgerResult Ledger::GiveBack(std::string_view id, EntryKind kind, UnixMillis at) {
  const std::string key(id);
  const auto found = holds_.find(key);
  if (found == holds_.end()) {
    if (journal_->Find(EntryKind::kVoid, id) || journal_->Find(EntryKind::kExpire, id)) {
      return LedgerResult::kExists;
    }
    return journal_->Find(EntryKind::kSettle, id) ? LedgerResult::kConflict
                                                  : LedgerResult::kUnknown;
  }
  const LiveHold hold = found->second;
  LedgerEntry entry{0, kind, key, hold.org, {}, at, key, {}};
  entry.postings.held = -hold.amount.nano;
  if (!PostSplit(std::move(entry), hold.amount.nano)) return LedgerResult::kInvalid;
  holds_.erase(found);
  undo_.back().hold = key;
  undo_.back().ended = hold;
  return LedgerResult::kOk;
}

LedgerResult Ledger::Refund(std::string_view id, std::string_view request, Money amount,
                            UnixMillis at) {
  if (id.empty() || amount.nano <= 0) return LedgerResult::kInvalid;
  if (const auto past = journal_->Find(EntryKind::kRefund, id)) {
    const bool same = past->request == request && AmountOf(past->postings) == amount.nano;
    return same ? LedgerResult::kExists : LedgerResult::kConflict;
  }
  const auto settled = journal_->Find(EntryKind::kSettle, request);
  if (!settled) return LedgerResult::kUnknown;
  const int64_t left = settled->postings.revenue - journal_->Refunded(request).nano;
  if (amount.nano > left) return LedgerResult::kTooMuch;
  LedgerEntry entry{
      0, EntryKind::kRefund, std::string(id), settled->org, {}, at, std::string(request), {}};
  entry.postings.revenue = -amount.nano;
  return PostSplit(std::move(entry), amount.nano) ? LedgerResult::kOk : LedgerResult::kInvalid;
}

Postings Ledger::BalanceOf(std::string_view org) const {
  const auto found = balances_.find(org);
  return found == balances_.end() ? Postings{} : found->second;
}

Money Ledger::Drift() const {
  __extension__ using Wide = __int128;
  Wide sum = Wide{operator_.cash} + operator_.revenue + operator_.loss;
  for (const auto& [org, p] : balances_) sum += Wide{p.available} + p.held + p.debt;
  return {static_cast<int64_t>(std::clamp(sum, Wide{-kMost}, Wide{kMost}))};
}

void Ledger::Rollback(size_t mark) {
  while (undo_.size() > mark) {
    Undo& last = undo_.back();
    Book(last.org, Negative(last.postings));
    --last_seq_;
    if (!last.hold.empty()) {
      if (last.ended) {
        holds_.emplace(std::move(last.hold), *std::move(last.ended));
      } else {
        holds_.erase(last.hold);
      }
    }
    undo_.pop_back();
  }
}

void Ledger::Restore(std::map<std::string, Postings, std::less<>> balances,
                     const Postings& operators, int64_t last_seq) {
  balances_ = std::move(balances);
  operator_ = operators;
  last_seq_ = last_seq;
  holds_.clear();
  undo_.clear();
}

bool Ledger::Replay(const LedgerEntry& entry) {
  if (entry.seq != last_seq_ + 1 || !Book(entry.org, entry.postings)) return false;
  last_seq_ = entry.seq;
  return true;
}

void Ledger::RestoreHold(std::string id, LiveHold hold) {
  holds_.emplace(std::move(id), std::move(hold));
}

}  // namespace seekroute
