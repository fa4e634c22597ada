// What counts as a finished answer, and what each outcome costs.
#include "testing/credits_fixture.h"

namespace seekroute::testing {
namespace {

class FinishedAnswerTest : public CreditsTest {
 protected:
  const Seen& AskStream(const std::string& bytes) {
    script_ = {};
    script_.head.content_type = "text/event-stream";
    script_.pieces = {{{}, bytes}};
    return Ask(R"(,"stream":true)");
  }
};

TEST_F(FinishedAnswerTest, AFinishReasonOfErrorIsAFailure) {
  Open({10'000'000});
  const std::string failed =
      R"({"choices":[{"index":0,"delta":{},"finish_reason":"error","error":{"message":"broke"}}],)"
      R"("usage":{"prompt_tokens":7,"completion_tokens":3}})";
  const Seen middle =
      AskStream(std::string(kStart) + std::string(kContent) + "data: " + failed +
                "\n\ndata: [DONE]\n\n");
  EXPECT_EQ(middle.status, 200);
  EXPECT_EQ(middle.row->settlement, Settlement::kFailed);
  EXPECT_EQ(middle.row->error, "upstream_error");
  EXPECT_EQ(middle.row->cost.nano, 0);
  EXPECT_GT(middle.row->Suspected().nano, 0);
  EXPECT_NE(middle.body.find("broke"), std::string::npos);
  EXPECT_EQ(middle.body.find("[DONE]"), std::string::npos);

  const Seen before = AskStream(std::string(kStart) + "data: " + failed + "\n\n");
  EXPECT_EQ(before.status, 502);
  EXPECT_EQ(before.row->settlement, Settlement::kFailed);

  script_ = {};
  script_.pieces = {{{},
                     R"({"choices":[{"index":0,"message":{"content":"x"},"finish_reason":"error"}],)"
                     R"("usage":{"prompt_tokens":3,"completion_tokens":1}})"}};
  const Seen& plain = Ask();
  EXPECT_EQ(plain.status, 502);
  EXPECT_EQ(plain.row->settlement, Settlement::kFailed);
  EXPECT_EQ(store_->balance().nano, 10'000'000);
}

TEST_F(FinishedAnswerTest, ADoubledUsageIsEstimated) {
  Open({10'000'000});
  std::string answer(kAnswer);
  answer.insert(1, R"("usage":{"prompt_tokens":3,"completion_tokens":5},)");
  script_.pieces = {{{}, answer}};
  const Seen& seen = Ask();
  EXPECT_EQ(seen.status, 200);
  EXPECT_EQ(seen.row->settlement, Settlement::kEstimated);
  EXPECT_TRUE(seen.row->estimated);
}

}  // namespace
}  // namespace seekroute::testing
