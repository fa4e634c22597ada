#include "bindings/convert.h"
#include "bindings/dict_fields.h"
#include "routing/auto/auto_router.h"

namespace py = pybind11;

namespace seekroute {
namespace {

// The bytes of a member; empty where it is None.
std::string_view BytesOf(const py::dict& dict, const char* key) {
  const py::handle member = MemberOf(dict, key);
  if (!member || member.is_none()) return {};
  return std::string_view(CastMember<py::bytes>(member, key));
}

template <typename T>
T UnwrapOr(Result<T> result, const std::string& what) {
  if (!result) throw py::value_error(what + ": " + result.error().message);
  return *std::move(result);
}

// What was learned; null: nothing was.
std::shared_ptr<const AutoScorer> ScorerFrom(const py::dict& dict) {
  const std::string_view bytes = BytesOf(dict, "weights");
  if (bytes.empty()) return nullptr;
  AutoWeights weights = UnwrapOr(ReadAutoWeights(bytes), "routing.auto.weights");
  std::shared_ptr<const StaticVectors> vectors;
  // Weights that were trained without words need none, and the table takes memory.
  if (weights.vectors_checksum != 0) {
    vectors = std::make_shared<const StaticVectors>(
        UnwrapOr(StaticVectors::Read(BytesOf(dict, "vectors")), "word vectors"));
  }
  return std::make_shared<const AutoScorer>(
      UnwrapOr(AutoScorer::Make(std::move(weights), std::move(vectors)), "routing.auto.weights"));
}

// The name by which the weights know a model: the first of its own that they have; empty: none.
std::string LearnedName(const AutoScorer* scorer, const std::vector<std::string>& names) {
  if (scorer == nullptr) return {};
  for (const std::string& name : names) {
    for (const AutoWeights::PerModel& each : scorer->weights().models) {
      if (each.name == name) return name;
    }
  }
  return {};
}

std::string NamesIn(const AutoScorer& scorer) {
  std::string names;
  for (const AutoWeights::PerModel& each : scorer.weights().models) {
    names += (names.empty() ? "" : ", ") + each.name;
  }
  return names;
}

}  // namespace

std::shared_ptr<const AutoRouter> AutoRouterFrom(const py::handle& router) {
  if (router.is_none()) return nullptr;
  const auto dict = CastMember<py::dict>(router, "auto");
  std::shared_ptr<const AutoScorer> scorer = ScorerFrom(dict);
  std::vector<PooledModel> pool;
  bool knows_any = false;
  for (const auto& item : Get<std::vector<py::dict>>(dict, "models")) {
    pool.push_back(
        {.id = Get<std::string>(item, "id"),
         .quality = Get<double>(item, "quality"),
         .learned = LearnedName(scorer.get(), Get<std::vector<std::string>>(item, "names")),
         .shift = GetOptional<double>(item, "shift").value_or(0),
         .aliases = GetOptional<std::vector<std::string>>(item, "aliases")
                        .value_or(std::vector<std::string>())});
    const auto trained_as = GetOptional<std::string>(item, "trained_as");
    if (scorer != nullptr && trained_as && pool.back().learned.empty()) {
      throw py::value_error("routing.auto.weights: they know no '" + *trained_as + "' that '" +
                            pool.back().id + "' is trained as, but " + NamesIn(*scorer));
    }
    knows_any = knows_any || !pool.back().learned.empty();
  }
  if (scorer != nullptr && !knows_any) {
    throw py::value_error("routing.auto.weights: they know none of routing.auto.models, but " +
                          NamesIn(*scorer) + ": say with trained_as which model is which");
  }
  AutoRules rules;
  const auto strategy = AutoStrategyNamed(Get<std::string>(dict, "strategy"));
  if (!strategy) throw py::value_error("routing.auto.strategy: there is no such strategy");
  rules.strategy = *strategy;
  rules.cost_weight = Get<double>(dict, "cost_weight");
  rules.cost_slack = Get<double>(dict, "cost_slack");
  rules.learned_slack = GetOptional<double>(dict, "learned_slack");
  rules.stay = GetOptional<double>(dict, "stay").value_or(rules.stay);
  rules.explore = Get<double>(dict, "explore");
  rules.learn = Get<bool>(dict, "learn");
  return std::make_shared<const AutoRouter>(
      UnwrapOr(AutoRouter::Make(std::move(pool), rules, std::move(scorer)), "routing.auto"));
}

ShadowRules ShadowRulesFrom(const py::handle& router) {
  ShadowRules rules;
  if (router.is_none()) return rules;
  const auto shadow = GetOptional<py::dict>(CastMember<py::dict>(router, "auto"), "shadow");
  if (!shadow) return rules;
  rules.share = Get<double>(*shadow, "share");
  rules.per_day.nano = Get<int64_t>(*shadow, "nano_per_day");
  if (!(rules.share >= 0 && rules.share <= ShadowRules::kMostShare)) {
    throw py::value_error("routing.auto.shadow.share: expected 0 to 0.2");
  }
  if (rules.per_day < Money{}) {
    throw py::value_error("routing.auto.shadow.usd_per_day: expected 0 or more");
  }
  return rules;
}

}  // namespace seekroute
