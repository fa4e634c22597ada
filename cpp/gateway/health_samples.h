// How endpoints and provider keys stand, in Prometheus' terms.
#pragma once

#include <vector>

#include "gateway/health_table.h"
#include "gateway/stats.h"

namespace seekroute {

// Labels are providers, the providers' names for models, tags of endpoints, and the operator's
// names for keys: all of the configuration. What too little is known of has no sample.
void AddHealthSamples(const std::vector<HealthRow>& rows, std::vector<Sample>* samples);

}  // namespace seekroute
