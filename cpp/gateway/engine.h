// The exchanges of one thread: hands them commands, fires their timers, buries them. Knows no
// thread and no socket, so the simulator steps it by hand.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <unordered_map>
#include <vector>

#include "gateway/exchange.h"
#include "gateway/shadow.h"

namespace seekroute {

// Engine thread only.
class Engine : private ExchangeHost, private LimitWaker {
 public:
  // `world.host` is the engine itself and `world.quirks` its own, whatever is passed. Where there
  // is no `world.waker`, all that shares its limiter has one thread.
  explicit Engine(ExchangeWorld world);
  ~Engine() override;  // Stop(): what is held must not stay so until somebody starts it again

  void Submit(Submission submission);
  void Cancel(ExchangeId id);
  void Stop(ExchangeId id);
  // Every exchange, and each that is still submitted.
  void Stop();
  // Those that wait for their limits, and those that nobody waits for; there are none from now on.
  void StopWaiting();
  void Resume(ExchangeId id);
  // It may be the turn of one that waits for its limits.
  void PassGate(ExchangeId id);

  // Fires what was due at `looked` and buries what is finished. To be called after every batch of
  // commands and transport callbacks, and when NextTimer() comes. `looked`: when the batch was
  // taken. What came later is not known yet, and nobody is late whose answer waits to be read.
  void Advance(TimePoint looked);
  void Advance() { Advance(world_.clock->Now()); }

  // When Advance() is next due without anything else happening.
  TimePoint NextTimer() const;

  size_t size() const { return exchanges_.size(); }

 private:
  struct Timer {
    TimePoint at;
    ExchangeId exchange;
    bool operator>(const Timer& other) const { return at > other.at; }
  };

  void OnFinished(ExchangeId id) override { finished_.push_back(id); }
  void OnDeadline(ExchangeId id, TimePoint at) override;
  void Follow(Submission second) override { following_.push_back(std::move(second)); }
  void Wake(ExchangeId id) override { woken_.push_back(id); }
  void PassGates();
  void StartSeconds();
  void Bury();

  UpstreamQuirks quirks_;
  ExchangeWorld world_;
  std::optional<ShadowWorld> shadow_world_;
  // No deadline that comes into being later is nearer than this, but those that OnDeadline() tells
  // of (an endpoint's own are at least kLinger), so one timer an exchange, never further away than
  // this, meets every deadline without being moved at every chunk.
  const Duration nearest_deadline_;
  struct Running {
    std::unique_ptr<Exchange> exchange;
    TimePoint armed = TimePoint::Never();  // of its timers the one that counts
  };
  std::unordered_map<ExchangeId, Running> exchanges_;
  std::vector<ExchangeId> woken_;
  std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers_;
  std::vector<ExchangeId> finished_;  // to be looked at by Bury()
  // Second requests: of this turn, and of the one before. ShadowPairs::kMostUnderWay at most.
  std::vector<Submission> following_, seconds_;
  bool stopped_ = false;
};

}  // namespace seekroute
