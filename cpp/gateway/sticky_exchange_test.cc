// What an exchange remembers of who answered.
#include "gateway/sticky_table.h"
#include "testing/credits_fixture.h"

namespace seekroute::testing {
namespace {

class StickyExchangeTest : public CreditsTest {
 protected:
  StickyExchangeTest() {
    sticky_ = &table_;
    options_.retry.max_attempts = 1;
  }

  void OpenTwo() {
    Open({1'000'000'000});
    const At one{.provider = "one", .output_nano = kInputNano, .cache_read_nano = kInputNano / 10};
    At two = one;
    two.provider = "two";
    snapshot_ = SnapshotAt({one, two});
  }

  StickyTable table_{StickyRules()};
};

TEST_F(StickyExchangeTest, AnAnswerIsRememberedAndAFailureIsNot) {
  OpenTwo();
  script_.head.status = 500;
  EXPECT_EQ(Ask(R"(,"session_id":"s")").status, 502);
  EXPECT_EQ(table_.size(), 0u);
  script_.head.status = 200;
  const std::string home = Ask(R"(,"session_id":"s")").row->provider;
  EXPECT_EQ(table_.size(), 1u);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Ask(R"(,"session_id":"s")").row->provider, home);
}

// Nobody has said that it belongs together, and no cache knew it.
TEST_F(StickyExchangeTest, APromptIsRememberedOnlyWhereACacheKnewIt) {
  OpenTwo();
  EXPECT_EQ(Ask().status, 200);
  EXPECT_EQ(table_.size(), 0u);
  script_.pieces = {{{},
                     R"({"id":"u","object":"chat.completion","created":1,"model":"m","choices":[)"
                     R"({"index":0,"message":{"role":"assistant","content":"hello"},)"
                     R"("finish_reason":"stop"}],"usage":{"prompt_tokens":30,)"
                     R"("completion_tokens":5,"prompt_tokens_details":{"cached_tokens":20}}})"}};
  EXPECT_EQ(Ask().status, 200);
  EXPECT_EQ(table_.size(), 1u);
}

}  // namespace
}  // namespace seekroute::testing
