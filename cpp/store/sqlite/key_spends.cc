#include "store/sqlite/key_spends.h"

#include <algorithm>

#include "base/calendar.h"

namespace seekroute {

KeySpends::Rest KeySpends::RestOf(const ExchangeRecord& row, const KeyLimit& limit,
                                  SqliteJournal* journal) {
  const int64_t first = limit.since.s / kSecondsPerDay;
  const int64_t end = limit.until.s / kSecondsPerDay;
  if (spends_.size() >= kMostKeys) spends_.clear();
  const auto [found, added] = spends_.try_emplace(row.key_id, Spend{first, end, {}, {}});
  Spend& spend = found->second;
  if (added || spend.first_day != first || spend.end_day != end) {
    spend.first_day = first;
    spend.end_day = end;
    spend.spent = journal->SpentByKey(row.org_id, row.key_id, limit, &spend.held);
  }
  return {{limit.limit.nano - spend.spent.nano}, spend.held};
}

void KeySpends::Count(const ExchangeRecord& row, Money spent, Money held) {
  const auto found = spends_.find(row.key_id);
  if (found == spends_.end()) return;
  const int64_t day = row.created.s / kSecondsPerDay;
  if (day < found->second.first_day || day >= found->second.end_day) return;
  found->second.spent.nano += spent.nano;
  found->second.held.nano += held.nano;
}

}  // namespace seekroute
