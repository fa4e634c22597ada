#include "billing/ledger.h"

#include <gtest/gtest.h>

#include <limits>

#include "billing/memory_journal.h"

namespace seekroute {
namespace {

using enum LedgerResult;
constexpr UnixMillis kNow{1'800'000'000'000};
constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

class LedgerTest : public ::testing::Test {
 protected:
  LedgerResult Topup(int64_t amount, std::string_view id = "manual:1") {
    return ledger_.Topup(id, "org", {amount}, kNow);
  }
  LedgerResult Hold(std::string_view id, int64_t amount, int64_t line = 0) {
    return ledger_.Hold(id, "org", {amount}, {amount}, {line}, kNow).result;
  }
  LedgerResult Adjust(std::string_view id, int64_t amount, bool chargeback = false) {
    return ledger_.Adjust(id, "org", {amount}, chargeback, "why", kNow);
  }
  Postings Org() const { return ledger_.BalanceOf("org"); }
  const Postings& Operator() const { return ledger_.operator_balance(); }
  size_t written() const { return journal_.entries().size(); }

  MemoryJournal journal_;
  Ledger ledger_{&journal_};
};

TEST_F(LedgerTest, AChargeComesOutOfTheHoldAndTheRestGoesBack) {
  EXPECT_EQ(Topup(100), kOk);
  EXPECT_EQ(Hold("g", 60), kOk);
  EXPECT_EQ(Org(), (Postings{40, 60, 0, 0, 0, 0}));
  EXPECT_EQ(ledger_.Settle("g", {25}, kNow), kOk);
  EXPECT_EQ(Org(), (Postings{75, 0, 0, 0, 0, 0}));
  EXPECT_EQ(Operator(), (Postings{0, 0, 0, -100, 25, 0}));
  EXPECT_TRUE(ledger_.holds().empty());
}

TEST_F(LedgerTest, EveryEntryBalancesAndIsNumberedWithoutGaps) {
  EXPECT_EQ(Topup(100), kOk);
  EXPECT_EQ(Hold("g", 60), kOk);
  EXPECT_EQ(ledger_.Settle("g", {80}, kNow), kOk);
  EXPECT_EQ(ledger_.Refund("r", "g", {10}, kNow), kOk);
  EXPECT_EQ(Adjust("a", -70), kOk);
  EXPECT_EQ(Hold("h", 0), kOk);
  EXPECT_EQ(ledger_.Void("h", kNow), kOk);
  int64_t seq = 0;
  for (const LedgerEntry& entry : journal_.entries()) {
    EXPECT_EQ(entry.seq, ++seq);
    EXPECT_TRUE(IsBalanced(entry.postings)) << NameOf(entry.kind);
  }
  EXPECT_EQ(seq, 8);
}

TEST_F(LedgerTest, WhatExceedsTheHoldIsTheOperatorsLoss) {
  EXPECT_EQ(Topup(100), kOk);
  EXPECT_EQ(Hold("g", 30), kOk);
  EXPECT_EQ(ledger_.Settle("g", {45}, kNow), kOk);
  EXPECT_EQ(Org().available, 70);
  EXPECT_EQ(Operator(), (Postings{0, 0, 0, -100, 45, -15}));
  EXPECT_EQ(ledger_.Settle("g", {45}, kNow), kExists);
  EXPECT_EQ(ledger_.Settle("g", {30}, kNow), kConflict);
  EXPECT_EQ(ledger_.Refund("r", "g", {31}, kNow), kTooMuch);
}

TEST_F(LedgerTest, ARepeatedOperationWritesNothing) {
  EXPECT_EQ(Topup(100), kOk);
  EXPECT_EQ(Topup(100), kExists);
  EXPECT_EQ(Topup(99), kConflict);
  EXPECT_EQ(ledger_.Topup("manual:1", "other", {100}, kNow), kConflict);
  EXPECT_EQ(Hold("g", 60), kOk);
  EXPECT_EQ(Hold("g", 60), kExists);
  EXPECT_EQ(Hold("g", 61), kConflict);
  EXPECT_EQ(ledger_.Void("g", kNow), kOk);
  EXPECT_EQ(ledger_.Void("g", kNow), kExists);
  EXPECT_EQ(ledger_.Settle("g", {1}, kNow), kLate);
  EXPECT_EQ(Adjust("a", -5), kOk);
  EXPECT_EQ(Adjust("a", -5), kExists);
  EXPECT_EQ(Adjust("a", -5, true), kConflict);
  EXPECT_EQ(ledger_.Adjust("a", "org", {-5}, false, "another reason", kNow), kConflict);
  EXPECT_EQ(written(), 4U);
}

TEST_F(LedgerTest, RefusesWhatItDoesNotHave) {
  EXPECT_EQ(Topup(50), kOk);
  EXPECT_EQ(Hold("g", 51), kInsufficient);
  EXPECT_EQ(ledger_.Settle("g", {1}, kNow), kUnknown);
  EXPECT_EQ(ledger_.Void("g", kNow), kUnknown);
  EXPECT_EQ(ledger_.Refund("r", "g", {1}, kNow), kUnknown);
  EXPECT_EQ(written(), 1U);
}

TEST_F(LedgerTest, GrantsWhatIsThereIfThatIsOfUse) {
  EXPECT_EQ(Topup(50), kOk);
  const auto granted = ledger_.Hold("g", "org", {80}, {50}, {}, kNow);
  EXPECT_EQ(granted.result, kOk);
  EXPECT_EQ(granted.granted.nano, 50);
  EXPECT_EQ(granted.available.nano, 50);
  EXPECT_EQ(ledger_.Hold("g", "org", {80}, {40}, {}, kNow).result, kExists);
  EXPECT_EQ(ledger_.Hold("h", "org", {80}, {1}, {}, kNow).result, kInsufficient);
  EXPECT_EQ(ledger_.Hold("h", "org", {80}, {81}, {}, kNow).result, kInvalid);
}

TEST_F(LedgerTest, ADebtIsRepaidFirstAndStopsPaidRequests) {
  EXPECT_EQ(Topup(50), kOk);
  EXPECT_EQ(Adjust("chargeback", -80, true), kOk);
  EXPECT_EQ(Org(), (Postings{0, 0, -30, 0, 0, 0}));
  EXPECT_EQ(Operator().cash, 30);
  EXPECT_EQ(Hold("g", 1), kDebt);
  EXPECT_EQ(Hold("free", 0), kOk);
  EXPECT_EQ(Topup(20, "manual:2"), kOk);
  EXPECT_EQ(Org(), (Postings{0, 0, -10, 0, 0, 0}));
  EXPECT_EQ(Adjust("gift", 15), kOk);
  EXPECT_EQ(Org(), (Postings{5, 0, 0, 0, 0, 0}));
  EXPECT_EQ(Operator().loss, -15);
  EXPECT_EQ(Hold("g", 5), kOk);
}

TEST_F(LedgerTest, ALineIsHeldAfterWhatIsAvailable) {
  EXPECT_EQ(Topup(30), kOk);
  EXPECT_EQ(Hold("g", 131, 100), kInsufficient);
  EXPECT_EQ(Hold("g", 50, 100), kOk);
  EXPECT_EQ(Org(), (Postings{0, 50, -20, 0, 0, 0}));
  EXPECT_EQ(Hold("h", 81, 100), kDebt);
  const auto rest = ledger_.Hold("h", "org", {500}, {1}, {100}, kNow);
  EXPECT_EQ(rest.available.nano, 80);
  EXPECT_EQ(rest.granted.nano, 80);
  EXPECT_EQ(Org(), (Postings{0, 130, -100, 0, 0, 0}));
  EXPECT_EQ(Hold("i", 1, 100), kDebt);
  EXPECT_EQ(Hold("i", 1, 99), kDebt);  // the line was lowered meanwhile
  EXPECT_EQ(Hold("i", 1), kDebt);
  EXPECT_EQ(Hold("free", 0), kOk);
  EXPECT_EQ(Hold("i", 1, -1), kInvalid);
}

// The debt of who pays afterwards is the bill: what was charged, and what is held.
TEST_F(LedgerTest, WhatComesBackRepaysTheDebtFirst) {
  const int64_t line = 1000;
  EXPECT_EQ(Hold("g", 60, line), kOk);
  EXPECT_EQ(ledger_.Settle("g", {45}, kNow), kOk);
  EXPECT_EQ(Org(), (Postings{0, 0, -45, 0, 0, 0}));
  EXPECT_EQ(Topup(50), kOk);
  EXPECT_EQ(Org(), (Postings{5, 0, 0, 0, 0, 0}));
  EXPECT_EQ(Hold("h", 30, line), kOk);
  EXPECT_EQ(ledger_.Void("h", kNow), kOk);
  EXPECT_EQ(Org(), (Postings{5, 0, 0, 0, 0, 0}));
  EXPECT_EQ(Hold("i", 30, line), kOk);
  EXPECT_EQ(ledger_.Expire("i", kNow), kOk);
  EXPECT_EQ(Adjust("fee", -25), kOk);
  EXPECT_EQ(Org(), (Postings{0, 0, -20, 0, 0, 0}));
  EXPECT_EQ(ledger_.Refund("r", "g", {22}, kNow), kOk);
  EXPECT_EQ(Org(), (Postings{2, 0, 0, 0, 0, 0}));
  EXPECT_EQ(ledger_.Refund("r", "g", {22}, kNow), kExists);
  EXPECT_EQ(ledger_.Refund("s", "g", {24}, kNow), kTooMuch);
}

TEST_F(LedgerTest, AChargebackWhileAHoldLivesIsRepaidByIt) {
  EXPECT_EQ(Topup(100), kOk);
  EXPECT_EQ(Hold("g", 80), kOk);
  EXPECT_EQ(Adjust("chargeback", -50, true), kOk);
  EXPECT_EQ(Org(), (Postings{0, 80, -30, 0, 0, 0}));
  EXPECT_EQ(ledger_.Settle("g", {10}, kNow), kOk);
  EXPECT_EQ(Org(), (Postings{40, 0, 0, 0, 0, 0}));
}

TEST_F(LedgerTest, AnUnlimitedLineDoesNotOverflow) {
  EXPECT_EQ(Topup(10), kOk);
  const auto first = ledger_.Hold("g", "org", {kMost}, {kMost}, {kMost}, kNow);
  EXPECT_EQ(first.result, kOk);
  EXPECT_EQ(first.available.nano, kMost);  // 10 more are there, beyond what an amount can say
  EXPECT_EQ(Org(), (Postings{0, kMost, 10 - kMost, 0, 0, 0}));
  const auto second = ledger_.Hold("h", "org", {20}, {1}, {kMost}, kNow);
  EXPECT_EQ(second.available.nano, 10);
  EXPECT_EQ(second.result, kInvalid);  // no more can be held
  EXPECT_EQ(ledger_.Void("g", kNow), kOk);
  EXPECT_EQ(Org(), (Postings{10, 0, 0, 0, 0, 0}));
}

TEST_F(LedgerTest, RefundsAtMostTheCharge) {
  EXPECT_EQ(Topup(50), kOk);
  EXPECT_EQ(Hold("g", 50), kOk);
  EXPECT_EQ(ledger_.Refund("r", "g", {1}, kNow), kUnknown);
  EXPECT_EQ(ledger_.Settle("g", {40}, kNow), kOk);
  EXPECT_EQ(ledger_.Refund("r", "g", {30}, kNow), kOk);
  EXPECT_EQ(ledger_.Refund("r", "g", {30}, kNow), kExists);
  EXPECT_EQ(ledger_.Refund("s", "g", {11}, kNow), kTooMuch);
  EXPECT_EQ(ledger_.Refund("s", "g", {10}, kNow), kOk);
  EXPECT_EQ(Org().available, 50);
  EXPECT_EQ(Operator().revenue, 0);
}

TEST_F(LedgerTest, RefusesAmountsWithoutSense) {
  EXPECT_EQ(Topup(0), kInvalid);
  EXPECT_EQ(Topup(-1), kInvalid);
  EXPECT_EQ(Hold("g", -1), kInvalid);
  EXPECT_EQ(Hold("", 1), kInvalid);
  EXPECT_EQ(ledger_.Settle("g", {-1}, kNow), kInvalid);
  EXPECT_EQ(ledger_.Refund("r", "g", {0}, kNow), kInvalid);
  EXPECT_EQ(ledger_.Refund("", "g", {1}, kNow), kInvalid);
  EXPECT_EQ(Topup(1, ""), kInvalid);
  EXPECT_EQ(ledger_.Topup("manual:1", "", {1}, kNow), kInvalid);
  EXPECT_EQ(ledger_.Hold("g", "", {1}, {1}, {}, kNow).result, kInvalid);
  EXPECT_EQ(Adjust("a", 0), kInvalid);
  EXPECT_EQ(Adjust("a", std::numeric_limits<int64_t>::min()), kInvalid);
  EXPECT_EQ(written(), 0U);
}

TEST_F(LedgerTest, RefusesWhatWouldOverflowABalance) {
  EXPECT_EQ(Topup(kMost), kOk);
  EXPECT_EQ(Topup(1, "manual:2"), kInvalid);
  EXPECT_EQ(ledger_.Topup("manual:3", "other", {1}, kNow), kInvalid);  // cash is at its end
  EXPECT_EQ(Hold("g", 10), kOk);
  EXPECT_EQ(ledger_.Settle("g", {kMost}, kNow), kOk);
  EXPECT_EQ(Hold("h", 10), kOk);
  EXPECT_EQ(ledger_.Settle("h", {1}, kNow), kInvalid);  // revenue is
  EXPECT_EQ(ledger_.Void("h", kNow), kOk);
  EXPECT_EQ(Adjust("a", -kMost), kOk);
  EXPECT_EQ(Adjust("b", -kMost), kInvalid);
}

// Nothing of it is booked, whichever account would be the one to overflow.
TEST_F(LedgerTest, WhatCannotBeGivenBackStaysHeld) {
  EXPECT_EQ(Topup(kMost), kOk);
  EXPECT_EQ(Hold("paid", 10), kOk);
  EXPECT_EQ(ledger_.Settle("paid", {10}, kNow), kOk);
  EXPECT_EQ(Hold("g", 10), kOk);
  EXPECT_EQ(Adjust("gift", 20), kOk);  // available is at its end
  const size_t before = written();
  EXPECT_EQ(ledger_.Void("g", kNow), kInvalid);
  EXPECT_EQ(ledger_.Settle("g", {0}, kNow), kInvalid);
  EXPECT_EQ(ledger_.Refund("r", "paid", {1}, kNow), kInvalid);
  EXPECT_EQ(written(), before);
  EXPECT_EQ(Org(), (Postings{kMost, 10, 0, 0, 0, 0}));
  EXPECT_EQ(ledger_.Settle("g", {10}, kNow), kOk);
}

TEST_F(LedgerTest, AChargeAndItsOverrunAreBookedTogetherOrNotAtAll) {
  EXPECT_EQ(Topup(100), kOk);
  EXPECT_EQ(Hold("g", 10), kOk);
  EXPECT_EQ(ledger_.Settle("g", {kMost - 5}, kNow), kOk);
  EXPECT_EQ(Hold("h", 3), kOk);
  EXPECT_EQ(ledger_.Settle("h", {100}, kNow), kInvalid);  // revenue has room for the charge alone
  EXPECT_EQ(Org().held, 3);
  EXPECT_EQ(ledger_.Settle("h", {3}, kNow), kOk);
}

TEST(PostingsTest, NoAccountLeaves64Bits) {
  int64_t Postings::*const accounts[] = {&Postings::available, &Postings::held,    &Postings::debt,
                                         &Postings::cash,      &Postings::revenue, &Postings::loss};
  for (int64_t Postings::*const account : accounts) {
    Postings most;
    most.*account = kMost;
    Postings one;
    one.*account = 1;
    const Postings before = most;
    EXPECT_FALSE(AddPostings(one, &most));
    EXPECT_EQ(most, before);
    Postings least;
    least.*account = -kMost;
    one.*account = -1;  // the one value without a negative
    EXPECT_FALSE(AddPostings(one, &least));
    one.*account = 1;
    EXPECT_TRUE(AddPostings(one, &least));
  }
}

TEST(PostingsTest, EntriesHaveNames) {
  EXPECT_EQ(NameOf(EntryKind::kTopup), "topup");
  EXPECT_EQ(NameOf(EntryKind::kOpening), "opening");
  EXPECT_EQ(NameOf(EntryKind{200}), "");
}

TEST_F(LedgerTest, ABatchCanBeTakenBackWhole) {
  EXPECT_EQ(Topup(100), kOk);
  EXPECT_EQ(Hold("g", 60), kOk);
  ledger_.Release();
  const size_t mark = ledger_.Mark();
  const Postings before = Org();
  EXPECT_EQ(Hold("h", 10), kOk);
  EXPECT_EQ(ledger_.Settle("g", {70}, kNow), kOk);
  EXPECT_EQ(ledger_.Void("h", kNow), kOk);
  EXPECT_EQ(Adjust("a", -500), kOk);
  ledger_.Rollback(mark);
  journal_.Truncate(2);
  EXPECT_EQ(Org(), before);
  EXPECT_EQ(Operator(), (Postings{0, 0, 0, -100, 0, 0}));
  EXPECT_EQ(ledger_.last_seq(), 2);
  ASSERT_EQ(ledger_.holds().size(), 1U);
  EXPECT_EQ(ledger_.holds().at("g").amount.nano, 60);
  EXPECT_EQ(ledger_.Settle("g", {70}, kNow), kOk);
}

TEST_F(LedgerTest, TheAccountsSumToZero) {
  EXPECT_EQ(Topup(100), kOk);
  EXPECT_EQ(Hold("g", 160, 100), kOk);
  EXPECT_EQ(ledger_.Settle("g", {170}, kNow), kOk);
  EXPECT_EQ(ledger_.Drift().nano, 0);
  ledger_.Restore({{"org", {100, 20, 0, 0, 0, 0}}}, {0, 0, 0, -117, 0, 0}, 5);
  EXPECT_EQ(ledger_.Drift().nano, 3);
  ledger_.Restore({{"a", {kMost, kMost, 0, 0, 0, 0}}, {"b", {0, kMost, 0, 0, 0, 0}}}, {}, 5);
  EXPECT_EQ(ledger_.Drift().nano, kMost);
}

TEST_F(LedgerTest, ReplayingTheJournalGivesTheSameBalances) {
  EXPECT_EQ(Topup(100), kOk);
  EXPECT_EQ(Hold("g", 60), kOk);
  EXPECT_EQ(ledger_.Settle("g", {61}, kNow), kOk);
  EXPECT_EQ(Adjust("a", -70), kOk);
  MemoryJournal none;
  Ledger replayed(&none);
  for (const LedgerEntry& entry : journal_.entries()) EXPECT_TRUE(replayed.Replay(entry));
  EXPECT_EQ(replayed.balances(), ledger_.balances());
  EXPECT_EQ(replayed.operator_balance(), Operator());
  EXPECT_FALSE(replayed.Replay(journal_.entries()[0]));
  LedgerEntry too_much = journal_.entries()[0];
  too_much.seq = replayed.last_seq() + 1;
  too_much.postings = {kMost, 0, 0, -kMost, 0, 0};
  EXPECT_FALSE(replayed.Replay(too_much));
}

}  // namespace
}  // namespace seekroute
