// The ledger as a state machine: what each operation does to the balances, and which are
// refused. No clock, no I/O: entries go to a LedgerJournal, which also knows the past.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/money.h"
#include "base/time.h"

namespace seekroute {

// The numbers are stored: never reused.
enum class EntryKind : uint8_t {
  kTopup = 1,
  kHold = 2,
  kSettle = 3,
  kOverrun = 4,  // what a settled request cost above its hold: the operator's loss
  kVoid = 5,
  kExpire = 6,
  kRefund = 7,
  kAdjust = 8,
  kOpening = 9,  // the sum of entries that were pruned
};
std::string_view NameOf(EntryKind kind);

// What an entry adds to each account, or what the accounts of one organization hold. Of an entry
// the six sum to zero. A debt is booked as a negative balance: what is owed is its negative. While
// something is available nothing is owed: money that comes in or back repays the debt first.
struct Postings {
  int64_t available = 0;
  int64_t held = 0;
  int64_t debt = 0;     // <= 0 as a balance
  int64_t cash = 0;     // operator: money that came in, negative
  int64_t revenue = 0;  // operator: charges
  int64_t loss = 0;     // operator: overruns and adjustments, negative
  friend constexpr auto operator<=>(const Postings&, const Postings&) = default;
};

// Adds `more` to `*sum`. False, and `*sum` as it was, when an account would leave 64 bits.
bool AddPostings(const Postings& more, Postings* sum);
// True when the six sum to zero.
bool IsBalanced(const Postings& postings);

struct LedgerEntry {
  int64_t seq = 0;  // 1, 2, 3, ... without gaps
  EntryKind kind = EntryKind::kOpening;
  std::string id;  // unique within its kind; of a request's entries the generation id
  std::string org;
  Postings postings;
  UnixMillis at;
  std::string request;  // generation id; empty for top-ups and adjustments
  std::string note;     // why, of an adjustment
};

// What became of an operation. Only kOk has written anything.
enum class LedgerResult : uint8_t {
  kOk,
  kExists,        // the same id and arguments were booked before
  kConflict,      // the same id was booked with other arguments
  kInsufficient,  // less can be held than must be
  kDebt,          // the same, of an organization that owes
  kInvalid,       // an amount without sense, or one that would overflow a balance
  kUnknown,       // no such request
  kLate,          // the hold was given back before: nothing can be charged
  kTooMuch,       // more than the request's charge would be refunded
};
std::string_view NameOf(LedgerResult result);

// Where entries go and the past is asked. An entry that was appended is found at once. The
// implementation keeps its own failures: Append and Find have no way to report one.
class LedgerJournal {
 public:
  virtual ~LedgerJournal() = default;
  virtual void Append(const LedgerEntry& entry) = 0;
  virtual std::optional<LedgerEntry> Find(EntryKind kind, std::string_view id) = 0;
  // The sum of the refunds of a request.
  virtual Money Refunded(std::string_view request) = 0;
};

// Not thread-safe. Memory: one record an organization and one a live hold.
class Ledger {
 public:
  struct LiveHold {
    std::string org;
    Money amount;
  };
  struct HoldResult {
    LedgerResult result = LedgerResult::kInvalid;
    Money granted;    // when kOk or kExists
    Money available;  // could be held at most, before this hold
  };

  // `journal` is not owned and outlives the ledger.
  explicit Ledger(LedgerJournal* journal) : journal_(journal) {}

  // Money came in; a debt is repaid first. `id` names the payment: source + ":" + event.
  LedgerResult Topup(std::string_view id, std::string_view org, Money amount, UnixMillis at);

  // Sets aside as much of `amount` as can be held, if that is at_least: what is available and, of
  // the credit line, what is not owed yet. Takes what is available first; the rest becomes debt. A
  // line of 0 is prepaid, the largest Money no limit. kExists: a hold of this id and organization
  // between the two stands or stood.
  HoldResult Hold(std::string_view id, std::string_view org, Money amount, Money at_least,
                  Money line, UnixMillis at);

  // Ends a hold with a charge of min(actual, hold); a second entry books what exceeds it.
  LedgerResult Settle(std::string_view id, Money actual, UnixMillis at);

  // Ends a hold without a charge: nothing was delivered, or its owner is gone.
  LedgerResult Void(std::string_view id, UnixMillis at);
  LedgerResult Expire(std::string_view id, UnixMillis at);

  // Gives back part of a settled charge.
  LedgerResult Refund(std::string_view id, std::string_view request, Money amount, UnixMillis at);

  // Gives (amount > 0) or takes money, against the operator's loss account, or against cash where
  // the payment itself was reversed (`chargeback`). Takes what is available; the rest is debt.
  LedgerResult Adjust(std::string_view id, std::string_view org, Money amount, bool chargeback,
                      std::string_view note, UnixMillis at);

  // What Hold() could set aside at most for an organization with that credit line.
  Money SpendableOf(std::string_view org, Money line) const;

  // Balances of an organization; zeros for one that has none. cash, revenue, loss stay zero.
  Postings BalanceOf(std::string_view org) const;
  // cash, revenue and loss; the rest stays zero.
  const Postings& operator_balance() const { return operator_; }
  const std::map<std::string, Postings, std::less<>>& balances() const { return balances_; }
  const std::unordered_map<std::string, LiveHold>& holds() const { return holds_; }
  int64_t last_seq() const { return last_seq_; }

  // The sum of every account: 0, unless the balances were damaged. Linear in the organizations.
  Money Drift() const;

  // A batch whose commit fails is taken back: Mark(), operations, then Rollback(mark), after which
  // the journal must have lost the same entries, or Release(), after which no mark is valid.
  size_t Mark() const { return undo_.size(); }
  void Rollback(size_t mark);
  void Release() { undo_.clear(); }

  // Start-up: balances as of `last_seq`, then the entries after it in order, then the live holds.
  void Restore(std::map<std::string, Postings, std::less<>> balances, const Postings& operators,
               int64_t last_seq);
  // False when the entry is not the next one or a balance would overflow.
  bool Replay(const LedgerEntry& entry);
  void RestoreHold(std::string id, LiveHold hold);

 private:
  struct Undo {
    std::string org;
    Postings postings;
    std::string hold;  // the id of a hold that was opened or ended; empty: neither
    std::optional<LiveHold> ended;
  };

  bool Post(LedgerEntry entry);
  // Posts `entry` with `amount` back in the organization's hands, or (negative) out of them.
  bool PostSplit(LedgerEntry entry, int64_t amount);
  bool Book(std::string_view org, const Postings& postings);
  LedgerResult GiveBack(std::string_view id, EntryKind kind, UnixMillis at);
  LedgerResult GiveOrTake(LedgerEntry entry, Money amount, int64_t Postings::*counter);

  LedgerJournal* const journal_;
  std::map<std::string, Postings, std::less<>> balances_;
  Postings operator_;
  std::unordered_map<std::string, LiveHold> holds_;
  int64_t last_seq_ = 0;
  std::vector<Undo> undo_;
};

}  // namespace seekroute
