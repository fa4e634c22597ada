#include "wire/openai/plugins_reader.h"

#include <array>
#include <string_view>
#include <utility>

#include "base/ascii.h"
#include "wire/openai/field_checks.h"

namespace seekroute {
namespace {

using enum ErrorCode;

// plugins[0].allowed_models[0]
constexpr int kPluginDepth = 2;
constexpr int kMemberDepth = 3;
constexpr int kPatternDepth = 4;

constexpr std::string_view kAllowed = "allowed_models";
constexpr std::string_view kExcluded = "excluded_models";

// How much a request may cost, in OpenRouter's words.
constexpr std::array<std::pair<std::string_view, AutoStrategy>, 3> kTiers = {
    {{"low", AutoStrategy::kCost},
     {"medium", AutoStrategy::kBalanced},
     {"high", AutoStrategy::kQuality}}};

bool IsPatterns(std::string_view name) { return name == kAllowed || name == kExcluded; }

}  // namespace

void PluginsReader::Refuse(Error error) {
  if (!plugin_.refused) plugin_.refused = std::move(error);
}

void PluginsReader::OnOpen(const JsonPlace& place, JsonType type) {
  if (place.depth() == kPluginDepth) {
    plugin_ = {};
    plugin_.has_unknown = type != JsonType::kObject;
    return;
  }
  const std::string_view name = place.key(kMemberDepth);
  if (place.depth() == kPatternDepth && IsPatterns(name)) {
    return Refuse(WrongTypeError(place, "a string", type));
  }
  if (place.depth() != kMemberDepth) return;
  if (!IsPatterns(name)) {
    plugin_.has_unknown = true;
  } else if (type != JsonType::kArray) {
    Refuse(WrongTypeError(place, "an array", type));
  } else if (name == kAllowed) {
    plugin_.has_allowed = true;
  }
}

void PluginsReader::OnScalar(const JsonPlace& place, const JsonValue& value) {
  if (place.depth() == kPluginDepth) {
    has_unknown_ = true;
  } else if (place.depth() == kMemberDepth) {
    SetMember(place, value);
  } else if (place.depth() == kPatternDepth && IsPatterns(place.key(kMemberDepth))) {
    AddPattern(place, value);
  }
}

void PluginsReader::SetMember(const JsonPlace& place, const JsonValue& value) {
  const std::string_view name = place.key();
  if (name == "id") {
    plugin_.is_router = value.text == "auto-router";
    return;
  }
  if (value.type == JsonType::kNull) return;
  if (name == "enabled") {
    plugin_.enabled = value.type != JsonType::kFalse;
    if (plugin_.enabled && value.type != JsonType::kTrue) {
      Refuse(WrongTypeError(place, "a boolean", value.type));
    }
  } else if (IsPatterns(name)) {
    Refuse(WrongTypeError(place, "an array", value.type));
  } else if (name == "cost_tier") {
    for (const auto& [tier, strategy] : kTiers) {
      if (value.type == JsonType::kString && value.text == tier) plugin_.strategy = strategy;
    }
    if (!plugin_.strategy) {
      Refuse(MakeError(kInvalidValue, "expected 'low', 'medium' or 'high'", place.Path()));
    }
  } else {
    plugin_.has_unknown = true;
  }
}

void PluginsReader::AddPattern(const JsonPlace& place, const JsonValue& value) {
  if (value.type != JsonType::kString) {
    return Refuse(WrongTypeError(place, "a string", value.type));
  }
  std::vector<std::string>& list =
      place.key(kMemberDepth) == kAllowed ? plugin_.allowed : plugin_.excluded;
  const auto refuse = [&](std::string why) {
    Refuse(MakeError(kInvalidValue, std::move(why), place.Path()));
  };
  if (list.size() >= kMostSlugs) {
    return refuse("expected at most " + std::to_string(kMostSlugs) + " patterns");
  }
  if (value.text.empty() || value.text.size() > kMostSlugBytes) {
    return refuse("expected a pattern of 1 to " + std::to_string(kMostSlugBytes) + " bytes");
  }
  std::string& pattern = list.emplace_back(value.text);
  for (char& c : pattern) c = LowerCase(c);
}

std::optional<Error> PluginsReader::OnPlugin() {
  const bool counts = plugin_.is_router && plugin_.enabled;
  has_unknown_ = has_unknown_ || !plugin_.is_router || plugin_.has_unknown;
  if (!counts) return std::nullopt;
  if (plugin_.refused) return std::move(plugin_.refused);
  router_ = std::move(plugin_);
  read_ = true;
  return std::nullopt;
}

void PluginsReader::Give(AskedRoute* route) {
  route->has_allowed_models = router_.has_allowed;
  route->allowed_models = std::move(router_.allowed);
  route->excluded_models = std::move(router_.excluded);
  if (!route->strategy) route->strategy = router_.strategy;
}

}  // namespace seekroute
