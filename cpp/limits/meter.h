// All limits of one holder: a key, an organization, a model. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "limits/gcra.h"
#include "limits/limit_answer.h"
#include "limits/limit_set.h"

namespace seekroute {

// What its requests have used. Time is LimitTime::now of SteadyTime; the other clock may jump. Not
// thread-safe.
class Meter {
 public:
  // What one request took, to be settled or given back at most once.
  struct Taken {
    GcraCell::Taken requests, tokens;  // of a cost of 0: nothing
    int64_t day = -1;                  // that it was counted on; -1: on none
    int64_t day_tokens = 0;
    bool day_request = false;
  };

  // From now on these hold. What was used stays used, also of a limit that goes and comes again.
  // `live`: all that was taken and is to be settled or given back yet.
  void Change(const LimitSet& limits, TimePoint now, std::span<Taken* const> live = {});

  // Why a request of that cost may not go on now, also where it would overtake who waits; nothing:
  // it may. Takes nothing.
  std::optional<LimitRefusal> Judge(LimitScope scope, const LimitCost& cost, const LimitTime& time,
                                    const UnitsAhead& ahead = {}) const;
  // The same of the requests of a minute alone.
  std::optional<LimitRefusal> JudgeRequests(LimitScope scope, const LimitTime& time,
                                            int64_t ahead = 0) const;
  // How many units of a limit a request of that cost takes, and how many there are at once.
  int64_t UnitsOf(LimitDimension dimension, const LimitCost& cost) const;
  int64_t AtOnce(LimitDimension dimension) const;

  // Takes it, and a slot. Judge() must have let it pass at that time.
  Taken Take(const LimitCost& cost, const LimitTime& time);

  // The request took `used` instead. Returns how many more than kMostDebtBursts those are.
  int64_t Settle(const Taken& taken, const TokensUsed& used, const LimitTime& time);
  // It was none: all but the slot is given back.
  void GiveBack(const Taken& taken, const LimitTime& time);
  // Its slot is free again.
  void Leave() { --running_; }

  // So much at least was used today, by other books.
  void RaiseToday(int64_t requests, int64_t tokens, const LimitTime& time);

  // What outlives a restart: all but who runs. Spans are from the moment of Keep(), or until it.
  struct Kept {
    struct Rate {
      RateLimit limit;
      ExactTime used;  // until it is full again
      friend bool operator==(const Rate&, const Rate&) = default;
    };
    struct Day {
      int64_t number = 0;  // since 1970, by the calendar of UTC
      Duration age;        // since the count began anew, as far as that matters
      int64_t requests = 0;
      int64_t tokens = 0;
      friend bool operator==(const Day&, const Day&) = default;
    };
    std::optional<Rate> requests, tokens;  // of a minute; nothing: it is full
    std::optional<Day> day;

    bool empty() const { return !requests && !tokens && !day; }
    friend bool operator==(const Kept&, const Kept&) = default;
  };
  // The longest age of a day that matters: one begins anew at the earliest so long after the last.
  static constexpr Duration kLeastDay = Duration::Seconds(3600);
  Kept Keep(const LimitTime& time) const;
  // Into one that nothing was taken of.
  void Restore(const Kept& kept, const LimitTime& time);

  // Puts its own among what is left, of all scopes minutes first; TellReset() of what is shown
  // then.
  void TellMinutes(LimitScope scope, TimePoint now, LimitsLeft* left) const;
  void TellDays(LimitScope scope, const LimitTime& time, LimitsLeft* left) const;
  void TellReset(LimitsLeft::Kind kind, const LimitTime& time, LimitsLeft* left) const;

  int64_t running() const { return running_; }
  // Of a census: `running` requests do run.
  void Correct(int64_t running) { running_ = running; }

  // Nothing is left of what was ever taken: one that is made anew says the same.
  bool AtRest(const LimitTime& time) const;

 private:
  // By the calendar of UTC.
  struct Day {
    int64_t number = -1;  // since 1970; -1: nothing was ever counted
    TimePoint begun;      // when the count began anew
    int64_t requests = 0;
    int64_t tokens = 0;
  };

  // The count of that moment. A day begins anew at midnight, and not within an hour of the last
  // time: a clock that jumps over midnight gives nothing twice.
  Day DayAt(const LimitTime& time) const;
  std::optional<LimitRefusal> OfDay(LimitScope scope, LimitDimension dimension, int64_t limit,
                                    int64_t used, int64_t cost, int64_t ahead,
                                    const LimitTime& time) const;
  Duration UntilNextDay(const LimitTime& time, bool* exact) const;

  LimitSet limits_;
  // The last ones that there were, so that what was used under them can be told later.
  std::optional<RateLimit> request_rate_, token_rate_;
  GcraCell requests_, tokens_;
  Day day_;
  int64_t running_ = 0;
};

}  // namespace seekroute
