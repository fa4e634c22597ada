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
    const auto word = name.cast<std::string_view>();
    if (word == "count_cached" || word == "hedge") continue;
    const auto* const member =
        std::find_if(std::begin(kMembers), std::end(kMembers),
                     [&word](const auto& each) { return each.first == word; });
    if (member == std::end(kMembers)) {
      throw py::value_error("limits: no such limit: " + std::string(word));
    }
    if (value.is_none()) continue;
    (*set).*(member->second) = CastMember<int64_t>(value, member->first.data());
  }
  const Status checked = CheckLimits(*set);
  if (!checked.ok()) throw py::value_error("limits." + checked.error().message);
  return *set == LimitSet{} ? nullptr : set;
}

namespace {

std::optional<Money> AmountFrom(py::handle member, const char* name, const char* expected) {
  const auto amount = CastOptional<int64_t>(member, name);
  if (!amount) return std::nullopt;
  if (*amount < 0) throw py::value_error(std::string(name) + ": expected " + expected);
  return Money{*amount};
}

std::shared_ptr<const ModelLimits> ModelLimitsFrom(py::handle member, const char* name) {
  const auto models = CastOptional<py::dict>(member, name);
  if (!models) return nullptr;
  ModelLimits own;
  for (const auto& [model, limits] : *models) {
    if (const auto set = LimitsFrom(limits)) own.emplace(model.cast<std::string>(), *set);
  }
  return own.empty() ? nullptr : std::make_shared<const ModelLimits>(std::move(own));
}

struct KeyMember {
  const char* name;
  void (*take)(ApiKey* key, py::handle value, const char* name);
};

// In the order of seekroute.control.CoreKey, behind its MAC and before its limits.
constexpr KeyMember kKeyMembers[] = {
    {"key_id", [](ApiKey* key, py::handle value,
                  const char* name) { key->key_id = CastMember<std::string>(value, name); }},
    {"org_id", [](ApiKey* key, py::handle value,
                  const char* name) { key->org_id = CastMember<std::string>(value, name); }},
    {"profile", [](ApiKey* key, py::handle value,
                   const char* name) { key->profile = CastMember<std::string>(value, name); }},
    {"disabled", [](ApiKey* key, py::handle value,
                    const char* name) { key->disabled = CastMember<bool>(value, name); }},
    {"expires_at",
     [](ApiKey* key, py::handle value, const char* name) {
       if (const auto at = CastOptional<int64_t>(value, name)) key->expires_at = UnixSeconds{*at};
     }},
    {"models",
     [](ApiKey* key, py::handle value, const char* name) {
       auto models = CastOptional<std::vector<std::string>>(value, name);
       if (!models) return;
       key->models = std::make_shared<const std::vector<std::string>>(std::move(*models));
     }},
    {"app_pending", [](ApiKey* key, py::handle value,
                       const char* name) { key->app_pending = CastMember<bool>(value, name); }},
    {"credit_line_nano",  // None: unlimited
     [](ApiKey* key, py::handle value, const char* name) {
       key->credit_line = AmountFrom(value, name, "0 or more, or None").value_or(kUnlimitedLine);
     }},
    {"limit_nano",
     [](ApiKey* key, py::handle value, const char* name) {
       key->limit = AmountFrom(value, name, "0 or more, or None");
     }},
    {"limit_reset",
     [](ApiKey* key, py::handle value, const char* name) {
       key->limit_reset = ChoiceOf(value, name, Window::kNever,
                                   {{"never", Window::kNever},
                                    {"daily", Window::kDaily},
                                    {"weekly", Window::kWeekly},
                                    {"monthly", Window::kMonthly}});
     }},
    {"store_answers", [](ApiKey* key, py::handle value,
                         const char* name) { key->store_answers = CastMember<bool>(value, name); }},
    {"auto_strategy",
     [](ApiKey* key, py::handle value, const char* name) {
       const auto word = CastOptional<std::string>(value, name);
       if (!word) return;
       key->auto_strategy = AutoStrategyNamed(*word);
       if (!key->auto_strategy) {
         throw py::value_error(std::string(name) + ": expected a strategy of `auto`, or None");
       }
     }},
    {"app_id",
     [](ApiKey* key, py::handle value, const char* name) {
       if (auto app = CastOptional<std::string>(value, name)) key->app_id = std::move(*app);
     }},
    {"model_limits", [](ApiKey* key, py::handle value,
                        const char* name) { key->model_limits = ModelLimitsFrom(value, name); }},
    {"has_paid", [](ApiKey* key, py::handle value,
                    const char* name) { key->has_paid = CastMember<bool>(value, name); }},
};

}  // namespace

ApiKey KeysReader::Read(const py::tuple& members, Mac* mac) {
  constexpr size_t kMembers = 1 + std::size(kKeyMembers) + kLimits;
  if (members.size() != kMembers) throw py::value_error("expected the members of a CoreKey");
  const auto member = [&members](size_t at) {
    return py::handle(PyTuple_GET_ITEM(members.ptr(), static_cast<Py_ssize_t>(at)));
  };
  *mac = MacFrom(CastMember<py::bytes>(member(0), "mac"));
  ApiKey key;
  for (size_t i = 0; i < std::size(kKeyMembers); ++i) {
    kKeyMembers[i].take(&key, member(1 + i), kKeyMembers[i].name);
  }
  Own own;
  for (size_t i = 0; i < kLimits; ++i) {
    own[i] = CastOptional<int64_t>(member(kMembers - kLimits + i), "limits");
  }
  const auto [known, is_new] = limits_.try_emplace({key.profile.str(), own});
  if (is_new) known->second = LimitsFrom(limits_of_(members));
  key.limits = known->second;
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
