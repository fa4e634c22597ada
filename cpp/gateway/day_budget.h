// What may be spent on one UTC day: the worst case of each expense is set aside before it is made.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>

#include "base/calendar.h"
#include "base/money.h"
#include "base/time.h"

namespace seekroute {

// Not thread-safe. A clock that goes back begins no day anew.
class DayBudget {
 public:
  // What is set aside for one expense. Value type.
  struct Share {
    Money amount;
    int64_t day = 0;
  };

  // What is spent, or set aside, stays so.
  void SetMost(Money most) { most_ = most; }

  // Nothing: with all that is spent and set aside it would be more than may be spent today.
  std::optional<Share> Reserve(Money amount, UnixSeconds now) {
    TurnTo(now);
    if (amount.nano > most_.nano - reserved_.nano - spent_.nano) return std::nullopt;
    reserved_.nano += amount.nano;
    return Share{amount, day_};
  }

  // The expense has come to that much, which is of the day on which it was set aside.
  void Settle(const Share& share, Money spent) {
    if (share.day != day_) return;
    reserved_.nano -= share.amount.nano;
    Add(spent);
  }

  // At least so much was spent on the day of `now`, by whoever.
  void RaiseSpent(Money spent, UnixSeconds now) {
    TurnTo(now);
    if (spent > spent_) Add({spent.nano - spent_.nano});
  }

 private:
  void TurnTo(UnixSeconds now) {
    const int64_t day = WindowStart(Window::kDaily, now).s / kSecondsPerDay;
    if (day <= day_) return;
    day_ = day;
    reserved_ = spent_ = {};
  }
  // Saturates well below what a Money holds, so that no sum of these overflows.
  void Add(Money spent) {
    constexpr int64_t kMost = std::numeric_limits<int64_t>::max() / 4;
    spent_.nano = spent.nano > kMost - spent_.nano ? kMost : spent_.nano + spent.nano;
  }

  Money most_;
  Money reserved_;  // of them each at most most_ as it was then, and so all of them
  Money spent_;
  int64_t day_ = 0;
};

}  // namespace seekroute
