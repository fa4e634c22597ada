#include "limits/meter.h"

#include <algorithm>
#include <vector>

#include "base/calendar.h"

namespace seekroute {
namespace {

__extension__ using Wide = __int128;

constexpr int64_t kMinute = 60;
// There is room, and those that wait are about to take of it.
constexpr Duration kMoment = Duration::Milliseconds(1);
constexpr Duration kDay = Duration::Seconds(kSecondsPerDay);

int64_t DayOf(UnixMillis wall) {
  const int64_t per_day = kSecondsPerDay * 1000;
  return (wall.ms >= 0 ? wall.ms : wall.ms - per_day + 1) / per_day;
}

// `part` of `whole` is less than the other's of its.
bool IsSmaller(const LimitLeft& a, const LimitLeft& b) {
  return Wide{a.remaining} * std::max<int64_t>(b.limit, 1) <
         Wide{b.remaining} * std::max<int64_t>(a.limit, 1);
}

std::optional<LimitRefusal> OfMinute(LimitScope scope, LimitDimension dimension,
                                     const GcraCell& cell, const RateLimit& rate, TimePoint now,
                                     int64_t cost, int64_t ahead) {
  std::optional<Duration> wait = cell.Wait(rate, now, cost, ahead);
  if (wait && wait->ns == 0) {
    if (ahead == 0) return std::nullopt;
    wait = kMoment;
  }
  return LimitRefusal{.kind = RefusalKind::kWait,
                      .scope = scope,
                      .dimension = dimension,
                      .limit = rate.units,
                      .burst = rate.burst,
                      .remaining = cell.Remaining(rate, now),
                      .window_s = kMinute,
                      .wait = wait.value_or(Duration{}),
                      .exact = ahead == 0};
}

LimitRefusal Never(LimitScope scope, LimitDimension dimension, int64_t window_s) {
  return {.kind = RefusalKind::kNever,
          .scope = scope,
          .dimension = dimension,
          .window_s = window_s,
          .exact = true};
}

void KeepLonger(const std::optional<LimitRefusal>& next, std::optional<LimitRefusal>* longest) {
  if (next && (!*longest || next->Outlasts(**longest))) *longest = next;
}

}  // namespace

void LimitsLeft::AddMinute(LimitsLeft::Kind kind, const LimitLeft& left) {
  std::optional<LimitLeft>& shown = this->*kind;
  if (!shown || IsSmaller(left, *shown)) shown = left;
}

void LimitsLeft::AddDay(LimitsLeft::Kind kind, const LimitLeft& left) {
  std::optional<LimitLeft>& shown = this->*kind;
  if (!shown || left.remaining < shown->remaining) shown = left;
}

void Meter::Change(const LimitSet& limits, TimePoint now, std::span<Taken* const> live) {
  const auto change = [&](const std::optional<RateLimit>& to, GcraCell::Taken Taken::*which,
                          std::optional<RateLimit>* rate, GcraCell* cell) {
    if (!to || to == *rate) return;
    std::vector<GcraCell::Taken*> of_cell;
    for (Taken* const each : live) {
      if ((each->*which).cost > 0) of_cell.push_back(&(each->*which));
    }
    if (*rate) cell->Change(**rate, *to, now, of_cell);
    *rate = to;
  };
  change(RequestRateOf(limits), &Taken::requests, &request_rate_, &requests_);
  change(TokenRateOf(limits), &Taken::tokens, &token_rate_, &tokens_);
  limits_ = limits;
}

Meter::Day Meter::DayAt(const LimitTime& time) const {
  const int64_t today = DayOf(time.wall);
  // The first count is no turn: the next midnight may be a minute away.
  if (day_.number < 0) return {today, time.now + Duration{-kLeastDay.ns}, 0, 0};
  if (today > day_.number && time.now - day_.begun >= kLeastDay) return {today, time.now, 0, 0};
  return day_;
}

// Of the count of now, which is not zero.
Duration Meter::UntilNextDay(const LimitTime& time, bool* exact) const {
  const int64_t ends_ms = (day_.number + 1) * kSecondsPerDay * 1000;
  const Duration midnight = Duration::Milliseconds(std::max<int64_t>(0, ends_ms - time.wall.ms));
  const Duration least = day_.begun + kLeastDay - time.now;
  const Duration wait = std::max(midnight, least);
  *exact = wait <= kDay;  // else the clock was put back
  return std::min(wait, kDay);
}

std::optional<LimitRefusal> Meter::OfDay(LimitScope scope, LimitDimension dimension, int64_t limit,
                                         int64_t used, int64_t cost, int64_t ahead,
                                         const LimitTime& time) const {
  const bool fits = used <= limit - cost;
  if (fits && ahead == 0) return std::nullopt;
  LimitRefusal refusal{.kind = RefusalKind::kWait,
                       .scope = scope,
                       .dimension = dimension,
                       .limit = limit,
                       .burst = limit,
                       .remaining = std::max<int64_t>(0, limit - used),
                       .window_s = kSecondsPerDay};
  if (used <= limit - cost - ahead) {
    refusal.wait = kMoment;
  } else {
    refusal.wait = UntilNextDay(time, &refusal.exact);
    if (ahead > 0) {
      refusal.wait = std::max(refusal.wait, kMoment);
      refusal.exact = false;
    }
  }
  return refusal;
}

int64_t Meter::UnitsOf(LimitDimension dimension, const LimitCost& cost) const {
  using enum LimitDimension;
  if (dimension == kTokensPerMinute) return std::min(cost.tokens, AtOnce(dimension));
  if (dimension == kTokensPerDay) return std::min(cost.tokens, AtOnce(dimension));
  return 1;
}

int64_t Meter::AtOnce(LimitDimension dimension) const {
  switch (dimension) {
    case LimitDimension::kRequestsPerMinute:
      return request_rate_ ? request_rate_->burst : 1;
    case LimitDimension::kTokensPerMinute:
      return token_rate_ ? token_rate_->burst : 1;
    case LimitDimension::kRequestsPerDay:
      return limits_.requests_per_day.value_or(1);
    case LimitDimension::kTokensPerDay:
      return limits_.tokens_per_day.value_or(1);
    case LimitDimension::kConcurrent:
      break;
  }
  return limits_.concurrent.value_or(1);
}

std::optional<LimitRefusal> Meter::JudgeRequests(LimitScope scope, const LimitTime& time,
                                                 int64_t ahead) const {
  using enum LimitDimension;
  if (!limits_.requests_per_minute) return std::nullopt;
  if (*limits_.requests_per_minute == 0) return Never(scope, kRequestsPerMinute, kMinute);
  return OfMinute(scope, kRequestsPerMinute, requests_, *request_rate_, time.now, 1, ahead);
}

std::optional<LimitRefusal> Meter::Judge(LimitScope scope, const LimitCost& cost,
                                         const LimitTime& time, const UnitsAhead& ahead) const {
  using enum LimitDimension;
  const auto before = [&ahead](LimitDimension dimension) {
    return ahead[static_cast<size_t>(dimension)];
  };
  std::optional<LimitRefusal> longest;
  if (cost.counts_request) longest = JudgeRequests(scope, time, before(kRequestsPerMinute));
  // Of a prompt that never fits: it is told so before anything is waited for.
  const auto too_large = [&](LimitDimension dimension, int64_t limit, int64_t burst,
                             int64_t window_s) {
    KeepLonger(LimitRefusal{.kind = RefusalKind::kTooLarge,
                            .scope = scope,
                            .dimension = dimension,
                            .limit = limit,
                            .burst = burst,
                            .window_s = window_s,
                            .exact = true,
                            .needed = cost.prompt},
               &longest);
  };
  if (limits_.tokens_per_minute) {
    if (*limits_.tokens_per_minute == 0) {
      KeepLonger(Never(scope, kTokensPerMinute, kMinute), &longest);
    } else if (cost.prompt > token_rate_->burst) {
      too_large(kTokensPerMinute, token_rate_->units, token_rate_->burst, kMinute);
    } else {
      const int64_t tokens = UnitsOf(kTokensPerMinute, cost);
      KeepLonger(OfMinute(scope, kTokensPerMinute, tokens_, *token_rate_, time.now, tokens,
                          before(kTokensPerMinute)),
                 &longest);
    }
  }
  if (limits_.requests_per_day || limits_.tokens_per_day) {
    const Day day = DayAt(time);
    if (const auto& most = limits_.requests_per_day; most && cost.counts_request) {
      if (*most == 0) {
        KeepLonger(Never(scope, kRequestsPerDay, kSecondsPerDay), &longest);
      } else {
        KeepLonger(
            OfDay(scope, kRequestsPerDay, *most, day.requests, 1, before(kRequestsPerDay), time),
            &longest);
      }
    }
    if (const auto& most = limits_.tokens_per_day) {
      if (*most == 0) {
        KeepLonger(Never(scope, kTokensPerDay, kSecondsPerDay), &longest);
      } else if (cost.prompt > *most) {
        too_large(kTokensPerDay, *most, *most, kSecondsPerDay);
      } else {
        KeepLonger(OfDay(scope, kTokensPerDay, *most, day.tokens, UnitsOf(kTokensPerDay, cost),
                         before(kTokensPerDay), time),
                   &longest);
      }
    }
  }
  if (limits_.concurrent && (running_ >= *limits_.concurrent || before(kConcurrent) > 0)) {
    if (*limits_.concurrent == 0) {
      KeepLonger(Never(scope, kConcurrent, 0), &longest);
    } else if (longest) {
      longest->exact = longest->exact && longest->kind != RefusalKind::kWait;
    } else {
      longest = LimitRefusal{.kind = RefusalKind::kBusy,
                             .scope = scope,
                             .dimension = kConcurrent,
                             .limit = *limits_.concurrent};
    }
  }
  return longest;
}

Meter::Taken Meter::Take(const LimitCost& cost, const LimitTime& time) {
  Taken taken;
  if (limits_.requests_per_minute && cost.counts_request) {
    taken.requests = requests_.Take(*request_rate_, time.now, 1);
  }
  if (limits_.tokens_per_minute) {
    taken.tokens = tokens_.Take(*token_rate_, time.now, std::min(cost.tokens, token_rate_->burst));
  }
  if (limits_.requests_per_day || limits_.tokens_per_day) {
    day_ = DayAt(time);
    taken.day = day_.number;
    taken.day_tokens = std::min(cost.tokens, limits_.tokens_per_day.value_or(cost.tokens));
    taken.day_request = cost.counts_request;
    day_.requests += taken.day_request ? 1 : 0;
    day_.tokens += taken.day_tokens;
  }
  ++running_;
  return taken;
}

// A request counts on the day that it was taken on, whenever it ends.
int64_t Meter::Settle(const Taken& taken, const TokensUsed& used, const LimitTime& time) {
  const int64_t tokens =
      limits_.count_cached ? used.all : std::max<int64_t>(0, used.all - used.cached);
  if (taken.day >= 0 && taken.day == day_.number) {
    day_.tokens = std::max<int64_t>(0, day_.tokens + tokens - taken.day_tokens);
  }
  if (taken.tokens.cost == 0) return 0;
  return tokens_.Settle(*token_rate_, time.now, taken.tokens, tokens);
}

void Meter::GiveBack(const Taken& taken, const LimitTime& time) {
  Settle(taken, {}, time);
  if (taken.requests.cost > 0) requests_.Settle(*request_rate_, time.now, taken.requests, 0);
  if (taken.day_request && taken.day == day_.number) {
    day_.requests = std::max<int64_t>(0, day_.requests - 1);
  }
}

void Meter::RaiseToday(int64_t requests, int64_t tokens, const LimitTime& time) {
  day_ = DayAt(time);
  day_.requests = std::max(day_.requests, requests);
  day_.tokens = std::max(day_.tokens, tokens);
}

Meter::Kept Meter::Keep(const LimitTime& time) const {
  Kept kept;
  const auto keep = [&](const std::optional<RateLimit>& rate, const GcraCell& cell,
                        std::optional<Kept::Rate>* to) {
    if (!rate) return;
    const ExactTime used = cell.Used(*rate, time.now);
    if (used != ExactTime()) *to = {*rate, used};
  };
  keep(request_rate_, requests_, &kept.requests);
  keep(token_rate_, tokens_, &kept.tokens);
  const Day day = DayAt(time);
  if (day.number >= 0 && (day.requests > 0 || day.tokens > 0)) {
    kept.day = {day.number, std::min(time.now - day.begun, kLeastDay), day.requests, day.tokens};
  }
  return kept;
}

void Meter::Restore(const Kept& kept, const LimitTime& time) {
  const auto restore = [&](const std::optional<Kept::Rate>& from, std::optional<RateLimit>* rate,
                           GcraCell* cell) {
    if (!from) return;
    *rate = from->limit;
    cell->Restore(from->limit, from->used, time.now);
  };
  restore(kept.requests, &request_rate_, &requests_);
  restore(kept.tokens, &token_rate_, &tokens_);
  if (!kept.day) return;
  day_ = {kept.day->number, time.now + Duration{-kept.day->age.ns}, kept.day->requests,
          kept.day->tokens};
}

void Meter::TellMinutes(LimitScope scope, TimePoint now, LimitsLeft* left) const {
  const auto tell = [&](const std::optional<int64_t>& limit, const GcraCell& cell,
                        const std::optional<RateLimit>& rate, LimitsLeft::Kind kind) {
    if (!limit) return;
    LimitLeft told{.scope = scope, .window_s = kMinute};
    if (*limit > 0) {
      told.limit = rate->burst;
      told.rate = rate->units;
      told.remaining = cell.Remaining(*rate, now);
    }
    left->AddMinute(kind, told);
  };
  tell(limits_.requests_per_minute, requests_, request_rate_, &LimitsLeft::requests);
  tell(limits_.tokens_per_minute, tokens_, token_rate_, &LimitsLeft::tokens);
  if (limits_.concurrent) {
    const int64_t free = std::max<int64_t>(0, *limits_.concurrent - running_);
    left->AddMinute(&LimitsLeft::concurrent,
                    {.scope = scope, .limit = *limits_.concurrent, .remaining = free});
  }
}

void Meter::TellDays(LimitScope scope, const LimitTime& time, LimitsLeft* left) const {
  if (!limits_.requests_per_day && !limits_.tokens_per_day) return;
  const Day day = DayAt(time);
  const auto tell = [&](const std::optional<int64_t>& limit, int64_t used, LimitsLeft::Kind kind) {
    if (!limit) return;
    LimitLeft told{.scope = scope,
                   .limit = *limit,
                   .remaining = std::max<int64_t>(0, *limit - used),
                   .rate = *limit,
                   .window_s = kSecondsPerDay};
    left->AddDay(kind, told);
  };
  tell(limits_.requests_per_day, day.requests, &LimitsLeft::requests);
  tell(limits_.tokens_per_day, day.tokens, &LimitsLeft::tokens);
}

void Meter::TellReset(LimitsLeft::Kind kind, const LimitTime& time, LimitsLeft* left) const {
  LimitLeft& shown = *(left->*kind);
  if (shown.limit == shown.remaining || shown.limit == 0) return;
  const bool requests = kind == &LimitsLeft::requests;
  bool exact = false;
  if (shown.window_s == kMinute) {
    shown.reset = requests ? requests_.UntilFull(*request_rate_, time.now)
                           : tokens_.UntilFull(*token_rate_, time.now);
  } else if (shown.window_s == kSecondsPerDay) {
    shown.reset = UntilNextDay(time, &exact);
  }
}

bool Meter::AtRest(const LimitTime& time) const {
  const auto full = [&](const GcraCell& cell, const std::optional<RateLimit>& rate) {
    return !rate || cell.UntilFull(*rate, time.now).ns == 0;
  };
  if (running_ > 0 || !full(requests_, request_rate_) || !full(tokens_, token_rate_)) return false;
  const Day day = DayAt(time);
  return day.requests == 0 && day.tokens == 0;
}

}  // namespace seekroute
