#include "limits/limit_set.h"

#include <array>
#include <string>

#include "limits/fair_queue.h"

namespace seekroute {
namespace {

constexpr std::array<std::string_view, kLimitScopes> kScopeNames = {
    "key", "key_model", "app", "org", "gateway", "model", "provider", "provider_key", "endpoint"};
constexpr std::array<std::string_view, kLimitDimensions> kDimensionNames = {
    "requests_per_minute", "tokens_per_minute", "requests_per_day", "tokens_per_day", "concurrent"};

std::optional<RateLimit> RateOf(const std::optional<int64_t>& units,
                                const std::optional<int64_t>& burst) {
  if (!units || *units == 0) return std::nullopt;
  return RateLimit{*units, Duration::Seconds(60), burst.value_or(*units)};
}

}  // namespace

std::string_view NameOf(LimitScope scope) { return kScopeNames[static_cast<size_t>(scope)]; }

std::string_view NameOf(LimitDimension dimension) {
  return kDimensionNames[static_cast<size_t>(dimension)];
}

std::optional<LimitScope> LimitScopeNamed(std::string_view name) {
  for (size_t i = 0; i < kScopeNames.size(); ++i) {
    if (kScopeNames[i] == name) return static_cast<LimitScope>(i);
  }
  return std::nullopt;
}

bool LimitSet::empty() const {
  return !requests_per_minute && !tokens_per_minute && !requests_per_day && !tokens_per_day &&
         !concurrent;
}

Status CheckLimits(const LimitSet& limits) {
  struct Member {
    std::string_view name;
    const std::optional<int64_t>& value;
    int64_t least, most;
  };
  const Member members[] = {
      {"requests_per_minute", limits.requests_per_minute, 0, RateLimit::kMostUnits},
      {"tokens_per_minute", limits.tokens_per_minute, 0, RateLimit::kMostUnits},
      {"requests_per_day", limits.requests_per_day, 0, LimitSet::kMostPerDay},
      {"tokens_per_day", limits.tokens_per_day, 0, LimitSet::kMostPerDay},
      {"concurrent", limits.concurrent, 0, LimitSet::kMostConcurrent},
      {"burst_requests", limits.burst_requests, 1, RateLimit::kMostBurst},
      {"burst_tokens", limits.burst_tokens, 1, RateLimit::kMostBurst},
      {"queue_ms", limits.queue_ms, 0, LimitSet::kMostQueueMs},
      {"queue_weight", limits.queue_weight, 1, FairQueue::kMostWeight},
  };
  for (const Member& member : members) {
    if (!member.value || (*member.value >= member.least && *member.value <= member.most)) continue;
    return MakeError(ErrorCode::kInvalidValue,
                     std::string(member.name) + ": expected " + std::to_string(member.least) +
                         " to " + std::to_string(member.most),
                     std::string(member.name));
  }
  return {};
}

std::optional<RateLimit> RequestRateOf(const LimitSet& limits) {
  return RateOf(limits.requests_per_minute, limits.burst_requests);
}

std::optional<RateLimit> TokenRateOf(const LimitSet& limits) {
  return RateOf(limits.tokens_per_minute, limits.burst_tokens);
}

}  // namespace seekroute
