// The whole gateway over the real ledger file, under one seed: the disk fails, fills up and tears
// writes, clients leave, the process dies and starts again. Nothing runs but what the agenda says.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/engine.h"
#include "gateway/mailbox_outlet.h"
#include "store/sqlite/sqlite_ledger.h"
#include "testing/faulty_vfs.h"
#include "testing/ledger_fixture.h"
#include "testing/scripted_transport.h"
#include "testing/virtual_world.h"

namespace seekroute::testing {

class LedgerSimulation {
 public:
  // At the `nth` operation of the disk after the first start (see FaultyVfs) `fault` happens; the
  // seed draws everything else.
  LedgerSimulation(uint64_t seed, DiskFault fault, int nth);
  ~LedgerSimulation();

  // Plays it to the end. One line a broken promise.
  std::vector<std::string> Run();

  bool fault_happened() const { return fault_happened_; }
  int charged() const { return charged_; }  // requests that were settled at a price
  int crashes() const { return crashes_; }
  int owing() const { return owing_; }        // runs whose organization owes at the end
  int shadowed() const { return shadowed_; }  // that were sent to a second model, too

 private:
  class WatchedStore;
  class Inbox;

  // What is known of one request, over all lives of the process.
  struct Seen {
    bool asked = false;  // Store::Hold() was called
    bool held = false;   // and said to be durable
    Money granted;
    bool settle_asked = false;
    bool settled = false;  // said to be durable
    bool refused = false;  // said to be impossible until a restart
    Money cost;            // of the row that Settle() was given
    Money paid;            // as the client was told
    bool answered = false;
    bool sent = false;  // the upstream got it
    TimePoint settle_asked_at;
    bool second = false;  // for the operator
  };

  void OpenGateway();
  void Die();
  void AddClients();
  void Submit(ExchangeId id);
  void Deliver();
  void StepLedger();
  UpstreamScript Direct(const TransportRequest& request);
  void Check();
  void Expect(bool holds, const std::string& generation, const std::string& promise);

  SeededRng rng_;
  SeededRng auto_rng_;  // whose requests a model is chosen for
  VirtualClock clock_;
  Agenda agenda_;
  GatewayOptions options_;
  KeyRing keys_;
  Stats stats_;
  ReadOutSlots read_outs_{2};
  LedgerFolder folder_;
  const DiskFault fault_;
  const int nth_;
  std::shared_ptr<const Snapshot> snapshot_;

  // Of one life of the process.
  int life_ = 0;
  std::unique_ptr<IdempotencyTable> idempotency_;
  std::unique_ptr<Mailbox> mailbox_;
  std::unique_ptr<SqliteLedger> ledger_;
  std::unique_ptr<Inbox> inbox_;
  std::unique_ptr<Store> port_;
  std::unique_ptr<WatchedStore> store_;
  std::unique_ptr<ScriptedTransport> transport_;
  std::unique_ptr<ShadowPairs> pairs_;
  std::unique_ptr<Engine> engine_;

  Money paid_in_;
  bool reversed_ = false;                          // a part of it, durably
  std::map<std::string, Seen> requests_;           // by generation id
  std::map<ExchangeId, std::string> generations_;  // of this life
  std::vector<std::string> broken_;
  bool fault_happened_ = false;
  int charged_ = 0;
  int crashes_ = 0;
  int owing_ = 0;
  int shadowed_ = 0;
};

}  // namespace seekroute::testing
