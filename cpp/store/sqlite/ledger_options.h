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
  int log_pages = 2000;                        // of the log; then they are written to the file
  bool background_check = true;                // false: a large file is not checked for damage
  bool own_thread = true;                      // false: nothing is written but by Step()
};

}  // namespace seekroute
