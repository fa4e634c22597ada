// Where what must not be lost goes: the seam behind which the ledger will live.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/money.h"
#include "base/result.h"
#include "base/time.h"

namespace seekroute {

// One try at one upstream.
struct AttemptRow {
  std::string provider;
  int status = 0;     // the upstream's; 0: none came
  std::string error;  // wire name; empty: it answered
  Duration waited;    // for the upstream
};

// One row a client request that was admitted, written when it ends. No prompt, no key.
struct ExchangeRow {
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
  std::vector<AttemptRow> tried;  // one an attempt, in order; RetryPolicy::max_attempts at most
  bool streamed = false;
  bool estimated = false;  // the provider gave no usable usage
  int64_t prompt_tokens = 0;
  int64_t completion_tokens = 0;
  int64_t cached_tokens = 0;
  int64_t reasoning_tokens = 0;
  int64_t cache_write_tokens = 0;
  bool usage_odd = false;      // the provider's counts contradict one another
  std::string service_tier;    // as the answer names it
  std::string price_revision;  // of the price table in force when the exchange began
  Money cost;                  // what the client is charged
  Money upstream_cost;         // what the provider charges
  UnixSeconds created;
  Duration total;
  Duration first_content;  // zero when there was none
  Duration overhead;       // total without the time spent waiting for the upstream
};

using StoreTicket = uint64_t;

// Hears when an operation is durable, or that it will not be. Called on the engine thread.
class StoreObserver {
 public:
  virtual ~StoreObserver() = default;
  virtual void OnStored(StoreTicket ticket, const Status& status) = 0;
};

// Engine thread only. The answer may come from inside the call or later; exactly once a ticket,
// unless Forget() was called.
class Store {
 public:
  virtual ~Store() = default;

  // Ends a request: its row is durable before its last byte goes to the client.
  virtual void Settle(StoreTicket ticket, const ExchangeRow& row, StoreObserver* observer) = 0;

  // The observer of `ticket` is going away; the row is still written.
  virtual void Forget(StoreTicket ticket) = 0;
};

// Keeps nothing and answers at once: the in-process client and a gateway without a ledger.
class NullStore : public Store {
 public:
  void Settle(StoreTicket ticket, const ExchangeRow&, StoreObserver* observer) override {
    observer->OnStored(ticket, Status());
  }
  void Forget(StoreTicket) override {}
};

}  // namespace seekroute
