#include "store/sqlite/sqlite_ledger.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "testing/ledger_fixture.h"

namespace seekroute::testing {
namespace {

// An engine's thread, played by the test's own.
class Inbox : public EngineInbox {
 public:
  void Post(std::function<void()> task) override {
    const std::lock_guard<std::mutex> lock(mu_);
    tasks_.push_back(std::move(task));
    posted_.notify_one();
  }
  // Waits for the next task and runs it.
  void RunOne(Store& asked) {
    asked.Flush();
    std::function<void()> task;
    {
      std::unique_lock<std::mutex> lock(mu_);
      posted_.wait(lock, [this] { return !tasks_.empty(); });
      task = std::move(tasks_.front());
      tasks_.erase(tasks_.begin());
    }
    task();
  }

 private:
  std::mutex mu_;
  std::condition_variable posted_;
  std::vector<std::function<void()>> tasks_;
};

struct Observer : StoreObserver {
  void OnHeld(StoreTicket ticket, const HoldAnswer& answer) override {
    held.emplace_back(ticket, answer);
  }
  void OnStored(StoreTicket ticket, const Status& status) override {
    stored.emplace_back(ticket, status);
  }
  std::vector<std::pair<StoreTicket, HoldAnswer>> held;
  std::vector<std::pair<StoreTicket, Status>> stored;
};

class LedgerPortTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = SqliteLedger::Open(folder_.file(), &clock_);
    ASSERT_TRUE(opened);
    ledger_ = std::move(*opened);
    TopupNow(ledger_->writer(), "manual:1", 1000);
    port_ = ledger_->PortFor(&inbox_);
  }
  Postings Balance() { return *LedgerReader::Open(folder_.file())->Balance("org"); }
  // Returns when everything submitted so far is written.
  void RunPosted() {
    EXPECT_TRUE(ledger_->writer()
                    .RunTask([](Database*, Ledger*, SqliteJournal*) { return Status(); })
                    .ok());
    TopupNow(ledger_->writer(), "manual:1", 1000);
    TopupNow(ledger_->writer(), "manual:1", 1000);
  }

  LedgerFolder folder_;
  WallClock clock_;
  Inbox inbox_;
  std::unique_ptr<SqliteLedger> ledger_;
  std::unique_ptr<Store> port_;
  Observer observer_;
};

TEST_F(LedgerPortTest, AnswersOnTheEnginesThread) {
  port_->Hold(7, RowOf("gen-1"), {{100}, {100}, {}}, &observer_);
  EXPECT_TRUE(observer_.held.empty());
  inbox_.RunOne(*port_);
  ASSERT_EQ(observer_.held.size(), 1U);
  EXPECT_EQ(observer_.held[0].first, 7U);
  EXPECT_EQ(observer_.held[0].second.granted.nano, 100);
  port_->Settle(7, AnsweredRow("gen-1", 40), &observer_);
  inbox_.RunOne(*port_);
  ASSERT_EQ(observer_.stored.size(), 1U);
  EXPECT_TRUE(observer_.stored[0].second.ok());
  EXPECT_EQ(Balance().available, 960);
}

TEST_F(LedgerPortTest, AForgottenHoldIsGivenBack) {
  port_->Hold(7, RowOf("gen-1"), {{100}, {100}, {}}, &observer_);
  port_->Forget(7);
  inbox_.RunOne(*port_);
  RunPosted();
  EXPECT_TRUE(observer_.held.empty());
  EXPECT_EQ(Balance(), (Postings{1000, 0, 0, 0, 0, 0}));
}

TEST_F(LedgerPortTest, ASettleThatIsForgottenIsStillWritten) {
  port_->Hold(7, RowOf("gen-1"), {{100}, {100}, {}}, &observer_);
  port_->Settle(7, AnsweredRow("gen-1", 40), &observer_);
  port_->Forget(7);
  RunPosted();
  inbox_.RunOne(*port_);
  RunPosted();
  EXPECT_TRUE(observer_.held.empty());
  EXPECT_TRUE(observer_.stored.empty());
  EXPECT_EQ(Balance().available, 960);
}

TEST_F(LedgerPortTest, AnAnswerToAnEngineThatIsGoneGivesTheHoldBack) {
  port_->Hold(7, RowOf("gen-1"), {{100}, {100}, {}}, &observer_);
  port_.reset();
  RunPosted();
  ledger_.reset();
  auto again = SqliteLedger::Open(folder_.file(), &clock_);
  ASSERT_TRUE(again);
  EXPECT_EQ(Balance(), (Postings{1000, 0, 0, 0, 0, 0}));
}

TEST_F(LedgerPortTest, TwoEnginesShareOneFile) {
  Inbox other;
  Observer second;
  auto port = ledger_->PortFor(&other);
  port_->Hold(1, RowOf("gen-1"), {{600}, {600}, {}}, &observer_);
  inbox_.RunOne(*port_);
  port->Hold(1, RowOf("gen-2"), {{600}, {600}, {}}, &second);
  other.RunOne(*port);
  EXPECT_TRUE(observer_.held[0].second.status.ok());
  EXPECT_EQ(second.held[0].second.status.error().code, ErrorCode::kInsufficientCredits);
  EXPECT_EQ(second.held[0].second.available.nano, 400);
}

}  // namespace
}  // namespace seekroute::testing
