// Any cutting of any bytes gives the same events and the same failure.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "wire/json/json.h"
#include "wire/sse/sse_parser.h"

namespace {

using seekroute::SseEvent;
using seekroute::SseParser;

struct Outcome {
  std::vector<SseEvent> events;
  bool ok = true;
};

// Small limits, so that short inputs reach them.
constexpr SseParser::Limits kLimits{64, 128};

Outcome Parse(std::string_view bytes, size_t step) {
  Outcome outcome;
  SseParser parser(kLimits);
  for (size_t at = 0; at < bytes.size() && outcome.ok; at += step) {
    outcome.ok = parser.Feed(bytes.substr(at, step), &outcome.events).ok();
  }
  return outcome;
}

void Check(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Outcome whole = Parse(bytes, size + 1);
  for (const size_t step : {size_t{1}, size_t{7}}) {
    const Outcome pieces = Parse(bytes, step);
    Check(pieces.ok == whole.ok);
    Check(pieces.events.size() == whole.events.size());
    for (size_t i = 0; i < whole.events.size(); ++i) {
      Check(pieces.events[i].data == whole.events[i].data);
      Check(pieces.events[i].type == whole.events[i].type);
    }
  }
  for (const SseEvent& event : whole.events) {
    Check(seekroute::IsValidUtf8(event.data) && !event.type.empty());
    // A replaced byte grows to three.
    Check(event.data.size() <= 3 * kLimits.max_event);
  }
  return 0;
}
