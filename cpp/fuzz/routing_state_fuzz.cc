// Any bytes as the state of a gateway: what is read is within its bounds, is written and read again
// as the same, and a health table and a limiter that take it over go on.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/crc32c.h"
#include "gateway/health_table.h"
#include "gateway/kept_state.h"
#include "limits/limiter.h"

namespace {

using namespace seekroute;  // NOLINT

void Check(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // A fuzzer finds no checksum: it is put behind, and the beginning before, where there is none.
  std::string bytes = size > 0 && data[0] == 'S' ? "" : "SRRS\x02";
  bytes.append(reinterpret_cast<const char*>(data), size);
  const uint32_t crc = Crc32c(bytes);
  for (int i = 0; i < 4; ++i) bytes.push_back(static_cast<char>(crc >> (8 * i)));
  Result<KeptState> state = ReadKeptState(bytes);
  if (!state) return 0;
  const Result<KeptState> again = ReadKeptState(WriteKeptState(*state));
  Check(again.has_value() && *again == *state);
  state->Age(Duration::Seconds(static_cast<int64_t>(size) * 3600));
  const TimePoint now{1'000'000'000};
  HealthTable table({}, {});
  table.Restore(state->routing, now);
  table.Learn(Snapshot(), now);
  for (const RoutingState::Endpoint& each : state->routing.endpoints)
    (void)table.ViewOf(each.id, now);
  Check(table.Rows(now).empty());  // no snapshot has any of them
  Limiter limiter;
  const LimitTime time{now, {state->wall_ms}};
  limiter.Restore(state->limits, time);
  const LimitSet limits{.requests_per_minute = 60, .tokens_per_day = 1000};
  for (const LimitState::Holder& each : state->limits.holders) {
    const LimitSubject who{.org = each.id, .key = each.id, .key_limits = &limits, .key_version = 1};
    (void)limiter.Reserve(who, {}, time);
  }
  const KeptState kept{.routing = table.Keep(now), .limits = limiter.Keep(time)};
  Check(ReadKeptState(WriteKeptState(kept)).has_value());
  return 0;
}
