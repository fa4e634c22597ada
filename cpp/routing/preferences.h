// Where a request wants to go: what its fields say, against the providers that there are.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "catalog/catalog.h"
#include "wire/asked_route.h"

namespace seekroute {

// What stands behind the last colon of a model's name.
enum class Suffix : uint8_t { kNone, kFloor, kNitro, kFree };

// The suffix that `name` ends with, and the name without it; kNone and all of it where it ends with
// none of them.
struct SuffixedName {
  std::string_view name;
  Suffix suffix = Suffix::kNone;
};
SuffixedName TakeSuffix(std::string_view name);

// What a suffix sorts by.
RouteSort SortOf(Suffix suffix);

// Whether a name ends in a colon and a word: one that may have been meant as a suffix.
bool HasUnknownSuffix(std::string_view name);

// Points to what was asked, which outlives it. Value type.
struct Preferences {
  const AskedRoute* asked = nullptr;  // null: nothing was
  RouteSort sort = RouteSort::kDefault;

  bool partition_none() const { return asked != nullptr && asked->partition == Partition::kNone; }
};

// Fails with kInvalidValue, the field's path in `param`, where a slug is none of the catalog's or
// two of them contradict one another: no endpoint could serve the request, whatever there is.
Result<Preferences> ReadPreferences(const AskedRoute* asked, Suffix suffix, const Catalog& catalog);

// Whether `slug`, in small letters, means that endpoint: its provider, or its very tag. Without a
// tag nothing means it.
bool Means(std::string_view slug, const Endpoint& endpoint);

}  // namespace seekroute
