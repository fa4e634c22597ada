#include "wire/openai/embeddings_request.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace seekroute {
namespace {

using enum ErrorCode;

constexpr ReadScope kWithPrompt{.prompt = true};

Result<std::unique_ptr<ParsedEmbeddings>> Read(std::string_view body) {
  return ReadEmbeddings(body, kWithPrompt);
}

// A request that is fine but for `input`, or for more members behind it.
std::string With(std::string_view input, std::string_view members = "") {
  return R"({"model":"m","input":)" + std::string(input) + std::string(members) + "}";
}

std::string Repeat(std::string_view element, size_t times) {
  std::string list;
  for (size_t i = 0; i < times; ++i) list += (i == 0 ? "" : ",") + std::string(element);
  return "[" + list + "]";
}

struct Refused {
  std::string body;
  ErrorCode code;
  std::string_view param;
  std::string_view message;
};

TEST(EmbeddingsRequestTest, RefusesWhatIsNone) {
  const std::string deep = std::string(200, '[') + std::string(200, ']');
  const std::vector<Refused> table = {
      {"[]", kInvalidJson, "", "expected a JSON object, got an array"},
      {"3", kInvalidJson, "", "expected a JSON object, got a number"},
      {"{", kInvalidJson, "", "invalid JSON at byte 1: expected a member name in double quotes"},
      {"{\"model\":\"m\",\"input\":\"\xFF\"}", kInvalidJson, "", "expected JSON in valid UTF-8"},
      {With("\"a\"", ",\"x\":" + deep), kJsonTooDeep, "",
       "expected JSON nested at most 128 levels deep"},
      {With("\"a\"", ",\"input\":\"b\""), kDuplicateKey, "input",
       "input: expected every key of an object only once"},
      {With("\"a\"", R"(,"x":{"y":1,"y":2})"), kDuplicateKey, "x.y",
       "x.y: expected every key of an object only once"},
      // The model, as in a chat request.
      {R"({"input":"a"})", kMissingRequiredParameter, "model", "expected the name of a model"},
      {R"({"input":"a","model":null})", kInvalidType, "model",
       "model: expected a string, got null"},
      {R"({"input":"a","model":3})", kInvalidType, "model",
       "model: expected a string, got a number"},
      {R"({"input":"a","model":["m"]})", kInvalidType, "model",
       "model: expected a string, got an array"},
      {R"({"input":"a","model":""})", kInvalidValue, "model",
       "expected a model name of 1 to 256 bytes, got 0"},
      {R"({"input":"a","model":")" + std::string(257, 'm') + "\"}", kInvalidValue, "model",
       "expected a model name of 1 to 256 bytes, got 257"},
      {R"({"input":"a","model":"\ud800"})", kInvalidUnicode, "model",
       "model: expected text without lone surrogates"},
      // The input.
      {R"({"model":"m"})", kMissingRequiredParameter, "input", "input: expected text or tokens"},
      {With("null"), kInvalidType, "input", "input: expected a string or an array, got null"},
      {With("7"), kInvalidType, "input", "input: expected a string or an array, got a number"},
      {With("true"), kInvalidType, "input", "input: expected a string or an array, got a boolean"},
      {With(R"({"text":"a"})"), kInvalidType, "input",
       "input: expected a string or an array, got an object"},
      {With("\"\""), kInvalidValue, "input", "input: expected text, got an empty string"},
      {With("[]"), kInvalidValue, "input", "expected at least one input"},
      {With("[ ]"), kInvalidValue, "input", "expected at least one input"},
      {With(R"(["a",""])"), kInvalidValue, "input[1]",
       "input[1]: expected text, got an empty string"},
      {With("[[1],[]]"), kInvalidValue, "input[1]", "input[1]: expected at least one token"},
      {With(R"(["a",1])"), kInvalidType, "input[1]",
       "input[1]: expected a string like the elements before, got a number"},
      {With(R"(["a",[1]])"), kInvalidType, "input[1]",
       "input[1]: expected a string like the elements before, got an array"},
      {With(R"([1,"a"])"), kInvalidType, "input[1]",
       "input[1]: expected a token like the elements before, got a string"},
      {With("[1,[1]]"), kInvalidType, "input[1]",
       "input[1]: expected a token like the elements before, got an array"},
      {With("[[1],1]"), kInvalidType, "input[1]",
       "input[1]: expected an array of tokens like the elements before, got a number"},
      {With("[null]"), kInvalidType, "input[0]", "input[0]: expected a string, got null"},
      {With("[false]"), kInvalidType, "input[0]", "input[0]: expected a string, got a boolean"},
      {With(R"([{"image":"x"}])"), kInvalidType, "input[0]",
       "input[0]: expected a string, got an object"},
      {With(R"([["a"]])"), kInvalidType, "input[0][0]",
       "input[0][0]: expected a token, got a string"},
      {With("[[[1]]]"), kInvalidType, "input[0][0]", "input[0][0]: expected a token, got an array"},
      {With("[[null]]"), kInvalidType, "input[0][0]", "input[0][0]: expected a token, got null"},
      {With("[-1]"), kInvalidValue, "input[0]",
       "input[0]: expected a token from 0 to 2147483648, got -1"},
      {With("[2147483649]"), kInvalidValue, "input[0]",
       "input[0]: expected a token from 0 to 2147483648, got 2147483649"},
      {With("[99999999999999999999999]"), kInvalidValue, "input[0]",
       "input[0]: expected a token from 0 to 2147483648, got 99999999999999999999999"},
      {With("[1.5]"), kInvalidType, "input[0]", "input[0]: expected a token, got a fraction"},
      {With(Repeat("\"a\"", 2049)), kInvalidValue, "input",
       "input: expected at most 2048 inputs, got 2049; split them into several requests"},
      {With(Repeat("[1,2]", 5000)), kInvalidValue, "input",
       "input: expected at most 2048 inputs, got 5000; split them into several requests"},
      // What Python writes for a float that is none.
      {With("[1, NaN]"), kInvalidJson, "",
       "invalid JSON at byte 25: JSON has no NaN and no Infinity"},
      {With("[Infinity]"), kInvalidJson, "",
       "invalid JSON at byte 22: JSON has no NaN and no Infinity"},
      {With("[1,-Infinity]"), kInvalidJson, "",
       "invalid JSON at byte 25: JSON has no NaN and no Infinity"},
      {With("[[1],[NaN]]"), kInvalidJson, "",
       "invalid JSON at byte 27: JSON has no NaN and no Infinity"},
      {With("NaN"), kInvalidJson, "", "invalid JSON at byte 21: JSON has no NaN and no Infinity"},
      {With("\"a\"", ",\"dimensions\":NaN"), kInvalidJson, "",
       "invalid JSON at byte 38: JSON has no NaN and no Infinity"},
      {With("\"a\"", ",\"x\":[Infinity]"), kInvalidJson, "",
       "invalid JSON at byte 30: JSON has no NaN and no Infinity"},
      // The fields of its own.
      {With("\"a\"", R"(,"dimensions":0)"), kInvalidValue, "dimensions",
       "dimensions: expected an integer from 1 to 65536, got 0"},
      {With("\"a\"", R"(,"dimensions":65537)"), kInvalidValue, "dimensions",
       "dimensions: expected an integer from 1 to 65536, got 65537"},
      {With("\"a\"", R"(,"dimensions":1.5)"), kInvalidType, "dimensions",
       "dimensions: expected an integer, got a fraction"},
      {With("\"a\"", R"(,"dimensions":"256")"), kInvalidType, "dimensions",
       "dimensions: expected an integer, got a string"},
      {With("\"a\"", R"(,"dimensions":[256])"), kInvalidType, "dimensions",
       "dimensions: expected an integer, got an array"},
      {With("\"a\"", R"(,"encoding_format":"binary")"), kInvalidValue, "encoding_format",
       "encoding_format: expected 'float' or 'base64'"},
      {With("\"a\"", R"(,"encoding_format":1)"), kInvalidType, "encoding_format",
       "encoding_format: expected a string, got a number"},
      {With("\"a\"", R"(,"encoding_format":{})"), kInvalidType, "encoding_format",
       "encoding_format: expected a string, got an object"},
      {With("\"a\"", R"(,"user":1)"), kInvalidType, "user",
       "user: expected a string, got a number"},
      {With("\"a\"", R"(,"user":"\udc00")"), kInvalidUnicode, "user",
       "user: expected text without lone surrogates"},
      {With("\"a\"", R"(,"stream":true)"), kInvalidValue, "stream",
       "stream: expected false: embeddings come in one answer"},
      {With("\"a\"", R"(,"stream":1)"), kInvalidType, "stream",
       "stream: expected a boolean, got a number"},
      {With("\"a\"", R"(,"max_cost":"x")"), kInvalidValue, "max_cost",
       "max_cost: expected an amount of USD such as 0.02 or \"0.02\", in digits, got x"},
      {With("\"a\"", R"(,"max_cost":true)"), kInvalidType, "max_cost",
       "max_cost: expected a number or a string of USD, got a boolean"},
      // What would lead elsewhere, or is none of this surface's.
      {With("\"a\"", R"(,"api_base":"x")"), kUnknownParameter, "api_base",
       "api_base: this field would change the route and is not accepted"},
      {With("\"a\"", R"(,"base_url":{})"), kUnknownParameter, "base_url",
       "base_url: this field would change the route and is not accepted"},
      {With("\"a\"", R"(,"api_key":1)"), kUnknownParameter, "api_key",
       "api_key: this field would change the route and is not accepted"},
      {With("\"a\"", R"(,"custom_llm_provider":"x")"), kUnknownParameter, "custom_llm_provider",
       "custom_llm_provider: this field would change the route and is not accepted"},
      {With("\"a\"", R"(,"headers":[])"), kUnknownParameter, "headers",
       "headers: this field would change the route and is not accepted"},
      {With("\"a\"", R"(,"chat_template":"x")"), kUnknownParameter, "chat_template",
       "chat_template: with this field a prompt may get any length: it is not accepted"},
      {With("\"a\"", R"(,"messages":[])"), kUnknownParameter, "messages",
       "an embedding is made of 'input'; messages are sent to POST /v1/chat/completions"},
      {With("\"a\"", R"(,"Model":"x")"), kUnknownParameter, "Model",
       "Model: this field is known in another letter case, in which some providers would read it: "
       "send it as it is documented"},
      {With("\"a\"", R"(,"INPUT":"x")"), kUnknownParameter, "INPUT",
       "INPUT: this field is known in another letter case, in which some providers would read it: "
       "send it as it is documented"},
      {With("\"a\"", R"(,"Dimensions":[1])"), kUnknownParameter, "Dimensions",
       "Dimensions: this field is known in another letter case, in which some providers would read "
       "it: send it as it is documented"},
  };
  for (const Refused& row : table) {
    SCOPED_TRACE(row.body.substr(0, 200));
    const auto read = Read(row.body);
    ASSERT_FALSE(read.has_value());
    EXPECT_EQ(read.error().name(), TraitsOf(row.code).name);
    EXPECT_EQ(read.error().param, row.param);
    EXPECT_EQ(read.error().message, row.message);
    const auto plain = ReadEmbeddings(row.body, {});
    EXPECT_FALSE(plain.has_value());
  }
}

TEST(EmbeddingsRequestTest, TakesEveryFormOfInput) {
  struct Taken {
    std::string input;
    int64_t inputs;
    int64_t strict;
  };
  const std::vector<Taken> table = {
      {"\"a\"", 1, 1 + 8},
      {R"("caf\u00e9")", 1, 5 + 8},
      {R"("\ud800")", 1, 3 + 8},
      {"[\"a\"]", 1, 1 + 8},
      {R"(["a","bc"])", 2, 3 + 16},
      {"[7]", 1, 1},
      {"[0,2147483648,1e2,3.0]", 1, 4},
      {"[[7]]", 1, 1},
      {"[[1,2],[3]]", 2, 3},
      {Repeat("\"a\"", 2048), 2048, 2048 * 9},
      {Repeat("[1]", 2048), 2048, 2048},
      {Repeat("5", 5000), 1, 5000},  // the tokens of one text
  };
  for (const Taken& row : table) {
    SCOPED_TRACE(row.input.substr(0, 100));
    const auto read = Read(With(row.input));
    ASSERT_TRUE(read.has_value()) << read.error().message;
    EXPECT_EQ((*read)->ask.inputs, row.inputs);
    EXPECT_EQ((*read)->ask.strict_prompt, row.strict);
    EXPECT_EQ((*read)->ask.model, "m");
    EXPECT_EQ((*read)->ask.choices, 1);
    EXPECT_EQ((*read)->ask.needs, NeedSet(Need::kEmbedding));
    EXPECT_FALSE((*read)->ask.stream);
    EXPECT_FALSE((*read)->ask.max_output.has_value());
    EXPECT_TRUE((*read)->ask.is_ordinary);
  }
}

TEST(EmbeddingsRequestTest, TakesItsFieldsAndThoseOfOthers) {
  for (const std::string_view members :
       {R"("dimensions":1)", R"("dimensions":65536)", R"("dimensions":2.56e2)",
        R"("dimensions":null)", R"("encoding_format":"float")", R"("encoding_format":"base64")",
        R"("encoding_format":null)", R"("user":"u")", R"("user":null)", R"("stream":false)",
        R"("stream":null)", R"("metadata":{"a":1})", R"("api_base":null)"}) {
    const auto read = Read(With("\"a\"", "," + std::string(members)));
    ASSERT_TRUE(read.has_value()) << members << read.error().message;
    EXPECT_EQ((*read)->ask.strict_prompt, 9) << members;
    EXPECT_TRUE((*read)->ask.is_ordinary) << members;
  }
  // Of other providers.
  for (const std::string_view members :
       {R"("input_type":"search_query")", R"("truncate":"END")", R"("task":"retrieval.query")",
        R"("embedding_types":["float"])", R"("output_dtype":"int8")", R"("normalized":true)"}) {
    const auto read = Read(With("\"a\"", "," + std::string(members)));
    ASSERT_TRUE(read.has_value()) << members << read.error().message;
    EXPECT_EQ((*read)->ask.unsized_parts, 0) << members;
    EXPECT_FALSE((*read)->ask.other_kinds) << members;
  }
}

TEST(EmbeddingsRequestTest, ReadsWhatTheGatewayActsOn) {
  const std::string body =
      R"({"max_cost":"0.01","provider":{"order":["x"]},"models":["b"],"input":["a"],"plugins":["p"],)"
      R"("usage":{"include":true},"model":"a\u002fb","service_tier":"flex","headers":null})";
  const auto read = Read(body);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ((*read)->ask.model, "a/b");
  EXPECT_EQ((*read)->model_value.In(body), R"("a\u002fb")");
  EXPECT_EQ((*read)->ask.max_cost, Money{10'000'000});
  EXPECT_EQ((*read)->ask.service_tier, "flex");
  EXPECT_EQ((*read)->ignored, std::vector<std::string_view>{"plugins"});
  std::vector<std::string_view> unsent;
  for (const ByteRange& each : (*read)->unsent) unsent.push_back(each.In(body));
  EXPECT_EQ(unsent,
            (std::vector<std::string_view>{R"("max_cost":"0.01")", R"("provider":{"order":["x"]})",
                                           R"("models":["b"])", R"("plugins":["p"])",
                                           R"("usage":{"include":true})", R"("headers":null)"}));
  EXPECT_EQ((*read)->PathOf(Need::kEmbedding), "input");
}

// A provider may put it before each text.
TEST(EmbeddingsRequestTest, CountsWhatItDoesNotKnowOnceAnInput) {
  const std::string member = R"("instruction":"find what answers this")";
  const auto read = Read(With(R"(["a","b","c"])", "," + member));
  ASSERT_TRUE(read.has_value());
  const auto bytes = static_cast<int64_t>(member.size());
  EXPECT_EQ((*read)->ask.strict_prompt, 3 * (1 + 8 + bytes));
  EXPECT_GE((*read)->ask.prompt->upper, 3 * bytes);
  EXPECT_LE((*read)->ask.prompt->tokens, 6);
  EXPECT_FALSE((*read)->ask.is_ordinary);
}

TEST(EmbeddingsRequestTest, CountsMediaInWhatItDoesNotKnow) {
  const auto read = Read(With("\"a\"", R"(,"images":["https://x.test/a.png","https://x.test/b"])"));
  ASSERT_TRUE(read.has_value());
  EXPECT_TRUE((*read)->ask.other_kinds);
  EXPECT_TRUE((*read)->ask.unsized_parts > 0 ||
              (*read)->ask.strict_prompt >= 2 * kMostPictureTokens);
  EXPECT_FALSE((*read)->ask.is_ordinary);
}

TEST(EmbeddingsRequestTest, EstimatesEachTextByItself) {
  const std::string first = "The quick brown fox jumps", second = " over the lazy dog.";
  const auto read = Read(With("[\"" + first + "\",\"" + second + "\"]"));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ((*read)->ask.prompt->tokens,
            EstimateTokens(first).tokens + EstimateTokens(second).tokens);
  EXPECT_LE((*read)->ask.prompt->tokens, (*read)->ask.prompt->upper);
}

// Embedding models have vocabularies of their own, in which a script may take many times what the
// estimate was fitted to; none of them counts more than bytes.
TEST(EmbeddingsRequestTest, IsBoundByItsBytesInAnyVocabulary) {
  for (const std::string_view text :
       {"თბილისი საქართველოს დედაქალაქია", "வணக்கம் உலகம்", "नमस्ते दुनिया", "שלום עולם",
        "Привет, мир, как дела сегодня", "plain words in English, with a long tail of them",
        "----------------------------------------------------------------"}) {
    const auto read = Read(With("[\"" + std::string(text) + "\",\"and\"]"));
    ASSERT_TRUE(read.has_value());
    const auto bytes = static_cast<int64_t>(text.size()) + 3;
    EXPECT_EQ((*read)->ask.prompt->upper, bytes + 2 * 8) << text;
    EXPECT_EQ((*read)->ask.prompt->upper, (*read)->ask.strict_prompt);
    EXPECT_LE((*read)->ask.prompt->tokens, EstimateTokens(text).tokens + 1) << text;
  }
}

// However little a text weighs, its model reads something.
TEST(EmbeddingsRequestTest, EstimatesEachTextAsATokenAtLeast) {
  for (const std::string_view text : {"e", " ", "-", "\u00e9"}) {
    const auto read = Read(With(Repeat('"' + std::string(text) + '"', 2048)));
    ASSERT_TRUE(read.has_value());
    EXPECT_GE((*read)->ask.prompt->tokens, 2048) << text;
  }
}

TEST(EmbeddingsRequestTest, CountsTokensExactly) {
  for (const auto& [input, tokens] : std::vector<std::pair<std::string, int64_t>>{
           {"[1,2,3]", 3}, {"[[1,2],[100000]]", 3}, {Repeat("[1,2]", 2048), 4096}}) {
    const auto read = Read(With(input));
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ((*read)->ask.prompt->tokens, tokens);
    EXPECT_EQ((*read)->ask.prompt->upper, tokens);
    EXPECT_EQ((*read)->ask.strict_prompt, tokens);
  }
}

TEST(EmbeddingsRequestTest, EstimatesTheSameLater) {
  for (const std::string& body :
       {With("\"hello there\""), With(R"(["a","b"])", R"(,"x":"why")"), With("[1,2]")}) {
    const auto read = ReadEmbeddings(body, {});
    ASSERT_TRUE(read.has_value());
    EXPECT_FALSE((*read)->ask.prompt.has_value());
    const TokenEstimate later = EstimateEmbeddingsPrompt(body);
    const TokenEstimate at_once = *(*Read(body))->ask.prompt;
    EXPECT_EQ(later.tokens, at_once.tokens);
    EXPECT_EQ(later.upper, at_once.upper);
  }
  // The most that it may cost needs it.
  const std::string limited = With("\"hello there\"", R"(,"max_cost":1)");
  const auto read = ReadEmbeddings(limited, {});
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ((*read)->ask.prompt->tokens, EstimateEmbeddingsPrompt(limited).tokens);
}

}  // namespace
}  // namespace seekroute
