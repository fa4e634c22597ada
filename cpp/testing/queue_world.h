// Engines that share limits, keys of several organizations, and requests that wait for their turn,
// under a virtual clock. What the queue promises is checked after every step.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gateway/engine.h"
#include "gateway/mailbox_outlet.h"
#include "testing/scripted_transport.h"
#include "testing/virtual_world.h"

namespace seekroute::testing {

// One provider, one model. A wake-up takes its time from one engine to another.
class QueueWorld {
 public:
  struct Request {
    std::string key;
    std::optional<Duration> queue = Duration::Seconds(60);
    Duration timeout = {};
    Duration answer = Duration::Seconds(1);  // how long the provider takes for it
    bool progress = false;                   // a stream that is told where it stands
  };
  struct Client {
    Request request;
    TimePoint submitted;
    TimePoint left = TimePoint::Never();
    TimePoint ended = TimePoint::Never();
    std::optional<TimePoint> sent;  // upstream
    size_t engine = 0;
    int ends = 0;
    int status = 0;
    int64_t retry_after_ms = -1;
    std::string received;
    ExchangeRecord row;
  };

  QueueWorld(uint64_t seed, size_t engines, const QueueBounds& queue = {});
  ~QueueWorld();

  // A key, or what holds for it from now on.
  void PutKey(const std::string& key, const std::string& org, const LimitSet& limits);
  void RemoveKey(const std::string& key);
  void SetLimits(LimitScope scope, const std::string& id, const LimitSet& limits);
  ExchangeId Submit(const Request& request);
  void Leave(ExchangeId id);
  void Stop();
  void At(Duration after, std::function<void()> what) { agenda_.After(after, std::move(what)); }

  // Plays until nothing happens any more; one line a broken promise.
  std::vector<std::string> Run();

  const std::map<ExchangeId, Client>& clients() const { return clients_; }
  // In the order in which they were sent upstream.
  const std::vector<ExchangeId>& order() const { return order_; }
  int64_t waiting() const { return limiter_.figures().waiting; }
  size_t most_upstream() const { return most_upstream_; }
  int64_t most_waiting() const { return most_waiting_; }
  size_t told() const { return told_; }  // refusals whose wait was exact, and held
  SeededRng& rng() { return rng_; }
  TimePoint now() const { return clock_.Now(); }
  Limiter& limiter() { return limiter_; }

  // Nobody with that key ran before others that had come earlier with it.
  bool InOrder(const std::string& key) const;

 private:
  class Inbox;
  struct Thread;

  void Deliver();
  void CheckRefusal(ExchangeId id, const LimitState& before);
  bool PassesAfter(int64_t ms, ExchangeId id, const LimitState& before) const;
  void CheckStep();
  void CheckEnds();
  void Expect(bool holds, ExchangeId id, const std::string& promise);

  SeededRng rng_;
  VirtualClock clock_;
  Agenda agenda_{&clock_};
  GatewayOptions options_;
  KeyRing keys_{Secret("pepper")};
  std::map<std::string, std::pair<std::string, LimitSet>> held_;  // org and limits of each key
  std::map<std::pair<LimitScope, std::string>, LimitSet> set_;    // of whoever is no key
  IdempotencyTable idempotency_{100};
  ReadOutSlots read_outs_{0};
  Limiter limiter_;
  Mailbox mailbox_;
  Stats stats_;
  NullStore store_;
  std::vector<std::unique_ptr<Thread>> threads_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::map<ExchangeId, Client> clients_;
  std::vector<ExchangeId> order_;
  std::vector<std::string> broken_;
  size_t most_upstream_ = 0;
  int64_t most_waiting_ = 0;
  size_t told_ = 0;
  ExchangeId first_id_ = 1;
  bool is_copy_ = false;  // of another one, to look into its future
  bool stopped_ = false;
};

}  // namespace seekroute::testing
