#include "billing/bill.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "testing/corpora.h"

namespace seekroute {
namespace {

constexpr int64_t kIn = 1000;   // nano-USD a token of the prompt
constexpr int64_t kOut = 4000;  // and of the answer
constexpr UnixSeconds kThen{1'700'000'000};
constexpr Money kHeld{50'000'000};

const PriceTable& Price() {
  static const std::shared_ptr<const PriceTable> table = [] {
    Rates rates;
    rates[PriceClass::kInput] = Rate{kIn * 1000};
    rates[PriceClass::kOutput] = Rate{kOut * 1000};
    return PriceTable::Flat(rates);
  }();
  return *table;
}

Usage Counted(int64_t prompt, int64_t completion) {
  Usage usage;
  usage.prompt = prompt;
  usage.completion = completion;
  return usage;
}

// An answer as it mostly comes: streamed, with a sane usage, all of it told.
Used Answer() {
  Used used;
  used.told = Counted(100, 50);
  used.streamed = true;
  used.delivered = true;
  used.finish_reason = "stop";
  used.prompt = [] { return TokenEstimate{90, 120}; };
  used.content = [] { return TokenEstimate{40, 60}; };
  used.context = 8000;
  used.bound_prompt = 120;
  return used;
}

constexpr int64_t CostOfTokens(int64_t prompt, int64_t completion) {
  return prompt * kIn + completion * kOut;
}

Bill BillOf(Ending ending, const Used& used, BillPolicy policy = {.held = kHeld}) {
  return BillFor(ending, used, policy, Price(), kThen);
}

struct Outcome {
  Ending ending = Ending::kAnswered;
  Used used = Answer();
  int64_t cost = CostOfTokens(100, 50);
};

// The outcomes in the words of docs/credits.md.
std::map<std::string, Outcome, std::less<>> Outcomes() {
  std::map<std::string, Outcome, std::less<>> all;
  all["complete, with sane usage (zero too)"] = {};
  Outcome beyond;
  beyond.used.told = Counted(9000, 50);
  beyond.cost = CostOfTokens(9000, 50);
  all["complete, usage beyond the context of the endpoint"] = beyond;
  Outcome odd;
  odd.used.odd = true;
  odd.cost = CostOfTokens(90, 40);
  all["complete, usage missing or nonsense"] = odd;
  Outcome empty;
  empty.used.any_output = false;
  empty.used.finish_reason = "";
  empty.cost = 0;
  all["no output and no finish reason, whatever the provider counts"] = empty;
  all["the provider or the gateway failed, at any point; a finish reason of failure is one"] = {
      Ending::kFailed, Answer(), 0};
  all["the gateway was stopped before the answer was complete"] = {Ending::kStopped, Answer(), 0};
  all["the gateway was stopped before a complete answer was delivered"] = {};
  all["the client left after content"] = {Ending::kClientLeft, Answer(), CostOfTokens(100, 40)};
  Outcome early;
  early.ending = Ending::kClientLeft;
  early.used.delivered = false;
  early.cost = CostOfTokens(100, 0);
  all["the client left before content"] = early;
  all["the client left, and the answer was read out"] = {Ending::kReadOut, Answer()};
  Outcome last;
  last.ending = Ending::kClientLeft;
  last.used.told_whole = true;
  all["the client left when the whole answer had come, with its usage, and only `[DONE]` was "
      "missing"] = last;
  return all;
}

// "[words](where)" -> "words".
std::string WithoutLinks(std::string text) {
  for (size_t open = text.find('['); open != std::string::npos; open = text.find('[', open + 1)) {
    const size_t middle = text.find("](", open);
    if (middle == std::string::npos) break;
    const size_t close = text.find(')', middle);
    text.replace(open, close + 1 - open, text.substr(open + 1, middle - open - 1));
  }
  return text;
}

std::vector<std::string> CellsOf(const std::string& line) {
  std::vector<std::string> cells;
  for (size_t at = 1; at < line.size();) {
    const size_t end = line.find(" |", at);
    if (end == std::string::npos) break;
    cells.push_back(line.substr(at + 1, end - at - 1));
    at = end + 2;
  }
  return cells;
}

TEST(BillTest, SaysWhatTheDocumentationSays) {
  const std::string page = testing::ReadSource("docs/credits.md");
  size_t at = page.find("\n", page.find("| outcome | charge | `settlement` |") + 1) + 1;
  at = page.find('\n', at) + 1;  // the line under the heads
  auto outcomes = Outcomes();
  while (page[at] == '|') {
    const size_t end = page.find('\n', at);
    const std::vector<std::string> cells = CellsOf(page.substr(at, end - at));
    ASSERT_EQ(cells.size(), 3u) << page.substr(at, end - at);
    const auto found = outcomes.find(WithoutLinks(cells[0]));
    ASSERT_NE(found, outcomes.end()) << cells[0];
    const Bill bill = BillOf(found->second.ending, found->second.used);
    EXPECT_EQ("`" + std::string(NameOf(bill.settlement)) + "`", cells[2]) << cells[0];
    EXPECT_EQ(bill.charge.total.nano, found->second.cost) << cells[0];
    EXPECT_EQ(cells[1].starts_with("0"), found->second.cost == 0) << cells[0];
    outcomes.erase(found);
    at = end + 1;
  }
  EXPECT_TRUE(outcomes.empty()) << outcomes.begin()->first;
}

TEST(BillTest, FollowsTheOperatorsPolicies) {
  const auto free = ChargePolicy::kFree;
  const auto charge = ChargePolicy::kCharge;
  Used odd = Answer();
  odd.odd = true;
  Used undelivered = Answer();
  undelivered.delivered = false;
  const struct {
    Ending ending;
    Used used;
    BillPolicy policy;
    Settlement settlement;
    int64_t cost;
  } cases[] = {
      {Ending::kClientLeft,
       Answer(),
       {.on_client_abort = free, .held = kHeld},
       Settlement::kFree,
       0},
      {Ending::kAnswered, odd, {.on_missing_usage = free, .held = kHeld}, Settlement::kFree, 0},
      {Ending::kFailed,
       Answer(),
       {.on_upstream_failure = charge, .held = kHeld},
       Settlement::kPartial,
       CostOfTokens(100, 40)},
      {Ending::kFailed,
       undelivered,
       {.on_upstream_failure = charge, .held = kHeld},
       Settlement::kFailed,
       0},
      {Ending::kStopped,
       Answer(),
       {.on_upstream_failure = charge, .held = kHeld},
       Settlement::kFailed,
       0},
      // Without a hold a policy has nothing to say, and what is not whole is not charged.
      {Ending::kAnswered,
       odd,
       {.on_missing_usage = free},
       Settlement::kEstimated,
       CostOfTokens(90, 40)},
      {Ending::kClientLeft, Answer(), {}, Settlement::kPartial, 0},
  };
  for (const auto& c : cases) {
    const Bill bill = BillOf(c.ending, c.used, c.policy);
    EXPECT_EQ(bill.settlement, c.settlement) << static_cast<int>(c.ending);
    EXPECT_EQ(bill.charge.total.nano, c.cost) << static_cast<int>(c.ending);
  }
}

// What is waived was used all the same: the operator sees its tokens and what it costs him.
TEST(BillTest, WhatIsWaivedKeepsItsUsage) {
  const Bill bill = BillOf(Ending::kClientLeft, Answer(),
                           {.on_client_abort = ChargePolicy::kFree, .held = kHeld});
  EXPECT_EQ(bill.usage.completion, 40);
  EXPECT_EQ(bill.charge.upstream.nano, CostOfTokens(100, 40));
}

TEST(BillTest, AnAnswerThatWasReadOutNeedsAUsageThatCounts) {
  Used used = Answer();
  EXPECT_TRUE(BillOf(Ending::kReadOut, used).whole);
  used.odd = true;
  EXPECT_FALSE(BillOf(Ending::kReadOut, used).whole);
  used.odd = false;
  used.told = {};
  EXPECT_FALSE(BillOf(Ending::kReadOut, used).whole);
}

TEST(BillTest, CutsWhatContradictsItselfAndKeepsWhatWasTold) {
  Used used = Answer();
  used.told.cached = 120;  // of 100
  const Bill bill = BillOf(Ending::kAnswered, used);
  EXPECT_EQ(bill.usage.cached, 100);
  ASSERT_TRUE(bill.reported);
  EXPECT_EQ(bill.reported->cached, 120);
}

TEST(BillTest, DoesNotCountItselfWhereTheProviderIsBelieved) {
  Used used = Answer();
  used.prompt = used.content = [] {
    ADD_FAILURE() << "counted";
    return TokenEstimate{};
  };
  EXPECT_EQ(BillOf(Ending::kAnswered, used).charge.total.nano, CostOfTokens(100, 50));
}

TEST(BillTest, ACountThatNoModelReachesIsNone) {
  Used used = Answer();
  used.told = Counted((int64_t{1} << 24) + 1, 50);
  Bill bill = BillOf(Ending::kAnswered, used);
  EXPECT_EQ(bill.settlement, Settlement::kEstimated);
  EXPECT_FALSE(bill.beyond);
  used.told = Counted(9000, 50);
  bill = BillOf(Ending::kAnswered, used);
  EXPECT_EQ(bill.settlement, Settlement::kExact);
  EXPECT_TRUE(bill.beyond);
  // Nothing would bound the charge.
  EXPECT_EQ(BillOf(Ending::kAnswered, used, {}).settlement, Settlement::kEstimated);
}

// Also of an endpoint whose context is not known, or bounds no whole request.
TEST(BillTest, ACountThatNoModelReachesIsNoneWhereNoContextIsKnown) {
  Used used = Answer();
  used.context = 0;
  used.told = Counted(int64_t{1} << 24, 50);
  EXPECT_EQ(BillOf(Ending::kAnswered, used).settlement, Settlement::kExact);
  used.told = Counted(int64_t{1} << 53, 50);
  EXPECT_EQ(BillOf(Ending::kAnswered, used).settlement, Settlement::kEstimated);
  used.told = Counted(100, int64_t{1} << 53);
  EXPECT_EQ(BillOf(Ending::kAnswered, used).settlement, Settlement::kEstimated);
}

}  // namespace
}  // namespace seekroute
