// What an endpoint says of itself, its context and its longest answer, decides what is held, told
// and believed there, whatever the model's row says.
#include <algorithm>
#include <string>

#include "testing/credits_fixture.h"
#include "testing/read_chat.h"
#include "wire/openai/chat_prompt.h"
#include "wire/openai/prompt_parts.h"

namespace seekroute::testing {
namespace {

class EndpointBoundsTest : public CreditsTest {
 protected:
  // A request whose prompt is as long, in bytes, and its answer's counts.
  const Seen& AskAbout(int64_t prompt, int64_t completion, size_t bytes,
                       const std::string& members = "") {
    std::string answer(kAnswer);
    const size_t usage = answer.find("\"prompt_tokens\"");
    answer.replace(usage, std::string::npos,
                   "\"prompt_tokens\":" + std::to_string(prompt) +
                       ",\"completion_tokens\":" + std::to_string(completion) + "}}");
    script_.pieces = {{{}, answer}};
    return Ask(R"(,"documents":[")" + std::string(bytes, 'e') + "\"]" + members);
  }
};

TEST_F(EndpointBoundsTest, ALongPromptAtALongEndpointIsChargedAsItIs) {
  model_context_ = 2000;
  endpoint_context_ = 10'000;
  Open({100'000'000});
  const Seen& seen = AskAbout(9000, 5, 9000);
  ASSERT_EQ(seen.status, 200) << seen.body;
  EXPECT_EQ(seen.row->settlement, Settlement::kExact);
  EXPECT_EQ(seen.row->cost.nano, 9000 * kInputNano + 5 * kOutputNano);
}

TEST_F(EndpointBoundsTest, ALongAnswerIsToldHeldForAndChargedAsItIs) {
  endpoint_max_output_ = 8000;
  for (const bool unlimited : {false, true}) {
    credit_line_ = unlimited ? kUnlimitedLine : Money{};
    Open({100'000'000});  // of a model with answers of 1000
    const Seen& seen = AskAbout(3, 7000, 10, unlimited ? "" : R"(,"max_tokens":9000)");
    ASSERT_EQ(seen.status, 200) << seen.body;
    const bool told = Sent(0).find(R"("max_tokens":8000)") != std::string::npos;
    EXPECT_EQ(told, !unlimited) << Sent(0);
    EXPECT_EQ(seen.row->settlement, Settlement::kExact);
    EXPECT_EQ(seen.row->cost.nano, 3 * kInputNano + 7000 * kOutputNano);
    EXPECT_FALSE(seen.row->cap_ignored);
  }
}

// The catalog is behind: the provider has taken a longer prompt than it knows. What was sent can
// have that many tokens, so the count is one, and what the hold lacks is the operator's loss.
TEST_F(EndpointBoundsTest, APromptThatTheRequestCanHaveIsACountBeyondAnyContext) {
  endpoint_context_ = 2000;
  Open({100'000'000});
  const Seen& seen = AskAbout(9000, 5, 9000, R"(,"max_tokens":5)");
  EXPECT_EQ(seen.row->settlement, Settlement::kExact);
  EXPECT_EQ(seen.row->cost, seen.row->held);
  EXPECT_EQ(seen.row->held.nano, 2000 * kInputNano + 5 * kOutputNano);
  EXPECT_EQ(store_->Find(1)->overrun.nano, 7000 * kInputNano);
}

// One that it cannot have is billed all the same: the provider has added to the prompt, or its
// context is longer than anybody here knows. The client pays no more than its hold, and the
// operator learns of the rest.
TEST_F(EndpointBoundsTest, AUsageBeyondTheContextIsChargedUpToTheHold) {
  endpoint_context_ = 2000;
  const struct {
    int64_t prompt, completion;
  } cases[] = {{90'000, 5}, {15, 9000}, {90'000, 9000}, {(int64_t{1} << 24), 0}};
  for (const auto& [prompt, completion] : cases) {
    Open({1'000'000'000});
    const Seen& seen = AskAbout(prompt, completion, 10, R"(,"max_tokens":300)");
    EXPECT_EQ(seen.row->settlement, Settlement::kExact) << prompt;
    EXPECT_EQ(seen.row->cost, seen.row->held) << prompt;
    EXPECT_TRUE(seen.row->cap_ignored) << prompt;
    const int64_t billed = prompt * kInputNano + completion * kOutputNano;
    EXPECT_EQ(seen.row->upstream_cost.nano, billed);
    EXPECT_EQ(store_->Find(last_)->overrun.nano, billed - seen.row->held.nano);
  }
  // Dearer than the hold or not: what the provider says is what it bills.
  Open({1'000'000'000});
  const Seen& within = AskAbout(2500, 1, 10, R"(,"max_tokens":2000)");
  EXPECT_EQ(within.row->settlement, Settlement::kExact);
  EXPECT_TRUE(within.row->cap_ignored);
  EXPECT_EQ(within.row->cost.nano,
            std::min(2500 * kInputNano + kOutputNano, within.row->held.nano));
}

// No model can reach such counts, and none that is cheaper than what was delivered is believed.
TEST_F(EndpointBoundsTest, AUsageThatNothingCanHaveIsNoCount) {
  endpoint_context_ = 2000;
  constexpr int64_t kMost = int64_t{1} << 24;
  const struct {
    int64_t prompt, completion;
  } cases[] = {{kMost + 1, 5}, {10, kMost + 1}, {int64_t{1} << 50, int64_t{1} << 50}};
  for (const auto& [prompt, completion] : cases) {
    Open({1'000'000'000});
    const Seen& seen = AskAbout(prompt, completion, 10, R"(,"max_tokens":300)");
    EXPECT_EQ(seen.row->settlement, Settlement::kEstimated) << prompt;
    EXPECT_LT(seen.row->cost, seen.row->held) << prompt;
    EXPECT_GT(seen.row->cost, Money{});
    EXPECT_FALSE(seen.row->cap_ignored);
    EXPECT_EQ(store_->Find(last_)->overrun, Money{});
  }
  // Without a hold there is no bound to charge up to.
  options_.credits = false;
  Open({});
  EXPECT_TRUE(AskAbout(90'000, 5, 10).row->estimated);
}

TEST_F(EndpointBoundsTest, NoUseWithinTheBoundsIsAnEstimateOrAboveItsHold) {
  options_.strict_bound = true;
  for (uint64_t seed = 1; seed <= 600; ++seed) {
    SeededRng rng(seed);
    const auto draw = [&rng](int64_t most) {
      return rng.OneIn(3) ? 0 : 1 + static_cast<int64_t>(rng.Below(static_cast<uint64_t>(most)));
    };
    model_context_ = draw(3000);
    endpoint_context_ = draw(6000);
    endpoint_max_output_ = draw(4000);
    const int64_t model_output = draw(2000);
    credit_line_ = rng.OneIn(2) ? kUnlimitedLine : Money{};
    Open({1'000'000'000}, {}, model_output);
    const int64_t context = endpoint_context_ > 0 ? endpoint_context_ : model_context_;
    int64_t longest = endpoint_max_output_ > 0 ? endpoint_max_output_ : model_output;
    if (longest == 0) longest = 5000;
    const auto bytes = static_cast<size_t>(rng.Below(5000));
    // The prompt is no longer than its bytes, and leaves the answer its place.
    int64_t prompt = static_cast<int64_t>(rng.Below(bytes + 1));
    if (context > 0) prompt = std::min(prompt, context - 1);
    if (context > 0) longest = std::min(longest, context - prompt);
    const int64_t named = draw(5000);
    if (named > 0) longest = std::min(longest, named);
    const std::string members = named > 0 ? ",\"max_tokens\":" + std::to_string(named) : "";
    AskAbout(prompt, 1, bytes, members);  // what is told
    const std::string sent = Sent(0);
    const size_t at = sent.find("\"max_tokens\":");
    if (at != std::string::npos)
      longest = std::min<int64_t>(longest, std::stoll(sent.substr(at + 13)));
    const Seen& seen = AskAbout(prompt, longest, bytes, members);
    ASSERT_EQ(seen.status, 200) << "seed " << seed << ": " << seen.body;
    ASSERT_EQ(seen.row->settlement, Settlement::kExact) << "seed " << seed;
    ASSERT_EQ(seen.row->cost.nano, prompt * kInputNano + longest * kOutputNano) << "seed " << seed;
    ASSERT_EQ(store_->Find(last_)->overrun, Money{}) << "seed " << seed;
  }
}

// What a picture or a search may take at worst is held for. It is no reason to cut the answer.
// A prompt that nearly fills the context leaves half of the rest for the answer, and the rest for
// its estimate to err.
TEST_F(EndpointBoundsTest, ALongPromptLeavesHalfOfWhatItsContextHas) {
  std::string words;
  while (words.size() < 400'000) words += "the night train was late again ";
  const std::string request =
      R"({"model":"m","messages":[{"role":"user","content":")" + words + "\"}]}";
  const int64_t expected = EstimateChatPrompt(request).tokens;
  const struct {
    int64_t left;  // beside what is expected of the prompt
    int64_t told;
  } cases[] = {
      {17'182, 8591}, {20'000, 10'000}, {514, 257}, {500, 256}, {-10'000, 256},
  };
  for (const auto& c : cases) {
    endpoint_context_ = expected + c.left;
    Open({5'000'000'000'000}, {}, 200'000);
    const ExchangeId id = SubmitBody(request);
    Rest();
    const Seen& seen = seen_[id];
    ASSERT_EQ(seen.status, 200) << seen.body;
    const std::string told = "\"max_tokens\":" + std::to_string(c.told);
    const size_t at = Sent(0).find("\"max_tokens\":");
    ASSERT_NE(at, std::string::npos);
    EXPECT_EQ(Sent(0).substr(at, told.size()), told) << c.left;
    EXPECT_GE(seen.row->held.nano,
              std::min(expected, endpoint_context_) * kInputNano + c.told * kOutputNano);
  }
}

TEST_F(EndpointBoundsTest, WhatMayBeLongAtWorstShortensNoAnswer) {
  std::string parts = R"({"type":"text","text":"hi"})";
  for (int i = 0; i < 3; ++i) {
    parts += R"(,{"type":"image_url","image_url":{"url":"https://x/y"}})";
  }
  const std::string requests[] = {
      R"({"model":"m","messages":[{"role":"user","content":[)" + parts + "]}]",
      R"({"model":"m","messages":[{"role":"user","content":"hi"}],"web_search_options":{})",
      R"({"model":"m","messages":[{"role":"user","content":"hi"}],"x":["https://y","https://z"])",
      R"({"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{"file_data":")" +
          std::string(200'000, 'A') + R"("}}]}])",
      R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hi"},)"
      R"({"type":"video_url","video_url":{"url":"https://x/y"}}]}])",
  };
  for (const std::string& request : requests) {
    for (const int64_t context : {20'000, 128'000, 1'000'000}) {
      for (const bool unlimited : {false, true}) {
        for (const bool named : {false, true}) {
          for (const bool strict : {false, true}) {
            options_.strict_bound = strict;
            endpoint_context_ = context;
            credit_line_ = unlimited ? kUnlimitedLine : Money{};
            Open({10'000'000'000}, {}, 8000);
            const std::string body = request + (named ? R"(,"max_tokens":4096})" : "}");
            const auto parsed = ReadChat(body);
            ASSERT_TRUE(parsed);
            const std::string what = request.substr(0, 90) + " " + std::to_string(context);
            const ExchangeId id = SubmitBody(body);
            Rest();
            const Seen& seen = seen_[id];
            ASSERT_EQ(seen.status, 200) << what << seen.body;
            const int64_t answer = named ? 4096 : 8000;
            const bool told =
                Sent(0).find("\"max_tokens\":" + std::to_string(answer)) != std::string::npos;
            EXPECT_EQ(told, named || !unlimited) << what;
            // All that the context takes of such a prompt, and the answer.
            const int64_t sized =
                parsed->ask.strict_prompt - kMostOpeningTokens - kMostMessageTokens;
            const int64_t prompt =
                parsed->ask.unsized_parts > 0 ? context : std::min(context, sized);
            EXPECT_GE(seen.row->held.nano, prompt * kInputNano + answer * kOutputNano) << what;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace seekroute::testing
