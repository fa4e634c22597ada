#include "wire/json/json_value.h"

#include <gtest/gtest.h>

#include "wire/json/json.h"

namespace seekroute {
namespace {

TEST(JsonValueTest, TextsOfOneValueHaveOneSpelling) {
  const struct {
    const char *a, *b;
  } same[] = {
      {"{}", " {\n} "},
      {R"({"a":1,"b":2})", R"({ "b" : 2, "a" : 1 })"},
      {R"({"a":{"c":[1,2],"b":{}},"":0})", R"({"":0,"a":{"b":{},"c":[1,2]}})"},
      {R"({"a":"\u00e9\/"})", R"({"\u0061":"é/"})"},
      {"1", "1.0"},
      {"[10,-0,0.5]", "[1e1,0.0,5E-1]"},
      {"1e400000000000000000000", "1e400000000000000000000"},
      {"12345678901234567890", "1.234567890123456789e19"},
      {"-0.0150", "-1.5e-2"},
      {"[true,false,null]", "[true , false , null]"},
  };
  for (const auto& c : same) EXPECT_EQ(SpelledJson(c.a), SpelledJson(c.b)) << c.a << c.b;
  const struct {
    const char *a, *b;
  } different[] = {
      {R"({"a":1})", R"({"a":2})"},
      {R"({"a":1})", R"({"a":"1"})"},
      {"[1,2]", "[2,1]"},
      {"[1,[2]]", "[1,2]"},
      {"[]", "{}"},
      {"1", "-1"},
      {"1.5", "15"},
      {"1e30", "1e31"},
      {"true", "\"true\""},
      {R"({"a":null})", "{}"},
  };
  for (const auto& c : different) EXPECT_NE(SpelledJson(c.a), SpelledJson(c.b)) << c.a << c.b;
  for (const char* none : {"", "{", "nul", "{\"a\":1", "one two"}) {
    EXPECT_EQ(SpelledJson(none), "") << none;
  }
}

TEST(JsonValueTest, DeepObjectsOutOfOrderAreSortedAtEveryDepth) {
  std::string a = "0", b = "0";
  for (int i = 0; i < kMaxJsonDepth; ++i) {
    a = R"({"x":)" + a + R"(,"y":1,"a":2})";
    b = R"({"a":2,"x":)" + b + R"(,"y":1})";
  }
  EXPECT_EQ(SpelledJson(a), SpelledJson(b));
  EXPECT_NE(SpelledJson(a), "");
}

}  // namespace
}  // namespace seekroute
