// Upstreams that refuse the field in which the usage of a stream is asked for.
#include "testing/credits_fixture.h"

namespace seekroute::testing {
namespace {

constexpr std::string_view kStream = R"(,"stream":true)";
constexpr std::string_view kEnd =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
    "data: [DONE]\n\n";

class StreamOptionsTest : public CreditsTest {
 protected:
  // A provider that refuses the field with these words, and streams without it.
  void RefuseWith(int status, const std::string& body) {
    director_ = [status, body](const TransportRequest& request) {
      UpstreamScript script;
      if (request.body.find("\"stream_options\":") != std::string::npos) {
        script.head.status = status;
        script.pieces = {{{}, body}};
      } else {
        script.head.content_type = "text/event-stream";
        script.pieces = {{{}, std::string(kContent) + std::string(kEnd)}};
      }
      return script;
    };
  }
  bool SentWith(size_t i) const { return Sent(i).find("\"stream_options\":") != std::string::npos; }
};

const struct {
  int status;
  const char* body;
} kRefusals[] = {
    {400, R"({"error":{"message":"Unknown parameter: 'stream_options'.","type":)"
          R"("invalid_request_error","param":"stream_options","code":"unknown_parameter"}})"},
    {400,
     R"({"error":{"message":"property 'stream_options' is unsupported, did you mean 'stream'?",)"
     R"("type":"invalid_request_error"}})"},
    {422, R"({"detail":[{"type":"extra_forbidden","loc":["body","stream_options"],"msg":)"
          R"("Extra inputs are not permitted","input":{"include_usage":true}}]})"},
    {422, R"({"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body",)"
          R"("stream_options"],"msg":"Extra inputs are not permitted"}]},)"
          R"("type":"invalid_request_error"})"},
    {400, R"({"error":"json: unknown field \"include_usage\""})"},
};

TEST_F(StreamOptionsTest, AFieldOfOursThatIsRefusedIsLeftOutOnceAndForAll) {
  for (const auto& refusal : kRefusals) {
    RefuseWith(refusal.status, refusal.body);
    Open({1'000'000'000});
    const Seen& first = Ask(std::string(kStream));
    EXPECT_EQ(first.status, 200) << refusal.body << first.body;
    EXPECT_NE(first.body.find("one two three"), std::string::npos);
    EXPECT_EQ(first.row->attempts, 2);
    ASSERT_EQ(first.row->tried.size(), 2u);
    EXPECT_EQ(first.row->tried[0].status, refusal.status);
    EXPECT_EQ(first.row->tried[0].suspected.nano, 0);
    EXPECT_EQ(first.row->tried[1].error, "");
    EXPECT_EQ(first.row->settlement, Settlement::kEstimated);
    const Seen& second = Ask(std::string(kStream));
    EXPECT_EQ(second.status, 200);
    EXPECT_EQ(second.row->attempts, 1);
    ASSERT_EQ(transport_->seen().size(), 3u);
    EXPECT_TRUE(SentWith(0));
    EXPECT_FALSE(SentWith(1));
    EXPECT_FALSE(SentWith(2));
  }
}

TEST_F(StreamOptionsTest, WhatTheClientSentIsTheClientsToMend) {
  RefuseWith(kRefusals[0].status, kRefusals[0].body);
  Open({1'000'000'000});
  const Seen& seen = Ask(std::string(kStream) + R"(,"stream_options":{"include_usage":true})");
  EXPECT_EQ(seen.status, 400);
  EXPECT_NE(seen.body.find(R"("param":"stream_options","code":"unknown_parameter")"),
            std::string::npos)
      << seen.body;
  EXPECT_EQ(transport_->seen().size(), 1u);
}

TEST_F(StreamOptionsTest, WhereItIsKnownToBeRefusedTheClientsIsAnsweredByTheGateway) {
  takes_stream_options_ = false;
  RefuseWith(kRefusals[0].status, kRefusals[0].body);
  Open({1'000'000'000});
  const Seen& seen = Ask(R"(,"stream_options" : {"include_usage":true},"stream":true)");
  EXPECT_EQ(seen.status, 200) << seen.body;
  EXPECT_NE(seen.body.find(R"("choices":[],"usage":)"), std::string::npos) << seen.body;
  EXPECT_EQ(seen.row->attempts, 1);
  EXPECT_FALSE(SentWith(0));
}

// A refusal that only quotes the field is the client's.
TEST_F(StreamOptionsTest, ARefusalThatQuotesTheFieldIsNotOfIt) {
  Open({1'000'000'000});
  for (const char* error :
       {R"({"message":"Unknown parameter in 'stream_options' of your text","param":"messages"})",
        R"({"message":"Invalid value: stream_options","param":"messages[0].content"})",
        R"({"message":"bad text: stream_options","code":"bad_text"})",
        R"({"message":"the prompt says include_usage"})"}) {
    script_.head.status = 400;
    script_.pieces = {{{}, R"({"error":)" + std::string(error) + "}"}};
    const Seen& seen = Ask(std::string(kStream));
    EXPECT_EQ(seen.status, 400);
    EXPECT_EQ(seen.row->attempts, 1) << error;
  }
}

// One that may be of the field is repeated; where it was not, it is refused again, and nothing is
// learnt from it.
TEST_F(StreamOptionsTest, ARefusalForAnotherReasonTeachesNothing) {
  script_.head.status = 400;
  script_.pieces = {};
  Open({1'000'000'000});
  script_.head.status = 400;
  script_.pieces = {
      {{}, R"({"error":{"message":"unknown text: stream_options","code":"bad_text"}})"}};
  const Seen& seen = Ask(std::string(kStream));
  EXPECT_EQ(seen.status, 400);
  EXPECT_EQ(seen.row->attempts, 2);
  EXPECT_NE(seen.body.find("bad_text"), std::string::npos);
  Ask(std::string(kStream));
  ASSERT_EQ(transport_->seen().size(), 4u);
  EXPECT_TRUE(SentWith(2));
}

// A provider that refuses the field beside some member alone takes it from everybody else.
TEST_F(StreamOptionsTest, ARefusalOfAnOddRequestTeachesNothing) {
  for (const char* odd : {R"(,"data_sources":[{"type":"azure_search"}])", R"(,"foo":1)",
                          R"(,"tools":[{"type":"retrieval"}])"}) {
    RefuseWith(kRefusals[0].status, kRefusals[0].body);
    Open({10'000'000'000});  // a search is held for by 2^20 tokens
    const Seen& seen = Ask(std::string(kStream) + odd);
    EXPECT_EQ(seen.status, 200) << odd << seen.body;
    EXPECT_EQ(seen.row->attempts, 2) << odd;
    Ask(std::string(kStream));
    ASSERT_EQ(transport_->seen().size(), 4u) << odd;
    EXPECT_TRUE(SentWith(2)) << odd;
  }
}

TEST_F(StreamOptionsTest, TheFieldIsTriedAgainNowAndThen) {
  RefuseWith(kRefusals[0].status, kRefusals[0].body);
  Open({1'000'000'000});
  const std::string own = std::string(kStream) + R"(,"stream_options":{"include_usage":true})";
  Ask(std::string(kStream));
  for (int i = 1; i < UpstreamQuirks::kAskAgainAfter; ++i) {
    EXPECT_EQ(Ask(i % 2 == 0 ? own : std::string(kStream)).row->attempts, 1);
  }
  // Still refused: that costs an attempt, and the client, who sent the field itself, no answer.
  const Seen again = Ask(own);
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(again.row->attempts, 2);
  for (int i = 1; i < UpstreamQuirks::kAskAgainAfter; ++i) {
    EXPECT_EQ(Ask(std::string(kStream)).row->attempts, 1);
  }
  // Taken: it is sent from now on.
  director_ = nullptr;
  script_.head.content_type = "text/event-stream";
  script_.pieces = {{{}, std::string(kContent) + std::string(kEnd)}};
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Ask(std::string(kStream)).row->attempts, 1);
    EXPECT_TRUE(SentWith(transport_->seen().size() - 1));
  }
}

// What a refusal says is read before it is cut down for the client.
TEST_F(StreamOptionsTest, ALongBodyAndAPromptThatNamesTheFieldChangeNothing) {
  const std::string text = "Unknown parameter: 'stream_options'. What is that? include_usage";
  for (const std::string& content : {std::string(3 << 20, 'x'), text}) {
    for (const auto& refusal : kRefusals) {
      RefuseWith(refusal.status, refusal.body);
      Open({100'000'000'000});
      const Seen& seen =
          Ask(std::string(kStream) + R"(,"user":")" + text + R"(","stop":")" + content + "\"");
      EXPECT_EQ(seen.status, 200) << refusal.body << seen.body;
      EXPECT_EQ(seen.row->attempts, 2);
    }
  }
}

TEST_F(StreamOptionsTest, NothingElseIsSentTwice) {
  options_.retry.max_attempts = 1;  // nor once more, for the failure itself
  Open({1'000'000'000});
  script_.head.status = 400;
  script_.pieces = {{{}, R"({"error":{"message":"Unknown parameter: 'foo'","param":"foo"}})"}};
  EXPECT_EQ(Ask(std::string(kStream)).row->attempts, 1);
  script_.head.status = 500;
  script_.pieces = {{{}, R"({"error":{"message":"stream_options broke"}})"}};
  EXPECT_EQ(Ask(std::string(kStream)).row->attempts, 1);
}

}  // namespace
}  // namespace seekroute::testing
