#include "gateway/decision_log.h"

#include <utility>

#include "routing/auto/auto_router.h"

namespace seekroute {

void DecisionLog::Put(AutoDecision decision) {
  MutexLock lock(&mu_);
  if (waiting_.size() == kMost) {
    waiting_.pop_front();
    ++dropped_;
  }
  waiting_.push_back(std::move(decision));
}

std::deque<AutoDecision> DecisionLog::TakeAll() {
  MutexLock lock(&mu_);
  return std::exchange(waiting_, {});
}

uint64_t DecisionLog::dropped() const {
  MutexLock lock(&mu_);
  return dropped_;
}

bool IsToBeLearned(const Admission& admission, const Snapshot& snapshot) {
  const std::optional<AutoRoute>& chosen = admission.route.automatic;
  if (!chosen || chosen->models.empty() || !snapshot.router->rules().learn) return false;
  const AskedRoute* const asked = admission.request->ask.route.get();
  return asked == nullptr || !(asked->zdr || asked->deny_data_collection);
}

AutoDecision DecisionOf(const Admission& admission, const ExchangeRecord& record, bool empty) {
  const AutoRoute& chosen = *admission.route.automatic;
  AutoDecision decision{.generation_id = record.generation_id,
                        .key_id = record.key_id,
                        .org_id = record.org_id,
                        .created = record.created,
                        .strategy = chosen.strategy,
                        .revision = std::string(chosen.revision),
                        .offers = {},
                        .served = record.model,
                        .finish_reason = record.finish_reason,
                        .empty = empty,
                        .excerpt = admission.request->ask.excerpt};
  for (const AutoRoute::Each& each : chosen.models) {
    decision.offers.push_back({.model = each.model->id,
                               .quality = static_cast<double>(each.verdict.quality),
                               .cost_pico = each.verdict.offer.cost_pico,
                               .latency_ms = each.verdict.offer.latency_ms,
                               .last_resort = each.verdict.offer.last_resort,
                               .chance = each.verdict.chance});
  }
  return decision;
}

}  // namespace seekroute
