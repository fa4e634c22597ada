// The whole gateway under one seed: scripted upstreams, clients that abort and dawdle, a store that
// is slow or fails. Run() plays it to the end and returns what broke, empty when nothing did.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "gateway/engine.h"
#include "testing/scripted_transport.h"
#include "testing/virtual_world.h"

namespace seekroute::testing {

// Answers late, or with a failure, as the seed says; keeps every row.
class ScriptedStore : public Store {
 public:
  ScriptedStore(Agenda* agenda, SeededRng* rng) : agenda_(agenda), rng_(rng) {}
  void Hold(StoreTicket ticket, const ExchangeRow& row, const HoldRequest& request,
            StoreObserver* observer) override;
  void Settle(StoreTicket ticket, const ExchangeRow& row, StoreObserver* observer) override;
  void Forget(StoreTicket ticket) override { waiting_.erase(ticket); }
  const std::map<StoreTicket, std::vector<ExchangeRow>>& rows() const { return rows_; }

 private:
  Agenda* const agenda_;
  SeededRng* const rng_;
  std::map<StoreTicket, StoreObserver*> waiting_;
  std::map<StoreTicket, std::vector<ExchangeRow>> rows_;
};

class Simulation {
 public:
  explicit Simulation(uint64_t seed);

  // One line a broken promise.
  std::vector<std::string> Run();

  // The run in one number, for showing that a seed reproduces it.
  uint64_t fingerprint() const { return fingerprint_; }
  size_t answered() const { return answered_; }
  size_t failed() const { return failed_; }

 private:
  struct Client {
    std::string body;
    bool valid = true;  // the request will be admitted
    bool stream = false;
    bool include_usage = false;
    bool cancelled = false;
    bool dawdles = false;
    TimePoint submitted;
    TimePoint ended = TimePoint::Never();
    TimePoint cancelled_at = TimePoint::Never();
    std::shared_ptr<FlowWindow> window;
    int heads = 0;
    int ends = 0;
    int status = 0;
    size_t unacked = 0;
    size_t most_unacked = 0;
    std::string received;
    ExchangeRow row;
  };

  std::shared_ptr<const Snapshot> MakeSnapshot();
  UpstreamScript Direct(const TransportRequest& request);
  UpstreamScript StreamScript(const std::string& tag);
  UpstreamScript JsonScript(const std::string& tag);
  void Cut(const std::string& bytes, UpstreamScript* script);
  void AddClients();
  void SubmitClient(ExchangeId id);
  void Deliver();
  void Take(ExchangeId id, size_t size);
  void Check(std::vector<std::string>* broken) const;
  void CheckClient(ExchangeId id, const Client& client, std::vector<std::string>* broken) const;

  SeededRng rng_;
  VirtualClock clock_;
  Agenda agenda_;
  GatewayOptions options_;
  KeyRing keys_;
  IdempotencyTable idempotency_{100};
  Mailbox mailbox_;
  Stats stats_;
  ScriptedStore store_;
  ScriptedTransport transport_;
  Engine engine_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::map<ExchangeId, Client> clients_;
  uint64_t fingerprint_ = 1469598103934665603u;
  size_t answered_ = 0;
  size_t failed_ = 0;
};

}  // namespace seekroute::testing
