// A ledger as gateways know it: SQLite's file, or another that keeps the same rules.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/money.h"
#include "base/result.h"
#include "store/claim.h"
#include "store/store.h"

namespace seekroute {

// The way into an engine's thread.
class EngineInbox {
 public:
  virtual ~EngineInbox() = default;
  // Runs `task` on the engine's thread, soon and in order; drops it when the engine ends first.
  // Called on the ledger's thread, at most once a batch; must not wait.
  virtual void Post(std::function<void()> task) = 0;
};

// For metrics: as of the last commit, `drift` at most a second older.
struct LedgerFigures {
  bool ready = false;
  uint64_t commits = 0;
  size_t waiting_settles = 0;  // that the disk could not take yet
  size_t live_holds = 0;
  Money revenue, loss;  // the operator's; the loss as what it lost
  Money drift;          // the sum of all accounts, which is 0
};

// Thread-safe; outlives its ports.
class LedgerKeeper {
 public:
  virtual ~LedgerKeeper() = default;

  // The store of one engine. Its methods and its destructor belong to the engine's thread (or to
  // any, once that has ended). `inbox` is not owned and outlives the port.
  virtual std::unique_ptr<Store> PortFor(EngineInbox* inbox) = 0;

  // Idempotency keys that are kept, the newest first, at most `most`. Waits for the ledger.
  virtual Result<std::vector<KeptClaim>> Claims(size_t most) = 0;

  // False: it takes no money any more, or not yet.
  virtual bool ready() const = 0;
  virtual LedgerFigures figures() const = 0;
};

}  // namespace seekroute
