// A quote says what the same request is then held for, whatever it is made of.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "gateway/admission.h"
#include "gateway/quote.h"
#include "testing/credits_fixture.h"
#include "testing/random_request.h"
#include "wire/protocols/protocols.h"

namespace seekroute::testing {
namespace {

class QuoteHoldTest : public CreditsTest {
 protected:
  Result<std::string> Quote(const std::string& body) {
    Admission admission;
    const AdmissionRules rules{.keys = &keys_,
                               .require_key = true,
                               .origin = Origin::kServer,
                               .now = UnixSeconds{1},
                               .scope = {.prompt = true}};
    const Status status =
        Admit(SurfaceOf(surface_), body, Secret("Bearer good"), *snapshot_, rules, &admission);
    if (!status.ok()) return status.error();
    return WriteQuote(admission, *snapshot_, options_, UnixSeconds{1});
  }

  // The figure `max` of a member of the quote itself; of several the last.
  static std::string MostOf(const std::string& quote, const std::string& member) {
    const size_t candidates = quote.find("\"candidates\"");
    const size_t at = quote.rfind("\"" + member + "\":{", candidates);
    const size_t max = quote.find("\"max\":", at) + 6;
    return quote.substr(max, quote.find('}', max) - max);
  }
};

// Near a full context as well: what is told of the answer is what is held for.
TEST_F(QuoteHoldTest, AnUnnamedLengthIsQuotedAsItIsHeldFor) {
  endpoint_context_ = 16'384;
  std::string text;
  for (int i = 0; i < 7700; ++i) text += "word ";
  const std::string body =
      R"({"model":"m","messages":[{"role":"user","content":")" + text + "\"}]}";
  for (const bool unlimited : {false, true}) {
    credit_line_ = unlimited ? kUnlimitedLine : Money{};
    Open({1'000'000'000'000}, {}, 0);
    const Result<std::string> quote = Quote(body);
    ASSERT_TRUE(quote);
    const ExchangeId id = SubmitBody(body);
    Rest();
    EXPECT_EQ(MostOf(*quote, "cost"), FormatUsd(seen_[id].row->held)) << *quote;
    const std::string told = MostOf(*quote, "completion_tokens");
    const bool sent = Sent(0).find("\"max_tokens\":" + told) != std::string::npos;
    EXPECT_EQ(sent, !unlimited) << told;
  }
}

TEST_F(QuoteHoldTest, EmbeddingsAreHeldForAsTheyAreQuoted) {
  surface_ = SurfaceId::kEmbeddings;
  dialect_ = DialectId::kOpenAiEmbeddings;
  model_context_ = 8;  // of each text, and no bound of a batch
  for (const bool strict : {false, true}) {
    options_.strict_bound = strict;
    for (const std::string input :
         {R"("a text of some words")", R"(["one","another","and the last of them"])", "[1,2,3]",
          "[[1,2,3,4,5,6],[7,8,9,10,11,12]]", R"("a text","images":["https://x.test/a.png"])"}) {
      Open({1'000'000'000'000});
      const std::string body = R"({"model":"m","input":)" + input + "}";
      const Result<std::string> quote = Quote(body);
      ASSERT_TRUE(quote) << quote.error().message;
      const ExchangeId id = SubmitBody(body);
      Rest();
      EXPECT_EQ(MostOf(*quote, "hold"), FormatUsd(seen_[id].row->held)) << *quote;
      EXPECT_EQ(MostOf(*quote, "cost"), FormatUsd(seen_[id].row->held)) << *quote;
      EXPECT_EQ(MostOf(*quote, "completion_tokens"), "0") << *quote;
      EXPECT_GT(seen_[id].row->held, Money{});
    }
  }
}

TEST_F(QuoteHoldTest, EveryRequestIsHeldForAsItIsQuoted) {
  int refused = 0;
  int undrawn = 0;
  int unbounded = 0;
  for (uint64_t seed = 1; seed <= 600; ++seed) {
    SeededRng rng(seed);
    const auto draw = [&rng](int64_t most) {
      return rng.OneIn(2) ? 0 : 1 + static_cast<int64_t>(rng.Below(static_cast<uint64_t>(most)));
    };
    model_context_ = draw(3000);
    endpoint_context_ = draw(200'000);
    endpoint_max_output_ = draw(4000);
    cap_excludes_reasoning_ = rng.OneIn(3);
    reasoning_budget_field_ = rng.OneIn(2) ? "thinking_budget" : "";
    max_reasoning_ = draw(5000);
    dialect_ = rng.OneIn(8) ? DialectId::kOpenAiImages : DialectId::kOpenAiChat;
    options_.strict_bound = rng.OneIn(2);
    options_.max_media_tokens = draw(100'000);
    options_.max_output_tokens = rng.OneIn(3) ? draw(5000) : 0;
    credit_line_ = rng.OneIn(2) ? kUnlimitedLine : Money{};
    Open({1'000'000'000'000'000}, {}, draw(3000));
    std::string body = RandomRequest(&rng).body();
    body.pop_back();
    if (rng.OneIn(2)) body += ", \"max_tokens\": " + std::to_string(1 + rng.Below(5000));
    if (rng.OneIn(4)) body += ", \"max_cost\": 0." + std::to_string(1 + rng.Below(900));
    body += "}";
    const Result<std::string> quote = Quote(body);
    const ExchangeId id = SubmitBody(body);
    Rest();
    const Seen& seen = seen_[id];
    if (!quote && quote.error().code == ErrorCode::kInvalidValue) {
      ++undrawn;
      EXPECT_EQ(dialect_, DialectId::kOpenAiImages) << body;
      EXPECT_EQ(seen.status, 400) << "seed " << seed << ": " << body;
      EXPECT_EQ(seen.row->held, Money{}) << body;
      continue;
    }
    if (!quote) {
      ++refused;
      EXPECT_EQ(quote.error().code, ErrorCode::kMaxCostExceeded);
      EXPECT_EQ(seen.status, 402) << "seed " << seed << ": " << body;
      EXPECT_NE(seen.body.find("max_cost_exceeded"), std::string::npos) << seen.body;
      continue;
    }
    const std::string held = FormatUsd(seen.row->held);
    ASSERT_EQ(MostOf(*quote, "hold"), held) << "seed " << seed << ": " << body << *quote;
    const std::string most = MostOf(*quote, "cost");
    unbounded += most == "null";
    if (most != "null") {
      ASSERT_EQ(most, held) << "seed " << seed << ": " << body << *quote;
    }
  }
  EXPECT_GT(refused, 10);
  EXPECT_GT(undrawn, 5);
  EXPECT_GT(unbounded, 5);
}

}  // namespace
}  // namespace seekroute::testing
