// How one endpoint has been doing, and what follows for who asks it next. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "routing/health_view.h"
#include "routing/sketch.h"
#include "routing/time_slices.h"

namespace seekroute {

// By the operator. Immutable.
struct HealthRules {
  bool leave_out = true;  // false: everybody is measured, and asked as if nobody had ever failed
  int consecutive = 5;    // faults that eject
  Duration base = Duration::Seconds(30);
  Duration longest = Duration::Seconds(300);
  int max_share = 50;  // percent of a model's endpoints that may be out by ejection at once
  Duration slow_start = Duration::Seconds(60);  // 0: none
};

// What an attempt says of its endpoint.
enum class Outcome : uint8_t {
  kOk,
  kFault,
  kOriginFault,  // it could not even be connected to
  kLimited,      // refused for its pace; else neutral
  kNeutral,      // nothing: it was the request's, the key's, the client's or our own doing
};
constexpr bool IsFault(Outcome outcome) {
  return outcome == Outcome::kFault || outcome == Outcome::kOriginFault;
}

// What was measured of an attempt; 0: nothing.
struct Measured {
  Duration first_content;  // of a stream; of one that had none by its end, how long it waited
  double tokens_per_second = 0;
};

enum class EjectedFor : uint8_t { kNothing, kConsecutive, kSuccessRate, kProbeFailed };
inline constexpr size_t kEjectedForCount = 4;
// As metrics have it. A literal.
constexpr std::string_view NameOf(EjectedFor why) {
  constexpr std::array<std::string_view, kEjectedForCount> kNames = {
      "", "consecutive", "success_rate", "probe_failed"};
  return kNames[static_cast<size_t>(why)];
}

// Whether an endpoint may be asked.
struct EndpointGate {
  enum class Is : uint8_t {
    kOpen,
    kProbe,       // by this one attempt, which has claimed it: Report() or Release() follows
    kLastResort,  // likewise; it is ejected, and so are too many others
    kEjected,
    kOut,  // as it said itself
  };
  Is is = Is::kOpen;
  TimePoint retry_at;  // kEjected, kOut: when it may be asked at the earliest

  bool open() const { return is <= Is::kLastResort; }
};

// Of all attempts at it, of all engines. Not thread-safe.
class EndpointHealth {
 public:
  static constexpr Duration kRecently = Duration::Seconds(30);
  // A probe of which nothing was heard is given up.
  static constexpr Duration kLongestProbe = Duration::Seconds(60);
  static constexpr Duration kLastResortPace = Duration::Seconds(5);
  static constexpr Duration kRateInterval = Duration::Seconds(10);
  static constexpr Duration kLongestOut = Duration::Seconds(600);
  static constexpr int kOriginConsecutive = 3;
  static constexpr int kMostTimes = 10;
  static constexpr size_t kBodies = 8;

  // For attempt `attempt`, not 0. `last_resort`: it is among those that the share rule keeps.
  EndpointGate Ask(uint64_t attempt, bool last_resort, TimePoint now);
  // What Ask() would say, and nothing is claimed.
  EndpointGate Look(bool last_resort, TimePoint now) const;

  // `body`: of what was asked, a hash; 0: unknown. A fault with a body that one of the last
  // kBodies had does not count: few bad requests, however often they come, eject nobody. `random`
  // draws the jitter.
  EjectedFor Report(uint64_t attempt, Outcome outcome, uint64_t body, const Measured& measured,
                    const HealthRules& rules, uint64_t random, TimePoint now);
  // Nothing is said of it, but that the attempt is over.
  void Release(uint64_t attempt);

  // It asked itself to be left alone for so long.
  void LeaveAlone(Duration span, TimePoint now);

  // Its successes lie too far below those of the others of its model: judged by who knows them.
  // True: it is out.
  bool EjectForRate(const HealthRules& rules, uint64_t random, TimePoint now);
  // A judgement is due: ten seconds since the last.
  bool RateIsDue(TimePoint now);
  OutcomeCounts LastMinute(TimePoint now) const { return seconds_.Sum(now, 12); }

  bool ejected() const { return ejected_; }
  // Nothing of it is in anybody's way, now or later.
  bool plain(const HealthRules& rules, TimePoint now) const {
    if (!rules.leave_out) return true;
    return !ejected_ && now >= out_until_ && !Degraded(now) && SlowStart(rules, now) >= 1;
  }
  bool probed_by(uint64_t attempt) const { return probe_ != 0 && probe_ == attempt; }
  TimePoint ejected_until() const { return ejected_until_; }
  bool Degraded(TimePoint now) const;
  // 0.1 to 1: of its weight.
  float SlowStart(const HealthRules& rules, TimePoint now) const;
  // In steps of 0.1 %; HealthView::kUnknownUptime below 20 samples.
  uint16_t Uptime5Minutes(TimePoint now) const { return UptimeOf(minutes_.Sum(now, 6)); }
  uint16_t Uptime30Minutes(TimePoint now) const { return UptimeOf(minutes_.Sum(now, 30)); }
  uint16_t Uptime1Day(TimePoint now) const { return UptimeOf(hours_.Sum(now, 24)); }
  OutcomeCounts LastDay(TimePoint now) const { return hours_.Sum(now, 24); }

  // What a plan reads. Percentiles are as old as a second.
  HealthView View(bool last_resort, const HealthRules& rules, TimePoint now);
  const Sketch& first_content() const { return first_content_; }   // in milliseconds
  const Sketch& tokens_per_second() const { return throughput_; }  // in tenths

  // As if it had never failed, by an operator. How often it was asked, with which outcome, and how
  // quick it was, stays known.
  void Reset();

  // What outlives a restart. Spans are from the moment of Keep(), or until it.
  struct Kept {
    Duration ejected_for;  // from then on; 0: it is not
    int times = 0;
    Duration out_for;
    Duration back_since{-1};  // since it came back from an ejection; negative: it was never out
    std::vector<KeptCounts> minutes, hours;
    Sketch::Kept first_content, throughput;
    friend bool operator==(const Kept&, const Kept&) = default;
    bool empty() const { return *this == Kept(); }
  };
  Kept Keep(TimePoint now) const;
  // Into one that was never asked. An ejection lasts no longer than `rules` would have it.
  void Restore(const Kept& kept, const HealthRules& rules, TimePoint now);

 private:
  static uint16_t UptimeOf(const OutcomeCounts& counts);
  void Count(Outcome outcome, TimePoint now);
  void Eject(const HealthRules& rules, uint64_t random, TimePoint now);
  void Close(TimePoint now);

  OutcomeSlices<12> seconds_{Duration::Seconds(5)};
  OutcomeSlices<30> minutes_{Duration::Seconds(60)};
  OutcomeSlices<24> hours_{Duration::Seconds(3600)};
  Sketch first_content_;
  Sketch throughput_;

  int run_ = 0;         // faults since the last success
  int origin_run_ = 0;  // of them, of connecting
  bool last_failed_ = false;
  TimePoint last_at_;
  std::array<uint64_t, kBodies> bodies_ = {};  // of the last faults that counted; 0: none
  size_t next_body_ = 0;

  bool ejected_ = false;
  TimePoint ejected_at_;  // the last time; 0: it never was
  TimePoint ejected_until_;
  int times_ = 0;
  TimePoint closed_at_ = TimePoint::Never();  // Never: it was never out
  uint64_t probe_ = 0;                        // the attempt that has claimed it
  TimePoint probe_since_;
  bool probe_is_last_resort_ = false;
  TimePoint last_resort_at_;
  TimePoint out_until_;
  TimePoint rate_at_;
  Percentiles ttft_ms_;
  Percentiles rates_;
  uint16_t samples_ = 0;
  TimePoint figures_at_ = TimePoint::Never();
};

}  // namespace seekroute
