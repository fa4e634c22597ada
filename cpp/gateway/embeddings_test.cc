// Embeddings on an engine in a virtual world: what is asked of it, and what of its money, as of any
// other request.
#include "testing/credits_fixture.h"
#include "wire/openai/embeddings_request.h"

namespace seekroute::testing {
namespace {

constexpr std::string_view kTexts = R"(["what is a cat","and what a dog"])";
constexpr std::string_view kData =
    R"("data":[{"object":"embedding","index":0,"embedding":[0.5,-1e-2]},)"
    R"({"object":"embedding","index":1,"embedding":[1,0]}])";

class EmbeddingsTest : public CreditsTest {
 protected:
  EmbeddingsTest() {
    surface_ = SurfaceId::kEmbeddings;
    dialect_ = DialectId::kOpenAiEmbeddings;
  }

  static std::string Body(std::string_view input = kTexts, std::string_view members = "") {
    return R"({"model":"m","input":)" + std::string(input) + std::string(members) + "}";
  }
  static std::string Answer(std::string_view usage) {
    return R"({"object":"list",)" + std::string(kData) + R"(,"model":"up")" + std::string(usage) +
           "}";
  }
  static std::string Used(int64_t prompt) {
    const std::string count = std::to_string(prompt);
    return R"(,"usage":{"prompt_tokens":)" + count + R"(,"total_tokens":)" + count + "}";
  }
  static TokenEstimate Estimate() { return EstimateEmbeddingsPrompt(Body()); }

  const Seen& Embed(std::string body, const std::string& idempotency_key = "") {
    const ExchangeId id = SubmitBody(std::move(body), idempotency_key);
    Rest();
    return seen_[id];
  }
};

TEST_F(EmbeddingsTest, HoldsThePromptAndChargesItsUse) {
  Open({10'000'000});
  script_.pieces = {{{}, Answer(Used(7))}};
  const Seen& seen = Embed(Body(kTexts, R"(,"dimensions":2,"provider":{"only":["p"],"z":1})"));
  EXPECT_EQ(seen.status, 200) << seen.body;
  EXPECT_EQ(Sent(0), R"({"model":"up","input":)" + std::string(kTexts) + R"(,"dimensions":2})");
  EXPECT_TRUE(transport_->seen()[0].url.ends_with("/embeddings")) << transport_->seen()[0].url;
  EXPECT_EQ(seen.headers.at("x-seekroute-ignored"), "provider");
  EXPECT_EQ(seen.row->settlement, Settlement::kExact);
  EXPECT_EQ(seen.row->held.nano, Estimate().upper * kInputNano);
  EXPECT_EQ(seen.row->cost.nano, 7 * kInputNano);
  EXPECT_EQ(seen.row->prompt_tokens, 7);
  EXPECT_EQ(seen.row->completion_tokens, 0);
  EXPECT_FALSE(seen.row->estimated);
  EXPECT_EQ(store_->balance().nano, 10'000'000 - 7 * kInputNano);
  EXPECT_NE(seen.body.find(kData), std::string::npos);
  EXPECT_NE(seen.body.find(R"("model":"a/m")"), std::string::npos);
  EXPECT_NE(seen.body.find(R"("usage":{"prompt_tokens":7,"total_tokens":7,"cost":0.000007)"),
            std::string::npos)
      << seen.body;
}

TEST_F(EmbeddingsTest, TokensAreHeldForExactly) {
  options_.strict_bound = true;
  Open({3 * kInputNano});
  script_.pieces = {{{}, R"({"data":[{"embedding":"AACAPw=="}]})"}};
  EXPECT_EQ(Embed(Body("[1,2,3,4]")).status, 402);
  const Seen& seen = Embed(Body("[1,2,3]"));
  EXPECT_EQ(seen.status, 200) << seen.body;
  EXPECT_EQ(seen.row->held.nano, 3 * kInputNano);
  EXPECT_EQ(seen.row->cost.nano, 3 * kInputNano);
  EXPECT_EQ(store_->balance().nano, 0);
}

// A batch is as long as its texts are together, whatever fits into a context.
TEST_F(EmbeddingsTest, AContextHoldsEachTextAndNotTheBatch) {
  model_context_ = 4;
  Open({10'000'000});
  script_.pieces = {{{}, R"({"data":[{"embedding":[1]},{"embedding":[2]}])" + Used(8) + "}"}};
  const Seen& seen = Embed(Body("[[1,2,3,4],[5,6,7,8]]"));
  EXPECT_EQ(seen.status, 200) << seen.body;
  EXPECT_EQ(seen.row->held.nano, 8 * kInputNano);
  EXPECT_EQ(seen.row->cost.nano, 8 * kInputNano);
  EXPECT_EQ(seen.row->settlement, Settlement::kExact);
}

// A part without a size fills what its model reads at most, which is a context for each text.
TEST_F(EmbeddingsTest, WhatHasNoSizeFillsTheContextsOfAllTexts) {
  model_context_ = 100;
  Open({10'000'000'000});
  script_.pieces = {{{}, Answer(Used(7))}};
  const Seen& seen = Embed(Body(kTexts, R"(,"file_ids":["file-abc"])"));
  EXPECT_EQ(seen.status, 200) << seen.body;
  EXPECT_EQ(seen.row->held.nano, 2 * 100 * kInputNano);
  EXPECT_EQ(seen.row->cost.nano, 7 * kInputNano);
}

// The provider truncates a longer text, or refuses it.
TEST_F(EmbeddingsTest, NoTextIsLongerThanItsContext) {
  model_context_ = 10;
  Open({10'000'000});
  script_.pieces = {{{}, Answer(Used(20))}};
  const Seen& seen = Embed(Body());
  EXPECT_EQ(seen.row->held.nano, 2 * 10 * kInputNano);
  EXPECT_EQ(seen.row->cost, seen.row->held);
  EXPECT_FALSE(seen.row->cap_ignored);
}

// As in a chat: it is paid for as far as it was held for, and the operator hears of it.
TEST_F(EmbeddingsTest, ACountBeyondTheContextsOfAllTextsIsTold) {
  model_context_ = 50;
  for (const auto& [count, beyond] : {std::pair{100, false}, std::pair{101, true}}) {
    Open({10'000'000});
    script_.pieces = {{{}, Answer(Used(count))}};
    const Seen& seen = Embed(Body());
    EXPECT_EQ(seen.row->prompt_tokens, count);
    EXPECT_EQ(seen.row->settlement, Settlement::kExact);
    EXPECT_EQ(seen.row->cap_ignored, beyond) << count;
    EXPECT_EQ(seen.row->cost, seen.row->held);
  }
}

TEST_F(EmbeddingsTest, WithoutACountThePromptIsEstimated) {
  Open({10'000'000});
  for (const std::string_view usage :
       {"", R"(,"usage":null)", R"(,"usage":{"prompt_tokens":0,"total_tokens":0})",
        R"(,"usage":{"prompt_tokens":-1})"}) {
    script_.pieces = {{{}, Answer(usage)}};
    const Seen& seen = Embed(Body());
    EXPECT_EQ(seen.status, 200);
    EXPECT_EQ(seen.row->settlement, Settlement::kEstimated) << usage;
    EXPECT_TRUE(seen.row->estimated);
    EXPECT_EQ(seen.row->cost.nano, Estimate().tokens * kInputNano) << usage;
    EXPECT_NE(seen.body.find("\"total_tokens\":" + std::to_string(Estimate().tokens)),
              std::string::npos);
  }
}

TEST_F(EmbeddingsTest, NoMoreThanIsHeldIsCharged) {
  Open({10'000'000});
  script_.pieces = {{{}, Answer(Used(1'000'000))}};
  const Seen& seen = Embed(Body());
  EXPECT_EQ(seen.row->cost, seen.row->held);
  EXPECT_EQ(store_->balance().nano, 10'000'000 - seen.row->held.nano);
}

// Of any vocabulary: Georgian in cl100k is four times what the estimate expects.
TEST_F(EmbeddingsTest, WhatAVocabularyOfBytesCountsIsHeldFor) {
  const std::string text = "თბილისი საქართველოს დედაქალაქია";
  const auto bytes = static_cast<int64_t>(text.size());
  Open({10'000'000});
  script_.pieces = {{{}, R"({"data":[{"embedding":[1]}])" + Used(bytes) + "}"}};
  const Seen& seen = Embed(Body('"' + text + '"'));
  EXPECT_EQ(seen.status, 200) << seen.body;
  EXPECT_EQ(seen.row->cost.nano, bytes * kInputNano);
  EXPECT_GE(seen.row->held, seen.row->cost);
  EXPECT_EQ(store_->bookings().at(last_).overrun.nano, 0);
}

TEST_F(EmbeddingsTest, IsGivenAgainByteForByte) {
  store_answers_ = true;
  Open({10'000'000});
  script_.pieces = {{{}, Answer(Used(7))}};
  const Seen first = Embed(Body(), "order-1");
  const Money left = store_->balance();
  const Seen again = Embed(Body(), "order-1");
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(again.body, first.body);
  EXPECT_EQ(again.headers.at("x-seekroute-idempotent-replay"), "true");
  EXPECT_EQ(Embed(Body("\"other\""), "order-1").status, 422);
  EXPECT_EQ(transport_->seen().size(), 1u);
  EXPECT_EQ(store_->balance(), left);
}

TEST_F(EmbeddingsTest, WhoLeavesPaysForWhatIsReadOut) {
  for (const OnAbort on_abort : {OnAbort::kCancel, OnAbort::kReadOut}) {
    on_abort_ = on_abort;
    Open({10'000'000});
    script_.pieces = {{Duration::Seconds(9), Answer(Used(7))}};
    const ExchangeId id = SubmitBody(Body());
    agenda_.After(Duration::Seconds(1), [&] { engine_->Cancel(id); });
    Rest();
    const bool read_out = on_abort == OnAbort::kReadOut;
    EXPECT_EQ(seen_[id].row->cost.nano, read_out ? 7 * kInputNano : 0);
    EXPECT_EQ(seen_[id].row->settlement, read_out ? Settlement::kExact : Settlement::kCancelled);
    // What the provider may charge for what nobody waited for: the prompt, and no answer.
    EXPECT_EQ(seen_[id].row->Suspected().nano, read_out ? 0 : Estimate().tokens * kInputNano);
    EXPECT_EQ(seen_[id].body, "");
  }
}

// It is not sent: the provider would be paid for what nobody gets.
TEST_F(EmbeddingsTest, AnAnswerThatCannotFitIsNotAskedFor) {
  options_.max_answer_bytes = 100;
  Open({10'000'000});
  const Seen& seen = Embed(Body(kTexts, R"(,"dimensions":20)"));
  EXPECT_EQ(seen.status, 400);
  EXPECT_NE(seen.body.find("send fewer inputs at a time"), std::string::npos) << seen.body;
  EXPECT_TRUE(transport_->seen().empty());
  EXPECT_EQ(seen.row->attempts, 0);
  EXPECT_EQ(seen.row->cost.nano, 0);
  EXPECT_EQ(store_->balance().nano, 10'000'000);
}

TEST_F(EmbeddingsTest, AnAnswerThatIsTooLargeFailsAndIsFree) {
  options_.max_answer_bytes = 100;
  Open({10'000'000});
  script_.pieces = {{{}, Answer(Used(7))}};
  const Seen& seen = Embed(Body());
  EXPECT_EQ(seen.status, 502);
  EXPECT_EQ(seen.headers.at("x-should-retry"), "false");  // it would be as large, and paid again
  EXPECT_NE(seen.body.find(R"("code":"answer_too_large")"), std::string::npos) << seen.body;
  EXPECT_NE(seen.body.find("send fewer inputs at a time"), std::string::npos) << seen.body;
  EXPECT_EQ(seen.row->settlement, Settlement::kFailed);
  EXPECT_EQ(seen.row->cost.nano, 0);
  EXPECT_EQ(store_->balance().nano, 10'000'000);
}

TEST_F(EmbeddingsTest, WhatIsMissingOfAnAnswerFailsIt) {
  Open({10'000'000});
  script_.pieces = {{{}, R"({"data":[{"embedding":[1]}]})"}};
  const Seen& seen = Embed(Body());
  EXPECT_EQ(seen.status, 502);
  EXPECT_NE(seen.body.find("has 1 embeddings of 2 inputs"), std::string::npos) << seen.body;
  EXPECT_EQ(seen.row->cost.nano, 0);
}

TEST_F(EmbeddingsTest, AMostThatItMayCostBoundsThePrompt) {
  Open({10'000'000});
  script_.pieces = {{{}, Answer(Used(7))}};
  const Money most{Estimate().upper * kInputNano};
  EXPECT_EQ(Embed(Body(kTexts, ",\"max_cost\":" + FormatUsd(most))).status, 200);
  EXPECT_EQ(Embed(Body(kTexts, ",\"max_cost\":" + FormatUsd(Money{most.nano - 1}))).status, 402);
  EXPECT_EQ(transport_->seen().size(), 1u);
}

// Before any money is held.
TEST_F(EmbeddingsTest, IsNotAskedOfAModelThatChatsNorTheOtherWayRound) {
  Open({10'000'000});
  surface_ = SurfaceId::kChat;
  const Seen chat = Ask();
  EXPECT_EQ(chat.status, 404);
  EXPECT_NE(chat.body.find("no_matching_endpoint"), std::string::npos) << chat.body;
  EXPECT_NE(chat.body.find("POST /v1/embeddings"), std::string::npos) << chat.body;

  for (const DialectId dialect : {DialectId::kOpenAiChat, DialectId::kOpenAiImages}) {
    surface_ = SurfaceId::kEmbeddings;
    dialect_ = dialect;
    Open({10'000'000});
    const Seen embeddings = Embed(Body());
    EXPECT_EQ(embeddings.status, 404);
    EXPECT_NE(embeddings.body.find("POST /v1/chat/completions"), std::string::npos)
        << embeddings.body;
    EXPECT_TRUE(transport_->seen().empty());
    EXPECT_EQ(store_->bookings().size(), 0u);
  }
}

TEST_F(EmbeddingsTest, CountsUnderItsOwnName) {
  Open({10'000'000});
  script_.pieces = {{{}, Answer(Used(7))}};
  Embed(Body());
  bool counted = false;
  for (const Sample& sample : stats_.Samples()) {
    for (const auto& [name, value] : sample.labels) counted = counted || value == "embeddings";
  }
  EXPECT_TRUE(counted);
}

}  // namespace
}  // namespace seekroute::testing
