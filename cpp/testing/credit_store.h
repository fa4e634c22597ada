// A store over a plain balance in memory, as slow and as broken as its seed says.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "store/store.h"
#include "testing/virtual_world.h"

namespace seekroute::testing {

// One balance for every organization; below zero it is owed. It keeps the rules that a ledger
// keeps, so that a gateway that breaks its own shows: what is not as it must be is a line in
// complaints().
class CreditStore : public Store {
 public:
  struct Faults {
    bool slow = false;     // answers late, now and then later than a gateway waits
    bool failing = false;  // refuses a hold, or fails a settle and tries it again
    bool full = false;     // has no room for holds for a while
    Duration hold_takes;   // each of them
  };
  enum class State : uint8_t { kAsked, kRefused, kHeld, kSettled };
  // What became of one exchange.
  struct Booking {
    State state = State::kAsked;
    bool never_held = false;  // Settle() without a Hold()
    Money held;
    HoldRequest asked;
    Money charge;
    Money overrun;
    int settles = 0;  // calls
    TimePoint settle_asked = TimePoint::Never();
    ExchangeRecord row;  // of the settle
    std::vector<ExchangeRecord> notes;
  };

  CreditStore(Agenda* agenda, const VirtualClock* clock, SeededRng* rng, Money balance,
              Faults faults)
      : agenda_(agenda),
        clock_(clock),
        rng_(rng),
        balance_(balance),
        paid_in_(balance),
        faults_(faults) {}

  void Hold(StoreTicket ticket, const ExchangeRecord& row, const HoldRequest& request,
            StoreObserver* observer) override;
  void Settle(StoreTicket ticket, const ExchangeRecord& row, StoreObserver* observer) override;
  void Note(StoreTicket ticket, const ExchangeRecord& row) override;
  void Forget(StoreTicket ticket) override { observers_.erase(ticket); }

  const std::map<StoreTicket, Booking>& bookings() const { return bookings_; }
  const Booking* Find(StoreTicket ticket) const;
  Money balance() const { return balance_; }
  // A payment was reversed: the balance may go below zero, whatever is held.
  void ChargeBack(Money amount);
  const std::vector<std::string>& complaints() const { return complaints_; }

  // What must hold when nothing runs any more.
  std::vector<std::string> CheckAtRest() const;

 private:
  void Later(std::function<void()> what);
  void CommitHold(StoreTicket ticket, const HoldRequest& request);
  void CommitSettle(StoreTicket ticket);
  void Complain(StoreTicket ticket, const std::string& what);
  void TellStored(StoreTicket ticket, const Status& status);

  Agenda* const agenda_;
  const VirtualClock* const clock_;
  SeededRng* const rng_;
  Money balance_;
  Money paid_in_;
  const Faults faults_;
  std::map<StoreTicket, Booking> bookings_;
  std::map<StoreTicket, StoreObserver*> observers_;
  std::map<std::string, StoreTicket> generations_;
  std::vector<std::string> complaints_;
};

}  // namespace seekroute::testing
