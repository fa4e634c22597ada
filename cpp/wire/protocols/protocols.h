// The surfaces and the dialects that there are: to add one is a row in the table here.
#pragma once

#include <optional>
#include <string_view>

#include "wire/dialect.h"
#include "wire/surface.h"

namespace seekroute {

// Of all of the program's life; thread-safe.
const Surface& SurfaceOf(SurfaceId id);
const Dialect& DialectOf(DialectId id);

// By label; null: there is none.
const Surface* SurfaceNamed(std::string_view label);
const Dialect* DialectNamed(std::string_view label);

}  // namespace seekroute
