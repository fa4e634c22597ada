// The gateway: start here. Takes requests, gives answers through its mailbox.
//
//   Gateway gateway(options);
//   gateway.Install(snapshot);
//   gateway.keys().Put(mac, key);
//   ExchangeId id = gateway.Submit(request);
//   gateway.Flush();
//   ... gateway.mailbox().TakeAll() -> the head, the body, the end of that exchange
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "gateway/answer_table.h"
#include "gateway/decision_log.h"
#include "gateway/engine_thread.h"
#include "gateway/gateway_request.h"
#include "gateway/health_table.h"
#include "gateway/key_ring.h"
#include "gateway/mailbox.h"
#include "gateway/mailbox_outlet.h"
#include "gateway/options.h"
#include "gateway/origin.h"
#include "gateway/scan_pool.h"
#include "gateway/shadow_pairs.h"
#include "gateway/snapshot.h"
#include "gateway/stats.h"
#include "gateway/system.h"
#include "limits/limiter.h"

namespace seekroute {

// Thread-safe.
class Gateway {
 public:
  // Starts the engine threads. `ledger` is where money is held with options.credits on; null: it
  // is granted and kept nowhere.
  explicit Gateway(GatewayOptions options, std::shared_ptr<LedgerKeeper> ledger = nullptr);
  ~Gateway();  // Close()
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  // Makes `snapshot` what new requests are answered by; running ones keep theirs. Fails with
  // kInvalidValue when its default profile is missing.
  Status Install(std::shared_ptr<const Snapshot> snapshot);

  // Makes `router` what chooses for `auto` in new requests, and leaves all else of the snapshot as
  // it is; its models are ones of the snapshot's catalog. Linear in the catalog. Before the first
  // Install() nothing happens.
  void SetRouter(std::shared_ptr<const AutoRouter> router);

  // Queues an exchange, to be started by the next Flush() at the latest. Its answer, also every
  // refusal, comes by the mailbox under the returned id.
  ExchangeId Submit(GatewayRequest request);

  // Sends a chat completion request of the operator's own, to be answered as second requests of
  // shadow pairs are: within the bound of their day, from shadows().TakeVerdicts(), by `tag`. A row
  // of it names the generation `of`. False: not now.
  bool AskAsOperator(std::string body, std::string tag, std::string of);

  // Wakes the engines that have something queued. One wake-up for a batch of Submits: on a busy
  // machine it costs more than the rest of a request.
  void Flush();

  // The client of `id` went away. Unknown ids are ignored: the exchange may just have ended.
  void Cancel(ExchangeId id);

  // The client of `id` took `size` bytes of its stream.
  void Ack(ExchangeId id, size_t size);

  // To be called by whoever took the end of `id` from the mailbox.
  void Forget(ExchangeId id);

  // The client of `id` is there, but whoever serves it ends: it is told so and pays nothing.
  // Unknown ids are ignored.
  void Stop(ExchangeId id);

  // From now on new requests are refused with kShuttingDown, as are those that wait for room in
  // their limits, and shadow pairs end; running ones go on.
  void BeginShutdown();

  // BeginShutdown(), and running ones end with kShuttingDown: an error for who still waits, at no
  // charge. The ends come by the mailbox, within the time that the ledger takes for them, and
  // options.settle_patience at most.
  void Stop();

  // Exchanges whose end has not been taken yet.
  size_t active() const;

  // Ends the engine threads; running exchanges are stopped, their ends may be lost, and the ledger
  // is let go of. Idempotent. After it Submit() answers nothing.
  void Close();

  // What a chat completion request would cost: admitted, routed and priced, not sent. Linear in
  // the body, without I/O. Refusals are those of the request itself.
  ReadyAnswer Quote(const GatewayRequest& request);

  // An error in the words of the profile of the key in `authorization`, for whoever speaks
  // `surface`.
  ReadyAnswer WriteError(const Error& error, std::string_view offered_request_id,
                         const std::optional<Secret>& authorization, Origin origin,
                         SurfaceId surface = SurfaceId::kChat);

  // `offered` when it may be echoed, else a new one.
  std::string RequestId(std::string_view offered);

  // The limits of whoever is no key, from now on; null: none. `id` is empty for kGateway.
  void SetLimits(LimitScope scope, std::string_view id, std::shared_ptr<const LimitSet> limits);

  // Compares the slots of limits that count as taken with the requests that run, and mends a
  // difference. Returns how many there ever were; more than none is a fault.
  uint64_t Census();

  // What a key, an app or an organization has used today at least, by the ledger: limits of a day
  // that are new go on from there. `org` is the key's, or the organization itself. After
  // RestoreState().
  void RaiseToday(LimitScope scope, std::string_view org, std::string_view id, int64_t requests,
                  int64_t tokens);

  // The headers that tell what is left of the limits of the key in `authorization`; empty where
  // there is no such key.
  ResponseHead LimitHeaders(const std::optional<Secret>& authorization);

  // What routing knows, and what is used of limits, that outlives a restart, to be given to
  // RestoreState() of the next gateway; linear in what is known, at most 64 MiB. It has ids of
  // keys, no secret and no address.
  std::string ExportState() const;
  // Changes whenever that would tell anything new, but for the time that passes.
  uint64_t StateRevision() const;
  // To be called once, before the first Install(). Fails with kInvalidValue, and nothing is taken,
  // where the bytes are damaged, older than a day, or of another version.
  Status RestoreState(std::string_view bytes);

  KeyRing& keys() { return keys_; }
  HealthTable& health() { return health_; }
  DecisionLog& decisions() { return decisions_; }
  Mailbox& mailbox() { return mailbox_; }
  ShadowPairs& shadows() { return shadows_; }
  const Clock& clock() const { return clock_; }
  std::vector<HealthRow> HealthRows() const;  // with limits that are used up
  std::vector<Sample> Samples() const;

 private:
  // What is told of an exchange whose body is still being read, until its engine has it.
  enum class Told : uint8_t { kNothing, kCancel, kStop };
  struct Live {
    size_t engine;
    std::shared_ptr<FlowWindow> window;
    bool scanning = false;
    Told told = Told::kNothing;
  };
  std::shared_ptr<const Snapshot> CurrentSnapshot() const;
  void Tell(ExchangeId id, Told what);
  void OnScanned(Submission submission);
  void AddLimits(const LimitSubject& who, ResponseHead* head);
  void AddLimitSamples(std::vector<Sample>* samples) const;
  void Refuse(ExchangeId id, const GatewayRequest& request, const Error& error);

  const GatewayOptions options_;
  const SystemClock clock_;
  KeyRing keys_;
  IdempotencyTable idempotency_;
  HealthTable health_;  // over all snapshots
  HedgeBudget hedges_;
  StickyTable sticky_;
  ShadowPairs shadows_;
  DecisionLog decisions_;
  AnswerTable answers_;
  ReadOutSlots read_outs_;
  mutable Limiter limiter_;           // of who asks
  mutable Limiter upstream_limiter_;  // of who is asked
  Mailbox mailbox_;
  Stats stats_;
  std::atomic<bool> shutting_down_{false}, closed_{false};

  Mutex installing_;  // so that health knows the snapshot that is current; outside of all others
  mutable Mutex mu_;
  SystemRng rng_ SR_GUARDED_BY(mu_);
  std::shared_ptr<const Snapshot> snapshot_ SR_GUARDED_BY(mu_);
  std::shared_ptr<LedgerKeeper> ledger_ SR_GUARDED_BY(mu_);
  std::unordered_map<ExchangeId, Live> live_ SR_GUARDED_BY(mu_);
  ExchangeId last_id_ SR_GUARDED_BY(mu_) = 0;

  std::vector<std::unique_ptr<EngineThread>> engines_;  // they use all of the above
  ScanPool scans_;                                      // last: it uses them too
};

}  // namespace seekroute
