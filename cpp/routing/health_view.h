// What a plan knows of how an endpoint has been doing: plain figures of one moment.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/time.h"

namespace seekroute {

enum class HealthState : uint8_t {
  kOk,
  kDegraded,   // faults in the last half minute: asked after the others
  kEjected,    // not asked before `retry_at`
  kHalfOpen,   // ejected, and due for its one probe
  kSlowStart,  // back since a moment: asked less
  kOut,        // it said itself that it is not to be asked before `retry_at`
};

// As reports and metrics have it.
constexpr std::string_view NameOf(HealthState state) {
  switch (state) {
    case HealthState::kOk:
      return "ok";
    case HealthState::kDegraded:
      return "degraded";
    case HealthState::kEjected:
      return "ejected";
    case HealthState::kHalfOpen:
      return "half_open";
    case HealthState::kSlowStart:
      return "slow_start";
    case HealthState::kOut:
      break;
  }
  return "out";
}

// A figure that so many percent of requests reach. By Percentile.
enum class Percentile : uint8_t { kP50, kP75, kP90, kP99 };
inline constexpr size_t kPercentileCount = 4;

// By Percentile; 0: unknown.
struct Percentiles {
  std::array<uint32_t, kPercentileCount> at = {};

  constexpr uint32_t operator[](Percentile p) const { return at[static_cast<size_t>(p)]; }
  constexpr bool known() const { return at[0] != 0; }
};

// Of one endpoint. The default is healthy, with nothing measured. Value type of 64 bytes at most.
struct HealthView {
  static constexpr uint16_t kUnknownUptime = 0xffff;

  TimePoint retry_at = {};    // kEjected, kOut, or without a key or room: when it can be asked
  TimePoint ejected_at = {};  // the last time; 0: it never was
  Percentiles ttft_ms = {};   // of 5 minutes: of p % of streams the first content came within it
  Percentiles tokens_per_second = {};  // likewise: p % of answers were as quick or quicker
  float slow_start = 1;                // 0.1 to 1: the share of its weight that it is given
  float head = 1;                      // 0 to 1: what is left of the limits that it has told
  uint16_t uptime = kUnknownUptime;    // of 30 minutes, in steps of 0.1 %; unknown below 20 samples
  uint16_t samples = 0;                // of 5 minutes, as far as this counts
  HealthState state = HealthState::kOk;
  bool last_resort =
      false;  // ejected, and yet asked after all others: too many of its model are out
  bool has_live_key = true;  // of its provider
  bool has_room = true;      // below the limits that are set for it, and those that were learned

  // In service without reserve: neither degraded nor out in any way.
  constexpr bool stable() const {
    return state == HealthState::kOk || state == HealthState::kSlowStart;
  }
  // It may be asked now, and is out in no way. `probes`: also where one request at a time may try
  // whether it is back.
  constexpr bool serves(bool probes) const {
    const bool in =
        stable() || state == HealthState::kDegraded || (probes && state == HealthState::kHalfOpen);
    return in && !last_resort && has_live_key && has_room;
  }
  constexpr bool has_uptime() const { return uptime != kUnknownUptime; }
};
static_assert(sizeof(HealthView) <= 64);

// Where a plan reads it. Thread-safe.
class HealthReader {
 public:
  virtual ~HealthReader() = default;
  // Of the endpoint with that id (catalog.h: EndpointId); one that is not known is healthy.
  virtual HealthView ViewOf(uint64_t endpoint_id, TimePoint now) const = 0;
};

}  // namespace seekroute
