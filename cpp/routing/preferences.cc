#include "routing/preferences.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/key_shapes.h"

namespace seekroute {
namespace {

using Slugs = std::vector<std::string>;

Error Contradiction(std::string_view field, std::string message) {
  return MakeError(ErrorCode::kInvalidValue, std::move(message), "provider." + std::string(field));
}

// Whether a slug in one list takes all that another one in the other means.
bool Covers(const Slugs& list, std::string_view slug) {
  return std::ranges::any_of(list, [slug](const std::string& each) {
    return each == slug || (slug.starts_with(each) && slug[each.size()] == '/');
  });
}

// Whether they have any endpoint in common.
bool Overlaps(const Slugs& list, std::string_view slug) {
  return Covers(list, slug) || std::ranges::any_of(list, [slug](const std::string& each) {
           return each.starts_with(slug) && each[slug.size()] == '/';
         });
}

Status CheckKnown(std::string_view field, const Slugs& slugs, const Catalog& catalog) {
  for (size_t i = 0; i < slugs.size(); ++i) {
    if (catalog.KnowsProvider(slugs[i])) continue;
    std::string message =
        "there is no provider '" + WithoutKeys(slugs[i]).substr(0, 64) + "' at this gateway";
    std::string nearest;
    for (const std::string_view each : catalog.NearestProviders(slugs[i])) {
      nearest += nearest.empty() ? "; did you mean " : ", ";
      nearest += each;
    }
    if (!nearest.empty()) message += nearest + '?';
    return Contradiction(std::string(field) + '[' + std::to_string(i) + ']', std::move(message));
  }
  return {};
}

Status CheckLists(const AskedRoute& asked) {
  for (const std::string& slug : asked.only) {
    if (Covers(asked.ignore, slug)) {
      return Contradiction(
          "ignore",
          "'" + slug + "' is in provider.only and in provider.ignore: take it out of one");
    }
  }
  if (asked.order.empty()) {
    if (!asked.has_order || asked.allow_fallbacks) return {};
    return Contradiction("order", "expected a provider to ask: provider.allow_fallbacks is false");
  }
  const auto ignored = [&asked](const std::string& slug) { return Covers(asked.ignore, slug); };
  if (std::ranges::all_of(asked.order, ignored)) {
    return Contradiction("order", "all of it is in provider.ignore: take something out of one");
  }
  const auto allowed = [&asked](const std::string& slug) { return Overlaps(asked.only, slug); };
  if (!asked.only.empty() && std::ranges::none_of(asked.order, allowed)) {
    return Contradiction("order",
                         "none of it is in provider.only: add something to it, or leave one out");
  }
  return {};
}

constexpr std::string_view NameOf(Suffix suffix) {
  switch (suffix) {
    case Suffix::kFloor:
      return ":floor";
    case Suffix::kNitro:
      return ":nitro";
    case Suffix::kFree:
      return ":free";
    case Suffix::kNone:
      break;
  }
  return "";
}

}  // namespace

SuffixedName TakeSuffix(std::string_view name) {
  for (const Suffix suffix : {Suffix::kFloor, Suffix::kNitro, Suffix::kFree}) {
    const std::string_view word = NameOf(suffix);
    if (name.size() > word.size() && name.ends_with(word)) {
      return {name.substr(0, name.size() - word.size()), suffix};
    }
  }
  return {name, Suffix::kNone};
}

RouteSort SortOf(Suffix suffix) {
  if (suffix == Suffix::kFloor) return RouteSort::kPrice;
  return suffix == Suffix::kNitro ? RouteSort::kThroughput : RouteSort::kDefault;
}

bool HasUnknownSuffix(std::string_view name) {
  const size_t colon = name.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == name.size()) return false;
  return TakeSuffix(name).suffix == Suffix::kNone;
}

Result<Preferences> ReadPreferences(const AskedRoute* asked, Suffix suffix,
                                    const Catalog& catalog) {
  Preferences read;
  read.asked = asked;
  read.sort = SortOf(suffix);
  if (asked == nullptr) return read;
  for (const auto& [field, slugs] :
       {std::pair("order", &asked->order), {"only", &asked->only}, {"ignore", &asked->ignore}}) {
    if (Status known = CheckKnown(field, *slugs, catalog); !known.ok()) return known.error();
  }
  if (Status checked = CheckLists(*asked); !checked.ok()) return checked.error();
  if (asked->sort == RouteSort::kDefault) return read;
  if (read.sort != RouteSort::kDefault && read.sort != asked->sort) {
    return Contradiction("sort", "the model's name ends with " + std::string(NameOf(suffix)) +
                                     ", which sorts by " + std::string(NameOf(read.sort)) +
                                     ": leave one out");
  }
  read.sort = asked->sort;
  return read;
}

bool Means(std::string_view slug, const Endpoint& endpoint) {
  const std::string_view tag = endpoint.tag;
  if (tag.size() < slug.size()) return false;
  if (tag.size() > slug.size() && tag[slug.size()] != '/') return false;
  for (size_t i = 0; i < slug.size(); ++i) {
    const char c = tag[i];
    if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c) != slug[i]) return false;
  }
  return !slug.empty();
}

}  // namespace seekroute
