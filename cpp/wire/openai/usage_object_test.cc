#include "wire/openai/usage_object.h"

#include <gtest/gtest.h>

#include "wire/json/json.h"

namespace seekroute {
namespace {

TEST(UsageObjectTest, WritesOpenAisShape) {
  UsageReport report;
  report.usage.prompt = 100;
  report.usage.completion = 10;
  EXPECT_EQ(WriteUsage(report),
            R"({"prompt_tokens":100,"completion_tokens":10,"total_tokens":110})");
  report.usage.cached = 90;
  report.usage.audio_completion = 1;
  report.usage.reasoning = 4;
  report.cost = CostReport{.cost = Money{14'800}};
  EXPECT_EQ(WriteUsage(report),
            R"({"prompt_tokens":100,"completion_tokens":10,"total_tokens":110,)"
            R"("prompt_tokens_details":{"cached_tokens":90},)"
            R"("completion_tokens_details":{"reasoning_tokens":4,"audio_tokens":1},)"
            R"("cost":0.0000148})");
  EXPECT_TRUE(CheckJson(WriteUsage(report)).ok());
}

TEST(UsageObjectTest, WritesWhatTheProviderCharges) {
  UsageReport report;
  report.usage.prompt = 1;
  report.usage.cache_write = 1;
  report.cost = CostReport{.cost = Money{3},
                           .details = true,
                           .upstream = Money{2'000'000'000},
                           .upstream_prompt = Money{1},
                           .upstream_completion = Money{0}};
  EXPECT_EQ(WriteUsage(report),
            R"({"prompt_tokens":1,"completion_tokens":0,"total_tokens":1,)"
            R"("prompt_tokens_details":{"cache_write_tokens":1},"cost":0.000000003,)"
            R"("cost_details":{"upstream_inference_cost":2,)"
            R"("upstream_inference_prompt_cost":0.000000001,)"
            R"("upstream_inference_completions_cost":0}})");
  EXPECT_TRUE(CheckJson(WriteUsage(report)).ok());
}

TEST(UsageObjectTest, WhatIsWrittenIsReadBack) {
  const std::string text =
      R"({"prompt_tokens":100,"completion_tokens":30,"total_tokens":130,)"
      R"("prompt_tokens_details":{"cached_tokens":9,"cache_write_tokens":8,"audio_tokens":7,)"
      R"("image_tokens":6},"completion_tokens_details":{"reasoning_tokens":5,"audio_tokens":4,)"
      R"("image_tokens":3,"accepted_prediction_tokens":2,"rejected_prediction_tokens":1}})";
  EXPECT_EQ(WriteUsage({ParseUsage(text).Counts(), std::nullopt}), text);
}

}  // namespace
}  // namespace seekroute
