#include "limits/gcra.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace seekroute {
namespace {

// Times, in nanoseconds by the units of the limit: whole numbers, however the period divides. Below
// 2^63 ns times 2^32 units is 2^95, and 2^36 ns times 2^40 units of a burst far below that.
__extension__ using Scaled = __int128;

Scaled ScaledOf(const RateLimit& limit, int64_t ns, uint32_t part) {
  return Scaled{ns} * limit.units + part;
}

Scaled ScaledOf(const RateLimit& limit, TimePoint now) { return ScaledOf(limit, now.ns, 0); }

Scaled SpanOf(const RateLimit& limit, int64_t cost) { return Scaled{limit.period.ns} * cost; }

// Rounded up, of no negative.
Duration Whole(const RateLimit& limit, Scaled span) {
  const Scaled ns = (span + limit.units - 1) / limit.units;
  return {static_cast<int64_t>(std::min(ns, Scaled{std::numeric_limits<int64_t>::max()}))};
}

ExactTime Exact(const RateLimit& limit, Scaled at) {
  return {static_cast<int64_t>(at / limit.units), static_cast<uint32_t>(at % limit.units)};
}

}  // namespace

std::optional<Duration> GcraCell::Wait(const RateLimit& limit, TimePoint now, int64_t cost,
                                       int64_t ahead) const {
  if (cost > limit.burst) return std::nullopt;
  const Scaled at = ScaledOf(limit, now);
  const Scaled full =
      std::max(ScaledOf(limit, full_ns_, full_part_), at) + SpanOf(limit, cost + ahead);
  const Scaled over = full - at - SpanOf(limit, limit.burst);
  return over <= 0 ? Duration{} : Whole(limit, over);
}

GcraCell::Taken GcraCell::Take(const RateLimit& limit, TimePoint now, int64_t cost) {
  const Scaled full = std::max(ScaledOf(limit, full_ns_, full_part_), ScaledOf(limit, now));
  const ExactTime left = Exact(limit, full + SpanOf(limit, cost));
  full_ns_ = left.ns;
  full_part_ = left.part;
  return {cost, left, {static_cast<int64_t>(given_ns_), given_part_}};
}

ExactTime GcraCell::RestOf(const RateLimit& limit, const Taken& taken, TimePoint now) const {
  const auto given_ns = static_cast<int64_t>(given_ns_ - static_cast<uint64_t>(taken.given.ns));
  const Scaled given = Scaled{given_ns} * limit.units + given_part_ - Scaled{taken.given.part};
  const Scaled rest =
      ScaledOf(limit, taken.left.ns, taken.left.part) - given - ScaledOf(limit, now);
  return Exact(limit, std::max(Scaled{0}, rest));
}

int64_t GcraCell::Settle(const RateLimit& limit, TimePoint now, const Taken& taken,
                         int64_t actual) {
  const Scaled at = ScaledOf(limit, now);
  Scaled full = ScaledOf(limit, full_ns_, full_part_);
  Scaled forgiven = 0;
  if (actual > taken.cost) {
    const Scaled begun = std::max(full, at);
    const Scaled wanted = begun + SpanOf(limit, actual - taken.cost);
    const Scaled most = std::max(begun, at + kMostDebtBursts * SpanOf(limit, limit.burst));
    full = std::min(wanted, most);
    forgiven = wanted - full;
  } else if (actual < taken.cost) {
    const ExactTime rest = RestOf(limit, taken, now);
    const Scaled most = std::min(SpanOf(limit, taken.cost - actual), full - at);
    const Scaled back = std::max(Scaled{0}, std::min(ScaledOf(limit, rest.ns, rest.part), most));
    full -= back;
    const Scaled sum = back + given_part_;
    given_ns_ += static_cast<uint64_t>(sum / limit.units);
    given_part_ = static_cast<uint32_t>(sum % limit.units);
  }
  const ExactTime left = Exact(limit, full);
  full_ns_ = left.ns;
  full_part_ = left.part;
  return static_cast<int64_t>(forgiven / limit.period.ns);
}

int64_t GcraCell::Remaining(const RateLimit& limit, TimePoint now) const {
  const Scaled at = ScaledOf(limit, now);
  const Scaled full = std::max(ScaledOf(limit, full_ns_, full_part_), at);
  const Scaled room = at + SpanOf(limit, limit.burst) - full;
  return room <= 0 ? 0 : static_cast<int64_t>(room / limit.period.ns);
}

Duration GcraCell::UntilFull(const RateLimit& limit, TimePoint now) const {
  const Scaled used = ScaledOf(limit, full_ns_, full_part_) - ScaledOf(limit, now);
  return used <= 0 ? Duration{} : Whole(limit, used);
}

ExactTime GcraCell::Used(const RateLimit& limit, TimePoint now) const {
  return Exact(limit,
               std::max(Scaled{0}, ScaledOf(limit, full_ns_, full_part_) - ScaledOf(limit, now)));
}

void GcraCell::Restore(const RateLimit& limit, ExactTime used, TimePoint now) {
  const Scaled most = kMostDebtBursts * SpanOf(limit, limit.burst);
  const Scaled span = std::min(ScaledOf(limit, used.ns, used.part), most);
  const ExactTime left = Exact(limit, ScaledOf(limit, now) + span);
  full_ns_ = left.ns;
  full_part_ = left.part;
}

// One unit is a period, scaled: what was used is as many of the new ones. What is used is rounded
// up to a part, and what may be given back of it down: never too lax.
void GcraCell::Change(const RateLimit& from, const RateLimit& to, TimePoint now,
                      std::span<Taken* const> live) {
  const Scaled at = ScaledOf(to, now);
  for (Taken* const each : live) {
    const ExactTime rest = RestOf(from, *each, now);
    each->left = Exact(to, at + ScaledOf(from, rest.ns, rest.part) * to.period.ns / from.period.ns);
    each->given = {};
  }
  given_ns_ = given_part_ = 0;
  const Scaled used =
      std::max(Scaled{0}, ScaledOf(from, full_ns_, full_part_) - ScaledOf(from, now));
  const Scaled span = (used * to.period.ns + from.period.ns - 1) / from.period.ns;
  const Scaled most = kMostDebtBursts * SpanOf(to, to.burst);
  const ExactTime left = Exact(to, at + std::min(span, most));
  full_ns_ = left.ns;
  full_part_ = left.part;
}

TimePoint SteadyTime::At(TimePoint told) {
  const TimePoint now = told + offset_;
  if (now < last_) {
    offset_ = offset_ + (last_ - now);
    return last_;
  }
  last_ = now;
  return now;
}

}  // namespace seekroute
