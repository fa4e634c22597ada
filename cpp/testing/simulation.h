// The whole gateway under one seed: scripted upstreams, clients that abort and dawdle, a store that
// is slow or fails. Run() plays it to the end and returns what broke, empty when nothing did.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gateway/engine.h"
#include "gateway/mailbox_outlet.h"
#include "testing/credit_store.h"
#include "testing/scripted_transport.h"
#include "testing/virtual_world.h"

namespace seekroute::testing {

// Second requests go to `second`. Neither is owned; both outlive it.
std::unique_ptr<Store> StoresOfBoth(Store* first, Store* second);

class Simulation {
 public:
  static constexpr int64_t kOperatorNano = 1'000'000'000'000;  // enough for all second requests
  static constexpr size_t kWindow = 400;
  static constexpr size_t kLargestPiece = 300;  // that an upstream sends at once
  static constexpr int64_t kOutputNano = 2000;  // a token
  // Most clients come before it, and many of their answers end after it.
  static constexpr UnixSeconds kPriceChange{1'800'000'008};
  // Within a script that is prompt: less than any first_content, more than most of the idle ones.
  static constexpr Duration kLongestThought = Duration::Seconds(35);
  // A prompt script with a client that dawdles is over by then.
  static constexpr Duration kPlenty = Duration::Seconds(250);
  // Bookkeeping at the same instant is not a delay; a second is far more than any timer's slack.
  static constexpr Duration kSlack = Duration::Seconds(1);

  explicit Simulation(uint64_t seed);

  // Every client that waits goes away after that many events of the run.
  void AbortEverybodyAt(size_t event) { abort_at_ = event; }
  // The gateway stops after that many; clients still come.
  void StopAt(size_t event) { stop_at_ = event; }
  // Nothing is sent to a second model.
  void WithoutShadows() { pairs_.SetRules({}); }
  // Whoever asks is told the same with second requests as without: they share no slots.
  bool apart() const { return !provider_slots_; }
  size_t events() const { return events_; }
  bool credits() const { return options_.credits; }
  const CreditStore& store() const { return store_; }

  // One line a broken promise.
  std::vector<std::string> Run();

  // The run in one number, for showing that a seed reproduces it.
  uint64_t fingerprint() const { return fingerprint_; }
  size_t answered() const { return answered_; }
  size_t failed() const { return failed_; }
  size_t read_out() const { return read_out_; }        // answers read to their end for nobody
  size_t owed() const { return owed_; }                // holds that were granted on credit
  size_t stopped() const { return stopped_; }          // that waited for their answer then
  size_t limited() const { return limited_; }          // that a limit refused
  size_t queued() const { return queued_; }            // that got what they had waited for
  size_t chosen() const { return chosen_; }            // that were sent to a model that was chosen
  size_t shadowed() const { return seconds_.size(); }  // that were sent to a second one, too

 private:
  struct Client {
    std::string body;
    bool valid = true;  // the request will be admitted
    size_t inputs = 0;  // that it wants embeddings of; 0: it chats
    bool stream = false;
    bool include_usage = false;
    bool cancelled = false;
    bool dawdles = false;
    bool local = false;      // comes without a key
    bool automatic = false;  // a model is chosen for it
    std::string chosen;      // which one, told by a plan of its own; empty: nobody serves it
    std::string chosen_by_estimate;  // the same where its prompt is estimated
    Duration longest;                // what the most patient endpoint of that plan is given
    int64_t max_tokens = 0;          // the smaller of what it said; 0: nothing
    std::optional<Duration> queue;   // how long it waits for its limits
    TimePoint submitted;
    TimePoint ended = TimePoint::Never();
    TimePoint cancelled_at = TimePoint::Never();
    size_t received_by_then = 0;
    std::shared_ptr<FlowWindow> window;
    int heads = 0;
    int ends = 0;
    int status = 0;
    size_t unacked = 0;
    size_t most_unacked = 0;
    std::string received;
    ExchangeRecord row;
  };

  void DrawPolicies();
  std::string CapFieldOf(uint32_t provider) const;
  int64_t ToldIn(const std::string& body) const;
  const Endpoint& EndpointOf(const std::string& body) const;
  int64_t ThinkingBeside(const std::string& body) const;
  CallTimeouts DrawTimeouts();
  std::shared_ptr<const Snapshot> MakeSnapshot();
  Model MakeModel(std::string id, uint32_t providers, DialectId dialect,
                  const std::shared_ptr<const PriceTable>& price);
  UpstreamScript Direct(const TransportRequest& request);
  UpstreamScript StreamScript(const std::string& tag, bool with_calls);
  UpstreamScript JsonScript(const std::string& tag);
  UpstreamScript EmbeddingsScript(size_t inputs);
  void BreakJson(std::string bytes, UpstreamScript* script);
  void Cut(const std::string& bytes, UpstreamScript* script);
  void Think(UpstreamScript* script);
  Money DrawBalance();
  void AddClients();
  void AskForEmbeddings(Client* client, ExchangeId id, uint64_t model);
  void Abort(ExchangeId id);
  void CheckLastByte(ExchangeId id, const Client& client);
  void CheckMoney(ExchangeId id, const Client& client, std::vector<std::string>* broken) const;
  CallTimeouts TimeoutsOf(const Client& client, size_t attempt) const;
  Duration LongestTotal(const Client& client) const;
  void CheckDeadlines(ExchangeId id, const Client& client, std::vector<std::string>* broken) const;
  void CheckAttempts(ExchangeId id, const Client& client,
                     const std::vector<const SeenTransfer*>& attempts,
                     std::vector<std::string>* broken) const;
  void DrawLimits(uint64_t seed);
  void DrawPatience(uint64_t seed);
  void DrawAuto(uint64_t seed);
  void ChooseRouter(uint64_t which);
  void FindChoice(ExchangeId id);
  void CheckLengths(std::vector<std::string>* broken) const;
  void DrawShadows(uint64_t seed);
  UpstreamScript DirectSecond(const TransportRequest& request);
  Money SpentOnSeconds() const;
  void CheckShadows(std::vector<std::string>* broken) const;
  void CheckChoice(ExchangeId id, const Client& client, std::vector<std::string>* broken) const;
  ExchangeId ClientOf(const std::string& body) const;
  void CheckSlots();
  void CheckProviders();
  void CheckLimits(std::vector<std::string>* broken);
  bool IsBooked(const Client& client) const;
  bool MayReadOut(const Client& client) const;
  std::vector<const SeenTransfer*> AttemptsOf(ExchangeId id) const;
  void SubmitClient(ExchangeId id);
  void Deliver();
  void Take(ExchangeId id, size_t size);
  void Check(std::vector<std::string>* broken) const;
  void CheckClient(ExchangeId id, const Client& client, std::vector<std::string>* broken) const;
  void CheckStop(ExchangeId id, const Client& client, std::vector<std::string>* broken);

  SeededRng rng_;
  VirtualClock clock_;
  Agenda agenda_;
  GatewayOptions options_;
  KeyRing keys_;
  IdempotencyTable idempotency_{100};
  const uint64_t most_read_outs_;
  ReadOutSlots read_outs_;
  Money credit_line_;  // of the key
  bool key_limited_ = false;
  uint64_t cap_fields_ = 0;     // a bit a provider
  uint64_t beside_ = 0;         // likewise: its cap leaves thinking out
  uint64_t budget_fields_ = 0;  // likewise: a field of its own bounds that
  Limiter limiter_, upstream_limiter_;
  LimitSet limits_;                        // of the key
  std::optional<int64_t> model_slots_;     // of every model that chats
  std::optional<int64_t> provider_slots_;  // of every provider
  Mailbox mailbox_;
  Stats stats_;
  AnswerTable answers_;
  CreditStore store_;
  SeededRng second_rng_;
  CreditStore operator_store_;           // of second requests
  const std::unique_ptr<Store> stores_;  // both
  ShadowPairs pairs_;
  Money per_day_;
  std::set<size_t> seconds_;  // that were sent: places in what the transport has seen
  ScriptedTransport transport_;
  Engine engine_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::map<ExchangeId, Client> clients_;
  uint64_t fingerprint_ = 1469598103934665603u;
  size_t answered_ = 0;
  size_t failed_ = 0;
  size_t read_out_ = 0;
  size_t owed_ = 0;
  size_t events_ = 0;
  size_t abort_at_ = 0;  // 0: nobody
  size_t stop_at_ = 0;   // 0: never
  TimePoint stop_time_ = TimePoint::Never();
  size_t stopped_ = 0;
  size_t limited_ = 0;
  bool queues_ = false;  // some wait for their limits
  size_t queued_ = 0;
  size_t chosen_ = 0;
  std::vector<std::string> early_;  // promises broken while it ran
};

}  // namespace seekroute::testing
