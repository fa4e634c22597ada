// What may be asked of a gateway in a minute, in a day and at once: whose limits, and of what.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "limits/gcra.h"

namespace seekroute {

// Whose limit it is. Of several that refuse equally long the first one is named.
enum class LimitScope : uint8_t {
  kKey,
  kKeyModel,  // of a key, for one model
  kApp,
  kOrg,
  kGateway,
  kModel,
  // Of whom an attempt asks, the others are of who asks.
  kProvider,
  kProviderKey,
  kEndpoint,
};
inline constexpr size_t kLimitScopes = 9;
constexpr bool IsUpstream(LimitScope scope) { return scope >= LimitScope::kProvider; }

// Of what. Likewise in the order of naming.
enum class LimitDimension : uint8_t {
  kRequestsPerMinute,
  kTokensPerMinute,
  kRequestsPerDay,
  kTokensPerDay,
  kConcurrent,
};
inline constexpr size_t kLimitDimensions = 5;

// As settings, metrics and errors have it: "org", "requests_per_minute".
std::string_view NameOf(LimitScope scope);
std::string_view NameOf(LimitDimension dimension);
std::optional<LimitScope> LimitScopeNamed(std::string_view name);

// Absent is unlimited; 0 refuses everything. Value type.
struct LimitSet {
  static constexpr int64_t kMostPerDay = int64_t{1} << 50;
  static constexpr int64_t kMostConcurrent = 1'000'000'000;
  static constexpr int64_t kMostQueueMs = 60'000;

  std::optional<int64_t> requests_per_minute = {};  // up to RateLimit::kMostUnits
  std::optional<int64_t> tokens_per_minute = {};    // likewise; of prompt and answer
  std::optional<int64_t> requests_per_day = {};     // of UTC
  std::optional<int64_t> tokens_per_day = {};
  std::optional<int64_t> concurrent = {};
  // At once, of those of a minute; absent: all of them. 1 to RateLimit::kMostBurst.
  std::optional<int64_t> burst_requests = {};
  std::optional<int64_t> burst_tokens = {};
  // Whether tokens that a provider has read from its cache are among those that count.
  bool count_cached = true;
  // No limits of their own: how long a request waits for room where it does not say it itself; of
  // an organization, how much it is served beside others that wait; whether slow streams are
  // hedged.
  std::optional<int64_t> queue_ms = {};      // up to kMostQueueMs
  std::optional<int64_t> queue_weight = {};  // 1 to FairQueue::kMostWeight; absent: 1
  std::optional<bool> hedge = {};            // absent: as the gateway does it

  // Nothing is limited: a burst, a wait or a hedge alone limits nothing.
  bool empty() const;
  bool counts_tokens() const { return tokens_per_minute || tokens_per_day; }
  bool counts_days() const { return requests_per_day || tokens_per_day; }
  friend bool operator==(const LimitSet&, const LimitSet&) = default;
  friend auto operator<=>(const LimitSet&, const LimitSet&) = default;
};

// Fails with kInvalidValue, and the member as its `param`, where a figure is out of its range.
Status CheckLimits(const LimitSet& limits);

// Of the minute's dimensions; nothing where there is none, or where it is 0.
std::optional<RateLimit> RequestRateOf(const LimitSet& limits);
std::optional<RateLimit> TokenRateOf(const LimitSet& limits);

}  // namespace seekroute
