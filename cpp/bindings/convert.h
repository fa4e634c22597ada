// Python dicts, already validated by seekroute.config, into the core's values. What still does not
// fit is a ValueError that names the key.
#pragma once

#include <memory>
#include <string>

#include "bindings/pybind.h"
#include "catalog/price.h"
#include "gateway/key_ring.h"
#include "gateway/options.h"
#include "gateway/snapshot.h"
#include "limits/limit_set.h"

namespace seekroute {

GatewayOptions OptionsFrom(const pybind11::dict& options);
std::shared_ptr<const Snapshot> SnapshotFrom(const pybind11::dict& snapshot);
// `place` is the path that errors begin with. A rate that is unknown is an error like one that is
// missing: a misspelled price is no price.
std::shared_ptr<const PriceTable> PriceTableFrom(const pybind11::handle& table,
                                                 const std::string& place);
// Null for None, and where nothing is limited.
std::shared_ptr<const LimitSet> LimitsFrom(const pybind11::handle& limits);
ApiKey KeyFrom(const pybind11::dict& key);
Mac MacFrom(const pybind11::bytes& bytes);

// Raises ValueError with the error's message.
[[noreturn]] void Raise(const Error& error);

}  // namespace seekroute
