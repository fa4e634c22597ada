#include "routing/model_pattern.h"

#include <gtest/gtest.h>

#include <string>

namespace seekroute {
namespace {

TEST(MatchesPattern, TakesAStarForAnyText) {
  struct Case {
    std::string_view pattern, id;
    bool matches;
  };
  for (const Case& each :
       {Case{"anthropic/*", "anthropic/claude-haiku-4-5", true},
        Case{"anthropic/*", "openai/gpt-5", false}, Case{"anthropic/*", "anthropic", false},
        Case{"openai/gpt-5", "openai/gpt-5", true},
        Case{"openai/gpt-5", "openai/gpt-5-mini", false},
        Case{"openai/gpt-5*", "openai/gpt-5", true},
        Case{"*/gpt-*-mini", "openai/gpt-4.1-mini", true},
        Case{"*/gpt-*-mini", "openai/gpt-4.1-mini-x", false}, Case{"*ab*ab", "xabab", true},
        Case{"*ab*ab", "xab", false}, Case{"qwen/*", "Qwen/QwQ", true}, Case{"**", "", true},
        Case{"*", "a/m", true}, Case{"", "a", false}, Case{"", "", true}, Case{"a.c", "abc", false},
        Case{"a?c", "abc", false}}) {
    EXPECT_EQ(MatchesPattern(each.pattern, each.id), each.matches)
        << each.pattern << ' ' << each.id;
  }
}

// What a bad pattern costs is bounded by both lengths.
TEST(MatchesPattern, EndsSoonOnStarsThatDoNotFit) {
  std::string pattern;
  for (int i = 0; i < 60; ++i) pattern += "*a";
  EXPECT_FALSE(MatchesPattern(pattern + 'b', std::string(200, 'a')));
}

}  // namespace
}  // namespace seekroute
