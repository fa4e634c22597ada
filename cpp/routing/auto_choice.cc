#include "routing/auto_choice.h"

#include <algorithm>
#include <optional>

#include "routing/auto/auto_router.h"

namespace seekroute {
namespace {

static_assert(kMostExcerptBytes == kMostExcerpt, "what is read of a prompt is what is looked at");

// Draws beside those of endpoints, of the same seed.
constexpr uint64_t kChoiceDraw = uint64_t{1} << 34;

// Whether it may be asked now, if only as a probe: else nobody would see that it is back.
bool IsInService(const HealthView& health) { return health.serves(true); }

// The candidate that a model is judged by.
bool IsBetter(const Ranked& a, const Ranked& b) {
  const bool serves = IsInService(a.health);
  if (serves != IsInService(b.health)) return serves;
  return a.candidate.expected_pico < b.candidate.expected_pico;
}

}  // namespace

AutoRoute ChooseModel(const AutoAsk& ask, std::span<const PlannedModel> models, uint8_t pool,
                      uint64_t seed, const RankedOfModels& candidates) {
  std::vector<size_t>& numbers = *candidates.numbers;
  std::vector<Ranked>& ranked = *candidates.ranked;
  const auto is_member = [pool](const PlannedModel& each) {
    return each.pooled && each.pool == pool;
  };
  std::vector<const Ranked*> best(models.size(), nullptr);
  for (size_t i = 0; i < ranked.size(); ++i) {
    const Ranked*& known = best[numbers[i]];
    if (known == nullptr || IsBetter(ranked[i], *known)) known = &ranked[i];
  }
  std::vector<AutoOffer> offers;
  std::vector<uint32_t> ranks;  // of the pooled models, as they stand
  size_t others = 0;            // that have their place already
  for (size_t i = 0; i < models.size(); ++i) {
    if (best[i] == nullptr) continue;
    if (!is_member(models[i])) {
      others += !models[i].pooled || models[i].pool < pool ? 1 : 0;
      continue;
    }
    const Ranked& each = *best[i];
    offers.push_back({.model = *models[i].pooled,
                      .cost_pico = each.candidate.expected_pico,
                      .latency_ms = each.health.ttft_ms[Percentile::kP50],
                      .last_resort = !IsInService(each.health),
                      .answer_tokens = each.candidate.expected_answer});
    ranks.push_back(each.model_rank);
  }
  AutoRoute told{.strategy = ask.strategy,
                 .strategy_source = ask.strategy_source,
                 .difficulty = ask.judged.difficulty,
                 .revision = ask.router->revision(),
                 .models = {}};
  // By the place in the pool: the new rank; nothing: it is dropped.
  std::vector<std::optional<uint32_t>> places(ask.router->pool().size());
  const size_t least = pool == 0 ? 1 : 0;
  const size_t most = others < kMostRouteModels ? kMostRouteModels - others : least;
  std::vector<AutoVerdict> verdicts = ask.router->Rank(ask.judged, offers, ask.strategy, ask.last);
  const bool stays = !verdicts.empty() && ask.last == verdicts.front().offer.model;
  if (stays) {
    verdicts.front().chance = 1;
  } else {
    ask.router->Explore(UnitDraw(seed, kChoiceDraw), &verdicts);
  }
  for (const AutoVerdict& each : verdicts) {
    const size_t place = told.models.size();
    if (place < most) places[each.offer.model] = ranks[place];
    const auto is_it = [&](const PlannedModel& model) {
      return is_member(model) && model.pooled == each.offer.model;
    };
    told.models.push_back({std::ranges::find_if(models, is_it)->model, each});
  }
  size_t kept = 0;
  for (size_t i = 0; i < ranked.size(); ++i) {
    Ranked& each = ranked[i];
    if (const PlannedModel& model = models[numbers[i]]; is_member(model)) {
      const std::optional<uint32_t>& rank = places[*model.pooled];
      if (!rank) continue;
      each.model_rank = *rank;
    }
    numbers[kept] = numbers[i];
    ranked[kept++] = each;
  }
  ranked.resize(kept);
  numbers.resize(kept);
  return told;
}

}  // namespace seekroute
