// A model's providers that fail, recover and refuse in all ways, under steady traffic, on a virtual
// clock: what the health table promises over minutes. One seed is one run.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gateway/engine.h"
#include "gateway/health_table.h"
#include "gateway/mailbox_outlet.h"
#include "testing/scripted_transport.h"
#include "testing/virtual_world.h"

namespace seekroute::testing {

class OutageSimulation {
 public:
  // What a provider does with whatever it is asked, for a while.
  enum class Mode : uint8_t {
    kWell,
    kHalfFails,  // with 500
    kFails,
    kOverloaded,  // 503
    kBusyFor,     // the same, and says for how long
    kLimits,      // 429
    kLimitsFor,
    kRefuses,    // the connection
    kSilent,     // takes it, and never answers
    kBreaksOff,  // after its head
    kErrorInStream,
    kBadKey,    // its first key alone
    kNoCredit,  // likewise
    kForbids,
    kTells,       // serves, and tells that no request is left, until when
    kTellsOddly,  // serves, and tells of its limits what cannot be meant
  };
  static constexpr size_t kModes = 16;

  explicit OutageSimulation(uint64_t seed);

  // One line a broken promise.
  std::vector<std::string> Run();

  size_t requests() const { return clients_.size(); }
  size_t answered() const { return answered_; }
  size_t ejections() const { return ejections_; }
  size_t unserved() const { return unserved_; }  // that nobody was asked for

 private:
  struct Host {
    std::vector<std::pair<TimePoint, Mode>> phases;  // each until then; the last for ever
    int probing = 0;                                 // transfers that began while it was out
    std::map<std::string, TimePoint> died;           // by key
    std::map<std::string, int> unpaid;               // by key: 402s since it was told anything else
    std::map<std::string, TimePoint> told;           // likewise: nothing is left until then
    bool absent = false;                             // from the newest snapshot
  };
  struct Client {
    bool bad = false;  // a request that every provider refuses
    TimePoint submitted;
    TimePoint ended = TimePoint::Never();
    int status = 0;
    std::string retry_after_ms;
    int calls = 0;
    bool healthy_host = false;         // somebody has been well since before it came
    std::map<std::string, int> asked;  // by host and key
    ExchangeRecord row;
  };

  Mode ModeOf(const Host& host) const;
  std::shared_ptr<const Snapshot> MakeSnapshot();
  void Submit(ExchangeId id);
  UpstreamScript Direct(const TransportRequest& request);
  void Deliver();
  void Watch();
  void CheckClient(ExchangeId id, const Client& client);
  void Expect(bool holds, const std::string& promise);

  SeededRng rng_;
  VirtualClock clock_;
  Agenda agenda_;
  GatewayOptions options_;
  KeyRing keys_;
  IdempotencyTable idempotency_{10};
  ReadOutSlots read_outs_{1};
  Mailbox mailbox_;
  Stats stats_;
  NullStore store_;
  HealthTable health_;
  ScriptedTransport transport_;
  Engine engine_;
  std::vector<Host> hosts_;
  std::vector<size_t> keys_of_;  // a host
  bool first_is_well_ = false;
  std::shared_ptr<const Snapshot> snapshot_;
  std::map<ExchangeId, Client> clients_;
  std::vector<bool> out_;  // a host, as it was watched last
  size_t answered_ = 0;
  size_t ejections_ = 0;
  size_t unserved_ = 0;
  size_t good_ = 0;  // requests that could have been served
  size_t good_served_ = 0;
  std::vector<std::string> broken_;
};

}  // namespace seekroute::testing
