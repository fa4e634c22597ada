// One request's money: the most that it can cost, the hold, the notes of its progress, the
// settlement, and the waits for the store.
#pragma once

#include <cstdint>
#include <optional>

#include "billing/bill.h"
#include "gateway/admission.h"
#include "gateway/exchange_world.h"
#include "gateway/spend_bound.h"
#include "store/store.h"

namespace seekroute {

// Who pays out of it.
class PurseOwner {
 public:
  virtual ~PurseOwner() = default;
  // After Hold(), once, unless Settle() came first.
  virtual void OnHeld(Status held) = 0;
  // After Settle(), once: it is durable, or was given up and counted.
  virtual void OnSettled() = 0;
};

// Engine thread only. The store may answer from inside a call, so Hold() and Settle() are the last
// thing that their caller does.
class Purse : private StoreObserver {
 public:
  // Nothing is owned; all of it outlives the purse. `admission` may be filled after this.
  Purse(ExchangeId id, const Admission* admission, const ExchangeWorld& world, PurseOwner* owner);
  ~Purse() override;  // Forget()s what runs; moves no money
  Purse(const Purse&) = delete;
  Purse& operator=(const Purse&) = delete;

  // Finds how much the request can cost at most, where money is to be held for it (`pays`) or its
  // client has set a limit, and how long its answer may get. Fails with kMaxCostExceeded. Of an
  // admitted request, once, before anything below.
  Status Bound(bool pays, UnixSeconds created);

  // Sets money aside for the request that `opening` names, and with it the claim of its
  // Idempotency-Key.
  void Hold(const ExchangeRecord& opening, const std::optional<IdempotencyClaim>& claim);

  // There is enough money to ask that candidate. Of one that is held for: after OnHeld().
  bool Affords(const Candidate& candidate) const {
    return !bound_ || bound_->Affords(candidate, spending_);
  }

  // Tokens a choice that the upstream of `candidate` is told: what is paid for, else what the
  // client or the operator has named. Nothing: nobody has.
  std::optional<int64_t> ToldLength(const Candidate& candidate) const;
  // The same as that upstream is told it, with the thinking beside it.
  std::optional<AnswerCap> CapFor(const Candidate& candidate) const;

  // Fills in what a count of `candidate` is judged by.
  void Judge(const Candidate& candidate, Used* used) const;

  // That upstream went on far beyond what it was told.
  bool IgnoredCap(const Candidate& candidate, const Bill& bill) const;

  // Something was delivered: what it costs is to be noted by NextNote(), in case this process dies.
  void Delivered(TimePoint now);
  TimePoint NextNote() const { return note_at_; }
  // `record` is that of the request if it ended now. Never answered, and may be dropped.
  void Note(ExchangeRecord record);

  // Ends the request. The client pays no more than is held: record->cost and the bill are cut to
  // that, and an exact excess is the operator's loss. `record` is not read after the call.
  void Settle(ExchangeRecord* record, Bill* bill);

  bool holds() const { return held_.has_value(); }  // and the charge is at most held()
  Money held() const { return held_.value_or(Money{}); }
  bool storing() const { return storing_; }  // Settle() was called and not answered
  // Until when the store is waited for: a hold, or a settlement.
  TimePoint NextDeadline() const { return waits_until_; }

 private:
  const Ask& ask() const { return admission_.request->ask; }
  const ApiKey* key() const { return admission_.key.get(); }
  std::optional<int64_t> ToldReasoning(const Candidate& candidate, int64_t told) const;
  HoldRequest WorstCase() const;
  Error Unaffordable(const HoldAnswer& answer) const;
  void OnHeld(StoreTicket ticket, const HoldAnswer& answer) override;
  void OnStored(StoreTicket ticket, const Status& status) override;

  const ExchangeId id_;
  const Admission& admission_;
  const ExchangeWorld& world_;
  PurseOwner* const owner_;

  UnixSeconds created_;
  std::optional<SpendBound> bound_;  // where money is held or the client set a limit
  Spending spending_;
  std::optional<Money> held_;
  TimePoint waits_until_ = TimePoint::Never();
  TimePoint note_at_ = TimePoint::Never();  // something was delivered since the last one
  bool holding_ = false;                    // Hold() was called and not answered
  bool storing_ = false;
};

}  // namespace seekroute
