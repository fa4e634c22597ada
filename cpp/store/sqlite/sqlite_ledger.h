// A ledger file as the stores of a gateway's engines: one writer, one port an engine.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "store/ledger.h"
#include "store/sqlite/ledger_writer.h"

namespace seekroute {

// One a process and file. Thread-safe; outlives its ports.
class SqliteLedger final : public LedgerKeeper {
 public:
  // Fails as LedgerWriter::Open() does. `clock` is not owned and outlives the ledger.
  static Result<std::unique_ptr<SqliteLedger>> Open(const LedgerWriter::Options& options,
                                                    const Clock* clock);
  // The same, of a new instance with a random id.
  static Result<std::unique_ptr<SqliteLedger>> Open(const std::string& path, const Clock* clock,
                                                    Orphans orphans = Orphans::kExpire);
  ~SqliteLedger() override;

  std::unique_ptr<Store> PortFor(EngineInbox* inbox) override;
  Result<std::vector<KeptClaim>> Claims(size_t most) override { return writer_->Claims(most); }
  bool ready() const override { return writer_->ready(); }
  LedgerFigures figures() const override { return writer_->figures(); }

  // Orders and tasks.
  LedgerWriter& writer() { return *writer_; }

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
