// How an endpoint or a provider's key stands: what operators, metrics and lists are told.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"
#include "routing/endpoint_health.h"
#include "routing/health_view.h"

namespace seekroute {

// Value type; its views are literals.
struct HealthRow {
  std::string provider;
  std::string model;  // the catalog's id; of an endpoint that several models list, of the first
  std::string upstream_model;  // the provider's name for it
  std::string tag;             // of an endpoint, as clients name it: "groq", "nebius/fp8-eu"
  uint64_t id = 0;             // likewise
  std::string key;             // of a key's row: its id; `model` is empty then
  bool is_key = false;
  std::string_view state;  // "ok", "degraded", "ejected", "half_open", "slow_start", "out"; of a
                           // key "ok", "bad_key", "no_credit", "forbidden", "rate_limited"
  bool last_resort = false;
  // What is missing to ask it: of an endpoint "dead_key", or "forbidden" or "no_model" where that
  // is so of each key there; of either "upstream_limit". Empty: nothing.
  std::string_view lacks;
  Duration retry_in;  // until it may be asked; 0: now
  int in_flight = 0;
  double uptime_5m = -1, uptime_30m = -1, uptime_1d = -1;  // 0 to 1; -1: too little is known
  Percentiles ttft_ms;                                     // of 5 minutes
  Percentiles tokens_per_second;
  Percentiles ttft_ms_30m;
  Percentiles tokens_per_second_30m;
  std::array<uint64_t, kEjectedForCount> ejections = {};  // by EjectedFor
  std::array<uint64_t, 3> probes = {};                    // ok, failed, unsaid
  // Calls of a day that tell how it does: answers, faults and refusals for its rate. Not those that
  // fail for the client's doing, nor the same body that fails again.
  uint64_t judged_1d = 0;

  // The one word for all of it: what is missing to ask one that would be asked, else its state.
  std::string_view shown() const {
    const bool would = state == "ok" || state == "degraded" || state == "slow_start";
    return would && !lacks.empty() ? lacks : state;
  }
};

}  // namespace seekroute
