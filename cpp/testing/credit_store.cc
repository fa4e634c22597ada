#include "testing/credit_store.h"

#include <algorithm>
#include <optional>

namespace seekroute::testing {

void CreditStore::Complain(StoreTicket ticket, const std::string& what) {
  complaints_.push_back("exchange " + std::to_string(ticket) + ": " + what);
}

const CreditStore::Booking* CreditStore::Find(StoreTicket ticket) const {
  const auto found = bookings_.find(ticket);
  return found == bookings_.end() ? nullptr : &found->second;
}

void CreditStore::Later(std::function<void()> what) {
  if (!faults_.slow || !rng_->OneIn(3)) return what();
  const bool very = rng_->OneIn(8);
  agenda_->After(rng_->UpTo(very ? Duration::Seconds(30) : Duration::Milliseconds(600)),
                 std::move(what));
}

void CreditStore::TellStored(StoreTicket ticket, const Status& status) {
  const auto found = observers_.find(ticket);
  if (found == observers_.end()) return;
  StoreObserver* const observer = found->second;
  observers_.erase(found);  // it hears nothing more, and may be gone
  observer->OnStored(ticket, status);
}

void CreditStore::Hold(StoreTicket ticket, const ExchangeRecord& row, const HoldRequest& request,
                       StoreObserver* observer) {
  observers_[ticket] = observer;
  if (!bookings_.emplace(ticket, Booking{}).second) Complain(ticket, "is held twice");
  if (!generations_.emplace(row.generation_id, ticket).second) {
    Complain(ticket, "takes a generation id a second time");
  }
  if (row.generation_id.empty() || row.org_id.empty() || row.price_revision.empty()) {
    Complain(ticket, "holds for a row without ids or prices");
  }
  if (request.at_least > request.amount || request.at_least < Money{}) {
    Complain(ticket, "asks for a hold that makes no sense");
  }
  if (request.line < Money{}) Complain(ticket, "has a credit line below zero");
  if (faults_.hold_takes.ns > 0) {
    return agenda_->After(faults_.hold_takes,
                          [this, ticket, request] { CommitHold(ticket, request); });
  }
  Later([this, ticket, request] { CommitHold(ticket, request); });
}

void CreditStore::CommitHold(StoreTicket ticket, const HoldRequest& request) {
  Booking& booking = bookings_[ticket];
  HoldAnswer answer;
  // A negative balance is what is owed: of the line, the rest may be.
  const bool endless = balance_.nano > kUnlimitedLine.nano - request.line.nano;
  const int64_t spendable = endless ? kUnlimitedLine.nano : balance_.nano + request.line.nano;
  answer.available = {spendable};
  booking.asked = request;
  const int64_t second = clock_->Now().ns / 1'000'000'000;
  std::optional<ErrorCode> fault;
  if (faults_.full && second >= 5 && second < 10) fault = ErrorCode::kStorageFull;
  if (faults_.failing && rng_->OneIn(8)) fault = ErrorCode::kStoreUnavailable;
  if (request.key_limit) {
    const int64_t spent = paid_in_.nano - balance_.nano;
    const int64_t left = request.key_limit->limit.nano - spent;
    if (left < answer.available.nano) {
      answer.available = {left};
      answer.key_limited = true;
    }
  }
  const Money there = std::max(answer.available, Money{});
  if (fault) {
    answer.status = MakeError(*fault, "the disk");
  } else if (there < request.at_least) {
    answer.status = MakeError(ErrorCode::kInsufficientCredits, "not enough");
    for (const auto& [other, each] : bookings_) {
      if (each.state == State::kHeld) answer.held.nano += each.held.nano;
    }
  }
  if (!answer.status.ok()) {
    booking.state = State::kRefused;
  } else {
    answer.granted = request.share ? ShareOf(request.amount, request.at_least, there)
                                   : std::min(request.amount, there);
    booking.state = State::kHeld;
    booking.held = answer.granted;
    balance_.nano -= answer.granted.nano;
    if (answer.granted > Money{} && balance_.nano < -request.line.nano) {
      Complain(ticket, "overspends");
    }
  }
  if (booking.settles > 0) {
    if (booking.state == State::kHeld) return CommitSettle(ticket);
    return TellStored(ticket, Status());
  }
  // It is durable now; the answer may take its time all the same.
  Later([this, ticket, answer] {
    const auto found = observers_.find(ticket);
    if (found != observers_.end()) found->second->OnHeld(ticket, answer);
  });
}

void CreditStore::Settle(StoreTicket ticket, const ExchangeRecord& row, StoreObserver* observer) {
  observers_[ticket] = observer;
  const auto [found, added] = bookings_.emplace(ticket, Booking{});
  Booking& booking = found->second;
  if (added) booking.never_held = true;
  if (++booking.settles > 1) Complain(ticket, "is settled twice");
  booking.settle_asked = clock_->Now();
  booking.row = row;
  if (booking.state == State::kHeld) {
    Later([this, ticket] { CommitSettle(ticket); });
    return;
  }
  if (booking.state == State::kAsked && !booking.never_held) return;  // CommitHold() goes on
  const bool failed = booking.never_held && faults_.failing && rng_->OneIn(20);
  Later([this, ticket, failed] {
    TellStored(ticket,
               failed ? Status(MakeError(ErrorCode::kStoreUnavailable, "the disk")) : Status());
  });
}

void CreditStore::CommitSettle(StoreTicket ticket) {
  if (faults_.failing && rng_->OneIn(8)) {
    agenda_->After(Duration::Seconds(1), [this, ticket] { CommitSettle(ticket); });
    return;
  }
  Booking& booking = bookings_[ticket];
  if (booking.state != State::kHeld) return Complain(ticket, "ends what is not held");
  const Settlement how = booking.row.settlement;
  booking.charge = std::min(booking.row.cost, booking.held);
  booking.overrun = {booking.row.cost.nano - booking.charge.nano};
  if (how == Settlement::kFailed || how == Settlement::kFree) {
    if (booking.row.cost != Money{}) Complain(ticket, "charges for nothing");
  }
  if (how != Settlement::kExact && booking.overrun != Money{}) {
    Complain(ticket, "overruns its hold by a guess");
  }
  booking.state = State::kSettled;
  balance_.nano += booking.held.nano - booking.charge.nano;
  TellStored(ticket, Status());
}

void CreditStore::Note(StoreTicket ticket, const ExchangeRecord& row) {
  Booking& booking = bookings_[ticket];
  if (booking.state != State::kHeld || booking.settles > 0) {
    Complain(ticket, "has a progress note while it is not running");
  }
  if (row.cost > booking.held) Complain(ticket, "has a progress note above its hold");
  if (!booking.notes.empty() && row.cost < booking.notes.back().cost) {
    Complain(ticket, "has delivered less than before");
  }
  booking.notes.push_back(row);
}

void CreditStore::ChargeBack(Money amount) {
  balance_.nano -= amount.nano;
  paid_in_.nano -= amount.nano;
}

std::vector<std::string> CreditStore::CheckAtRest() const {
  std::vector<std::string> broken = complaints_;
  int64_t charged = 0;
  for (const auto& [ticket, booking] : bookings_) {
    charged += booking.charge.nano;
    if (booking.state == State::kHeld) {
      broken.push_back("exchange " + std::to_string(ticket) + ": its hold never ends");
    }
    if (booking.charge > booking.held) {
      broken.push_back("exchange " + std::to_string(ticket) + ": is charged more than was held");
    }
  }
  if (balance_.nano + charged != paid_in_.nano) broken.emplace_back("money appears or is lost");
  return broken;
}

}  // namespace seekroute::testing
