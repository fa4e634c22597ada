// How a ledger file is opened, and the figures that it publishes while it is open.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/money.h"
#include "base/time.h"
#include "store/sqlite/ledger_order.h"

namespace seekroute {

struct LedgerOptions {
  std::string path;
  std::string instance;  // random, new at every start
  std::string vfs;       // a registered one; empty: the default. For fault injection.
  Orphans orphans = Orphans::kExpire;
  Duration retry_pace = Duration::Seconds(1);  // of settles that a full disk keeps waiting
  int checkpoint_pages = 2000;                 // of the log; then they are written to the file
  bool background_check = true;                // false: a large file is not checked for damage
  bool own_thread = true;                      // false: nothing is written but by Step()
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

}  // namespace seekroute
