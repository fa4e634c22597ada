#include "wire/usage.h"

#include <gtest/gtest.h>

namespace seekroute {
namespace {

Usage Read(std::string_view json) {
  const UsageReading reading = ParseUsage(json);
  EXPECT_FALSE(reading.odd) << json;
  return reading.Counts();
}

TEST(UsageTest, ReadsOpenAisFields) {
  const Usage usage = Read(
      R"({"prompt_tokens":100,"completion_tokens":20,"total_tokens":120,
          "prompt_tokens_details":{"cached_tokens":90,"audio_tokens":11,"image_tokens":3,
            "text_tokens":86,"cached_tokens_details":{"audio_tokens":9,"text_tokens":81}},
          "completion_tokens_details":{"reasoning_tokens":4,"audio_tokens":2,"image_tokens":5,
            "accepted_prediction_tokens":6,"rejected_prediction_tokens":1}})");
  EXPECT_EQ(usage.prompt, 100);
  EXPECT_EQ(usage.completion, 20);
  EXPECT_EQ(usage.total, 120);
  EXPECT_EQ(usage.cached, 90);
  EXPECT_EQ(usage.audio_prompt, 11);
  EXPECT_EQ(usage.audio_cached, 9);
  EXPECT_EQ(usage.image_prompt, 3);
  EXPECT_EQ(usage.reasoning, 4);
  EXPECT_EQ(usage.audio_completion, 2);
  EXPECT_EQ(usage.image_completion, 5);
  EXPECT_EQ(usage.accepted_predictions, 6);
  EXPECT_EQ(usage.rejected_predictions, 1);
  EXPECT_TRUE(usage.complete());
}

TEST(UsageTest, ReadsTheCacheFieldsOfOthers) {
  EXPECT_EQ(Read(R"({"prompt_cache_hit_tokens":64,"prompt_cache_miss_tokens":2})").cached, 64);
  EXPECT_EQ(Read(R"({"prompt_cache_hit_tokens":64,"prompt_cache_miss_tokens":2})").prompt, 66);
  EXPECT_EQ(Read(R"({"cached_tokens":7})").cached, 7);
  EXPECT_EQ(Read(R"({"cached_tokens":7,"prompt_tokens_details":{"cached_tokens":9}})").cached, 9);
  EXPECT_EQ(Read(R"({"cached_prompt_text_tokens":7})").cached, 7);
  // OpenRouter; LiteLLM; Alibaba, which nests the times of life.
  EXPECT_EQ(Read(R"({"prompt_tokens_details":{"cache_write_tokens":5}})").cache_write, 5);
  EXPECT_EQ(Read(R"({"prompt_tokens_details":{"cache_creation_tokens":5}})").cache_write, 5);
  const Usage nested = Read(
      R"({"prompt_tokens":9,"prompt_tokens_details":{"cache_creation_input_tokens":5,
          "cache_creation":{"ephemeral_5m_input_tokens":3,"ephemeral_1h_input_tokens":2}}})");
  EXPECT_EQ(nested.prompt, 9);
  EXPECT_EQ(nested.cache_write, 5);
  EXPECT_EQ(nested.cache_write_1h, 2);
  EXPECT_EQ(Read(R"({"cache_creation":{"ephemeral_5m_input_tokens":3}})").cache_write, 3);
  EXPECT_EQ(Read(R"({"cache_creation":{"ephemeral_1h_input_tokens":3}})").cache_write, 3);
}

TEST(UsageTest, AnthropicsInputLeavesTheCacheOut) {
  const Usage usage = Read(
      R"({"input_tokens":10,"cache_read_input_tokens":1000,"cache_creation_input_tokens":300,
          "cache_creation":{"ephemeral_5m_input_tokens":200,"ephemeral_1h_input_tokens":100},
          "output_tokens":7,"output_tokens_details":{"thinking_tokens":3}})");
  EXPECT_EQ(usage.prompt, 1310);
  EXPECT_EQ(usage.completion, 7);
  EXPECT_EQ(usage.cached, 1000);
  EXPECT_EQ(usage.cache_write, 300);
  EXPECT_EQ(usage.cache_write_1h, 100);
  EXPECT_EQ(usage.reasoning, 3);
  // OpenAI's Responses use the same names and count the cache in.
  EXPECT_EQ(Read(R"({"input_tokens":10,"input_tokens_details":{"cached_tokens":8}})").prompt, 10);
  // A gateway that gives both has translated: its prompt is the whole.
  EXPECT_EQ(
      Read(R"({"prompt_tokens":1310,"input_tokens":10,"cache_read_input_tokens":1300})").prompt,
      1310);
}

TEST(UsageTest, TheTotalTellsWhatStandsOutside) {
  // xAI: 10120 + 1499 + 2809 = 14428.
  const Usage xai = Read(
      R"({"prompt_tokens":10120,"completion_tokens":1499,"total_tokens":14428,
          "prompt_tokens_details":{"cached_tokens":128},
          "completion_tokens_details":{"reasoning_tokens":2809}})");
  EXPECT_EQ(xai.completion, 4308);
  EXPECT_EQ(xai.reasoning, 2809);
  EXPECT_EQ(xai.prompt, 10120);
  // OpenAI: inside.
  EXPECT_EQ(Read(R"({"prompt_tokens":10,"completion_tokens":9,"total_tokens":19,
                     "completion_tokens_details":{"reasoning_tokens":5}})")
                .completion,
            9);
  // The cache outside, and both.
  const std::string cache = R"("cache_read_input_tokens":100,"cache_creation_input_tokens":20)";
  EXPECT_EQ(
      Read(R"({"prompt_tokens":10,"completion_tokens":9,"total_tokens":139,)" + cache + "}").prompt,
      130);
  const Usage both =
      Read(R"({"prompt_tokens":10,"completion_tokens":9,"total_tokens":144,"reasoning_tokens":5,)" +
           cache + "}");
  EXPECT_EQ(both.prompt, 130);
  EXPECT_EQ(both.completion, 14);
  // Gemini: thoughts are only in the total.
  const Usage gemini = Read(R"({"prompt_tokens":20,"completion_tokens":198,"total_tokens":623})");
  EXPECT_EQ(gemini.completion, 603);
  EXPECT_EQ(gemini.reasoning, 405);
}

TEST(UsageTest, ATotalThatFitsNothingIsIgnored) {
  const Usage usage =
      Read(R"({"prompt_tokens":9,"completion_tokens":8,"total_tokens":99,"reasoning_tokens":5})");
  EXPECT_EQ(usage.prompt, 9);
  EXPECT_EQ(usage.completion, 8);
  EXPECT_EQ(usage.reasoning, 5);
  EXPECT_EQ(Read(R"({"prompt_tokens":9,"completion_tokens":8,"total_tokens":3})").completion, 8);
  EXPECT_FALSE(Read(R"({"prompt_tokens":9,"total_tokens":30})").completion.has_value());
}

TEST(UsageTest, AbsentIsNotZeroAndZeroIsNotAbsent) {
  for (const char* text :
       {"{}", "null", "[]", "3", R"({"prompt_tokens":null})", R"({"prompt_tokens_details":null})",
        R"({"cost":3,"x":{"prompt_tokens":4},"cache_creation":{"y":{"audio_tokens":1}}})",
        R"({"prompt_tokens_details":{"y":{"audio_tokens":1}},"cached_tokens_details":{}})"}) {
    const UsageReading reading = ParseUsage(text);
    EXPECT_TRUE(reading.IsEmpty()) << text;
    EXPECT_FALSE(reading.odd) << text;
  }
  const Usage zero = Read(R"({"prompt_tokens":0,"completion_tokens":0})");
  EXPECT_TRUE(zero.complete());
  EXPECT_EQ(zero.prompt, 0);
  EXPECT_FALSE(ParseUsage(R"({"input_tokens":0})").IsEmpty());
}

TEST(UsageTest, OddCountsAreAbsentAndSaidToBeOdd) {
  for (const char* value : {"\"100\"", "1.5", "-1", "1.5e0", "15e-1", "-1e2", "1e16", "true", "{}",
                            "[1]", "9007199254740993", "99999999999999999999999"}) {
    const UsageReading reading =
        ParseUsage(R"({"completion_tokens":5,"prompt_tokens":)" + std::string(value) + "}");
    EXPECT_FALSE(reading.Counts().prompt.has_value()) << value;
    EXPECT_EQ(reading.Counts().completion, 5) << value;
    EXPECT_TRUE(reading.odd) << value;
  }
  EXPECT_TRUE(ParseUsage("{").odd);
  EXPECT_TRUE(ParseUsage(R"({"cache_creation":{"ephemeral_1h_input_tokens":"3"}})").odd);
}

TEST(UsageTest, AnIntegerIsOneInAnySpelling) {
  for (const char* value : {"100", "100.0", "1e2", "1E+2", "1.00e2", "1000e-1", "0.1e3"}) {
    EXPECT_EQ(Read(R"({"prompt_tokens":)" + std::string(value) + "}").prompt, 100) << value;
  }
  for (const char* value : {"0", "0.0", "0e9", "-0", "-0.0"}) {
    EXPECT_EQ(Read(R"({"prompt_tokens":)" + std::string(value) + "}").prompt, 0) << value;
  }
}

TEST(UsageTest, ADoubledCountIsNotBelieved) {
  for (const char* text :
       {R"({"prompt_tokens":1,"prompt_tokens":100})",
        R"({"prompt_tokens":100,"prompt_tokens":100})",
        R"({"prompt_tokens":null,"prompt_tokens":100})", R"({"input_tokens":1,"input_tokens":2})",
        R"({"prompt_tokens_details":{"cached_tokens":1,"cached_tokens":2}})",
        R"({"prompt_tokens_details":{},"prompt_tokens_details":{"cached_tokens":2}})",
        R"({"prompt_tokens_details":null,"prompt_tokens_details":{"cached_tokens":2}})"}) {
    EXPECT_TRUE(ParseUsage(text).odd) << text;
  }
  // What says the same in two places, or is no count, is not doubled.
  Read(R"({"prompt_tokens_details":{"cached_tokens":2},"input_tokens_details":{"cached_tokens":2},
           "cached_tokens":2,"queue_time":1.5,"queue_time":1.5})");
}

TEST(UsageTest, MergeTakesTheMaximumOfEachField) {
  UsageReading usage = ParseUsage(R"({"prompt_tokens":100,"completion_tokens":5})");
  usage.MergeMax(ParseUsage(R"({"completion_tokens":10,"cached_tokens":3})"));
  EXPECT_EQ(usage.Counts().prompt, 100);
  EXPECT_EQ(usage.Counts().completion, 10);
  EXPECT_EQ(usage.Counts().cached, 3);
  EXPECT_FALSE(usage.Counts().total.has_value());
  usage.MergeMax(ParseUsage(R"({"completion_tokens":7})"));
  EXPECT_EQ(usage.Counts().completion, 10);
  EXPECT_FALSE(usage.odd);
  UsageReading odd = ParseUsage(R"({"prompt_tokens":"7"})");
  odd.MergeMax(usage);
  EXPECT_TRUE(odd.odd);
  usage.MergeMax(ParseUsage(R"({"completion_tokens":"7"})"));
  EXPECT_TRUE(usage.odd);
}

}  // namespace
}  // namespace seekroute
