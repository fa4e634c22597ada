#include "gateway/admission.h"

#include <gtest/gtest.h>

#include <string>

#include "wire/protocols/protocols.h"

namespace seekroute {
namespace {

Snapshot OneModel() {
  Snapshot snapshot;
  snapshot.profiles.emplace("seekroute", Profile());
  snapshot.default_profile = "seekroute";
  Model model{.id = "a/m", .endpoints = {}};
  model.endpoints.push_back({0, "up", PriceTable::Flat({})});
  Catalog::Parts parts;
  parts.models.push_back(std::move(model));
  parts.names = {{"a/m", "a/m"}, {"m", "a/m"}};
  parts.auto_names = {"auto"};
  parts.default_model = "a/m";
  snapshot.catalog = *Catalog::Make(std::move(parts));
  return snapshot;
}

TEST(Admit, SaysHowTheModelWasFound) {
  const Snapshot snapshot = OneModel();
  const KeyRing keys(Secret("pepper"));
  const auto strategy = [&](const std::string& model) {
    const std::string body =
        R"({"model":")" + model + R"(","messages":[{"role":"user","content":"Hi"}]})";
    Admission admission;
    EXPECT_TRUE(Admit(SurfaceOf(SurfaceId::kChat), body, std::nullopt, snapshot,
                      {&keys, false, Origin::kInProcess, {}}, &admission)
                    .ok());
    EXPECT_EQ(admission.route.candidates.size(), 1u);
    return admission.route.strategy;
  };
  EXPECT_EQ(strategy("auto"), "auto");
  EXPECT_EQ(strategy("a/m"), "direct");
  EXPECT_EQ(strategy("m"), "alias");
}

// Also to whom it serves nothing: a report of the refusal says it.
TEST(Admit, SaysHowTheModelWasFoundWhereItRefuses) {
  const Snapshot snapshot = OneModel();
  KeyRing keys(Secret("pepper"));
  ApiKey key;
  key.key_id = "k";
  key.models = {"a/other"};
  keys.Put(HmacSha256(Secret("pepper"), "good"), key);
  Admission admission;
  const Status refused = Admit(
      SurfaceOf(SurfaceId::kChat), R"({"model":"m","messages":[{"role":"user","content":"Hi"}]})",
      Secret("Bearer good"), snapshot, {&keys, true, Origin::kServer, {}}, &admission);
  EXPECT_EQ(refused.error().code, ErrorCode::kModelNotFound);
  EXPECT_EQ(admission.route.strategy, "alias");
  EXPECT_TRUE(admission.route.candidates.empty());
}

// Whether or not there is a default model, which is one for chats: no other model is named.
TEST(Admit, SaysThatAutoIsForChatsWhereEmbeddingsAreAsked) {
  Snapshot with = OneModel(), without = OneModel();
  Catalog::Parts parts;
  parts.auto_names = {"auto"};
  without.catalog = *Catalog::Make(std::move(parts));
  const KeyRing keys(Secret("pepper"));
  for (const Snapshot* snapshot : {&with, &without}) {
    Admission admission;
    const Status refused =
        Admit(SurfaceOf(SurfaceId::kEmbeddings), R"({"model":"auto","input":"Hi"})", std::nullopt,
              *snapshot, {&keys, false, Origin::kInProcess, {}}, &admission);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, ErrorCode::kNoMatchingEndpoint);
    EXPECT_EQ(refused.error().param, "model");
    EXPECT_EQ(refused.error().message,
              "'auto' chooses a model for chats: ask for embeddings by a model's name; "
              "GET /v1/models?output_modalities=embeddings lists those that make them");
    EXPECT_EQ(admission.model, nullptr);
  }
}

TEST(Admit, TellsNoCandidatesWhereItRefuses) {
  const Snapshot snapshot = OneModel();
  const KeyRing keys(Secret("pepper"));
  Admission admission;
  const Status refused = Admit(
      SurfaceOf(SurfaceId::kChat), R"({"model":"x","messages":[{"role":"user","content":"Hi"}]})",
      std::nullopt, snapshot, {&keys, false, Origin::kInProcess, {}}, &admission);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kModelNotFound);
  EXPECT_EQ(admission.model, nullptr);
  EXPECT_TRUE(admission.route.candidates.empty());
  EXPECT_NE(admission.profile, nullptr);
}

}  // namespace
}  // namespace seekroute
