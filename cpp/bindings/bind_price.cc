#include <algorithm>
#include <array>

#include "billing/cost.h"
#include "bindings/convert.h"
#include "bindings/pybind.h"
#include "wire/usage.h"

namespace py = pybind11;

namespace seekroute {
namespace {

// The members of one dict of a price table; every failure names the path.
class Fields {
 public:
  Fields(const py::handle& value, std::string path) : path_(std::move(path)) {
    if (!py::isinstance<py::dict>(value)) Fail("", "expected a dict");
    dict_ = py::reinterpret_borrow<py::dict>(value);
  }

  py::handle At(const char* key) const {
    if (!dict_.contains(key)) Fail(key, "missing");
    return dict_[key];
  }

  std::string Text(const char* key) const {
    const py::handle value = At(key);
    if (!py::isinstance<py::str>(value)) Fail(key, "expected a string");
    return value.cast<std::string>();
  }

  // Fails outside of T too.
  template <typename T>
  T Integer(const char* key) const {
    const py::handle value = At(key);
    if (!py::isinstance<py::int_>(value) || py::isinstance<py::bool_>(value)) {
      Fail(key, "expected an integer");
    }
    try {
      return value.cast<T>();
    } catch (const py::cast_error&) {
      Fail(key, "out of range");
    }
  }

  py::list List(const char* key, size_t most) const {
    const py::handle value = At(key);
    if (!py::isinstance<py::list>(value)) Fail(key, "expected a list");
    if (py::len(value) > most) Fail(key, "expected at most " + std::to_string(most) + " entries");
    return py::reinterpret_borrow<py::list>(value);
  }

  // A misspelled member would otherwise be a price that is not charged.
  template <typename Known>
  void AllowOnly(const Known& is_known) const {
    for (const auto& [key, value] : dict_) {
      const auto name = py::str(key).cast<std::string>();
      if (!is_known(name)) Fail(name.c_str(), "unknown");
    }
  }

  std::string Path(const std::string& key) const { return path_.empty() ? key : path_ + "." + key; }

  [[noreturn]] void Fail(const char* key, const std::string& why) const {
    throw py::value_error((*key == '\0' ? path_ : Path(key)) + ": " + why);
  }

 private:
  py::dict dict_;
  std::string path_;
};

template <size_t n>
auto OneOf(const std::array<std::string_view, n>& names) {
  return [names](std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
}

Rates RatesFrom(const py::handle& value, const std::string& path) {
  const Fields fields(value, path);
  Rates rates;
  std::array<std::string_view, kPriceClassCount> names;
  for (size_t i = 0; i < kPriceClassCount; ++i) {
    names[i] = NameOf(static_cast<PriceClass>(i));
    const std::string key(names[i]);
    const Result<Rate> rate = ParseRate(fields.Text(key.c_str()));
    if (!rate) fields.Fail(key.c_str(), rate.error().message);
    rates.values[i] = *rate;
  }
  fields.AllowOnly(OneOf(names));
  return rates;
}

PriceVariant VariantFrom(const py::handle& value, const std::string& path) {
  constexpr std::array<std::string_view, 7> kKeys = {"service_tier", "from",  "until", "day_start",
                                                     "day_end",      "rates", "tiers"};
  const Fields fields(value, path);
  fields.AllowOnly(OneOf(kKeys));
  PriceVariant variant;
  variant.service_tier = fields.Text("service_tier");
  variant.from = {fields.Integer<int64_t>("from")};
  variant.until = {fields.Integer<int64_t>("until")};
  variant.day_start = fields.Integer<int32_t>("day_start");
  variant.day_end = fields.Integer<int32_t>("day_end");
  variant.rates = RatesFrom(fields.At("rates"), fields.Path("rates"));
  for (const py::handle item : fields.List("tiers", PriceTable::kMaxTiers)) {
    const std::string at = fields.Path("tiers[" + std::to_string(variant.tiers.size()) + "]");
    const Fields tier(item, at);
    tier.AllowOnly(OneOf(std::array<std::string_view, 2>{"above", "rates"}));
    variant.tiers.push_back(
        {tier.Integer<int64_t>("above"), RatesFrom(tier.At("rates"), tier.Path("rates"))});
  }
  return variant;
}

py::dict PriceUsage(const py::dict& table, const py::dict& usage, int64_t now,
                    const std::string& service_tier) {
  const auto price = PriceTableFrom(table, "");
  // Through JSON, so that a usage is read as it would be from a provider.
  const auto json = py::module_::import("json").attr("dumps")(usage).cast<std::string>();
  const UsageReading reading = ParseUsage(json);
  Usage counts = reading.Counts();
  if (usage.contains("images")) counts.images = Fields(usage, "").Integer<int64_t>("images");
  const Charge charge = CostOf(counts, *price, {now}, service_tier);
  py::dict classes;
  for (size_t i = 0; i < kPriceClassCount; ++i) {
    classes[py::str(std::string(NameOf(static_cast<PriceClass>(i))))] = charge.use.units.values[i];
  }
  py::dict result;
  result["cost_nano"] = charge.total.nano;
  result["upstream_nano"] = charge.upstream.nano;
  result["prompt_nano"] = charge.upstream_prompt.nano;
  result["completion_nano"] = charge.upstream_completion.nano;
  result["variant"] = charge.variant;
  result["tier_above"] = charge.tier_above;
  result["classes"] = classes;
  result["odd"] = reading.odd || charge.use.odd;
  return result;
}

}  // namespace

std::shared_ptr<const PriceTable> PriceTableFrom(const py::handle& table,
                                                 const std::string& place) {
  const Fields fields(table, place);
  fields.AllowOnly(OneOf(std::array<std::string_view, 3>{"revision", "markup_bps", "variants"}));
  PriceTable::Parts parts;
  parts.revision = fields.Text("revision");
  parts.markup_bps = fields.Integer<int32_t>("markup_bps");
  for (const py::handle item : fields.List("variants", PriceTable::kMaxVariants)) {
    const std::string at = "variants[" + std::to_string(parts.variants.size()) + "]";
    parts.variants.push_back(VariantFrom(item, fields.Path(at)));
  }
  Result<std::shared_ptr<const PriceTable>> made = PriceTable::Make(std::move(parts));
  if (!made) throw py::value_error(fields.Path(made.error().message));
  return *made;
}

void BindPrice(py::module_& m) {
  m.def("price_usage", &PriceUsage, py::arg("table"), py::arg("usage"), py::kw_only(),
        py::arg("now"), py::arg("service_tier") = "");
}

}  // namespace seekroute
