#include "store/sqlite/progress_notes.h"

namespace seekroute {

Result<std::unique_ptr<ProgressNotes>> ProgressNotes::Make(Database* db, SqliteJournal* journal) {
  std::unique_ptr<ProgressNotes> rows(new ProgressNotes());
  rows->journal_ = journal;
  const std::pair<Statement*, const char*> statements[] = {
      {&rows->put_,
       "INSERT OR REPLACE INTO checkpoint SELECT n, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM request "
       "WHERE generation = ? AND state = 0"},
      {&rows->remove_,
       "DELETE FROM checkpoint WHERE request = (SELECT n FROM request WHERE generation = ?)"},
      {&rows->find_,
       "SELECT c.cost, c.upstream_cost, c.prompt_tokens, c.completion_tokens, c.cached_tokens, "
       "c.reasoning_tokens, c.cache_write_tokens, p.text, t.text, o.text, k.text, m.text, "
       "r.created, r.flags & 1 FROM checkpoint c JOIN request r ON r.n = c.request "
       "JOIN name p ON p.n = c.provider JOIN name t ON t.n = c.service_tier "
       "JOIN name o ON o.n = r.org JOIN name k ON k.n = r.key JOIN name m ON m.n = r.model "
       "WHERE r.generation = ?"},
  };
  for (const auto& [statement, sql] : statements) {
    Result<Statement> prepared = db->Prepare(sql);
    if (!prepared) return prepared.error();
    *statement = std::move(*prepared);
  }
  const Result<int64_t> any = db->QueryInt("SELECT EXISTS (SELECT 1 FROM checkpoint)");
  if (!any) return any.error();
  rows->any_ = *any != 0;
  return rows;
}

void ProgressNotes::Put(const ExchangeRecord& row, UnixMillis at) {
  any_ = true;
  journal_->Run(put_.Bind(row.cost.nano, row.upstream_cost.nano, row.prompt_tokens,
                          row.completion_tokens, row.cached_tokens, row.reasoning_tokens,
                          row.cache_write_tokens, journal_->NameOfText(row.provider),
                          journal_->NameOfText(row.service_tier), at.ms, row.generation_id));
}

void ProgressNotes::Remove(std::string_view generation) {
  if (any_) journal_->Run(remove_.Bind(generation));
}

std::optional<ExchangeRecord> ProgressNotes::RowOf(std::string_view generation) {
  if (!any_) return std::nullopt;
  find_.Bind(generation);
  if (!journal_->Step(find_)) return std::nullopt;
  ExchangeRecord row;
  row.generation_id = generation;
  row.cost = {find_.Int(0)};
  row.upstream_cost = {find_.Int(1)};
  row.prompt_tokens = find_.Int(2);
  row.completion_tokens = find_.Int(3);
  row.cached_tokens = find_.Int(4);
  row.reasoning_tokens = find_.Int(5);
  row.cache_write_tokens = find_.Int(6);
  row.provider = find_.Text(7);
  row.service_tier = find_.Text(8);
  row.org_id = find_.Text(9);
  row.key_id = find_.Text(10);
  row.model = find_.Text(11);
  row.created = {find_.Int(12)};
  row.streamed = find_.Int(13) != 0;
  row.estimated = true;
  row.settlement = Settlement::kPartial;
  row.error = "unknown";
  row.status = 200;  // a part of the answer was delivered
  find_.Reset();
  return row;
}

}  // namespace seekroute
