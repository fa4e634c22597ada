#include "wire/usage.h"

#include <gtest/gtest.h>

#include "wire/json.h"

namespace seekroute {
namespace {

TEST(UsageTest, ReadsOpenAisFields) {
  bool odd = false;
  const Usage usage = ParseUsage(
      R"({"prompt_tokens":100,"completion_tokens":10,"total_tokens":110,
          "prompt_tokens_details":{"cached_tokens":90,"audio_tokens":1},
          "completion_tokens_details":{"reasoning_tokens":4,"audio_tokens":2}})",
      &odd);
  EXPECT_EQ(usage.prompt, 100);
  EXPECT_EQ(usage.completion, 10);
  EXPECT_EQ(usage.total, 110);
  EXPECT_EQ(usage.cached, 90);
  EXPECT_EQ(usage.reasoning, 4);
  EXPECT_EQ(usage.audio_prompt, 1);
  EXPECT_EQ(usage.audio_completion, 2);
  EXPECT_TRUE(usage.complete());
  EXPECT_FALSE(odd);
}

TEST(UsageTest, ReadsTheCacheFieldsOfDeepSeekAndMoonshot) {
  bool odd = false;
  EXPECT_EQ(
      ParseUsage(R"({"prompt_cache_hit_tokens":64,"prompt_cache_miss_tokens":2})", &odd).cached,
      64);
  EXPECT_EQ(ParseUsage(R"({"cached_tokens":7})", &odd).cached, 7);
  EXPECT_EQ(
      ParseUsage(R"({"cached_tokens":7,"prompt_tokens_details":{"cached_tokens":9}})", &odd).cached,
      9);
  EXPECT_FALSE(odd);
}

TEST(UsageTest, AbsentIsNotZeroAndZeroIsNotAbsent) {
  bool odd = false;
  for (const char* text : {"{}", "null", "[]", "3", R"({"prompt_tokens":null})",
                           R"({"prompt_tokens_details":null})"}) {
    EXPECT_TRUE(ParseUsage(text, &odd).IsEmpty()) << text;
  }
  const Usage zero = ParseUsage(R"({"prompt_tokens":0,"completion_tokens":0})", &odd);
  EXPECT_TRUE(zero.complete());
  EXPECT_EQ(zero.prompt, 0);
  EXPECT_FALSE(odd);
}

TEST(UsageTest, OddCountsAreAbsentAndSaidToBeOdd) {
  for (const char* value : {"\"100\"", "1.5", "-1", "1e3", "true", "{}", "[1]", "9007199254740993",
                            "99999999999999999999999"}) {
    bool odd = false;
    const Usage usage =
        ParseUsage(R"({"completion_tokens":5,"prompt_tokens":)" + std::string(value) + "}", &odd);
    EXPECT_FALSE(usage.prompt.has_value()) << value;
    EXPECT_EQ(usage.completion, 5) << value;
    EXPECT_TRUE(odd) << value;
  }
}

TEST(UsageTest, MergeTakesTheMaximumOfEachField) {
  Usage usage;
  usage.prompt = 100;
  usage.completion = 5;
  Usage later;
  later.completion = 10;
  later.cached = 3;
  usage.MergeMax(later);
  EXPECT_EQ(usage.prompt, 100);
  EXPECT_EQ(usage.completion, 10);
  EXPECT_EQ(usage.cached, 3);
  EXPECT_FALSE(usage.total.has_value());
  later.completion = 7;
  usage.MergeMax(later);
  EXPECT_EQ(usage.completion, 10);
}

TEST(UsageTest, WritesOpenAisShape) {
  UsageReport report;
  report.usage.prompt = 100;
  report.usage.completion = 10;
  EXPECT_EQ(WriteUsage(report),
            R"({"prompt_tokens":100,"completion_tokens":10,"total_tokens":110})");
  report.usage.cached = 90;
  report.usage.audio_completion = 1;
  report.usage.reasoning = 4;
  report.cost = Money{14'800};
  EXPECT_EQ(WriteUsage(report),
            R"({"prompt_tokens":100,"completion_tokens":10,"total_tokens":110,)"
            R"("prompt_tokens_details":{"cached_tokens":90},)"
            R"("completion_tokens_details":{"reasoning_tokens":4,"audio_tokens":1},)"
            R"("cost":0.0000148})");
  EXPECT_TRUE(CheckJson(WriteUsage(report)).ok());
}

}  // namespace
}  // namespace seekroute
