// Where what must not be lost goes: the seam behind which the ledger will live.
#pragma once

#include <cstdint>
#include <string>

#include "base/money.h"
#include "base/result.h"
#include "base/time.h"

namespace seekroute {

// One row a client request, written when it ends. No prompt, no key.
struct ExchangeRow {
  std::string generation_id;
  std::string request_id;
  std::string key_id;  // empty: in-process
  std::string org_id;
  std::string requested_model;
  std::string model;     // the catalog's id; empty when none was resolved
  std::string provider;  // of the last attempt
  std::string error;     // wire name of the error; empty on success
  std::string finish_reason;
  int status = 0;  // HTTP status, or what it would have been after the head was sent
  int attempts = 0;
  bool streamed = false;
  bool estimated = false;  // the provider gave no usable usage
  int64_t prompt_tokens = 0;
  int64_t completion_tokens = 0;
  int64_t cached_tokens = 0;
  int64_t reasoning_tokens = 0;
  Money cost;
  UnixSeconds created;
  Duration total;
  Duration first_content;  // zero when there was none
  Duration overhead;       // total without the time spent waiting for upstream or client
};

using StoreTicket = uint64_t;

// Hears when an operation is durable, or that it will not be. Called on the engine thread.
class StoreObserver {
 public:
  virtual ~StoreObserver() = default;
  virtual void OnStored(StoreTicket ticket, const Status& status) = 0;
};

// Engine thread only. Answers may come from inside the call or later.
class Store {
 public:
  virtual ~Store() = default;
  // Reserves the worst case of a request, before its first upstream byte.
  virtual void Hold(StoreTicket ticket, const std::string& org_id, Money worst_case,
                    StoreObserver* observer) = 0;
  // Ends a request: terminal entry and row in one transaction, before its last byte to the client.
  virtual void Settle(StoreTicket ticket, const ExchangeRow& row, StoreObserver* observer) = 0;
};

}  // namespace seekroute
