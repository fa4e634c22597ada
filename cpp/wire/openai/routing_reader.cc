#include "wire/openai/routing_reader.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "wire/json/json.h"
#include "wire/openai/field_checks.h"

namespace seekroute {
namespace {

using enum ErrorCode;

// USD have twelve decimals here, and nobody sells for more than a million of them.
constexpr int64_t kDecimals = 12;
constexpr int64_t kMostUsd = 1'000'000;
constexpr int64_t kUnitsPerUsd = 1'000'000'000'000;

constexpr std::array<std::string_view, 9> kQuantizations = {"int4", "int8", "fp4",  "fp6",    "fp8",
                                                            "fp16", "bf16", "fp32", "unknown"};
constexpr std::array<std::string_view, 4> kPercentiles = {"p50", "p75", "p90", "p99"};

Error Invalid(const JsonPlace& place, std::string message) {
  return MakeError(kInvalidValue, std::move(message), place.Path());
}

std::string Lowered(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return lower;
}

// A list in `provider`.
bool IsList(std::string_view name) {
  return name == "order" || name == "only" || name == "ignore" || name == "regions" ||
         name == "quantizations";
}

constexpr auto kOthers = std::to_array<std::string_view>(
    {"allow_fallbacks", "require_parameters", "data_collection", "zdr", "sort", "max_price",
     "preferred_min_throughput", "preferred_max_latency"});

// A wish in another letter case would be no wish, and its client would not know. Other names may be
// new ones of OpenRouter's.
std::optional<Error> RefuseOtherCase(const JsonPlace& place, std::string_view name) {
  const std::string lower = Lowered(name);
  const bool known = IsList(lower) || std::ranges::find(kOthers, lower) != kOthers.end();
  if (!known) return std::nullopt;
  return Invalid(place, "this field is known in another letter case: send '" + lower + "'");
}

bool IsPrivacy(std::string_view name) { return name == "zdr" || name == "data_collection"; }

bool IsCutoff(std::string_view name) {
  return name == "preferred_min_throughput" || name == "preferred_max_latency";
}

std::optional<Error> CheckType(const JsonPlace& place, std::string_view expected, JsonType got,
                               bool fits) {
  if (fits) return std::nullopt;
  return WrongTypeError(place, expected, got);
}

}  // namespace

std::vector<std::string>* RoutingReader::ListNamed(std::string_view name) {
  if (name == "order") return &read().order;
  if (name == "only") return &read().only;
  if (name == "ignore") return &read().ignore;
  if (name == "regions") return &read().regions;
  return &read().quantizations;
}

std::optional<Error> RoutingReader::OnOpen(const JsonPlace& place, JsonType type) {
  const std::string_view field = place.key(1);
  const bool object = type == JsonType::kObject;
  if (place.depth() == 1) {
    if (field == "provider") return CheckType(place, "an object", type, object);
    if (field == "models") return CheckType(place, "an array", type, !object);
    return WrongTypeError(place, field == "zdr" ? "a boolean" : "a string", type);
  }
  if (field == "models") return WrongTypeError(place, "a string", type);
  const std::string_view name = place.key(2);
  if (place.depth() == 2) {
    if (IsList(name)) {
      if (name == "order") read().has_order = true;
      return CheckType(place, "an array", type, !object);
    }
    if (name == "sort") return CheckType(place, "a string or an object", type, object);
    if (name == "max_price") return CheckType(place, "an object", type, object);
    if (IsCutoff(name)) return CheckType(place, "a number or an object", type, object);
    if (name == "data_collection") return WrongTypeError(place, "a string", type);
    if (name == "allow_fallbacks" || name == "require_parameters" || name == "zdr") {
      return WrongTypeError(place, "a boolean", type);
    }
    has_unknown_ = true;
    return RefuseOtherCase(place, name);
  }
  if (IsList(name)) return WrongTypeError(place, "a string", type);
  if (name == "sort") return WrongTypeError(place, "a string", type);
  if (name == "max_price" || IsCutoff(name)) return WrongTypeError(place, "a number", type);
  return std::nullopt;
}

std::optional<Error> RoutingReader::OnScalar(const JsonPlace& place, const JsonValue& value) {
  const std::string_view field = place.key(1);
  const bool is_string = value.type == JsonType::kString;
  if (field == "models" && place.depth() > 1) {
    if (!is_string) return WrongTypeError(place, "a string", value.type);
    if (std::optional<Error> refused = RefuseModelName(value, place)) return refused;
    // One more is told at the end: the client learns how many it has sent.
    if (read().models.size() <= kMostRouteModels) read().models.emplace_back(value.text);
    return std::nullopt;
  }
  if (field == "provider" && place.depth() > 1) return SetInProvider(place, value);
  if (value.type == JsonType::kNull) return std::nullopt;
  if (field == "provider") return WrongTypeError(place, "an object", value.type);
  if (field == "models") return WrongTypeError(place, "an array", value.type);
  if (IsPrivacy(field)) return SetPrivacy(place, value);
  if (!is_string) return WrongTypeError(place, "a string", value.type);
  if (field == "route") {
    return SetRoute(place, value);
  }
  if (value.text.empty() || value.text.size() > kMostSessionBytes) {
    return Invalid(place, "expected 1 to " + std::to_string(kMostSessionBytes) + " bytes, got " +
                              std::to_string(value.text.size()));
  }
  read().session_id = value.text;
  return std::nullopt;
}

// "fallback" is what happens anyway; "auto/cost" says how `auto` chooses.
std::optional<Error> RoutingReader::SetRoute(const JsonPlace& place, const JsonValue& value) {
  constexpr std::string_view kAuto = "auto/";
  if (value.text == "fallback") return std::nullopt;
  if (value.text.starts_with(kAuto)) {
    read().strategy = AutoStrategyNamed(value.text.substr(kAuto.size()));
    if (read().strategy) return std::nullopt;
  }
  std::string names;
  for (const std::string_view name : kAutoStrategyNames) {
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  return Invalid(place, "expected 'fallback', or 'auto/' and one of " + names);
}

std::optional<Error> RoutingReader::SetFlag(const JsonPlace& place, const JsonValue& value,
                                            bool* flag) {
  *flag = value.type == JsonType::kTrue;
  return CheckType(place, "a boolean", value.type, *flag || value.type == JsonType::kFalse);
}

// Where it is said twice, the stricter holds.
std::optional<Error> RoutingReader::SetPrivacy(const JsonPlace& place, const JsonValue& value) {
  if (place.key() == "zdr") {
    bool zdr = false;
    std::optional<Error> refused = SetFlag(place, value, &zdr);
    read().zdr = read().zdr || zdr;
    return refused;
  }
  if (value.type != JsonType::kString) return WrongTypeError(place, "a string", value.type);
  if (value.text != "allow" && value.text != "deny") {
    return Invalid(place, "expected 'allow' or 'deny'");
  }
  read().deny_data_collection = read().deny_data_collection || value.text == "deny";
  return std::nullopt;
}

std::optional<Error> RoutingReader::SetInProvider(const JsonPlace& place, const JsonValue& value) {
  const std::string_view name = place.key(2);
  const bool inside = place.depth() > 2;
  if (inside && IsList(name)) return AddTo(place, value);
  if (value.type == JsonType::kNull) return std::nullopt;
  if (name == "sort") return SetSort(place, value);
  if (name == "max_price") return SetPrice(place, value);
  if (name == "preferred_min_throughput") return SetCutoff(place, value, &read().min_throughput);
  if (name == "preferred_max_latency") return SetCutoff(place, value, &read().max_latency);
  if (inside) return std::nullopt;  // of what is not known
  if (IsList(name)) return WrongTypeError(place, "an array", value.type);
  if (name == "allow_fallbacks") return SetFlag(place, value, &read().allow_fallbacks);
  if (name == "require_parameters") return SetFlag(place, value, &read().require_parameters);
  if (IsPrivacy(name)) return SetPrivacy(place, value);
  has_unknown_ = true;
  return inside ? std::nullopt : RefuseOtherCase(place, name);
}

// `sort: price`, or `sort: {by: price, partition: none}`.
std::optional<Error> RoutingReader::SetSort(const JsonPlace& place, const JsonValue& value) {
  if (value.type != JsonType::kString) return WrongTypeError(place, "a string", value.type);
  if (place.depth() == 3 && place.key() == "partition") {
    read().partition = value.text == "none" ? Partition::kNone : Partition::kModel;
    if (value.text == "none" || value.text == "model") return std::nullopt;
    return Invalid(place, "expected 'model' or 'none'");
  }
  if (place.depth() == 3 && place.key() != "by") {
    return Invalid(place, "expected 'by' or 'partition'");
  }
  if (value.text == "price") {
    read().sort = RouteSort::kPrice;
  } else if (value.text == "throughput") {
    read().sort = RouteSort::kThroughput;
  } else if (value.text == "latency") {
    read().sort = RouteSort::kLatency;
  } else {
    return Invalid(place, "expected 'price', 'throughput' or 'latency'");
  }
  return std::nullopt;
}

std::optional<Error> RoutingReader::SetPrice(const JsonPlace& place, const JsonValue& value) {
  if (place.depth() < 3) return WrongTypeError(place, "an object", value.type);
  const std::string_view part = place.key();
  PriceCeilings& ceilings = read().max_price;
  std::optional<int64_t>* ceiling = nullptr;
  if (part == "prompt") ceiling = &ceilings.prompt;
  if (part == "completion") ceiling = &ceilings.completion;
  if (part == "request") ceiling = &ceilings.request;
  if (part == "image") ceiling = &ceilings.image;
  if (ceiling == nullptr) {
    return Invalid(place, "expected 'prompt', 'completion', 'request' or 'image'");
  }
  const auto wrong = [&place, &value](std::string_view why) {
    return Invalid(place, "expected USD, " + std::string(why) + ", got " +
                              std::string(value.text.substr(0, 32)));
  };
  if (value.type != JsonType::kNumber && value.type != JsonType::kString) {
    return WrongTypeError(place, "a number", value.type);
  }
  // As JSON writes numbers, also in a string.
  if (value.text.empty() || value.text.size() > 64 || !CheckJson(value.text) ||
      value.text.find_first_not_of("0123456789.eE+-") != std::string_view::npos) {
    return wrong("in digits");
  }
  Decimal amount = ReadDecimal(value.text);
  if (amount.is_negative && !amount.digits.empty()) return wrong("not negative");
  amount.is_negative = false;
  if (!amount.digits.empty() && amount.power < -kDecimals) return wrong("at most 12 decimals");
  amount.power += kDecimals;
  const std::optional<int64_t> units = amount.digits.empty() ? 0 : amount.Integer();
  if (!units || *units > kMostUsd * kUnitsPerUsd) return wrong("at most 1000000");
  *ceiling = *units;
  return std::nullopt;
}

std::optional<Error> RoutingReader::SetCutoff(const JsonPlace& place, const JsonValue& value,
                                              Cutoffs* cutoffs) {
  size_t at = 0;
  if (place.depth() == 3) {
    const auto* const found = std::find(kPercentiles.begin(), kPercentiles.end(), place.key());
    if (found == kPercentiles.end()) {
      return Invalid(place, "expected 'p50', 'p75', 'p90' or 'p99'");
    }
    at = static_cast<size_t>(found - kPercentiles.begin());
  }
  if (value.type != JsonType::kNumber) {
    return WrongTypeError(place, place.depth() == 3 ? "a number" : "a number or an object",
                          value.type);
  }
  double number = 0;
  std::from_chars(value.text.data(), value.text.data() + value.text.size(), number);
  if (!(number > 0)) return Invalid(place, "expected a number above 0");
  cutoffs->at[at] = number;
  return std::nullopt;
}

std::optional<Error> RoutingReader::AddTo(const JsonPlace& place, const JsonValue& value) {
  const std::string_view name = place.key(2);
  if (value.type != JsonType::kString) return WrongTypeError(place, "a string", value.type);
  std::vector<std::string>* const list = ListNamed(name);
  if (list->size() >= kMostSlugs) {
    return Invalid(place, "expected at most " + std::to_string(kMostSlugs) + " names");
  }
  if (value.text.empty() || value.text.size() > kMostSlugBytes) {
    return Invalid(place, "expected a name of 1 to " + std::to_string(kMostSlugBytes) + " bytes");
  }
  std::string slug = Lowered(value.text);
  if (name == "quantizations" &&
      std::find(kQuantizations.begin(), kQuantizations.end(), slug) == kQuantizations.end()) {
    return Invalid(place,
                   "expected one of int4, int8, fp4, fp6, fp8, fp16, bf16, fp32 and unknown");
  }
  if (std::find(list->begin(), list->end(), slug) == list->end()) list->push_back(std::move(slug));
  return std::nullopt;
}

std::optional<Error> RoutingReader::OnEnd(const JsonPlace& place, const JsonValue& value) {
  if (place.key(1) != "models" || value.type != JsonType::kArray) return std::nullopt;
  if (read_ == nullptr || read_->models.empty()) {
    return MakeError(kInvalidValue, "expected at least one model", "models");
  }
  if (read_->models.size() <= kMostRouteModels) return std::nullopt;
  return MakeError(kInvalidValue,
                   "expected at most " + std::to_string(kMostRouteModels) + " models", "models");
}

}  // namespace seekroute
