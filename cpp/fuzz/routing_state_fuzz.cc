// Any bytes as the state of routing: what is read is within its bounds, is written and read again
// as the same, and a health table that takes it over goes on.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/crc32c.h"
#include "gateway/health_table.h"
#include "routing/routing_state.h"

namespace {

using namespace seekroute;  // NOLINT

void Check(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // A fuzzer finds no checksum: it is put behind, and the beginning before, where there is none.
  std::string bytes = size > 0 && data[0] == 'S' ? "" : "SRRS\x01";
  bytes.append(reinterpret_cast<const char*>(data), size);
  const uint32_t crc = Crc32c(bytes);
  for (int i = 0; i < 4; ++i) bytes.push_back(static_cast<char>(crc >> (8 * i)));
  Result<RoutingState> state = ReadRoutingState(bytes);
  if (!state) return 0;
  const Result<RoutingState> again = ReadRoutingState(WriteRoutingState(*state));
  Check(again.has_value() && *again == *state);
  state->Age(Duration::Seconds(static_cast<int64_t>(size) * 3600));
  const TimePoint now{1'000'000'000};
  HealthTable table({}, {});
  table.Restore(*state, now);
  table.Learn(Snapshot(), now);
  for (const RoutingState::Endpoint& each : state->endpoints) (void)table.ViewOf(each.id, now);
  Check(table.Rows(now).empty());  // no snapshot has any of them
  Check(ReadRoutingState(WriteRoutingState(table.Keep(now))).has_value());
  return 0;
}
