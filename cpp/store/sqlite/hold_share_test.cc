// Holds of requests that name no length, and refusals that say what others hold, over the file.
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "testing/ledger_fixture.h"

namespace seekroute::testing {
namespace {

constexpr KeyLimit kLimit{{100}, {1'800'000'000}};

class HoldShareTest : public LedgerTest {
 protected:
  HoldAnswer Share(const std::string& id, int64_t amount, int64_t at_least,
                   std::optional<KeyLimit> limit = std::nullopt, Money line = {}) {
    HoldRequest request{{amount}, {at_least}, limit, line};
    request.share = true;
    return HoldNow(writer(), RowOf(id), request);
  }
};

TEST_F(HoldShareTest, HalfOfWhatIsThereIsTaken) {
  TopupNow(writer(), "manual:1", 1000);
  EXPECT_EQ(Share("gen-1", 400, 10).granted.nano, 400);   // less than half
  EXPECT_EQ(Share("gen-2", 5000, 10).granted.nano, 300);  // of 600
  EXPECT_EQ(Share("gen-3", 5000, 200).granted.nano, 200);
  EXPECT_EQ(Share("gen-4", 5000, 10).granted.nano, 50);
  EXPECT_FALSE(Share("gen-5", 5000, 51).status.ok());
  EXPECT_EQ(Share("gen-6", 5000, 51, std::nullopt, {150}).granted.nano, 100);  // line included
  EXPECT_EQ(Share("gen-7", 5000, 51, std::nullopt, kUnlimitedLine).granted.nano, 5000);
}

TEST_F(HoldShareTest, TheLimitOfAKeyIsSharedToo) {
  TopupNow(writer(), "manual:1", 10'000);
  EXPECT_EQ(Share("gen-1", 5000, 10, kLimit).granted.nano, 50);
  EXPECT_EQ(Share("gen-2", 5000, 10, kLimit).granted.nano, 25);
  EXPECT_EQ(Share("gen-3", 5000, 25, kLimit).granted.nano, 25);
}

TEST_F(HoldShareTest, ARefusalSaysWhatTheOrganizationsOthersHold) {
  TopupNow(writer(), "manual:1", 100);
  EXPECT_EQ(HoldNow(writer(), "gen-1", 101).held.nano, 0);
  HoldNow(writer(), "gen-2", 30);
  HoldNow(writer(), "gen-3", 40);
  const HoldAnswer refused = HoldNow(writer(), "gen-4", 60);
  EXPECT_EQ(refused.available.nano, 30);
  EXPECT_EQ(refused.held.nano, 70);
  EXPECT_TRUE(SettleNow(writer(), AnsweredRow("gen-2", 30)).ok());
  EXPECT_EQ(HoldNow(writer(), "gen-5", 60).held.nano, 40);
}

TEST_F(HoldShareTest, ARefusalByTheLimitSaysWhatTheKeysOthersHold) {
  TopupNow(writer(), "manual:1", 10'000);
  const auto ask = [this](const std::string& id, int64_t amount, const std::string& key = "key") {
    return HoldNow(writer(), RowOf(id, "org", key), {{amount}, {amount}, kLimit});
  };
  HoldNow(writer(), RowOf("gen-0", "org", "other"), {{60}, {60}, {}});
  EXPECT_TRUE(ask("gen-1", 60).status.ok());
  EXPECT_TRUE(ask("gen-2", 10).status.ok());
  EXPECT_EQ(ask("gen-3", 40).held.nano, 70);
  EXPECT_TRUE(SettleNow(writer(), AnsweredRow("gen-1", 20)).ok());
  const HoldAnswer refused = ask("gen-4", 80);
  EXPECT_TRUE(refused.key_limited);
  EXPECT_EQ(refused.available.nano, 70);
  EXPECT_EQ(refused.held.nano, 10);
  ExchangeRecord failed = RowOf("gen-2");
  failed.error = "upstream_timeout";
  EXPECT_TRUE(SettleNow(writer(), failed).ok());
  EXPECT_EQ(ask("gen-5", 90).held.nano, 0);
  EXPECT_TRUE(ask("gen-6", 80).status.ok());
  // Another window is counted from the file, with what runs now.
  const KeyLimit wider{{100}, {1'800'000'000 - 86'400}};
  EXPECT_EQ(HoldNow(writer(), RowOf("gen-7"), {{1}, {1}, wider}).held.nano, 80);
}

// A limit or a line that was lowered below what is spent: what runs may end, and it is not enough.
TEST_F(HoldShareTest, ARefusalCountsWhatIsSpentBeyondALoweredLimit) {
  TopupNow(writer(), "manual:1", 10'000);
  const auto ask = [this](const std::string& id, int64_t amount, int64_t limit) {
    return HoldNow(writer(), RowOf(id), {{amount}, {amount}, KeyLimit{{limit}, kLimit.since}});
  };
  EXPECT_TRUE(ask("gen-1", 300, 500).status.ok());
  EXPECT_TRUE(SettleNow(writer(), AnsweredRow("gen-1", 300)).ok());
  EXPECT_TRUE(ask("gen-2", 50, 500).status.ok());
  const HoldAnswer refused = ask("gen-3", 10, 100);
  EXPECT_TRUE(refused.key_limited);
  EXPECT_EQ(refused.available.nano, 100 - 350);
  EXPECT_EQ(refused.held.nano, 50);
  // What costs nothing is served all the same.
  EXPECT_TRUE(ask("gen-4", 0, 100).status.ok());
}

TEST_F(HoldShareTest, ARefusalCountsWhatIsOwedBeyondALoweredLine) {
  EXPECT_TRUE(HoldNow(writer(), RowOf("gen-1"), {{300}, {300}, {}, {500}}).status.ok());
  const HoldAnswer refused = HoldNow(writer(), RowOf("gen-2"), {{10}, {10}, {}, {100}});
  EXPECT_EQ(refused.available.nano, 100 - 300);
  EXPECT_EQ(refused.held.nano, 300);
}

}  // namespace
}  // namespace seekroute::testing
