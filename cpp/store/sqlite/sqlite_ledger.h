// A ledger file as the stores of a gateway's engines: one writer, one port an engine.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "store/sqlite/ledger_writer.h"
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

// One a process and file. Thread-safe; outlives its ports.
class SqliteLedger {
 public:
  // Fails as LedgerWriter::Open() does. `clock` is not owned and outlives the ledger.
  static Result<std::unique_ptr<SqliteLedger>> Open(const LedgerWriter::Options& options,
                                                    const Clock* clock);
  // The same, of a new instance with a random id.
  static Result<std::unique_ptr<SqliteLedger>> Open(const std::string& path, const Clock* clock,
                                                    Orphans orphans = Orphans::kExpire);
  ~SqliteLedger();

  // The store of one engine. Its methods and its destructor belong to the engine's thread (or to
  // any, once that has ended). `inbox` is not owned and outlives the port.
  std::unique_ptr<Store> PortFor(EngineInbox* inbox);

  // Orders, tasks, health.
  LedgerWriter& writer() { return *writer_; }
  bool ready() const { return writer_->ready(); }

 private:
  class Channel;
  class Port;

  explicit SqliteLedger(std::unique_ptr<LedgerWriter> writer);
  void Deliver();

  std::unique_ptr<LedgerWriter> writer_;
  Mutex mu_;
  std::vector<std::weak_ptr<Channel>> channels_ SR_GUARDED_BY(mu_);
};

// 128 bits from the system, in hexadecimal.
std::string NewInstanceId();

}  // namespace seekroute
