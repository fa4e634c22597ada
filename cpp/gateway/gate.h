// One request's way through the limits: what it reserves of them, and what its client is told.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/admission.h"
#include "gateway/exchange_world.h"
#include "gateway/health_table.h"
#include "gateway/outlet.h"
#include "gateway/queue_stay.h"
#include "limits/limiter.h"

namespace seekroute {

// Engine thread only.
class Gate {
 public:
  // Nothing is owned; all of it outlives the gate. `admission` may be filled after this.
  Gate(const Admission* admission, const Submission* in, const ExchangeWorld& world)
      : admission_(*admission), in_(*in), world_(world), queue_(admission, in, world) {}
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  // PeekLimits(), unless it was done where a large body is read.
  Status Peek();
  // How long its prompt is has to be known.
  bool NeedsPrompt() const;

  // Reserves a request and the tokens that `body` is expected to take, of all limits or of none.
  // Of an admitted request that has to end by `deadline`, until it fails or none of it waits any
  // longer: where limits would refuse it, it waits in a queue as long as it may.
  Status Enter(std::string_view body, TimePoint deadline);
  // It is to Enter() again: when it is woken, and at queue().NextDeadline().
  bool waits() const { return queue_.waits(); }
  const QueueStay& queue() const { return queue_; }

  // A candidate of `model` is to be asked: the limits of another model than before are reserved,
  // and what was reserved of the last one's is given back, but for a request that it was asked. Why
  // they refuse it; nothing has changed then.
  std::optional<LimitRefusal> EnterModel(const Model& model);

  // It took so many tokens: only the first call counts. What was reserved beyond is given back.
  void Settle(const TokensUsed& used);
  bool holds() const { return reservation_.holds() || of_model_.holds(); }
  // Nothing of it runs any more: others may.
  void Leave() {
    queue_.End();
    reservation_ = {};
    of_model_ = {};
  }

  // What is left of the limits, as of the moment of the reservation.
  void AddHeaders(ResponseHead* head);
  // The same as JSON, for the report that a client asks for, with how long the request has waited.
  std::string Report() const;

 private:
  LimitSubject Subject() const;
  void EnterOther(const LimitRefusal& refusal, Limiter::Answer* answer);
  bool MayCountTokens() const;
  LimitTime Now() const;

  const Admission& admission_;
  const Submission& in_;
  const ExchangeWorld& world_;
  QueueStay queue_;
  LimitCost cost_;
  Reservation reservation_;  // but for...
  Reservation of_model_;     // ...what it takes of the limits of...
  const Model* model_ = nullptr;
  bool model_asked_ = false;           // an attempt was let
  std::vector<const Model*> counted_;  // models before that, whose limits have counted the request
  std::optional<LimitsLeft> left_;
};

// The model whose limits refuse a request, or let it in: that of the first candidate that may be
// asked, and as long as none is planned the first that was asked for. Null: none is known.
const Model* FirstModelOf(const Admission& admission);

// Whose limits a request with that key falls under; null: none but those of all.
LimitSubject SubjectOf(const ApiKey* key, std::string_view model);

// Why the requests of a minute of the key refuse `in` before its body is read; nothing: they do
// not, or it would wait for its turn. Takes nothing. Thread-safe.
std::optional<LimitRefusal> PeekLimits(const ApiKey& key, const Submission& in,
                                       const GatewayOptions& options, const LimitTime& now,
                                       Limiter* limiter);

// Why a candidate is passed over whose model's limits refuse the request.
Skip SkipFor(const LimitRefusal& of_model);

// Fails as Gate::Enter() would now for an admitted request with an estimate of its prompt, unless
// it would wait. Puts into `skipped`, by place, whose model's limits would pass over it. Takes
// nothing. Thread-safe.
Status LookAtLimits(const Admission& admission, const HeaderOptions& asked,
                    const GatewayOptions& options, const LimitTime& now, Limiter* limiter,
                    std::vector<Skip>* skipped);

// The 429, or the 400, of a request for `model` that a limit refuses; `queued`: after it has waited
// so long.
Error RefusedByLimit(const LimitRefusal& refusal, std::string_view model,
                     std::optional<Duration> queued = std::nullopt);

// As a JSON object: requests, tokens and concurrent, each null where nothing limits it, and
// queued_ms.
std::string WriteLimits(const LimitsLeft& left, Duration queued);

// OpenAI's headers of what is left, and with `ietf` also those of RFC drafts.
void AddLimitHeaders(const LimitsLeft& left, bool ietf, ResponseHead* head);

}  // namespace seekroute
