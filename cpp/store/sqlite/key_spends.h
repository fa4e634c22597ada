// What keys with a limit have spent in their running windows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>

#include "store/sqlite/sqlite_journal.h"
#include "store/store.h"

namespace seekroute {

// Counts from the file once a window and key, then in memory. Writer's thread.
class KeySpends {
 public:
  static constexpr size_t kMostKeys = 1u << 16;  // in memory; then it starts anew

  struct Rest {
    Money left;  // below zero: a limit that was lowered since
    Money held;  // by requests that run
  };

  // What the key of `row` may still spend. Failures are the journal's, in its open transaction.
  Rest RestOf(const ExchangeRecord& row, const KeyLimit& limit, SqliteJournal* journal);
  // The charges and holds of the key have changed, and of them the holds, by a request that was
  // created as `row` says.
  void Count(const ExchangeRecord& row, Money spent, Money held);
  // Nothing that was counted is certain any more.
  void Clear() { spends_.clear(); }

 private:
  struct Spend {
    int64_t first_day = 0;
    int64_t end_day = 0;  // the first that does not count
    Money spent;          // charged and held
    Money held;           // of it
  };

  std::unordered_map<std::string, Spend> spends_;
};

}  // namespace seekroute
