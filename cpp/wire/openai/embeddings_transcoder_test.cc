// A try at an upstream that makes embeddings, through the Transcoder's interface alone: wherever
// the bytes of its answer are cut, the client gets the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "testing/transcoder_cuts.h"

namespace seekroute {
namespace {

using testing::Ended;
using ::testing::HasSubstr;
using testing::Relay;
using testing::SameAtEveryCut;

constexpr size_t kMostAnswerBytes = 4096;
constexpr std::string_view kBom = "\xEF\xBB\xBF";

class Asked : public testing::AskedOfDialect {
 public:
  explicit Asked(std::string_view input = R"(["a","b"])", std::string_view members = "")
      : AskedOfDialect(
            SurfaceId::kEmbeddings, DialectId::kOpenAiEmbeddings,
            R"({"model": "m","input":)" + std::string(input) + std::string(members) + "}") {
    plan.upstream_model = "up\"stream";
    plan.max_answer_bytes = kMostAnswerBytes;
    report.usage.prompt = 3;
    report.usage.completion = 0;
    report.usage.total = 3;
  }
};

std::string Entry(std::string_view embedding) {
  return R"({"object":"embedding","index":0,"embedding":)" + std::string(embedding) + "}";
}
std::string Answer(std::string_view data, std::string_view members = "") {
  return R"({"object":"list","data":[)" + std::string(data) + R"(],"model":"x")" +
         std::string(members) + "}";
}
const std::string kTwo = Entry("[0.1,-2e-3]") + "," + Entry("[1,0]");
constexpr std::string_view kUsage = R"(,"usage":{"prompt_tokens":11,"total_tokens":11})";

TEST(EmbeddingsTranscoder, SendsTheClientsBytesButForTheModelAndTheGatewaysOwn) {
  const Asked plain(R"( [1, 2 ])", R"(, "dimensions":3 ,"encoding_format":"base64","x":null)");
  const std::unique_ptr<Transcoder> way = plain.Open();
  EXPECT_FALSE(way->streams());
  EXPECT_FALSE(way->adds_member());
  EXPECT_EQ(way->Ignored(), "");
  const UpstreamRequest call = way->TakeRequest();
  EXPECT_EQ(call.path, "/embeddings");
  EXPECT_THAT(call.headers, ::testing::ElementsAre("Accept: application/json"));
  EXPECT_EQ(call.body, R"({"model": "up\"stream","input": [1, 2 ], "dimensions":3 ,)"
                       R"("encoding_format":"base64","x":null})");

  const Asked more(R"("a")",
                   R"(,"max_cost":1,"provider":{"only":["x"]},"dimensions":3,)"
                   R"("models":["y"],"preset":"p","usage":{"include":true},"api_base":null)");
  const std::unique_ptr<Transcoder> other = more.Open();
  EXPECT_EQ(other->Ignored(), "preset");
  EXPECT_EQ(other->TakeRequest().body, R"({"model": "up\"stream","input":"a","dimensions":3})");
}

TEST(EmbeddingsTranscoder, RefusesARequestOfAnotherSurface) {
  Asked asked;
  asked.plan.surface = SurfaceId::kChat;
  const Result<std::unique_ptr<Transcoder>> way = asked.TryOpen();
  ASSERT_FALSE(way.has_value());
  EXPECT_EQ(way.error().code, ErrorCode::kNoMatchingEndpoint);
}

TEST(EmbeddingsTranscoder, RelaysAnAnswerByteForByte) {
  const Ended ended = SameAtEveryCut(Asked(), Answer(kTwo, kUsage));
  EXPECT_EQ(ended.out, R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":)"
                       R"([0.1,-2e-3]},{"object":"embedding","index":0,"embedding":[1,0]}],)"
                       R"("model":"m/n","usage":{"prompt_tokens":3,"total_tokens":3}})");
  EXPECT_THAT(ended.known, HasSubstr("state 3 content 1 pieces 0 whole 1"));
  EXPECT_THAT(ended.known, HasSubstr("prompt 11 completion 0 total 11 cached - odd 0"));
  EXPECT_THAT(ended.known, HasSubstr("streamed 0 any 1 finish  tier  counted 0"));
  const std::string bom = std::string(kBom) + Answer(kTwo, kUsage);
  EXPECT_EQ(SameAtEveryCut(Asked(), bom).out, ended.out);
  EXPECT_EQ(SameAtEveryCut(Asked(), bom, "text/plain").out, ended.out);
}

TEST(EmbeddingsTranscoder, IsSilentUntilTheEndOfItsInput) {
  const Asked asked;
  const std::unique_ptr<Transcoder> way = asked.Open();
  way->OnHead("application/json");
  std::string out;
  ASSERT_TRUE(way->Feed(Answer(kTwo, kUsage), &out).ok());
  EXPECT_EQ(way->state(), Transcoder::State::kSilent);
  EXPECT_FALSE(way->IsWhole());
  EXPECT_FALSE(way->reading().any_output);
}

// Whichever it was asked for: SDKs read both.
TEST(EmbeddingsTranscoder, PassesEitherEncoding) {
  const std::string base64 = Entry("\"AACAPwAAAAA=\"");
  const std::string floats = Entry("[1]");
  for (const std::string_view asked :
       {R"(,"encoding_format":"float")", R"(,"encoding_format":"base64")", ""}) {
    for (const std::string& entry : {base64, floats}) {
      const Ended ended = SameAtEveryCut(Asked("\"a\"", asked), Answer(entry, kUsage));
      EXPECT_THAT(ended.out, HasSubstr(entry));
    }
  }
}

TEST(EmbeddingsTranscoder, AddsWhatIsMissingAndCutsWhatStandsTwice) {
  const std::string bare = " { \"data\" : [" + kTwo + "] } ";
  EXPECT_EQ(SameAtEveryCut(Asked(), bare).out,
            R"( {"object":"list","model":"m/n","usage":{"prompt_tokens":3,"total_tokens":3},)"
            " \"data\" : [" +
                kTwo + "] } ");
  const std::string twice = R"({"id":"u","model":1,"usage":null,"usage":{"prompt_tokens":4},)"
                            R"("data":[)" +
                            kTwo + R"(],"model":"z","object":"list","id":"v"})";
  const Ended ended = SameAtEveryCut(Asked(), twice);
  EXPECT_EQ(ended.out, R"({"id":"gen-1","model":"m/n","usage":{"prompt_tokens":3,)"
                       R"("total_tokens":3},"data":[)" +
                           kTwo + R"(],"object":"list"})");
  EXPECT_THAT(ended.known, HasSubstr("odd 1"));
}

TEST(EmbeddingsTranscoder, TellsUsageCostAndRoute) {
  Asked asked;
  asked.report.usage.cached = 2;
  asked.report.cost =
      CostReport{.cost = {30}, .details = true, .upstream = {25}, .upstream_prompt = {25}};
  asked.report.routing = R"("routing":{"strategy":"direct"})";
  const Ended ended = SameAtEveryCut(asked, Answer(kTwo, kUsage));
  EXPECT_THAT(ended.out, HasSubstr(R"({"routing":{"strategy":"direct"},"object":"list")"));
  EXPECT_THAT(ended.out,
              HasSubstr(R"("usage":{"prompt_tokens":3,"total_tokens":3,)"
                        R"("prompt_tokens_details":{"cached_tokens":2},"cost":0.00000003,)"
                        R"("cost_details":{"upstream_inference_cost":0.000000025,)"));
  EXPECT_EQ(ended.out.find("completion_tokens"), std::string::npos);
}

TEST(EmbeddingsTranscoder, ReadsWhatProvidersSayOfThePrompt) {
  struct Case {
    std::string_view usage;
    std::string_view known;
  };
  for (const Case& c : std::vector<Case>{
           {R"({"prompt_tokens":5,"total_tokens":5})",
            "prompt 5 completion 0 total 5 cached - odd 0"},
           {R"({"total_tokens":6})", "prompt 6 completion 0 total 6 cached - odd 0"},
           {R"({"input_tokens":7})", "prompt 7 completion 0 total 7 cached - odd 0"},
           {R"({"prompt_tokens":5,"completion_tokens":9,"total_tokens":14})",
            "prompt 5 completion 0 total 5 cached - odd 0"},
           {R"({"prompt_tokens":5,"prompt_tokens_details":{"cached_tokens":2}})",
            "prompt 5 completion 0 total 5 cached 2 odd 0"},
           // No input is empty: none of these is a count.
           {R"({"prompt_tokens":0,"total_tokens":0})",
            "prompt - completion - total - cached - odd 0"},
           {"{}", "prompt - completion - total - cached - odd 0"},
           {"null", "prompt - completion - total - cached - odd 0"},
           {R"("many")", "prompt - completion - total - cached - odd 0"},
           {R"({"prompt_tokens":-3})", "prompt - completion - total - cached - odd 1"},
           {R"({"prompt_tokens":5,"prompt_tokens":6})",
            "prompt 6 completion 0 total 6 cached - odd 1"},
       }) {
    const std::string answer = Answer(kTwo, R"(,"usage":)" + std::string(c.usage));
    EXPECT_THAT(SameAtEveryCut(Asked(), answer).known, HasSubstr(c.known)) << c.usage;
  }
}

// By which it may have its price. The client gets the member as it came.
TEST(EmbeddingsTranscoder, ReadsTheServiceTierAsAChatDoes) {
  const auto tier = [](std::string_view members) {
    const std::string bytes = Answer(kTwo, std::string(kUsage) + std::string(members));
    const Asked asked;
    const std::unique_ptr<Transcoder> way = asked.Open();
    way->OnHead("application/json");
    std::string out;
    EXPECT_TRUE(way->Feed(bytes, &out).ok());
    EXPECT_EQ(way->reading().service_tier, "");
    EXPECT_TRUE(way->EndOfInput(&out).ok());
    std::string told = way->reading().service_tier;
    way->Finish(asked.report, &out);
    EXPECT_THAT(out, HasSubstr(members));
    return told;
  };
  EXPECT_EQ(tier(R"(,"service_tier":"flex")"), "flex");
  EXPECT_EQ(tier(R"(,"service_tier":"flex","service_tier":"on_demand-2.0")"), "on_demand-2.0");
  for (const std::string_view none :
       {"", R"(,"service_tier":null)", R"(,"service_tier":7)", R"(,"service_tier":["flex"])",
        R"(,"service_tier":"two words")"}) {
    EXPECT_EQ(tier(none), "") << none;
  }
}

// As in any answer: Python writes NaN, and no SDK outside of it reads that.
TEST(EmbeddingsTranscoder, MendsWhatIsNoNumber) {
  const std::string odd = Answer(Entry("[NaN,1,-Infinity]") + "," + Entry("[null]"), kUsage);
  EXPECT_THAT(SameAtEveryCut(Asked(), odd).out,
              HasSubstr(R"("embedding":[null,1,null]},{"object":"embedding","index":0,)"));
}

TEST(EmbeddingsTranscoder, RefusesWhatIsNoAnswer) {
  struct Case {
    std::string bytes;
    std::string_view why;
  };
  const std::string one = Entry("[1]");
  const std::vector<Case> cases = {
      {"", "the provider answered with an empty body instead of JSON"},
      {"{", "is no list of embeddings: invalid JSON at byte 1"},
      {Answer(kTwo).substr(0, 60), "is no list of embeddings: invalid JSON"},
      {Answer(kTwo) + "x", "is no list of embeddings: invalid JSON"},
      {"3", "the provider answered with text instead of JSON"},
      {"[]", "has no data"},
      {"{}", "has no data"},
      {R"({"data":null})", "has no data"},
      {R"({"data":{"embedding":[1]}})", "has no data"},
      {R"({"embeddings":[[1],[2]]})", "has no data"},
      {R"({"data":[],"data":[]})", "has its data twice"},
      {Answer(""), "has 0 embeddings of 2 inputs"},
      {Answer(one), "has 1 embeddings of 2 inputs"},
      {Answer(kTwo + "," + one), "has 3 embeddings of 2 inputs"},
      {Answer(one + ",[1]"), "has an entry that is no object"},
      {Answer(one + ",1"), "has an entry that is no object"},
      {Answer(one + ",{}"), "has an entry without embedding"},
      {Answer(one + R"(,{"embeddings":[1]})"), "has an entry without embedding"},
      {Answer(one + "," + Entry("null")), "has an embedding that is no list of numbers"},
      {Answer(one + "," + Entry("7")), "has an embedding that is no list of numbers"},
      {Answer(one + "," + Entry("{}")), "has an embedding that is no list of numbers"},
      {Answer(one + "," + Entry(R"(["1"])")), "has an embedding that is no list of numbers"},
      {Answer(one + "," + Entry("[1,[2]]")), "has an embedding that is no list of numbers"},
      {Answer(one + "," + Entry("[{}]")), "has an embedding that is no list of numbers"},
      {Answer(one + "," + Entry("[]")), "has an empty embedding"},
      {Answer(one + "," + Entry("\"\"")), "has an empty embedding"},
      {Answer(one + R"(,{"embedding":[1],"embedding":"AA=="})"), "has an embedding twice"},
      {Answer(one + R"(,{"embedding":"AA==","embedding":[1]})"), "has an embedding twice"},
      {"<!DOCTYPE html><p>" + Answer(kTwo), "the provider answered with "},
  };
  for (const Case& c : cases) {
    const Ended ended = SameAtEveryCut(Asked(), c.bytes);
    EXPECT_THAT(ended.known, HasSubstr("!bad_upstream_response")) << c.bytes;
    EXPECT_THAT(ended.known, HasSubstr(c.why)) << c.bytes;
    EXPECT_EQ(ended.out, "");
  }
}

TEST(EmbeddingsTranscoder, TakesAnErrorForOneWhereverItStands) {
  for (const std::string& bytes : {std::string(R"({"error":{"message":"no capacity"}})"),
                                   Answer(kTwo, R"(,"error":{"message":"no capacity"})"),
                                   std::string(R"({"object":"error","message":"no capacity"})"),
                                   std::string(R"([{"error":{"message":"no capacity"}}])")}) {
    const Ended ended = SameAtEveryCut(Asked(), bytes);
    EXPECT_THAT(ended.known, HasSubstr("no capacity")) << bytes;
    EXPECT_EQ(ended.out, "") << bytes;
  }
  // One that says nothing is none.
  EXPECT_NE(SameAtEveryCut(Asked(), Answer(kTwo, R"(,"error":null)")).out, "");
}

TEST(EmbeddingsTranscoder, HoldsSoMuchOfAnAnswerAndNotMore) {
  const std::string rest = Answer(Entry("\"\""));
  const std::string fits =
      Answer(Entry('"' + std::string(kMostAnswerBytes - rest.size(), 'A') + '"'));
  ASSERT_EQ(fits.size(), kMostAnswerBytes);
  EXPECT_THAT(Relay(Asked("\"a\""), fits, "application/json").known, HasSubstr("state 3"));
  EXPECT_THAT(Relay(Asked("\"a\""), fits + " ", "application/json").known,
              HasSubstr("!answer_too_large the provider's answer is too large: send fewer "
                        "inputs at a time, or ask for the encoding_format base64"));
}

// Where all of it is known: nobody pays for an answer that nobody gets.
TEST(EmbeddingsTranscoder, IsNotOpenedForAnAnswerThatCannotFit) {
  // In 4096 bytes: floats take 6 each, those in base64 5 1/3, and 17 stand around an embedding.
  struct Case {
    std::string_view input, members;
    int64_t model_dimensions;
    bool fits;
  };
  const std::vector<Case> cases = {
      {"\"a\"", R"(,"dimensions":679)", 0, true},
      {"\"a\"", R"(,"dimensions":680)", 0, false},
      {"\"a\"", R"(,"dimensions":680,"encoding_format":"float")", 0, false},
      {"\"a\"", R"(,"dimensions":764,"encoding_format":"base64")", 0, true},
      {"\"a\"", R"(,"dimensions":765,"encoding_format":"base64")", 0, false},
      {"[\"a\",\"b\"]", R"(,"dimensions":338)", 0, true},
      {"[\"a\",\"b\"]", R"(,"dimensions":339)", 0, false},
      {"[[1],[2]]", R"(,"dimensions":339)", 0, false},
      {"[1,2]", R"(,"dimensions":339)", 0, true},  // one input
      // What the model gives, which is not more where more is asked for.
      {"\"a\"", "", 680, false},
      {"\"a\"", "", 679, true},
      {"\"a\"", R"(,"dimensions":8)", 680, true},
      {"\"a\"", R"(,"dimensions":680)", 8, true},
      // Unknown, or other numbers than floats.
      {"\"a\"", "", 0, true},
      {"\"a\"", R"(,"dimensions":680,"output_dtype":"binary")", 0, true},
      {"\"a\"", R"(,"dimensions":680,"user":"u")", 0, false},
  };
  for (const Case& c : cases) {
    Asked asked(c.input, c.members);
    asked.form.dimensions = c.model_dimensions;
    const auto way = asked.TryOpen();
    EXPECT_EQ(way.has_value(), c.fits) << c.input << c.members << c.model_dimensions;
    if (way) continue;
    EXPECT_EQ(way.error().code, ErrorCode::kInvalidValue);
    EXPECT_EQ(way.error().param, "input");
    EXPECT_THAT(way.error().message,
                HasSubstr("of that length take more than the 4096 bytes that an answer may have"));
    EXPECT_THAT(way.error().message, HasSubstr("send fewer inputs at a time"));
    const bool is_base64 = c.members.find("base64") != std::string_view::npos;
    EXPECT_EQ(way.error().message.find("base64") == std::string::npos, is_base64);
  }
}

}  // namespace
}  // namespace seekroute
