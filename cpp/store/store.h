// Where what must not be lost goes: the seam behind which the ledger lives.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/money.h"
#include "base/result.h"
#include "base/settlement.h"
#include "base/time.h"
#include "store/claim.h"

namespace seekroute {

// One try at one upstream.
struct AttemptRecord {
  std::string provider;
  int status = 0;     // the upstream's; 0: none came
  std::string error;  // wire name; empty: it answered
  Duration waited;    // for the upstream
  // What the provider may charge for it although it failed: an estimate, without a markup, and in
  // no other figure of the row. The client never pays it.
  Money suspected = {};
  // Why, in the provider's words: sanitised, without what it quotes, of kMaxAttemptWords at most.
  std::string words = {};
  std::string model = {};  // the catalog's id of the one that was asked for
};
inline constexpr size_t kMaxAttemptWords = 300;
// The `error` of a call that another one, beside it, was quicker than.
inline constexpr std::string_view kHedgeLost = "hedge_lost";
inline constexpr size_t kMaxStoredRouting = 4096;

// One row a client request that was admitted, written when it ends. No prompt, no key.
struct ExchangeRecord {
  std::string generation_id;
  std::string request_id;
  std::string key_id;  // empty: in process
  std::string org_id;
  std::string requested_model;
  std::string model;     // the catalog's id; empty when none was resolved
  std::string provider;  // of the last attempt
  std::string error;     // wire name of the error; empty on success
  std::string finish_reason;
  int status = 0;  // HTTP status, or what it would have been had the head not been sent
  int attempts = 0;
  std::vector<AttemptRecord> tried;  // one an attempt, in order; RetryPolicy::max_attempts at most
  bool streamed = false;
  bool estimated = false;  // the provider gave no usable usage
  int64_t prompt_tokens = 0;
  int64_t completion_tokens = 0;
  int64_t cached_tokens = 0;
  int64_t reasoning_tokens = 0;
  int64_t cache_write_tokens = 0;
  bool usage_odd = false;      // the provider's counts contradict one another
  bool cap_ignored = false;    // the provider went on far beyond the length that it was told
  bool stopped = false;        // by the gateway's own stop: its Idempotency-Key is free again
  std::string service_tier;    // as the answer names it
  std::string price_revision;  // of the price table in force when the exchange began
  Settlement settlement = Settlement::kFailed;
  Money held;           // set aside before the request was sent; zero without a ledger
  Money cost;           // what the client is charged
  Money upstream_cost;  // what the provider charges
  UnixSeconds created;
  Duration total;
  Duration first_content;  // zero when there was none
  Duration overhead;       // total without the time spent waiting for the upstream
  // Not stored: the limit that refused it, as the fact of its error; empty: none did. And how long
  // it waited for its limits.
  std::string limit;
  Duration queued;
  std::string availability;  // nor this: that of its error
  // How it was routed, as a JSON object of kMaxStoredRouting bytes at most; empty: there was
  // nothing to be told.
  std::string routing;

  // Of all attempts.
  Money Suspected() const;
};

using StoreTicket = uint64_t;

// What one key may spend in its running window.
struct KeyLimit {
  Money limit;
  // Charges and holds of requests count that were created on the UTC day of `since` or later and
  // before the day of `until`: by whole days, so that a key's spending is known from the totals of
  // days. The end keeps out what a clock that ran ahead has dated into the future.
  UnixSeconds since;
  UnixSeconds until = {std::numeric_limits<int64_t>::max()};  // the default: it never ends
};

// The credit line of an organization that may owe whatever it likes.
inline constexpr Money kUnlimitedLine{std::numeric_limits<int64_t>::max()};

// Money to set aside for a request before it is sent anywhere.
struct HoldRequest {
  Money amount;    // the worst case
  Money at_least;  // less than this is of no use; == amount: all or nothing
  std::optional<KeyLimit> key_limit;
  Money line = {};  // what the organization may owe at most; 0: prepaid
  // Of a request with an Idempotency-Key: made with the hold, in the same transaction.
  std::optional<IdempotencyClaim> claim = std::nullopt;
  // Nobody has asked for all of `amount`: where it is more than half of what is there, half is
  // taken, but at_least. So the next request finds something as well.
  bool share = false;
};

// What became of a HoldRequest.
struct HoldAnswer {
  // kInsufficientCredits: less than at_least is there. kStoreUnavailable, kStorageFull and
  // kStorageCorrupt are ours. kIdempotency...: its claim was made before. Nothing is held unless it
  // is ok.
  Status status;
  Money granted;  // of a hold that stands: min(amount, what was there)
  // To the organization before the hold, its line included; or left of the key's limit if that is
  // what was short. Of a refusal it may be negative: more is spent than a line or limit allows that
  // was lowered since.
  Money available;
  bool key_limited = false;
  Money held = {};  // of a refusal: what running requests hold of what was short
};

// What HoldRequest::share takes of what is there.
Money ShareOf(Money amount, Money at_least, Money available);

// Hears when an operation is durable, or that it will not be. Called on the engine thread.
class StoreObserver {
 public:
  virtual ~StoreObserver() = default;
  virtual void OnHeld(StoreTicket ticket, const HoldAnswer& answer) = 0;
  virtual void OnStored(StoreTicket ticket, const Status& status) = 0;
};

// Engine thread only. Each answer may come from inside the call or later; exactly once a call,
// unless Forget() was called. Rows are read inside the calls, before any answer.
class Store {
 public:
  virtual ~Store() = default;

  // Sets money aside; durable when OnHeld() says so. `row` names generation, request,
  // organization, key, models, price revision and time of creation. A generation id is held once.
  virtual void Hold(StoreTicket ticket, const ExchangeRecord& row, const HoldRequest& request,
                    StoreObserver* observer) = 0;

  // Ends a request: its row is durable before its last byte goes to the client. row.cost is the
  // charge; what exceeds the hold is the operator's loss. Nothing is written for a request that
  // was never held. May be called while the hold is still on its way.
  virtual void Settle(StoreTicket ticket, const ExchangeRecord& row, StoreObserver* observer) = 0;

  // What a running request has delivered so far: row.cost is its charge if it ended now. It is
  // what becomes of the hold should this process be gone, where the operator wants that. No
  // answer; dropped when the store is behind.
  virtual void Note(StoreTicket ticket, const ExchangeRecord& row) = 0;

  // The observer of `ticket` is going away. What was asked is still done; a hold that is granted
  // after this is given back, unless Settle() was called.
  virtual void Forget(StoreTicket ticket) = 0;

  // At the end of a turn of the engine: what was asked since may wait until here, so that a turn's
  // operations go to the disk together.
  virtual void Flush() {}
};

// Keeps nothing and grants everything at once: the in-process client and a gateway without a
// ledger.
class NullStore : public Store {
 public:
  void Hold(StoreTicket ticket, const ExchangeRecord& row, const HoldRequest& request,
            StoreObserver* observer) override;
  void Settle(StoreTicket ticket, const ExchangeRecord& row, StoreObserver* observer) override;
  void Note(StoreTicket, const ExchangeRecord&) override {}
  void Forget(StoreTicket) override {}
};

}  // namespace seekroute
