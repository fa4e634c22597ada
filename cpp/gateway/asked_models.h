// Internal to gateway/: the models that a request asks for, by whatever names.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/result.h"
#include "gateway/admission.h"
#include "gateway/snapshot.h"
#include "routing/planner.h"
#include "routing/preferences.h"

namespace seekroute {

// How a route is called whose first name stands for several models.
inline constexpr std::string_view kVirtual = "virtual";

// Whether a model is chosen for that name, with a suffix or without.
bool IsChosenFor(const Snapshot& snapshot, std::string_view name);

// Of a virtual model, one that the key may use, else any: null where there is no such name.
const Model* FirstMember(const Snapshot& snapshot, const Admission& admission,
                         std::string_view name);

// The same of the pool that `auto` chooses from. Requires snapshot.router.
const Model* FirstPooled(const Snapshot& snapshot, const Admission& admission);

// What the first of `models` belongs together by: the name that draws among it and those behind it,
// or that a model is chosen for, else its own id. May point into `asked`, or into a model.
std::string_view StickyNameOf(std::string_view asked, const Snapshot& snapshot,
                              std::span<const PlannedModel> models);

// Of those, the member that has this endpoint comes first, if it is in service anywhere: nothing
// where it has none, or nothing is drawn. `health`: null: everybody is well.
void PutFirst(uint64_t endpoint, const HealthReader* health, TimePoint now,
              std::vector<PlannedModel>* models);

// Of the pooled models, the place in the pool of the one that has this endpoint; nothing: none.
std::optional<uint32_t> PooledAt(uint64_t endpoint, std::span<const PlannedModel> models);

// Names the model, of a length that a name has, and the nearest that the key may use.
Error UnknownModel(const Snapshot& snapshot, const Admission& admission, const std::string& asked,
                   const std::string& param);

// Appends the models that may answer, in order: those that the request names, pooled ones to be
// ranked by the plan, and the operator's fallbacks behind them. `out`: as far as its model is
// known; its route's strategy is told where it is kVirtual. `seed`: of what is drawn. Fails with
// kModelNotFound where there is no such name, or nothing is left.
Status GatherModels(const Snapshot& snapshot, Suffix suffix, uint64_t seed, Admission* out,
                    std::vector<PlannedModel>* models);

}  // namespace seekroute
