#include "gateway/health_report.h"

#include <cstdint>

#include "gateway/routing_report.h"
#include "routing/exclusion.h"

namespace seekroute {
namespace {

void WriteFigure(JsonName name, uint32_t figure, JsonWriter* json) {
  json->Key(name);
  figure == 0 ? json->Null() : json->Integer(figure);
}

}  // namespace

void WriteHealth(const HealthView& view, JsonWriter* json) {
  WriteFigure("latency_ms", view.ttft_ms[Percentile::kP50], json);
  WriteFigure("throughput", view.tokens_per_second[Percentile::kP50], json);
  json->Key("uptime_30m");
  view.has_uptime() ? json->Raw(FormatShare(view.uptime / 1000.0)) : json->Null();
  json->Key("health").String(NameOf(view.state));
}

std::string_view PassedOver(const HealthView& view) {
  if (!view.has_live_key) return TraitsOf(Excluded::kDeadKey).word;
  if (view.state == HealthState::kEjected && !view.last_resort) {
    return TraitsOf(Excluded::kEjected).word;
  }
  if (view.state == HealthState::kOut) return TraitsOf(Excluded::kOutUntil).word;
  return view.has_room ? std::string_view() : TraitsOf(Excluded::kUpstreamLimit).word;
}

}  // namespace seekroute
