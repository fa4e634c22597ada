// How long an upstream may take: for a plain call, before a stream's content, and within it.
#include <string>
#include <vector>

#include "testing/credits_fixture.h"

namespace seekroute::testing {
namespace {

constexpr std::string_view kEnd =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],"
    "\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":9}}\n\ndata: [DONE]\n\n";
constexpr std::string_view kComment = ": still thinking\n\n";
constexpr const char* kStream = R"(,"stream":true)";

class DeadlinesTest : public CreditsTest {
 protected:
  void PlayStream(Duration head_delay = {}) {
    script_ = {};
    script_.head.content_type = "text/event-stream";
    script_.head_delay = head_delay;
  }
  void Piece(int64_t after_s, std::string_view bytes) {
    script_.pieces.push_back({Duration::Seconds(after_s), std::string(bytes)});
  }
  int64_t seconds(const Seen& seen) const { return seen.row->total.ns / 1'000'000'000; }
};

TEST_F(DeadlinesTest, APlainCallHasTheWholeTime) {
  Open({100'000'000});
  script_.head_delay = Duration::Seconds(1700);  // a head that comes together with its body
  EXPECT_EQ(Ask().status, 200);
  script_.head_delay = {};  // and one that comes long before it
  script_.pieces = {{Duration::Seconds(1700), std::string(kAnswer)}};
  EXPECT_EQ(Ask().status, 200);
  script_.pieces = {{{}, std::string(kAnswer.substr(0, 9))},
                    {Duration::Seconds(1700), std::string(kAnswer.substr(9))}};
  EXPECT_EQ(Ask().status, 200);
  script_.head_delay = Duration::Seconds(1900);
  const Seen late = Ask();
  EXPECT_EQ(late.row->error, "upstream_timeout");
  EXPECT_EQ(seconds(late), 1800);
}

TEST_F(DeadlinesTest, AModelMayThinkForMinutesBeforeItsFirstWord) {
  Open({100'000'000});
  struct Case {
    const char* what;
    int64_t head_s;
    int64_t silence_s;
    bool comments;
  };
  for (const Case& each : {Case{"the head waits for the first word", 540, 0, false},
                           Case{"the head comes at once", 0, 540, false},
                           Case{"comments come meanwhile", 0, 540, true}}) {
    PlayStream(Duration::Seconds(each.head_s));
    for (int64_t left = each.silence_s; each.comments && left > 5; left -= 5) Piece(5, kComment);
    Piece(each.comments ? 5 : each.silence_s, kContent);
    Piece(0, kEnd);
    const Seen seen = Ask(kStream);
    EXPECT_EQ(seen.row->error, "") << each.what;
    EXPECT_EQ(seconds(seen), 540) << each.what;
  }
}

TEST_F(DeadlinesTest, AStreamMayFallSilentForMinutes) {
  Open({100'000'000});
  PlayStream();
  Piece(1, kContent);
  Piece(240, kContent);  // a tool's long argument, collected before it is sent
  Piece(0, kEnd);
  EXPECT_EQ(Ask(kStream).row->error, "");
  script_.pieces[1].delay = Duration::Seconds(310);
  const Seen stalled = Ask(kStream);
  EXPECT_EQ(stalled.row->error, "upstream_idle_timeout");
  EXPECT_EQ(seconds(stalled), 1 + 300);
}

TEST_F(DeadlinesTest, CommentsAreLifeWithinABound) {
  Open({100'000'000});
  PlayStream();
  Piece(1, kContent);
  for (int i = 0; i < 9; ++i) Piece(60, kComment);  // nine minutes
  Piece(1, kContent);
  Piece(0, kEnd);
  EXPECT_EQ(Ask(kStream).row->error, "");
  script_.pieces.resize(1);
  for (int i = 0; i < 100; ++i) Piece(60, kComment);
  const Seen dead = Ask(kStream);
  EXPECT_EQ(dead.row->error, "upstream_idle_timeout");
  EXPECT_EQ(seconds(dead), 1 + 600);
}

TEST_F(DeadlinesTest, AnEndpointMayHaveItsOwn) {
  timeouts_ = {.first_byte = Duration::Seconds(5),
               .first_content = Duration::Seconds(8),
               .idle = Duration::Seconds(2),
               .total = Duration::Seconds(20)};
  Open({100'000'000});
  struct Case {
    const char* what;
    const char* members;
    std::vector<UpstreamScript::Piece> pieces;
    Duration head_delay;
    const char* error;
    int64_t seconds;
  };
  const std::string content(kContent);
  const std::string comment(kComment);
  const std::vector<Case> cases = {
      {"no head", kStream, {}, Duration::Seconds(30), "upstream_timeout", 5},
      {"no content", kStream, {{Duration::Seconds(30), content}}, {}, "upstream_timeout", 8},
      {"comments before content",
       kStream,
       std::vector<UpstreamScript::Piece>(30, {Duration::Seconds(1), comment}),
       {},
       "upstream_timeout",
       8},
      {"silence",
       kStream,
       {{Duration::Seconds(1), content}, {Duration::Seconds(3), content}},
       {},
       "upstream_idle_timeout",
       3},
      {"too long in all",
       kStream,
       std::vector<UpstreamScript::Piece>(30, {Duration::Seconds(1), content}),
       {},
       "upstream_timeout",
       20},
      {"a plain call", "", {}, Duration::Seconds(30), "upstream_timeout", 20},
      {"a plain call's body", "", {{Duration::Seconds(30), "{}"}}, {}, "upstream_timeout", 20},
  };
  for (const Case& each : cases) {
    PlayStream(each.head_delay);
    script_.pieces = each.pieces;
    script_.ending = UpstreamScript::Ending::kHang;
    const Seen seen = Ask(each.members);
    EXPECT_EQ(seen.row->error, each.error) << each.what;
    EXPECT_EQ(seconds(seen), each.seconds) << each.what;
  }
}

TEST_F(DeadlinesTest, ALongerTotalOfAnEndpointIsTheExchanges) {
  timeouts_.total = Duration::Seconds(7200);
  Open({100'000'000});
  script_.head_delay = Duration::Seconds(7000);
  EXPECT_EQ(Ask().status, 200);
  script_.head_delay = Duration::Seconds(7300);
  EXPECT_EQ(seconds(Ask()), 7200);
}

TEST_F(DeadlinesTest, ARefusalWhoseWordsDoNotComeIsToldByItsStatus) {
  timeouts_.first_content = Duration::Seconds(3);  // it has no content to wait for
  options_.retry.max_attempts = 1;
  Open({100'000'000});
  for (const char* members : {"", kStream}) {
    script_ = {};
    script_.head.status = 429;
    script_.pieces = {{Duration::Seconds(100), R"({"error":{"message":"slower"}})"}};
    const Seen refused = Ask(members);
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(refused.row->error, "upstream_rate_limited");
    EXPECT_EQ(seconds(refused), 10);
  }
}

TEST_F(DeadlinesTest, ATimeThatNobodyAnsweredInIsTheProvidersNotOurOverhead) {
  Open({100'000'000});
  PlayStream(Duration::Seconds(700));
  const Seen late = Ask(kStream);
  EXPECT_EQ(late.row->error, "upstream_timeout");
  EXPECT_EQ(seconds(late), 600);
  EXPECT_LT(late.row->overhead, Duration::Seconds(1));
  EXPECT_EQ(late.row->tried.at(0).waited, late.row->total);
}

TEST_F(DeadlinesTest, WhoEndsItsRequestEarlyPaysForWhatItGot) {
  options_.total_timeout = Duration::Seconds(20);
  Open({100'000'000});
  PlayStream();
  for (int i = 0; i < 30; ++i) Piece(1, kContent);
  const Seen slow = Ask(kStream);
  EXPECT_EQ(slow.row->settlement, Settlement::kFailed);
  EXPECT_EQ(slow.row->cost, Money{});
  header_options_.timeout = Duration::Seconds(5);
  const Seen hurried = Ask(kStream);
  EXPECT_EQ(seconds(hurried), 5);
  EXPECT_EQ(hurried.row->error, "upstream_timeout");
  EXPECT_EQ(hurried.row->settlement, Settlement::kPartial);
  EXPECT_GT(hurried.row->cost, Money{});
  EXPECT_NE(hurried.body.find("x-seekroute-timeout-ms"), std::string::npos);
  PlayStream(Duration::Seconds(9));  // nothing was delivered
  const Seen nothing = Ask(kStream);
  EXPECT_EQ(nothing.status, 504);
  EXPECT_EQ(nothing.row->settlement, Settlement::kCancelled);
  EXPECT_EQ(nothing.row->cost, Money{});
}

// Nobody reads, and in the end the provider closes.
TEST_F(DeadlinesTest, WhoTakesNothingOfItsAnswerPaysForWhatItGot) {
  Open({100'000'000});
  for (const bool reads : {true, false}) {
    window_ = reads ? 1 << 20 : 1;
    PlayStream();
    Piece(0, kContent);
    Piece(1, kContent);
    script_.ending = UpstreamScript::Ending::kBroken;
    const Seen seen = Ask(kStream);
    EXPECT_EQ(seen.row->settlement, reads ? Settlement::kFailed : Settlement::kPartial);
    EXPECT_EQ(seen.row->cost == Money{}, reads);
  }
}

}  // namespace
}  // namespace seekroute::testing
