// How long an answer may get: told in the field that the provider takes, whoever named it; and what
// becomes of a provider that goes on all the same.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "testing/credit_prompt.h"
#include "testing/credits_fixture.h"
#include "wire/openai/upstream_chat.h"

namespace seekroute::testing {
namespace {

class AnswerCapTest : public CreditsTest {
 protected:
  // The number in a field of what was sent; nothing where it is absent or null.
  static std::optional<int64_t> FieldOf(const std::string& body, std::string_view name) {
    const size_t at = body.find("\"" + std::string(name) + "\":");
    if (at == std::string::npos) return std::nullopt;
    const std::string rest = body.substr(at + name.size() + 3, 20);
    if (rest.starts_with("null")) return std::nullopt;
    return std::stoll(rest);
  }

  double CounterOf(const std::string& name) const {
    double sum = 0;
    for (const Sample& sample : stats_.Samples()) {
      if (sample.name == name) sum += sample.value;
    }
    return sum;
  }

  // An answer with that many tokens.
  void Answer(int64_t completion, const std::string& more = "") {
    std::string answer(kAnswer);
    const std::string usage = ":" + std::to_string(completion) + more + "}";
    answer.replace(answer.find(":5}"), 3, usage);
    script_.pieces = {{{}, answer}};
  }
};

// Over every field that a provider may take, whatever the client sent, whoever pays.
TEST_F(AnswerCapTest, IsToldInTheProvidersOwnFieldAsSoonAsAnybodyNamesALength) {
  constexpr int64_t kModelLongest = 1000;
  const std::vector<std::optional<int64_t>> lengths = {std::nullopt, 0, 1, 90, 5000};  // 0: null
  const auto member = [](std::string_view name, std::optional<int64_t> length) {
    if (!length) return std::string();
    return ",\"" + std::string(name) + "\":" + (*length == 0 ? "null" : std::to_string(*length));
  };
  size_t told = 0;
  for (const std::string_view own : {kMaxTokensField, kMaxCompletionTokensField}) {
    const std::string_view other =
        own == kMaxTokensField ? kMaxCompletionTokensField : kMaxTokensField;
    for (const auto& in_own : lengths) {
      for (const auto& in_other : lengths) {
        for (int policy = 0; policy < 32; ++policy) {
          const bool unlimited = (policy & 1) != 0;
          const bool operators = (policy & 2) != 0;
          const bool max_cost = (policy & 4) != 0;
          const bool key_limit = (policy & 8) != 0;
          options_.credits = (policy & 16) != 0;
          cap_field_ = own;
          credit_line_ = unlimited ? kUnlimitedLine : Money{};
          options_.max_output_tokens = operators ? 300 : 0;
          Open({10'000'000}, {}, kModelLongest,
               key_limit ? std::optional(Money{9'000'000}) : std::nullopt);
          std::string members = member(own, in_own) + member(other, in_other);
          if (max_cost) members += ",\"max_cost\":0.001";
          const Seen& seen = Ask(members);
          ASSERT_EQ(seen.status, 200) << seen.body;
          const std::string sent = Sent(0);
          std::optional<int64_t> named;
          for (const auto& length : {in_own, in_other}) {
            if (length.value_or(0) > 0) named = std::min(named.value_or(*length), *length);
          }
          if (operators) named = std::min<int64_t>(named.value_or(300), 300);
          const bool limited = max_cost || (options_.credits && (!unlimited || key_limit));
          const std::string what = members + " policy " + std::to_string(policy) + ": " + sent;
          const std::optional<int64_t> cap = FieldOf(sent, own);
          ASSERT_EQ(cap.has_value(), named || limited) << what;
          const std::optional<int64_t> neighbour = FieldOf(sent, other);
          ASSERT_EQ(neighbour.has_value(), in_own.value_or(0) > 0 && in_other.value_or(0) > 0)
              << what;
          if (!cap) continue;
          ++told;
          ASSERT_GT(*cap, 0) << what;
          ASSERT_LE(*cap, named.value_or(kModelLongest)) << what;
          ASSERT_LE(neighbour.value_or(0), *cap) << what;
          if (options_.credits) {
            ASSERT_LE(PromptNano(options_) + *cap * kOutputNano, seen.row->held.nano) << what;
          }
          if (max_cost) {
            ASSERT_LE(PromptNano(options_) + *cap * kOutputNano, 1'000'000) << what;
          }
        }
      }
    }
  }
  EXPECT_GT(told, 1000u);
}

TEST_F(AnswerCapTest, AProviderThatGoesOnIsTheOperatorsLossAndNoticed) {
  cap_field_ = "max_tokens";
  Open({10'000'000});
  Answer(20'000);
  const Seen& seen = Ask(R"(,"max_completion_tokens":1)");
  EXPECT_EQ(FieldOf(Sent(0), "max_tokens"), 1) << Sent(0);
  EXPECT_EQ(FieldOf(Sent(0), "max_completion_tokens"), std::nullopt);
  EXPECT_EQ(seen.status, 200);
  EXPECT_EQ(seen.row->cost, seen.row->held);
  EXPECT_EQ(store_->Find(1)->overrun.nano,
            3 * kInputNano + 20'000 * kOutputNano - seen.row->held.nano);
  EXPECT_EQ(CounterOf("seekroute_cap_ignored_total"), 1);
}

// Providers count a few tokens more than they write: what ends an answer, say.
TEST_F(AnswerCapTest, AFewTokensMoreAreNoFault) {
  Open({10'000'000});
  const auto noticed = [this](int64_t cap, int64_t completion, const std::string& more = "") {
    Answer(completion, more);
    const double before = CounterOf("seekroute_cap_ignored_total");
    Ask(R"(,"max_tokens":)" + std::to_string(cap));
    return CounterOf("seekroute_cap_ignored_total") > before;
  };
  EXPECT_FALSE(noticed(1, 17));
  EXPECT_TRUE(noticed(1, 18));
  EXPECT_FALSE(noticed(800, 900));
  EXPECT_TRUE(noticed(800, 901));
  // Thinking is billed as an answer, wherever the provider counts it.
  EXPECT_FALSE(noticed(100, 90, R"(,"completion_tokens_details":{"reasoning_tokens":80})"));
  EXPECT_TRUE(noticed(100, 90,
                      R"(,"completion_tokens_details":{"reasoning_tokens":800},)"
                      R"("total_tokens":893)"));
}

TEST_F(AnswerCapTest, ItIsNoticedWhereNothingWasHeldAsWell) {
  options_.credits = false;
  Open({0});
  Answer(20'000);
  Ask(R"(,"max_tokens":1)");
  EXPECT_EQ(CounterOf("seekroute_cap_ignored_total"), 1);
  Ask();  // was told no length
  EXPECT_EQ(CounterOf("seekroute_cap_ignored_total"), 1);
}

// Where the cap leaves thinking out, the field that bounds it is sent with whatever is paid for.
TEST_F(AnswerCapTest, ThinkingBesideTheAnswerIsToldAndHeldFor) {
  cap_excludes_reasoning_ = true;
  reasoning_budget_field_ = "thinking_budget";
  max_reasoning_ = 5000;
  const struct {
    const char* members;
    bool unlimited;
    bool credits;
    std::optional<int64_t> cap, budget;
  } cases[] = {
      {"", false, true, 1000, 1000},
      {R"(,"max_tokens":700)", false, true, 700, 700},
      {R"(,"max_tokens":700)", true, true, 700, 700},
      {R"(,"max_tokens":1)", false, true, 1, kLeastAnswerTokens},
      {R"(,"max_tokens":700,"thinking_budget":4000)", false, true, 700, 4000},
      {R"(,"max_tokens":700,"thinking_budget":9000)", false, true, 700, 5000},
      {R"(,"thinking_budget":9000)", true, true, std::nullopt, 9000},
      {"", true, true, std::nullopt, std::nullopt},
      // Nobody's money: what the client wrote.
      {R"(,"max_tokens":700)", false, false, 700, std::nullopt},
      {R"(,"max_tokens":700,"max_cost":1)", false, false, 700, 700},
  };
  for (const auto& c : cases) {
    options_.credits = c.credits;
    credit_line_ = c.unlimited ? kUnlimitedLine : Money{};
    Open({100'000'000});
    const Seen& seen = Ask(c.members);
    const std::string sent = Sent(0);
    ASSERT_EQ(seen.status, 200) << seen.body;
    EXPECT_EQ(FieldOf(sent, "max_tokens"), c.cap) << c.members << sent;
    EXPECT_EQ(FieldOf(sent, "thinking_budget"), c.budget) << c.members << sent;
    if (!c.credits) continue;
    const int64_t answer = c.cap.value_or(1000);
    const int64_t thinking = c.cap ? *c.budget : max_reasoning_;
    EXPECT_EQ(seen.row->held.nano, PromptNano(options_) + (answer + thinking) * kOutputNano)
        << c.members;
  }
}

// A small balance buys a short answer and as much thinking; whichever is longer is not paid for.
TEST_F(AnswerCapTest, MoneyBoundsTheThinkingToo) {
  cap_excludes_reasoning_ = true;
  for (const char* field : {"thinking_budget", ""}) {
    reasoning_budget_field_ = field;
    max_reasoning_ = 800;
    for (int64_t nano = 2'000'000; nano < 10'000'000; nano += 333'333) {
      Open({nano});
      const Seen& seen = Ask();
      if (seen.status == 402) continue;
      ASSERT_EQ(seen.status, 200);
      const std::string sent = Sent(0);
      const int64_t cap = FieldOf(sent, "max_tokens").value_or(1'000'000);
      const int64_t thinking = FieldOf(sent, "thinking_budget").value_or(800);
      EXPECT_LE(PromptNano(options_) + (cap + thinking) * kOutputNano, seen.row->held.nano) << sent;
      EXPECT_EQ(FieldOf(sent, "thinking_budget").has_value(), *field != 0) << sent;
    }
  }
}

TEST_F(AnswerCapTest, ThinkingBesideTheAnswerIsNoFault) {
  cap_excludes_reasoning_ = true;
  for (const char* field : {"thinking_budget", ""}) {
    reasoning_budget_field_ = field;
    max_reasoning_ = 400;
    Open({100'000'000});
    const auto noticed = [this](int64_t completion) {
      Answer(completion);
      const double before = CounterOf("seekroute_cap_ignored_total");
      Ask(R"(,"max_tokens":400)");
      return CounterOf("seekroute_cap_ignored_total") > before;
    };
    EXPECT_FALSE(noticed(800 + 100));
    EXPECT_TRUE(noticed(800 + 101));
    EXPECT_TRUE(stats_.IgnoresCap("p", "a/m"));
  }
}

// Nobody counted for it: the gateway's own count has to be twice as much.
TEST_F(AnswerCapTest, AnAnswerWithoutUsageIsCountedHere) {
  Open({10'000'000});
  const auto noticed = [this](int words) {
    std::string answer(kAnswer);
    std::string content;
    for (int i = 0; i < words; ++i) content += " word";
    answer.replace(answer.find("hello"), 5, content);
    answer.replace(answer.find(",\"usage\""), std::string::npos, "}");
    script_.pieces = {{{}, answer}};
    const double before = CounterOf("seekroute_cap_ignored_total");
    Ask(R"(,"max_tokens":100)");
    return CounterOf("seekroute_cap_ignored_total") > before;
  };
  EXPECT_FALSE(noticed(150));
  EXPECT_TRUE(noticed(300));
}

// A stream's notes look at the same answer again and again.
TEST_F(AnswerCapTest, IsCountedOnceAnAnswer) {
  options_.note_interval = Duration::Seconds(1);
  Open({10'000'000});
  script_ = {};
  script_.head.content_type = "text/event-stream";
  std::string words;
  for (int i = 0; i < 400; ++i) words += " word";
  const std::string event =
      "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" + words + "\"}}]}\n\n";
  for (int i = 0; i < 4; ++i) script_.pieces.push_back({Duration::Seconds(2), event});
  script_.pieces.push_back(
      {Duration::Seconds(2),
       "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: "
       "[DONE]\n\n"});
  const Seen& seen = Ask(R"(,"stream":true,"max_tokens":10)");
  EXPECT_GT(store_->Find(last_)->notes.size(), 1u);
  EXPECT_TRUE(seen.row->cap_ignored);
  EXPECT_EQ(CounterOf("seekroute_cap_ignored_total"), 1);
}

// A body that was read by the rules of another profile, which refused it, is held for as any.
TEST_F(AnswerCapTest, AScanByOtherRulesIsNoEstimate) {
  Open({10'000'000});
  const int64_t held = Ask(R"(,"max_tokens":10)").row->held.nano;
  const Profile other;
  Submission submission;
  submission.id = ++last_;
  submission.body = R"({"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":10})";
  submission.authorization = Secret("Bearer good");
  submission.submitted = clock_.Now();
  submission.snapshot = snapshot_;
  submission.outlet = std::make_unique<MailboxOutlet>(&mailbox_, submission.id,
                                                      std::make_shared<FlowWindow>(window_));
  submission.scan.emplace(
      BodyScan{&other, MakeError(ErrorCode::kInvalidValue, "by the other's range"), {}});
  engine_->Submit(std::move(submission));
  Rest();
  EXPECT_EQ(seen_[last_].status, 200) << seen_[last_].body;
  EXPECT_EQ(seen_[last_].row->held.nano, held);
}

}  // namespace
}  // namespace seekroute::testing
