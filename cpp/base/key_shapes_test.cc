#include "base/key_shapes.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace seekroute {
namespace {

constexpr std::string_view kRest = "A1B2C3D4E5F6G7H8";  // as short as one may be

// The beginnings of one kind, as they may be written.
std::vector<std::string> HeadsOf(const KeyShape& shape) {
  const std::string head(shape.head);
  if (shape.separators.empty()) return {head};
  std::vector<std::string> heads;
  for (const char separator : shape.separators) {
    heads.push_back(head + separator);
    if (separator == '-') heads.push_back(head + "%2D");
    if (separator == '_') heads.push_back(head + "%5f");
  }
  return heads;
}

TEST(KeyShapesTest, EveryKindIsTakenOutWhereverItStands) {
  for (const KeyShape& shape : KeyShapes()) {
    for (const std::string& head : HeadsOf(shape)) {
      const std::string key = head + std::string(kRest);
      EXPECT_TRUE(HasKey(key)) << key;
      EXPECT_EQ(WithoutKeys(key), "[key]") << key;
      EXPECT_EQ(WithoutKeys("GET /v1/" + key + "/x?a=" + key), "GET /v1/[key]/x?a=[key]") << key;
      EXPECT_EQ(WithoutKeys("a%2F" + key), "a%2F[key]") << key;
      // One character less, or a letter before it: a word.
      const std::string word = key.substr(0, key.size() - 1);
      EXPECT_EQ(WithoutKeys(word), word);
      if (shape.letters == KeyShape::Case::kAny) {
        std::string capitals = key;
        for (char& c : capitals) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
        EXPECT_EQ(WithoutKeys(capitals), "[key]") << capitals;
      }
    }
  }
}

TEST(KeyShapesTest, AKeyOfOursHasAnyWords) {
  const std::string rest(49, 'x');
  for (const char* words : {"sk-sr-", "acme_", "a-b_c-", "A_"}) {
    EXPECT_EQ(WithoutKeys("(" + (words + rest) + ")"), "([key])") << words;
    EXPECT_FALSE(HasKey(words + rest.substr(1)) && std::string_view(words) != "sk-sr-") << words;
  }
  EXPECT_FALSE(HasKey(rest));
  EXPECT_FALSE(HasKey("9_" + rest));
}

TEST(KeyShapesTest, WordsStay) {
  for (const char* text :
       {"", "sk-", "POST /v1/chat/completions", "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B",
        "openai/gpt-4o-mini-2024-07-18", "task-sk-1", "risk-adjusted-and-rather-long-names",
        "019ad2f4-5c1e-7c3b-8d0a-2f9b6f6f3b1e", "asia-southeast1-aiplatform.example",
        "ASIA-PACIFIC-AND-MORE-OF-IT", "akiasomething", "4bf92f3577b34da6a3ce929d0e0e4736",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}) {
    EXPECT_EQ(WithoutKeys(text), text);
    EXPECT_FALSE(HasKey(text)) << text;
  }
}

TEST(KeyShapesTest, WordsBehindABeginningAreAName) {
  for (const char* name :
       {"hf-internal-testing/tiny-random-llama", "xai/xai-grok-4-fast-reasoning",
        "jina/jina_embeddings_v3_base_en", "me/fw-llama-v3p1-405b-instruct",
        "fw-mixtral8x7b-instruct-v0.1", "jina_embeddings_v3_20240718", "hf-Qwen3-30B-A3B-Instruct",
        "sk-a-rather-long-name-of-words", "pk_live_and_other_settings"}) {
    EXPECT_EQ(WithoutKeys(name), name);
    EXPECT_FALSE(HasKey(name)) << name;
  }
}

TEST(KeyShapesTest, KeysMayHaveSeparatorsInThem) {
  for (const char* key :
       {"sk-proj-aB3dE5gH_7jK9mN1-pQ3sT5uV", "sk-ant-api03-aB3dE5gH7j-K9mN1pQ3sT5_uV-AA",
        "AIzaSyD-9tSrke72I6eYbMmXnU_Pq4Wc0Zx1R", "sk-0f3a9b2c-1d4e-4f5a-8b6c-7d8e9f0a1b2c",
        "xoxb-123456789012-1234567890123-aB3dE5gH7jK9mN1pQ3sT5uV7", "glpat-aB3dE5gH7_jK9mN1pQ3s",
        "lsv2_pt_0123456789abcdef0123456789abcdef_0123456789"}) {
    EXPECT_EQ(WithoutKeys(std::string("/v1/") + key + "/x"), "/v1/[key]/x");
  }
}

TEST(KeyShapesTest, ADigitBeforeAKeyDoesNotHideIt) {
  EXPECT_EQ(WithoutKeys("/v1/1sk-proj-" + std::string(kRest)), "/v1/1[key]");
}

}  // namespace
}  // namespace seekroute
