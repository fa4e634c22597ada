// What attempts take of the limits of those whom they ask: endpoints, providers and their keys.
#pragma once

#include <optional>
#include <vector>

#include "gateway/admission.h"
#include "gateway/attempt.h"
#include "gateway/exchange_world.h"
#include "gateway/health_row.h"
#include "gateway/health_table.h"
#include "limits/limiter.h"

namespace seekroute {

// Of one request. Nothing is waited for: who is at a limit is passed over. Engine thread only.
class UpstreamGate {
 public:
  // Nothing is owned, and all of it outlives this. `admission` may be filled after it.
  UpstreamGate(const Admission* admission, const ExchangeWorld* world)
      : admission_(*admission), world_(*world) {}

  struct Answer {
    Skip skip = Skip::kNone;
    TimePoint retry_at;            // of one that is refused: when it may pass at the earliest
    bool another_key = false;      // likewise: another key of its provider may do
    Reservation reservation = {};  // of one that is not
  };
  // Reserves an attempt at that candidate with that one of its provider's keys.
  Answer Enter(const Candidate& candidate, const Provider& provider, size_t key) const;
  // The same, but takes nothing.
  Answer Look(const Candidate& candidate, const Provider& provider, size_t key) const;

 private:
  template <typename Reserve>
  Answer Ask(const Candidate& candidate, const Provider& provider, size_t key,
             const Reserve& reserve) const;

  const Admission& admission_;
  const ExchangeWorld& world_;
};

// Why candidates of a planned request would be passed over now, by place: for their health, that
// of a last resort whose next turn has not come, too, or for the limits of whom they ask. kNone:
// they may be asked. Takes nothing. Thread-safe.
std::vector<Skip> PassedOverNow(const Admission& admission, const Snapshot& snapshot,
                                const ExchangeWorld& world);

// Tells of the endpoints and keys in `rows` whose own limits let not even the smallest request pass
// now. A look at the limiter for each key, and for each key of each endpoint.
void AddUsedUpLimits(const LimitTime& now, Limiter* limiter, std::vector<HealthRow>* rows);

// When what is refused may pass at the earliest; Never: it may not.
TimePoint RetryAt(const LimitRefusal& refusal, TimePoint now);

// What an attempt that has ended has used, as its provider has counted it or else as it is
// estimated. `charged`: the provider may charge for it; nothing is used otherwise. `prompt` is
// called where there is something to estimate.
template <typename Prompt>
TokensUsed UsedBy(const Attempt& attempt, bool charged, const Prompt& prompt) {
  if (!charged) return {};
  const Reading reading = attempt.transcoder().reading();
  const int64_t sent = reading.usage.completion ? *reading.usage.completion
                       : reading.streamed       ? attempt.transcoder().CountContent().tokens
                                                : 0;
  const int64_t read = reading.usage.prompt ? *reading.usage.prompt : prompt().tokens;
  return {read + sent, reading.usage.cached.value_or(0)};
}

// As limits know it, the limits that `snapshot` sets of those whom it asks hold from now on, and
// none that only `before` has; null: nothing was set. To be called before requests are answered by
// it.
void SetUpstreamLimits(const Snapshot* before, const Snapshot& snapshot, const LimitTime& time,
                       Limiter* limiter);

}  // namespace seekroute
