#include "store/sqlite/sqlite_journal.h"

#include <gtest/gtest.h>

#include "billing/memory_journal.h"
#include "testing/ledger_fixture.h"
#include "testing/virtual_world.h"

namespace seekroute::testing {
namespace {

// One random operation, on any ledger. A row is what a settle of the gateway would bring.
struct Step {
  uint64_t what, id, org, amount, more;
  std::string word() const { return std::to_string(id); }
};

std::string Do(const Step& step, Ledger& ledger, SqliteJournal* journal) {
  constexpr int64_t kAmounts[] = {0, 1, 7, 50, 999, 1'000'000, -3};
  const Money amount{kAmounts[step.amount]};
  const Money more{kAmounts[step.more]};
  const std::string org = "org-" + std::to_string(step.org);
  const std::string request = "gen-" + step.word();
  const ExchangeRecord row = AnsweredRow(request, 0, org);
  if (journal != nullptr) journal->SetRow(step.org == 0 ? nullptr : &row);
  LedgerResult result = LedgerResult::kInvalid;
  std::string rest;
  switch (step.what) {
    case 0:
      result = ledger.Topup("t" + step.word(), org, amount, {5});
      break;
    case 1: {
      constexpr int64_t kLines[] = {0, 60, kUnlimitedLine.nano};
      const Money line{kLines[step.org]};
      const auto held = ledger.Hold(request, org, amount, more, line, {5});
      result = held.result;
      rest = " " + std::to_string(held.granted.nano) + " of " + std::to_string(held.available.nano);
      break;
    }
    case 2:
      result = ledger.Settle(request, amount, {5});
      break;
    case 3:
      result = step.more == 0 ? ledger.Expire(request, {5}) : ledger.Void(request, {5});
      break;
    case 4:
      result = ledger.Refund("r" + std::to_string(step.more), request, amount, {5});
      break;
    default:
      result = ledger.Adjust("a" + step.word(), org, {step.more < 3 ? -amount.nano : amount.nano},
                             step.more % 2 == 0, "why", {5});
  }
  if (journal != nullptr) journal->SetRow(nullptr);
  return std::string(NameOf(result)) + rest;
}

// The journal in a file remembers exactly what the one in memory does, over commits and rollbacks.
TEST(SqliteJournal, RemembersWhatMemoryRemembers) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SeededRng rng(seed);
    LedgerFolder folder;
    const WallClock clock;
    auto opened = SqliteLedger::Open(folder.file(), &clock);
    ASSERT_TRUE(opened);
    MemoryJournal memory;
    Ledger model(&memory);
    const Status done = (*opened)->writer().RunTask(
        [&](Database* db, Ledger* ledger, SqliteJournal* journal) -> Status {
          journal->set_most_recent(1 + seed % 5);
          for (int batch = 0; batch < 30; ++batch) {
            const size_t kept = memory.entries().size();
            EXPECT_EQ(db->Execute("BEGIN"), SQLITE_OK);
            for (int i = 0; i < 10; ++i) {
              const auto below = [&rng](uint64_t n) { return rng.Next() % n; };
              const Step step{below(6), below(15), below(3), below(7), below(7)};
              EXPECT_EQ(Do(step, *ledger, journal), Do(step, model, nullptr)) << "seed " << seed;
            }
            journal->FlushTotals();
            EXPECT_TRUE(journal->ok()) << journal->error()->message;
            if (rng.Next() % 3 == 0) {
              db->RollbackIfOpen();
              ledger->Rollback(0);
              journal->OnRollback();
              model.Rollback(0);
              memory.Truncate(kept);
            } else {
              EXPECT_EQ(db->Execute("COMMIT"), SQLITE_OK);
              journal->OnCommit();
            }
            ledger->Release();
            model.Release();
            EXPECT_EQ(ledger->last_seq(), model.last_seq());
            EXPECT_EQ(ledger->operator_balance(), model.operator_balance());
            if (::testing::Test::HasFailure()) break;
          }
          return Status();
        });
    ASSERT_TRUE(done.ok());
    ASSERT_FALSE(HasFailure());
    EXPECT_EQ(BrokenRule(folder.file()), "");
    const auto rows = LedgerReader::Open(folder.file())->Entries(0, 10'000);
    ASSERT_EQ(rows->size(), memory.entries().size());
    for (size_t i = 0; i < rows->size(); ++i) {
      const LedgerEntry& entry = memory.entries()[i];
      const LedgerRow& row = (*rows)[i];
      EXPECT_EQ(row[1].second, LedgerCell(std::string(NameOf(entry.kind))));
      EXPECT_EQ(row[2].second, LedgerCell(entry.id));
      EXPECT_EQ(row[3].second, LedgerCell(entry.org));
      EXPECT_EQ(row[4].second, LedgerCell(entry.postings.available));
      EXPECT_EQ(row[6].second, LedgerCell(entry.postings.debt));
      EXPECT_EQ(row[11].second, LedgerCell(entry.request));
    }
  }
}

}  // namespace
}  // namespace seekroute::testing
