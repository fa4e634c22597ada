// Internal to wire/: what is checked alike of the fields that requests of every kind have.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "wire/json/json_scan.h"

namespace seekroute {

// Why a string is no name of a model; nothing: it may be one.
std::optional<Error> RefuseModelName(const JsonValue& value, const JsonPlace& place);

// Why a value is none of a type that is `expected`, "a string".
Error WrongTypeError(const JsonPlace& place, std::string_view expected, JsonType got);

// A member that would choose elsewhere asks for nothing: null, [] or {}.
bool AsksForNothing(const JsonValue& value);

// The service tier that a `service_tier` asks for, as Ask has it.
std::string TierAskedFor(const JsonValue& value);

// With `param` in the message where it is not named there: SDKs print the message alone.
Error WithField(Error error);

}  // namespace seekroute
