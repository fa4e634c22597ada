// How an endpoint has been doing, in reports and quotes.
#pragma once

#include <string_view>

#include "routing/health_view.h"
#include "wire/json/json_writer.h"

namespace seekroute {

// The members "latency_ms", "throughput", "uptime_30m" (null: not measured) and "health".
void WriteHealth(const HealthView& view, JsonWriter* json);

// Why a candidate that is in its place would be passed over now; empty: it would not.
std::string_view PassedOver(const HealthView& view);

}  // namespace seekroute
