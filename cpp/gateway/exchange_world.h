// What an exchange is given: one client's request, and the world around it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/rng.h"
#include "base/secret.h"
#include "base/time.h"
#include "gateway/answer_table.h"
#include "gateway/body_scan.h"
#include "gateway/decision_log.h"
#include "gateway/header_options.h"
#include "gateway/health_table.h"
#include "gateway/idempotency.h"
#include "gateway/key_ring.h"
#include "gateway/mailbox.h"
#include "gateway/options.h"
#include "gateway/origin.h"
#include "gateway/outlet.h"
#include "gateway/read_out_slots.h"
#include "gateway/routing_report.h"
#include "gateway/snapshot.h"
#include "gateway/stats.h"
#include "gateway/sticky_table.h"
#include "gateway/upstream_quirks.h"
#include "limits/limiter.h"
#include "routing/health_view.h"
#include "store/store.h"
#include "transport/transport.h"
#include "wire/surface.h"

namespace seekroute {

// A client's request as it was handed in.
struct Submission {
  ExchangeId id = 0;
  std::string body;
  std::optional<Secret> authorization;
  std::string request_id;       // as offered by the client; may be empty or unacceptable
  std::string idempotency_key;  // as sent; empty: none
  Origin origin = Origin::kServer;
  SurfaceId surface = SurfaceId::kChat;  // that it is spoken in
  Explain explain = Explain::kNo;
  HeaderOptions options = {};
  TimePoint submitted;
  std::shared_ptr<const Snapshot> snapshot;
  std::unique_ptr<Outlet> outlet;
  std::optional<BodyScan> scan = std::nullopt;        // of a body that was read beside the engine
  std::optional<LimitRefusal> unread = std::nullopt;  // why it was not even read there
  std::string shadow_of = {};  // of Origin::kShadow: the generation of the first answer
};

// Who buries exchanges.
class ExchangeHost {
 public:
  virtual ~ExchangeHost() = default;
  // finished() may have become true. Called from inside the exchange: destroy it later.
  virtual void OnFinished(ExchangeId id) = 0;
  // NextDeadline() has become `at`, which is nearer than the engine can know of.
  virtual void OnDeadline(ExchangeId id, TimePoint at) = 0;
  // A second request is to be answered, once what was written so far is with its clients. Called
  // from inside an exchange.
  virtual void Follow(Submission second) = 0;
};

class ShadowPairs;

// The world an exchange lives in. Nothing is owned; everything outlives the exchange.
struct ExchangeWorld {
  const GatewayOptions* options;
  const Clock* clock;
  Rng* rng = nullptr;
  const KeyRing* keys;
  IdempotencyTable* idempotency;
  ReadOutSlots* read_outs;
  Limiter* limiter = nullptr;           // of who asks; null: nothing is limited
  Limiter* upstream_limiter = nullptr;  // of who is asked; likewise
  LimitWaker* waker = nullptr;          // calls the engine; null: the engine itself, of one thread
  Store* store = nullptr;
  Transport* transport = nullptr;
  Stats* stats;
  ExchangeHost* host = nullptr;
  UpstreamQuirks* quirks = nullptr;  // the engine's own
  HealthTable* health = nullptr;     // of all engines; null: nothing is kept, everybody is well
  HedgeBudget* hedges = nullptr;     // likewise; null: nobody is hedged
  StickyTable* sticky = nullptr;     // likewise; null: nobody is remembered
  ShadowPairs* shadows = nullptr;    // likewise; null: no request is sent to a second model
  DecisionLog* decisions = nullptr;  // of `auto`, likewise; null: nobody learns
  AnswerTable* answers = nullptr;    // likewise; null: how long answers are is a guess
};

}  // namespace seekroute
