#include "store/sqlite/key_spends.h"

#include <algorithm>

#include "base/calendar.h"

namespace seekroute {

Money KeySpends::Left(const ExchangeRow& row, const KeyLimit& limit, SqliteJournal* journal) {
  const int64_t first = limit.since.s / kSecondsPerDay;
  const int64_t end = limit.until.s / kSecondsPerDay;
  if (spends_.size() >= kMostKeys) spends_.clear();
  const auto [found, added] = spends_.try_emplace(row.key_id, Spend{first, end, {}});
  if (added || found->second.first_day != first || found->second.end_day != end) {
    found->second = {first, end, journal->SpentByKey(row.org_id, row.key_id, limit)};
  }
  return {std::max<int64_t>(0, limit.limit.nano - found->second.spent.nano)};
}

void KeySpends::Count(const ExchangeRow& row, Money change) {
  const auto found = spends_.find(row.key_id);
  if (found == spends_.end()) return;
  const int64_t day = row.created.s / kSecondsPerDay;
  if (day < found->second.first_day || day >= found->second.end_day) return;
  found->second.spent.nano += change.nano;
}

}  // namespace seekroute
