// What the core is told of a key and of limits.
#include <algorithm>
#include <cstring>

#include "bindings/convert.h"
#include "bindings/dict_fields.h"
#include "store/store.h"

namespace py = pybind11;

namespace seekroute {

std::shared_ptr<const LimitSet> LimitsFrom(const py::handle& limits) {
  if (limits.is_none()) return nullptr;
  if (!py::isinstance<py::dict>(limits)) throw py::value_error("limits: expected a dict or None");
  const auto dict = py::reinterpret_borrow<py::dict>(limits);
  using Member = std::optional<int64_t> LimitSet::*;
  static constexpr std::pair<std::string_view, Member> kMembers[] = {
      {"requests_per_minute", &LimitSet::requests_per_minute},
      {"tokens_per_minute", &LimitSet::tokens_per_minute},
      {"requests_per_day", &LimitSet::requests_per_day},
      {"tokens_per_day", &LimitSet::tokens_per_day},
      {"concurrent", &LimitSet::concurrent},
      {"burst_requests", &LimitSet::burst_requests},
      {"burst_tokens", &LimitSet::burst_tokens},
      {"queue_ms", &LimitSet::queue_ms},
      {"queue_weight", &LimitSet::queue_weight},
  };
  auto set = std::make_shared<LimitSet>();
  set->count_cached = GetOptional<bool>(dict, "count_cached").value_or(true);
  set->hedge = GetOptional<bool>(dict, "hedge");
  for (const auto& [name, value] : dict) {
    const auto word = name.cast<std::string>();
    if (word == "count_cached" || word == "hedge") continue;
    const auto* const member =
        std::find_if(std::begin(kMembers), std::end(kMembers),
                     [&word](const auto& each) { return each.first == word; });
    if (member == std::end(kMembers)) throw py::value_error("limits: no such limit: " + word);
    (*set).*(member->second) = GetOptional<int64_t>(dict, member->first.data());
  }
  const Status checked = CheckLimits(*set);
  if (!checked.ok()) throw py::value_error("limits." + checked.error().message);
  return *set == LimitSet{} ? nullptr : set;
}

ApiKey KeyFrom(const py::dict& dict) {
  ApiKey key;
  key.key_id = Get<std::string>(dict, "key_id");
  key.org_id = Get<std::string>(dict, "org_id");
  key.profile = Get<std::string>(dict, "profile");
  key.disabled = Get<bool>(dict, "disabled");
  key.app_pending = Get<bool>(dict, "app_pending");
  if (const auto at = GetOptional<int64_t>(dict, "expires_at")) key.expires_at = UnixSeconds{*at};
  if (const auto limit = GetOptional<int64_t>(dict, "limit_nano")) {
    if (*limit < 0) throw py::value_error("limit_nano: expected 0 or more");
    key.limit = Money{*limit};
  }
  key.limit_reset = Choice(dict, "limit_reset", Window::kNever,
                           {{"never", Window::kNever},
                            {"daily", Window::kDaily},
                            {"weekly", Window::kWeekly},
                            {"monthly", Window::kMonthly}});
  // None is unlimited, and must be said: a key that says nothing is prepaid.
  if (dict.contains("credit_line_nano")) {
    const auto line = GetOptional<int64_t>(dict, "credit_line_nano");
    if (line && *line < 0) throw py::value_error("credit_line_nano: expected 0 or more, or None");
    key.credit_line = line ? Money{*line} : kUnlimitedLine;
  }
  key.has_paid = GetOptional<bool>(dict, "has_paid").value_or(false);
  key.store_answers = GetOptional<bool>(dict, "store_answers").value_or(false);
  if (auto models = GetOptional<std::vector<std::string>>(dict, "models")) {
    key.models = std::make_shared<const std::vector<std::string>>(std::move(*models));
  }
  key.app_id = GetOptional<std::string>(dict, "app_id").value_or("");
  if (dict.contains("limits")) key.limits = LimitsFrom(dict["limits"]);
  if (const auto models = GetOptional<py::dict>(dict, "model_limits")) {
    ModelLimits own;
    for (const auto& [model, limits] : *models) {
      if (const auto set = LimitsFrom(limits)) own.emplace(model.cast<std::string>(), *set);
    }
    if (!own.empty()) key.model_limits = std::make_shared<const ModelLimits>(std::move(own));
  }
  return key;
}

Mac MacFrom(const py::bytes& bytes) {
  const std::string_view view(bytes);
  Mac mac{};
  if (view.size() != mac.size()) throw py::value_error("a MAC has 32 bytes");
  std::memcpy(mac.data(), view.data(), mac.size());
  return mac;
}

}  // namespace seekroute
