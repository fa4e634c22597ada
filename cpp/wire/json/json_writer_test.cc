#include "wire/json/json_writer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "wire/json/json_value.h"

namespace seekroute {
namespace {

using Json = JsonWriter;

std::string Written(const std::function<void(Json&)>& write) {
  std::string out;
  Json json(&out);
  write(json);
  return out;
}

TEST(JsonWriterTest, WritesEveryKindOfValue) {
  const struct {
    std::function<void(Json&)> write;
    const char* text;
  } cases[] = {
      {[](Json& json) { json.Object().End(); }, "{}"},
      {[](Json& json) { json.Array().End(); }, "[]"},
      {[](Json& json) { json.String(""); }, R"("")"},
      {[](Json& json) { json.String("a \"\\/\n\t\x01\x7f"); }, "\"a \\\"\\\\/\\n\\t\\u0001\x7f\""},
      {[](Json& json) { json.String("\xc3\xa9\xff\xed\xa0\x80"); },
       "\"\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
      {[](Json& json) {
         json.String({"\0", 1});
       },
       R"("\u0000")"},
      {[](Json& json) { json.Integer(0); }, "0"},
      {[](Json& json) { json.Integer(std::numeric_limits<int64_t>::min()); },
       "-9223372036854775808"},
      {[](Json& json) { json.Integer(std::numeric_limits<uint64_t>::max()); },
       "18446744073709551615"},
      {[](Json& json) { json.Integer(std::numeric_limits<int8_t>::min()); }, "-128"},
      {[](Json& json) { json.Bool(true); }, "true"},
      {[](Json& json) { json.Bool(false); }, "false"},
      {[](Json& json) { json.Null(); }, "null"},
      {[](Json& json) { json.Usd(Money{14'800}); }, "0.0000148"},
      {[](Json& json) { json.Usd(Money{-2'000'000'000}); }, "-2"},
      {[](Json& json) { json.Raw(" {\"a\": 1e2 }"); }, " {\"a\": 1e2 }"},
      {[](Json& json) { json.Object().KeyOf("a\"").Integer(1).Key("").Null().End(); },
       R"({"a\"":1,"":null})"},
      {[](Json& json) { json.Array().Bool(true).Array().End().Object().End().String("x").End(); },
       R"([true,[],{},"x"])"},
      {[](Json& json) {
         json.Object().Key("a").Object().Key("b").Array().Integer(1).Integer(2).End().End();
         json.RawMembers({}).RawMembers(R"("c":3,"d":4)").Key("e").Bool(false).End();
       },
       R"({"a":{"b":[1,2]},"c":3,"d":4,"e":false})"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(Written(c.write), c.text);
    EXPECT_TRUE(IsProvidersJson(c.text)) << c.text;
  }
}

TEST(JsonWriterTest, AppendsToWhatIsThere) {
  std::string out = "data: ";
  JsonWriter(&out).Object().Key("a").Array().Null().End().End();
  out += "\n\n";
  EXPECT_EQ(out, "data: {\"a\":[null]}\n\n");
}

TEST(JsonWriterTest, WritesTheMembersOfAnObjectThatIsNotItsOwn) {
  std::string out;
  JsonWriter json = JsonWriter::Members(&out);
  json.RawMembers(R"("x":1)").Key("a").Object().Key("b").Null().End().End().Key("c").String("d");
  EXPECT_EQ(out, R"("x":1,"a":{"b":null},"c":"d")");
  std::string nothing;
  JsonWriter::Members(&nothing).End().String("a").Null().RawMembers({});
  EXPECT_EQ(nothing, "");
}

TEST(JsonWriterTest, WritesNothingOfWhatDoesNotFit) {
  const struct {
    std::function<void(Json&)> write;
    const char* text;
  } cases[] = {
      {[](Json& json) { json.Integer(1).Integer(2); }, "1"},
      {[](Json& json) { json.End().Key("a").RawMembers("\"b\":1").Null().End(); }, "null"},
      {[](Json& json) { json.Object().End().Object().Key("a").Null().End().End(); }, "{}"},
      {[](Json& json) { json.Object().Integer(1).String("a").Raw("2").End(); }, "{}"},
      {[](Json& json) { json.Object().Array().Integer(1).End().Key("a").Integer(2).End(); },
       R"({"a":2})"},
      {[](Json& json) {
         json.Object().Object().Object().End().Key("x").End().Key("a").Null().End();
       },
       R"({"a":null})"},
      {[](Json& json) { json.Object().Key("a").Key("b").RawMembers("\"c\":1").Integer(1).End(); },
       R"({"a":1})"},
      {[](Json& json) { json.Object().Key("a").End(); }, R"({"a":null})"},
      {[](Json& json) { json.Array().Key("a").RawMembers("\"b\":1").Integer(1).End(); }, "[1]"},
  };
  for (const auto& c : cases) EXPECT_EQ(Written(c.write), c.text);
}

TEST(JsonWriterTest, NestsAsDeepAsIsReadAndNotDeeper) {
  for (const bool objects : {false, true}) {
    std::string out;
    JsonWriter json(&out);
    for (int i = 0; i < kMaxJsonDepth + 50; ++i) {
      if (objects) {
        json.Object().Key("a");
      } else {
        json.Array();
      }
    }
    json.Integer(1);
    for (int i = 0; i < kMaxJsonDepth + 50; ++i) json.End();
    EXPECT_TRUE(CheckJson(out).ok());
    EXPECT_EQ(std::count(out.begin(), out.end(), objects ? '{' : '['), kMaxJsonDepth);
  }
}

// A random value as the writer is told it and, beside that, as its text is known to be.
class RandomValue {
 public:
  explicit RandomValue(uint32_t seed) : random_(seed) {}

  void Write(int depth, Json* json, std::string* text) {
    switch (random_() % (depth == 0 ? 4 : 6)) {
      case 0: {
        const std::string value = Text();
        json->String(value);
        AppendJsonString(value, text);
        break;
      }
      case 1: {
        const auto value = static_cast<int64_t>(uint64_t{random_()} << 32 | random_());
        json->Integer(value);
        *text += std::to_string(value);
        break;
      }
      case 2: {
        const bool value = random_() % 2 == 0;
        json->Bool(value);
        *text += value ? "true" : "false";
        break;
      }
      case 3:
        json->Null();
        *text += "null";
        break;
      default:
        Nest(depth, json, text);
    }
  }

  std::string Text() {
    std::string text(random_() % 12, '\0');
    for (char& c : text) c = static_cast<char>(random_() % 3 == 0 ? random_() % 256 : 'a');
    return text;
  }

 private:
  void Nest(int depth, Json* json, std::string* text) {
    const bool is_object = random_() % 2 == 0;
    is_object ? json->Object() : json->Array();
    *text += is_object ? '{' : '[';
    const size_t size = random_() % 5;
    for (size_t i = 0; i < size; ++i) {
      if (i > 0) *text += " , ";
      if (is_object) {
        const std::string key = Text();
        json->KeyOf(key);
        AppendJsonString(key, text);
        *text += ": ";
      }
      Write(depth - 1, json, text);
    }
    json->End();
    *text += is_object ? '}' : ']';
  }

  std::mt19937 random_;
};

TEST(JsonWriterTest, WhatIsWrittenSaysWhatWasMeant) {
  for (uint32_t seed = 0; seed < 2000; ++seed) {
    std::string out, meant;
    JsonWriter json(&out);
    RandomValue(seed).Write(6, &json, &meant);
    ASSERT_TRUE(IsProvidersJson(out)) << out;
    ASSERT_EQ(SpelledJson(out), SpelledJson(meant)) << seed;
  }
}

TEST(JsonWriterTest, WhateverIsCalledTheTextIsJson) {
  constexpr int kCalls = 300;
  for (uint32_t seed = 0; seed < 2000; ++seed) {
    std::mt19937 random(seed);
    RandomValue values(seed);
    const bool members = seed % 2 == 0;
    std::string out = members ? "{" : "";
    JsonWriter json = members ? JsonWriter::Members(&out) : JsonWriter(&out);
    const unsigned long opens = 1 + random() % 6;  // the more of them, the deeper
    for (int i = 0; i < kCalls; ++i) {
      switch (random() % (7 + opens)) {
        case 0:
          json.End();
          break;
        case 1:
          json.String(values.Text());
          break;
        case 2:
          json.Integer(static_cast<int64_t>(random()) - (int64_t{1} << 31));
          break;
        case 3:
          json.Bool(i % 2 == 0);
          break;
        case 4:
          json.Raw(" -1.5e2 ");
          break;
        case 5:
          json.RawMembers(i % 2 == 0 ? R"("m": 1, "n": 2)" : "");
          break;
        case 6:
          json.KeyOf(values.Text());
          break;
        default:
          i % 3 == 0 ? json.Array() : json.Object();
          if (i % 3 != 0) json.KeyOf(values.Text());
      }
    }
    for (int i = 0; i < kCalls; ++i) json.End();
    if (members) {
      // A key may be left: of an object that others end, the value is theirs to give.
      if (out.ends_with(':')) json.Null();
      out += '}';
    }
    if (out.empty()) json.Null();
    ASSERT_TRUE(IsProvidersJson(out)) << seed << ": " << out;
  }
}

}  // namespace
}  // namespace seekroute
