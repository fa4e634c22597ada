// Python dicts, already validated by seekroute.config, into the core's values. What still does not
// fit is a ValueError that names the key.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

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
// Null for None: nothing is chosen.
std::shared_ptr<const AutoRouter> AutoRouterFrom(const pybind11::handle& router);
// Of the same; off for None.
ShadowRules ShadowRulesFrom(const pybind11::handle& router);
// Null for None, and where nothing is limited.
std::shared_ptr<const LimitSet> LimitsFrom(const pybind11::handle& limits);

// Reads what `seekroute.control.CoreKey` describes. `limits_of(key)` says what holds for a key: it
// is asked once for all that have the same profile and the same limits of their own.
class KeysReader {
 public:
  explicit KeysReader(pybind11::function limits_of) : limits_of_(std::move(limits_of)) {}

  ApiKey Read(const pybind11::tuple& members, Mac* mac);

 private:
  static constexpr size_t kLimits = 10;
  using Own = std::array<std::optional<int64_t>, kLimits>;

  const pybind11::function limits_of_;
  std::map<std::pair<std::string, Own>, std::shared_ptr<const LimitSet>> limits_;
};

Mac MacFrom(const pybind11::bytes& bytes);

// Raises ValueError with the error's message.
[[noreturn]] void Raise(const Error& error);

}  // namespace seekroute
