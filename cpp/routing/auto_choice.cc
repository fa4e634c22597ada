#include "routing/auto_choice.h"

#include <algorithm>
#include <optional>

#include "routing/auto/auto_router.h"

namespace seekroute {
namespace {

static_assert(kMostExcerptBytes == kMostExcerpt, "what is read of a prompt is what is looked at");

// Draws beside those of endpoints, of the same seed.
constexpr uint64_t kChoiceDraw = uint64_t{1} << 34;

// Whether it may be asked now, if only as a probe.
bool IsInService(const HealthView& health) {
  return health.state != HealthState::kEjected && health.state != HealthState::kOut &&
         !health.last_resort && health.has_live_key && health.has_room;
}

// The candidate that a model is judged by.
bool IsBetter(const Ranked& a, const Ranked& b) {
  const bool serves = IsInService(a.health);
  if (serves != IsInService(b.health)) return serves;
  return a.candidate.expected_pico < b.candidate.expected_pico;
}

}  // namespace

AutoRoute ChooseModel(const AutoAsk& ask, std::span<const PlannedModel> models,
                      std::span<const size_t> numbers, uint64_t seed, std::vector<Ranked>* ranked) {
  std::vector<const Ranked*> best(models.size(), nullptr);
  for (size_t i = 0; i < ranked->size(); ++i) {
    const Ranked*& known = best[numbers[i]];
    if (known == nullptr || IsBetter((*ranked)[i], *known)) known = &(*ranked)[i];
  }
  std::vector<AutoOffer> offers;
  std::vector<uint32_t> ranks;  // of the pooled models, as they stand
  size_t others = 0;
  for (size_t i = 0; i < models.size(); ++i) {
    if (best[i] == nullptr) continue;
    if (!models[i].pooled) {
      ++others;
      continue;
    }
    const Ranked& each = *best[i];
    offers.push_back({.model = *models[i].pooled,
                      .cost_pico = each.candidate.expected_pico,
                      .latency_ms = each.health.ttft_ms[Percentile::kP50],
                      .last_resort = !IsInService(each.health)});
    ranks.push_back(each.model_rank);
  }
  AutoRoute told{.strategy = ask.strategy,
                 .difficulty = ask.judged.difficulty,
                 .revision = ask.router->revision(),
                 .models = {}};
  // By the place in the pool: the new rank; nothing: it is dropped.
  std::vector<std::optional<uint32_t>> places(ask.router->pool().size());
  const size_t most = others < kMostRouteModels ? kMostRouteModels - others : 1;
  std::vector<AutoVerdict> verdicts = ask.router->Rank(ask.judged, offers, ask.strategy);
  ask.router->Explore(UnitDraw(seed, kChoiceDraw), &verdicts);
  for (const AutoVerdict& each : verdicts) {
    const size_t place = told.models.size();
    if (place < most) places[each.offer.model] = ranks[place];
    const auto is_it = [&each](const PlannedModel& model) {
      return model.pooled == each.offer.model;
    };
    told.models.push_back({std::ranges::find_if(models, is_it)->model, each});
  }
  size_t kept = 0;
  for (size_t i = 0; i < ranked->size(); ++i) {
    Ranked& each = (*ranked)[i];
    if (const std::optional<uint32_t>& pooled = models[numbers[i]].pooled) {
      if (!places[*pooled]) continue;
      each.model_rank = *places[*pooled];
    }
    (*ranked)[kept++] = each;
  }
  ranked->resize(kept);
  return told;
}

}  // namespace seekroute
