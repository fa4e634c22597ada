// One request's stay in the queues of limits: how long it may, and what ends it.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>

#include "gateway/admission.h"
#include "gateway/exchange_world.h"
#include "limits/limit_waiter.h"
#include "limits/limiter.h"

namespace seekroute {

// How long a request that asks for `asked` would wait from `since` on, if it has to end by
// `deadline`.
LimitPatience PatienceOf(const HeaderOptions& asked, const GatewayOptions& options, TimePoint since,
                         TimePoint deadline);

// Beside its place in a queue it holds nothing. Engine thread only.
class QueueStay {
 public:
  // How often a request that waits looks whether its key still may, and tells where it stands.
  static constexpr Duration kTick = Duration::Seconds(1);
  // What is left of its time at least for the answer.
  static constexpr Duration kLeastForAnswer = Duration::Seconds(1);

  // Nothing is owned; all of it outlives the stay. `admission` may be filled after this.
  QueueStay(const Admission* admission, const Submission* in, const ExchangeWorld& world)
      : admission_(*admission), in_(*in), world_(world) {}
  ~QueueStay() { End(); }
  QueueStay(const QueueStay&) = delete;
  QueueStay& operator=(const QueueStay&) = delete;

  // For Limiter::Reserve() of a request that has to end by `deadline`, the same at each call.
  LimitPatience Patience(TimePoint deadline);
  // Likewise; null: nobody could wake it. `body_bytes`: kept while it waits.
  LimitWaiter* Waiter(size_t body_bytes);
  // What came of that.
  void Learn(const Limiter::Answer& answer);

  bool waits() const { return waiter_ && waiter_->waits(); }
  bool has_waited() const { return has_waited_; }
  // When Reserve() is to be called again, if nobody wakes it before.
  TimePoint NextDeadline() const;
  // How long it has waited, or had when that ended.
  Duration Waited() const;
  size_t Position() const { return waiter_ ? waiter_->Position() : 0; }

  // Fails where its key is revoked, disabled or gone by now; else looks up its limits as of now.
  Status CheckKey();
  // As it was found last; null: none.
  const ApiKey* key() const { return key_ ? key_.get() : admission_.key.get(); }
  // The same, if it was found since its admission; null: it was not.
  const std::shared_ptr<const ApiKey>& newest() const { return key_; }

  // It waits no longer, for whatever reason. Idempotent.
  void End();

 private:
  const Admission& admission_;
  const Submission& in_;
  const ExchangeWorld& world_;
  std::optional<LimitWaiter> waiter_;
  std::shared_ptr<const ApiKey> key_;  // null: as of its admission
  std::optional<TimePoint> since_;
  TimePoint again_ = TimePoint::Never();
  TimePoint until_;
  TimePoint tick_;
  bool has_waited_ = false;
  std::optional<Duration> waited_;  // once it waits no longer
};

}  // namespace seekroute
