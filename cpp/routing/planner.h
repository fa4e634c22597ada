// Who serves a request: filters, and the order. Pure.
#pragma once

#include <optional>
#include <span>

#include "base/result.h"
#include "routing/route.h"
#include "wire/ask.h"

namespace seekroute {

// The endpoints of `models`, those of the first before those of the next, in the catalog's order,
// but for those that lack what `request` needs. Fails with kNoMatchingEndpoint where none of the
// models, of which there is one at least, has any, and with the client's error where all lack
// something. Without a strategy.
Result<Route> PlanRoute(std::span<const Model* const> models, const ParsedRequest& request);

// Why no model can be chosen for a request that names none (`auto`): the models to choose from are
// for chats. Nothing where one can be.
std::optional<Error> RefuseAuto(const ParsedRequest& request);

}  // namespace seekroute
