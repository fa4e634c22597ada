#include "wire/openai/one_model_chat.h"

#include <gtest/gtest.h>

namespace seekroute {
namespace {

TEST(ChatForOneModelTest, NamesTheModelAndAsksForAWholeAnswer) {
  EXPECT_EQ(ChatForOneModel(R"({"model":"auto","messages":[],"stream":true,)"
                            R"("stream_options":{"include_usage":true}})",
                            "a/b"),
            R"({"model":"a/b","messages":[]})");
}

TEST(ChatForOneModelTest, LeavesOutWhatChoosesAModelAndWhatIsKeptElsewhere) {
  EXPECT_EQ(ChatForOneModel(R"({"models":["x","y"],"messages":[1], "route":"auto/cost" ,)"
                            R"("plugins":[{"id":"auto-router"}],"store":true,"model":"auto",)"
                            R"("temperature":0.5})",
                            "a/b"),
            R"({"messages":[1], "model":"a/b","temperature":0.5})");
}

// Of the outermost object alone, and not another byte differs.
TEST(ChatForOneModelTest, KeepsAllElse) {
  constexpr std::string_view kBody =
      R"( {"provider" : {"zdr":true,"order":["p"]}, "model":"auto", "messages":[{"role":"user",)"
      R"("content":"\ud83d route","stream":true,"model":"m","store":1}], "n":2 } )";
  std::string expected(kBody);
  expected.replace(expected.find("\"auto\""), 6, "\"a/\\\"b\"");
  EXPECT_EQ(ChatForOneModel(kBody, "a/\"b"), expected);
}

TEST(ChatForOneModelTest, CutsWhereverMembersStand) {
  EXPECT_EQ(ChatForOneModel(R"({"stream":true,"model":"auto"})", "m"), R"({"model":"m"})");
  EXPECT_EQ(ChatForOneModel(R"({"model":"auto","stream":true})", "m"), R"({"model":"m"})");
  EXPECT_EQ(ChatForOneModel(R"({"stream":true,"model":"auto","store":false,"route":null})", "m"),
            R"({"model":"m"})");
}

TEST(ChatForOneModelTest, IsEmptyOfWhatIsNoRequest) {
  EXPECT_EQ(ChatForOneModel("", "m"), "");
  EXPECT_EQ(ChatForOneModel("{\"model\":", "m"), "");
  EXPECT_EQ(ChatForOneModel("[\"model\"]", "m"), "");
  EXPECT_EQ(ChatForOneModel("\"model\"", "m"), "");
  EXPECT_EQ(ChatForOneModel("{\"stream\":true}", "m"), "");
}

}  // namespace
}  // namespace seekroute
