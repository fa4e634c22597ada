#include "routing/endpoint_health.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace seekroute {
namespace {

// In service for so long, one ejection is forgotten.
constexpr Duration kForgiveness = Duration::Seconds(60);
// Fewer outcomes say nothing of a rate.
constexpr uint32_t kLeastOutcomes = 20;
constexpr float kLeastWeight = 0.1F;
// By then every ejection is forgotten.
constexpr Duration kLongestBack = Duration::Seconds(3600);
constexpr Duration kFiguresAge = Duration::Seconds(1);

bool Over(Duration passed, Duration span) { return passed.ns >= span.ns; }

}  // namespace

EndpointGate EndpointHealth::Look(bool last_resort, TimePoint now) const {
  if (now < out_until_) return {EndpointGate::Is::kOut, out_until_};
  if (!ejected_) return {};
  const bool due = now >= ejected_until_;
  if (!due && !last_resort) return {EndpointGate::Is::kEjected, ejected_until_};
  // Whoever probes it may be done at any moment.
  const TimePoint given_up = probe_since_ + kLongestProbe;
  if (probe_ != 0 && now < given_up) {
    return {EndpointGate::Is::kEjected, std::min(given_up, now + Duration::Seconds(1))};
  }
  if (due) return {EndpointGate::Is::kProbe, {}};
  const TimePoint next = last_resort_at_ + kLastResortPace;
  if (now < next) return {EndpointGate::Is::kEjected, std::min(next, ejected_until_)};
  return {EndpointGate::Is::kLastResort, {}};
}

EndpointGate EndpointHealth::Ask(uint64_t attempt, bool last_resort, TimePoint now) {
  const EndpointGate gate = Look(last_resort, now);
  if (gate.is != EndpointGate::Is::kProbe && gate.is != EndpointGate::Is::kLastResort) return gate;
  probe_ = attempt;
  probe_since_ = now;
  probe_is_last_resort_ = gate.is == EndpointGate::Is::kLastResort;
  if (probe_is_last_resort_) last_resort_at_ = now;
  return gate;
}

void EndpointHealth::Release(uint64_t attempt) {
  if (probe_ == attempt) probe_ = 0;
}

void EndpointHealth::Count(Outcome outcome, TimePoint now) {
  const auto add = [outcome](OutcomeCounts& counts) {
    if (outcome == Outcome::kOk) ++counts.ok;
    if (IsFault(outcome)) ++counts.fault;
    if (outcome == Outcome::kLimited) ++counts.limited;
  };
  add(seconds_.At(now));
  add(minutes_.At(now));
  add(hours_.At(now));
}

EjectedFor EndpointHealth::Report(uint64_t attempt, Outcome outcome, uint64_t body,
                                  const Measured& measured, const HealthRules& rules,
                                  uint64_t random, TimePoint now) {
  const bool probed = probe_ != 0 && probe_ == attempt;
  Release(attempt);
  if (measured.first_content.ns > 0) first_content_.Add(measured.first_content.ms(), now);
  if (measured.tokens_per_second > 0) throughput_.Add(measured.tokens_per_second * 10, now);
  const bool fault = IsFault(outcome);
  const bool again =
      fault && body != 0 && !probed && std::ranges::find(bodies_, body) != bodies_.end();
  if (outcome == Outcome::kNeutral || again) return EjectedFor::kNothing;
  Count(outcome, now);
  if (fault) bodies_[next_body_++ % bodies_.size()] = body;
  if (outcome == Outcome::kLimited || !rules.leave_out) return EjectedFor::kNothing;
  last_failed_ = fault;
  last_at_ = now;
  if (!fault) {
    run_ = origin_run_ = 0;
    if (probed) Close(now);
    return EjectedFor::kNothing;
  }
  ++run_;
  if (outcome == Outcome::kOriginFault) ++origin_run_;
  if (ejected_) {
    // Who was asked before it was due has told nothing new.
    if (!probed || probe_is_last_resort_) return EjectedFor::kNothing;
    Eject(rules, random, now);
    return EjectedFor::kProbeFailed;
  }
  if (run_ < rules.consecutive && origin_run_ < kOriginConsecutive) return EjectedFor::kNothing;
  Eject(rules, random, now);
  return EjectedFor::kConsecutive;
}

void EndpointHealth::Eject(const HealthRules& rules, uint64_t random, TimePoint now) {
  if (!ejected_ && closed_at_ != TimePoint::Never()) {
    const int64_t forgiven = std::max<int64_t>((now - closed_at_).ns, 0) / kForgiveness.ns;
    times_ = static_cast<int>(std::max<int64_t>(times_ - forgiven, 0));
  }
  times_ = std::min(times_ + 1, kMostTimes);
  const int64_t length = std::min(rules.base.ns * times_, rules.longest.ns);
  const auto jitter =
      static_cast<int64_t>(static_cast<uint64_t>(length / 10 / 1'000'000) * (random >> 32) >> 32);
  ejected_ = true;
  ejected_at_ = now;
  ejected_until_ = now + Duration{length} + Duration::Milliseconds(jitter);
  last_resort_at_ = now;
  run_ = origin_run_ = 0;
}

void EndpointHealth::Close(TimePoint now) {
  ejected_ = false;
  closed_at_ = now;
  last_failed_ = false;
  bodies_ = {};
}

void EndpointHealth::LeaveAlone(Duration span, TimePoint now) {
  out_until_ = std::max(out_until_, now + std::min(span, kLongestOut));
}

bool EndpointHealth::RateIsDue(TimePoint now) {
  if (ejected_ || (rate_at_.ns > 0 && now < rate_at_ + kRateInterval)) return false;
  rate_at_ = now;
  return true;
}

bool EndpointHealth::EjectForRate(const HealthRules& rules, uint64_t random, TimePoint now) {
  if (ejected_) return false;
  Eject(rules, random, now);
  return true;
}

bool EndpointHealth::Degraded(TimePoint now) const {
  if (last_failed_ && !Over(now - last_at_, kRecently)) return true;
  const OutcomeCounts recent = seconds_.Sum(now, 6);
  return recent.fault >= 3 && recent.fault * 5 >= recent.judged();
}

float EndpointHealth::SlowStart(const HealthRules& rules, TimePoint now) const {
  if (closed_at_ == TimePoint::Never() || rules.slow_start.ns <= 0) return 1;
  const Duration back = std::max(now - closed_at_, Duration::Seconds(1));
  if (Over(back, rules.slow_start)) return 1;
  return std::max(kLeastWeight, static_cast<float>(back.ms() / rules.slow_start.ms()));
}

uint16_t EndpointHealth::UptimeOf(const OutcomeCounts& counts) {
  if (counts.judged() < kLeastOutcomes) return HealthView::kUnknownUptime;
  return static_cast<uint16_t>(uint64_t{counts.ok} * 1000 / counts.judged());
}

HealthView EndpointHealth::View(bool last_resort, const HealthRules& rules, TimePoint now) {
  if (figures_at_ == TimePoint::Never() || now < figures_at_ ||
      Over(now - figures_at_, kFiguresAge)) {
    figures_at_ = now;
    const Sketch::Figures waits = first_content_.Over5Minutes(now, {0.5, 0.75, 0.9, 0.99});
    // That p % reach is what 100 - p % fall short of.
    const Sketch::Figures rates = throughput_.Over5Minutes(now, {0.5, 0.25, 0.1, 0.01});
    for (size_t i = 0; i < kPercentileCount; ++i) {
      ttft_ms_.at[i] = static_cast<uint32_t>(std::lround(waits.at[i]));
      rates_.at[i] = static_cast<uint32_t>(std::lround(rates.at[i] / 10));
    }
    samples_ = static_cast<uint16_t>(
        std::min<uint32_t>(waits.samples, std::numeric_limits<uint16_t>::max()));
  }
  HealthView view;
  view.ttft_ms = ttft_ms_;
  view.tokens_per_second = rates_;
  view.samples = samples_;
  view.uptime = Uptime30Minutes(now);
  view.slow_start = SlowStart(rules, now);
  const EndpointGate gate = Look(last_resort, now);
  view.retry_at = gate.retry_at;
  view.ejected_at = ejected_at_;
  view.last_resort = last_resort;
  if (gate.is == EndpointGate::Is::kOut) {
    view.state = HealthState::kOut;
  } else if (ejected_) {
    view.state = now >= ejected_until_ ? HealthState::kHalfOpen : HealthState::kEjected;
  } else if (rules.leave_out && Degraded(now)) {
    view.state = HealthState::kDegraded;
  } else if (view.slow_start < 1) {
    view.state = HealthState::kSlowStart;
  }
  return view;
}

void EndpointHealth::Reset() {
  EndpointHealth well;
  well.minutes_ = minutes_;
  well.hours_ = hours_;
  well.first_content_ = std::move(first_content_);
  well.throughput_ = std::move(throughput_);
  *this = std::move(well);
}

EndpointHealth::Kept EndpointHealth::Keep(TimePoint now) const {
  Kept kept;
  if (ejected_) kept.ejected_for = std::max(ejected_until_ - now, Duration{1});
  kept.times = times_;
  if (now < out_until_) kept.out_for = out_until_ - now;
  if (closed_at_ != TimePoint::Never()) {
    kept.back_since = std::clamp(now - closed_at_, Duration{}, kLongestBack);
  }
  kept.minutes = minutes_.Keep(now);
  kept.hours = hours_.Keep(now);
  kept.first_content = first_content_.Keep(now);
  kept.throughput = throughput_.Keep(now);
  return kept;
}

void EndpointHealth::Restore(const Kept& kept, const HealthRules& rules, TimePoint now) {
  times_ = std::clamp(kept.times, 0, kMostTimes);
  if (kept.ejected_for.ns > 0) {
    ejected_ = true;
    const Duration longest{std::min(rules.base.ns * std::max(times_, 1), rules.longest.ns) * 11 /
                           10};
    ejected_until_ = now + std::min(kept.ejected_for, longest);
    last_resort_at_ = now;
  }
  if (kept.out_for.ns > 0) LeaveAlone(kept.out_for, now);
  if (kept.back_since.ns >= 0) closed_at_ = {now.ns - kept.back_since.ns};
  minutes_.Restore(kept.minutes, now);
  hours_.Restore(kept.hours, now);
  first_content_.Restore(kept.first_content, now);
  throughput_.Restore(kept.throughput, now);
}

}  // namespace seekroute
