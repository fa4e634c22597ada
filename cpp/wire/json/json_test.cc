#include "wire/json/json.h"

#include <gtest/gtest.h>

#include <chrono>

#include "testing/corpora.h"
#include "wire/json/json_scan.h"

namespace seekroute {
namespace {

ErrorCode CodeOf(std::string_view text) {
  const Status status = CheckJson(text);
  return status.ok() ? ErrorCode::kInternal : status.error().code;
}

TEST(JsonTest, AcceptsEveryKindOfValue) {
  for (const char* text : {"{}", "[]", "null", "true", "false", "0", "-1.5e-7", "\"\"",
                           " {\"a\" : [1, {\"b\":\"\\u00e9\\n\"}] }\r\n\t", "\"\\ud83d\\ude00\"",
                           "\"\x7F\"", "1e308", "1e-400", "123456789012345678901234567890"}) {
    const Status status = CheckJson(text);
    EXPECT_TRUE(status.ok()) << text << ": " << (status.ok() ? "" : status.error().message);
  }
}

TEST(JsonTest, RefusesWhatIsNotJson) {
  for (const char* text : {"",
                           " ",
                           "{",
                           "[1,]",
                           "{\"a\":1,}",
                           "{'a':1}",
                           "{a:1}",
                           "[1] [2]",
                           "nul",
                           "NaN",
                           "Infinity",
                           "-Infinity",
                           "1e400",
                           "-1e400",
                           "123456e308",
                           "0x10",
                           "+1",
                           "01",
                           "1.",
                           ".5",
                           "1e",
                           "/**/1",
                           "1//",
                           "\"a\nb\"",
                           "\"\x01\"",
                           "\"\\x41\"",
                           "\"abc",
                           "\"\\u12G4\"",
                           "\xEF\xBB\xBF{}",
                           "\"\xFF\"",
                           "\"\xC0\xAF\"",
                           "\"\xED\xA0\x80\"",
                           "\"\xF4\x90\x80\x80\"",
                           "\"\xE2\x82\""}) {
    EXPECT_EQ(CodeOf(text), ErrorCode::kInvalidJson) << text;
  }
}

TEST(JsonTest, ANulByteIsNotTheEnd) {
  EXPECT_EQ(CodeOf(std::string_view("{}\0", 3)), ErrorCode::kInvalidJson);
  EXPECT_EQ(CodeOf(std::string_view("{}\0garbage", 10)), ErrorCode::kInvalidJson);
  EXPECT_EQ(CodeOf(std::string_view("\"a\0b\"", 5)), ErrorCode::kInvalidJson);
}

TEST(JsonTest, NestsUpToTheLimitAndNoDeeper) {
  const auto nested = [](int depth) {
    const auto n = static_cast<size_t>(depth);
    return std::string(n, '[') + std::string(n, ']');
  };
  EXPECT_TRUE(CheckJson(nested(kMaxJsonDepth)).ok());
  EXPECT_EQ(CodeOf(nested(kMaxJsonDepth + 1)), ErrorCode::kJsonTooDeep);
  std::string objects;
  for (int i = 0; i <= kMaxJsonDepth; ++i) objects += "{\"a\":";
  EXPECT_EQ(CodeOf(objects), ErrorCode::kJsonTooDeep);
}

TEST(JsonTest, RefusesAHundredThousandBracketsAtOnce) {
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(CodeOf(std::string(100'000, '[')), ErrorCode::kJsonTooDeep);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(50));
}

TEST(JsonTest, RefusesDuplicateKeysWithTheirPath) {
  const struct {
    const char* text;
    const char* param;
  } cases[] = {
      {R"({"a":1,"b":2,"a":3})", "a"},
      {R"({"messages":[{"role":1,"x":{},"role":2}]})", "messages[0].role"},
      {R"([0,{"k":[{},{"z":1,"z":1}]}])", "[1].k[1].z"},
      {R"({"model":1,"mo\u0064el":2})", "model"},
      {R"({"":1,"":2})", ""},
  };
  for (const auto& c : cases) {
    const Status status = CheckJson(c.text);
    ASSERT_FALSE(status.ok()) << c.text;
    EXPECT_EQ(status.error().code, ErrorCode::kDuplicateKey) << c.text;
    EXPECT_EQ(status.error().param, c.param);
  }
  EXPECT_TRUE(CheckJson(R"({"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]})").ok());
}

TEST(JsonTest, FindsADuplicateAmongManyKeys) {
  for (const int count : {5, 12, 13, 14, 100, 5000}) {
    std::string unique = "{\"o\":{";
    for (int i = 0; i < count; ++i) {
      unique += "\"k" + std::to_string(i) + "\":{\"in\":" + std::to_string(i) + "},";
    }
    EXPECT_TRUE(CheckJson(unique + "\"z\":0}}").ok()) << count;
    const std::string twice = "k" + std::to_string(count / 2);
    const Status status = CheckJson(unique + "\"" + twice + "\":0}}");
    ASSERT_FALSE(status.ok()) << count;
    EXPECT_EQ(status.error().code, ErrorCode::kDuplicateKey);
    EXPECT_EQ(status.error().param, "o." + twice);
  }
}

TEST(JsonTest, NeverNamesMoreThan64BytesOfAPath) {
  const std::string key(5000, 'k');
  Status status = CheckJson("{\"" + key + "\":1,\"" + key + "\":1}");
  ASSERT_FALSE(status.ok());
  EXPECT_LE(status.error().param.size(), 64u);
  std::string wide;
  for (int i = 0; i < 100; ++i) wide += "\xE2\x82\xAC";
  status = CheckJson("{\"x" + wide + "\":1,\"x" + wide + "\":1}");
  ASSERT_FALSE(status.ok());
  EXPECT_LE(status.error().param.size(), 64u);
  EXPECT_TRUE(IsValidUtf8(status.error().param));
}

TEST(JsonTest, LoneSurrogatesPassInValuesButNotInKeys) {
  for (const char* text : {R"("\ud800")", R"(["\udc00x","a\uD83Db"])", R"("\ud800\ud800\udc00")",
                           R"({"a":"\ude00\ud83d"})", R"("\\ud800")"}) {
    EXPECT_TRUE(CheckJson(text).ok()) << text;
  }
  EXPECT_EQ(CodeOf(R"({"\ud800":1})"), ErrorCode::kInvalidUnicode);
  EXPECT_EQ(CodeOf(R"({"a":"\ud800","b":{"\udfff":1}})"), ErrorCode::kInvalidUnicode);
  EXPECT_TRUE(CheckJson(R"({"a":"\ud800","\ud83d\ude00":1,"\\ud800":2})").ok());
  EXPECT_EQ(CodeOf(R"("\ud8)"), ErrorCode::kInvalidJson);
  EXPECT_EQ(CodeOf(R"("\ud800)"), ErrorCode::kInvalidJson);
}

// Writes every value with its path and range.
class RecordingSink : public JsonSink {
 public:
  explicit RecordingSink(std::string_view text) : text_(text) {}
  Step OnOpen(const JsonPlace& place, JsonType) override {
    return place.depth() > 0 && place.in_object() && place.key() == "skip" ? Step::kSkip
                                                                           : Step::kEnter;
  }
  bool OnClose(const JsonPlace& place, const JsonValue& value) override {
    return OnScalar(place, value);
  }
  bool OnScalar(const JsonPlace& place, const JsonValue& value) override {
    log += place.Path() + "=" + std::string(value.range.In(text_)) + "|" + std::string(value.text) +
           "\n";
    return true;
  }
  std::string log;

 private:
  const std::string_view text_;
};

TEST(JsonTest, TellsPlacesAndByteRanges) {
  const std::string_view text =
      R"( {"a" : [ 12 , "x\u00e9\n€", true,{"b":null}], "skip":{"c":[1]}, "d\"":-1.5e3 } )";
  RecordingSink sink(text);
  ASSERT_TRUE(ScanJson(text, JsonKeys::kUnique, &sink).ok());
  EXPECT_EQ(sink.log,
            "a[0]=12|12\n"
            "a[1]=\"x\\u00e9\\n€\"|xé\n€\n"
            "a[2]=true|\n"
            "a[3].b=null|\n"
            "a[3]={\"b\":null}|\n"
            "a=[ 12 , \"x\\u00e9\\n€\", true,{\"b\":null}]|\n"
            "skip={\"c\":[1]}|\n"
            "d\"=-1.5e3|-1.5e3\n"
            "={\"a\" : [ 12 , \"x\\u00e9\\n€\", true,{\"b\":null}], \"skip\":{\"c\":[1]}, "
            "\"d\\\"\":-1.5e3 }|\n");
}

TEST(JsonTest, KeepsRangesRightInLongTextsAtEveryAlignment) {
  for (size_t pad = 0; pad < 40; ++pad) {
    const std::string filler(3000 + pad, 'f');
    const std::string text =
        "[\"" + filler + "\\t" + filler + "\",\"" + filler.substr(0, pad) + "\\\"" + "\",7]";
    RecordingSink sink(text);
    ASSERT_TRUE(ScanJson(text, JsonKeys::kUnique, &sink).ok());
    EXPECT_NE(sink.log.find("[0]=\"" + filler + "\\t" + filler + "\"|" + filler + "\t" + filler),
              std::string::npos);
    EXPECT_NE(sink.log.find("|" + filler.substr(0, pad) + "\"\n"), std::string::npos);
    EXPECT_NE(sink.log.find("[2]=7|7\n"), std::string::npos);
  }
}

TEST(JsonTest, WritesStringsThatReadBack) {
  std::string out;
  AppendJsonString(std::string_view("a\"\\\n\r\t\x01\0€/", 12), &out);
  EXPECT_EQ(out, "\"a\\\"\\\\\\n\\r\\t\\u0001\\u0000€/\"");
  out.clear();
  AppendJsonString("x\xFFy", &out);
  EXPECT_EQ(out, "\"x\uFFFDy\"");
}

// Most bytes are copied several at a time: each must be seen wherever it stands among them.
TEST(JsonTest, WritesEveryByteWhereverItStands) {
  const auto written = [](unsigned char c) -> std::string {
    constexpr char kHex[] = "0123456789abcdef";
    if (c >= 0x80) return "\uFFFD";
    if (c == '"' || c == '\\') return {'\\', static_cast<char>(c)};
    if (c == '\n') return "\\n";
    if (c == '\r') return "\\r";
    if (c == '\t') return "\\t";
    if (c < 0x20) return {'\\', 'u', '0', '0', kHex[c >> 4], kHex[c & 15]};
    return {static_cast<char>(c)};
  };
  for (size_t size = 1; size <= 20; ++size) {
    for (size_t at = 0; at < size; ++at) {
      for (int c = 0; c < 256; ++c) {
        std::string text(size, 'a'), out;
        text[at] = static_cast<char>(c);
        AppendJsonString(text, &out);
        ASSERT_EQ(out, '"' + std::string(at, 'a') + written(static_cast<unsigned char>(c)) +
                           std::string(size - at - 1, 'a') + '"');
      }
    }
  }
}

TEST(JsonTest, ReplacesInvalidUtf8AsTheWebDoes) {
  const struct {
    const char* in;
    const char* out;
  } cases[] = {
      {"plain €", "plain €"},
      {"\xC0\xAF", "\uFFFD\uFFFD"},
      {"\xE0\x80\xAF", "\uFFFD\uFFFD\uFFFD"},
      {"\xED\xA0\x80", "\uFFFD\uFFFD\uFFFD"},
      {"\xF0\x9F\x98", "\uFFFD"},
      {"\xF0\x9F\x98z", "\uFFFDz"},
      {"\xF4\x90\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD"},
      {"\x80\xE2\x82\xAC\xE2", "\uFFFD€\uFFFD"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(ReplaceInvalidUtf8(c.in), c.out);
    EXPECT_EQ(IsValidUtf8(c.in), std::string_view(c.in) == c.out);
  }
}

TEST(JsonTest, FindsInvalidUtf8AtEveryOffsetOfALongText) {
  for (size_t at = 0; at < 100; ++at) {
    std::string text(100, 'a');
    EXPECT_TRUE(IsValidUtf8(text));
    text[at] = '\x80';
    EXPECT_FALSE(IsValidUtf8(text)) << at;
  }
}

TEST(JsonTest, PassesTheSharedJsonTestSuite) {
  const auto files = testing::ReadCorpus("jsontestsuite/test_parsing");
  if (files.empty()) GTEST_SKIP() << "no shared corpora; set SEEKROUTE_SHARED";
  EXPECT_GE(files.size(), 300u);
  for (const testing::CorpusFile& file : files) {
    const Status status = CheckJson(file.bytes);
    const bool twins = file.name.find("duplicated_key") != std::string::npos;
    if (twins) {
      ASSERT_FALSE(status.ok()) << file.name;
      EXPECT_EQ(status.error().code, ErrorCode::kDuplicateKey) << file.name;
    } else if (file.name[0] == 'y') {
      EXPECT_TRUE(status.ok()) << file.name << ": " << (status.ok() ? "" : status.error().message);
    } else if (file.name[0] == 'n') {
      EXPECT_FALSE(status.ok()) << file.name;
    }
  }
}

}  // namespace
}  // namespace seekroute
