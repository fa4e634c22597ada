#include "limits/limit_state.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

namespace seekroute {
namespace {

// Which parts of a Meter::Kept follow.
constexpr uint64_t kRequests = 1, kTokens = 2, kDay = 4;
constexpr int64_t kLongestUsed = std::numeric_limits<int64_t>::max() / 4;
constexpr int64_t kMostDays = 100'000;  // as a Duration since 1970: far from the end of its type
constexpr int64_t kMostOfDay = int64_t{1} << 60;

void WriteRate(const Meter::Kept::Rate& rate, VarintWriter* out) {
  out->Number(static_cast<uint64_t>(rate.limit.units));
  out->Number(static_cast<uint64_t>(rate.limit.burst));
  out->Number(static_cast<uint64_t>(std::min(rate.used.ns, kLongestUsed)));
  out->Number(rate.used.part);
}

Meter::Kept::Rate ReadRate(VarintReader* in) {
  Meter::Kept::Rate rate;
  rate.limit.units = in->Between(1, RateLimit::kMostUnits);
  rate.limit.burst = in->Between(1, RateLimit::kMostBurst);
  rate.used.ns = in->Between(0, kLongestUsed);
  rate.used.part =
      static_cast<uint32_t>(in->Between(0, std::max<int64_t>(1, rate.limit.units) - 1));
  return rate;
}

void WriteHolder(const LimitState::Holder& holder, VarintWriter* out) {
  out->Number(static_cast<uint64_t>(holder.scope));
  out->Number(holder.shard);
  out->Text(holder.id);
  const Meter::Kept& used = holder.used;
  const bool has_day = used.day && used.day->number >= 0 && used.day->number <= kMostDays;
  out->Number((used.requests ? kRequests : 0) | (used.tokens ? kTokens : 0) | (has_day ? kDay : 0));
  if (used.requests) WriteRate(*used.requests, out);
  if (used.tokens) WriteRate(*used.tokens, out);
  if (!has_day) return;
  out->Number(static_cast<uint64_t>(used.day->number));
  out->Span(used.day->age);
  out->Number(static_cast<uint64_t>(std::clamp<int64_t>(used.day->requests, 0, kMostOfDay)));
  out->Number(static_cast<uint64_t>(std::clamp<int64_t>(used.day->tokens, 0, kMostOfDay)));
}

LimitState::Holder ReadHolder(VarintReader* in) {
  LimitState::Holder holder;
  holder.scope = static_cast<LimitScope>(in->Number(kLimitScopes - 1));
  holder.shard = static_cast<uint32_t>(in->Number(LimitState::kMostShards - 1));
  holder.id = in->Text();
  const uint64_t parts = in->Number(kRequests | kTokens | kDay);
  if ((parts & kRequests) != 0) holder.used.requests = ReadRate(in);
  if ((parts & kTokens) != 0) holder.used.tokens = ReadRate(in);
  if ((parts & kDay) == 0) return holder;
  Meter::Kept::Day day;
  day.number = in->Between(0, kMostDays);
  day.age = in->Span();
  day.requests = in->Between(0, kMostOfDay);
  day.tokens = in->Between(0, kMostOfDay);
  holder.used.day = day;
  return holder;
}

void AgeRate(std::optional<Meter::Kept::Rate>* rate, Duration passed) {
  if (!*rate || ((*rate)->used.ns -= passed.ns) >= 0) return;
  rate->reset();
}

}  // namespace

void LimitState::Age(Duration passed) {
  for (Holder& holder : holders) {
    AgeRate(&holder.used.requests, passed);
    AgeRate(&holder.used.tokens, passed);
    if (auto& day = holder.used.day) day->age = std::min(day->age + passed, Meter::kLeastDay);
  }
  std::erase_if(holders, [](const Holder& each) { return each.used.empty(); });
}

void WriteLimitState(const LimitState& state, VarintWriter* out) {
  out->Number(state.holders.size());
  for (const LimitState::Holder& each : state.holders) WriteHolder(each, out);
}

LimitState ReadLimitState(VarintReader* in) {
  return {in->List<LimitState::Holder>([in] { return ReadHolder(in); })};
}

}  // namespace seekroute
