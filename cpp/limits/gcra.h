// A rate kept to exactly: the generic cell rate algorithm, in integers. Pure.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <span>

#include "base/time.h"

namespace seekroute {

// So many units a period, and so many at once. Value type.
struct RateLimit {
  static constexpr int64_t kMostUnits = 4'000'000'000;
  static constexpr int64_t kMostBurst = int64_t{1} << 40;
  static constexpr Duration kLongestPeriod = Duration::Seconds(60);

  int64_t units = 1;                        // a period, 1 to kMostUnits
  Duration period = Duration::Seconds(60);  // 1 ns to kLongestPeriod
  int64_t burst = 1;                        // 1 to kMostBurst

  friend bool operator==(const RateLimit&, const RateLimit&) = default;
};

// ns + part / units of the limit that it belongs to: a unit's share of a period need not be whole.
struct ExactTime {
  int64_t ns = 0;
  uint32_t part = 0;  // less than the units

  friend bool operator==(const ExactTime&, const ExactTime&) = default;
};

// What one bucket has taken, as the instant at which it will be full again. It holds what a limit
// promises: in any window, the settled cost is at most the burst and what the window refills. Below
// 2^40 units a cost cannot overflow: all products are of 128 bits.
//
// `limit` is the same in all calls, but for Change(); `now` never goes back (see SteadyTime). Not
// thread-safe. 24 bytes: there may be millions.
class GcraCell {
 public:
  // What was taken, to be settled once: who drops it has paid in full.
  struct Taken {
    int64_t cost = 0;
    ExactTime left;   // the cell as it left it
    ExactTime given;  // and how much had been given back by then
  };

  // How long until `cost` units, at least 1, can be taken: not at all where it is zero, and not a
  // nanosecond less than told, if nobody else comes. Nothing: more than the burst, so never.
  // `ahead`: what others take before, up to 2^52.
  std::optional<Duration> Wait(const RateLimit& limit, TimePoint now, int64_t cost,
                               int64_t ahead = 0) const;

  // Takes them. Wait() must have said zero at `now`.
  Taken Take(const RateLimit& limit, TimePoint now, int64_t cost);

  // The request cost `actual` units instead. What it did not need is given back, but for what has
  // refilled meanwhile. What it needed beyond is taken also where it was not there: a debt, of
  // kMostDebtBursts at most. Returns the units beyond that, which nobody pays.
  int64_t Settle(const RateLimit& limit, TimePoint now, const Taken& taken, int64_t actual);
  static constexpr int64_t kMostDebtBursts = 10;

  // How many could be taken, at least 0.
  int64_t Remaining(const RateLimit& limit, TimePoint now) const;
  // Until it is as if nothing had ever been taken.
  Duration UntilFull(const RateLimit& limit, TimePoint now) const;

  // How long until it is as if nothing had ever been taken; 0: it is. What a cell of which nothing
  // was taken is given to say the same; debts beyond kMostDebtBursts are cut.
  ExactTime Used(const RateLimit& limit, TimePoint now) const;
  void Restore(const RateLimit& limit, ExactTime used, TimePoint now);

  // The limit is `to` from now on. What was used stays used, as long as it would have. So does
  // each part of it that is to be settled yet: `live` are all of them, as Take() returned them or
  // an earlier Change() left them.
  void Change(const RateLimit& from, const RateLimit& to, TimePoint now,
              std::span<Taken* const> live);

 private:
  // What of it neither time has refilled nor others have given back: a span.
  ExactTime RestOf(const RateLimit& limit, const Taken& taken, TimePoint now) const;

  int64_t full_ns_ = 0;
  uint64_t given_ns_ = 0;  // of all that was ever given back; wraps
  uint32_t full_part_ = 0;
  uint32_t given_part_ = 0;
};
static_assert(sizeof(GcraCell) == 24);

// A clock that never goes back, made of one that may: a jump back costs nobody anything, a jump
// forth gives at most one burst. Not thread-safe.
class SteadyTime {
 public:
  TimePoint At(TimePoint told);

 private:
  TimePoint last_;
  Duration offset_;
};

}  // namespace seekroute
