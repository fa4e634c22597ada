// Which requests an id may mean, in a ledger of any length.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "testing/ledger_fixture.h"

namespace seekroute::testing {
namespace {

constexpr int kSince = 100'000;  // requests after the oldest

class FindRequestsTest : public LedgerTest {
 protected:
  void Request(const std::string& generation, const std::string& request_id) {
    ExchangeRecord row = RowOf(generation);
    row.request_id = request_id;
    HoldNow(writer(), std::move(row), {{1}, {1}, {}});
  }
  std::vector<std::string> Find(const std::string& id, bool begins, int64_t most = 3) {
    std::vector<std::string> found;
    const Result<LedgerRows> rows = Reader().FindRequests(id, begins, most);
    EXPECT_TRUE(rows) << rows.error().message;
    for (const LedgerRow& row : *rows) found.push_back(std::get<std::string>(row.at(1).second));
    return found;
  }
};

using Ids = std::vector<std::string>;

TEST_F(FindRequestsTest, ByTheIdOfEither) {
  TopupNow(writer(), "manual:1", 1000);
  Request("gen-1a", "order-17");
  Request("gen-1b", "order-17");
  Request("gen-2", "gen-1");  // a client names its requests as it likes
  Request("gen-3", "Order-17");
  EXPECT_EQ(Find("order-17", false), (Ids{"gen-1b", "gen-1a"}));
  EXPECT_EQ(Find("order-17", false, 1), (Ids{"gen-1b"}));
  EXPECT_EQ(Find("order-1", true), Ids{});  // of a request_id the whole
  EXPECT_EQ(Find("gen-1", true), (Ids{"gen-2", "gen-1b", "gen-1a"}));
  EXPECT_EQ(Find("gen-1", true, 2), (Ids{"gen-2", "gen-1b"}));
  EXPECT_EQ(Find("gen-1", false), (Ids{"gen-2"}));
  EXPECT_EQ(Find("gen-2", true), (Ids{"gen-2"}));
  for (const char* none : {"gen-%", "gen_1", "nobody", "' OR 1"})
    EXPECT_EQ(Find(none, true), Ids{});
}

TEST_F(FindRequestsTest, AnOldRequestIsFoundAtOnce) {
  TopupNow(writer(), "manual:1", 1000);
  Request("gen-oldest", "order-1");
  const Status made = writer().RunTask([](Database* db, Ledger*, SqliteJournal*) {
    const std::string sql =
        "WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < " +
        std::to_string(kSince) +
        ") INSERT INTO request (n, generation, request_id, state, instance, org, key, "
        "requested_model, model, price_revision, created, held, hold_seq, flags, end_seq) "
        "SELECT r.n + i.n, 'gen-x' || i.n, 'order-x' || i.n, 2, instance, org, key, "
        "requested_model, model, price_revision, created, 0, 0, 0, 1 FROM request r, i";
    EXPECT_EQ(db->Execute(sql), SQLITE_OK) << db->LastError("inserting").message;
    return Status();
  });
  ASSERT_TRUE(made.ok());
  ASSERT_EQ(Ask("SELECT count(*) FROM request"), kSince + 1);
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(Find("order-1", true), (Ids{"gen-oldest"}));
  EXPECT_EQ(Find("gen-olde", true), (Ids{"gen-oldest"}));
  // Some 20 ms, or ten times that under a sanitizer; a page at a time in Python it was a second.
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(2));
}

}  // namespace
}  // namespace seekroute::testing
