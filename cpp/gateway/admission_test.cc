#include "gateway/admission.h"

#include <gtest/gtest.h>

#include <string>

#include "testing/admission_fixture.h"
#include "wire/protocols/protocols.h"

namespace seekroute {
namespace {

using testing::AdmitModels;

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
  key.models = std::make_shared<std::vector<std::string>>(1, "a/other");
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

TEST_F(AdmitModels, TakesFurtherModelsInOrderAndEachOnce) {
  EXPECT_EQ(Models(R"("model":"two","models":["a/two","three","two","one"])"),
            "a/two a/three a/one");
  EXPECT_EQ(Models(R"("model":"two")"), "a/two");
}

// Whatever names it.
TEST_F(AdmitModels, AsksNoModelThatTheKeyMayNotUse) {
  may_use_ = {"a/one", "a/two"};
  EXPECT_EQ(Models(R"("model":"one","models":["three","two"])"), "a/one a/two");
  EXPECT_EQ(Models(R"("model":"three","models":["two"])"), "a/two");
  EXPECT_EQ(admission_.route.strategy, "fallback");
  EXPECT_EQ(admission_.model->id, "a/two");
  EXPECT_EQ(Models(R"("model":"three","models":["three"])"), "model_not_found model");
}

// A fallback is held to it like the first.
TEST_F(AdmitModels, HoldsEachModelToTheCeiling) {
  EXPECT_EQ(Models(R"("model":"one","models":["three","two"],)"
                   R"("provider":{"max_price":{"completion":1}})"),
            "a/one a/two");
  EXPECT_EQ(Models(R"("model":"three","models":["one"],)"
                   R"("provider":{"max_price":{"completion":0.5}})"),
            "no_matching_endpoint model");
  EXPECT_NE(message_.find("raise provider.max_price.completion to 1"), std::string::npos)
      << message_;
}

TEST_F(AdmitModels, RefusesAModelThatThereIsNot) {
  EXPECT_EQ(Models(R"("model":"one","models":["two","four"])"), "model_not_found models[1]");
}

TEST_F(AdmitModels, TakesASuffixOffANameThatIsNone) {
  EXPECT_EQ(Models(R"("model":"one:floor")"), "a/one");
  EXPECT_EQ(admission_.route.sort, RouteSort::kPrice);
  EXPECT_EQ(admission_.route.strategy, "alias");
  EXPECT_EQ(Models(R"("model":"a/one:nitro")"), "a/one");
  EXPECT_EQ(admission_.route.sort, RouteSort::kThroughput);
  EXPECT_EQ(admission_.route.strategy, "direct");
  EXPECT_EQ(Models(R"("model":"one:free")"), "no_matching_endpoint model");
  EXPECT_EQ(Models(R"("model":"odd:free")"), "a/three");  // a name of its own
  EXPECT_EQ(Models(R"("model":"one:turbo")"), "model_not_found model");
  EXPECT_NE(message_.find(":floor, :nitro or :free"), std::string::npos);
}

// What is free for the first is not what the others cost.
TEST_F(AdmitModels, CountASuffixOfEachModel) {
  EXPECT_EQ(Models(R"("model":"one","models":["two:free","three"])"), "a/one a/three");
  EXPECT_EQ(Models(R"("model":"one:free","models":["two"])"), "a/two");
  EXPECT_EQ(Models(R"("model":"one","models":["two:floor"])"), "invalid_value models[0]");
}

// Whoever names it without the suffix as well takes it at any price behind that.
TEST_F(AdmitModels, TakeAModelForNothingAndThenAtAPrice) {
  EXPECT_EQ(Models(R"("model":"one:free","models":["one"])"), "a/one");
  EXPECT_EQ(Models(R"("model":"one","models":["one:free"])"), "a/one");
}

TEST_F(AdmitModels, RefusesWhatContradictsItselfBeforeAnyFilter) {
  EXPECT_EQ(Models(R"("model":"one:free","provider":{"only":["p"],"ignore":["p"]})"),
            "invalid_value provider.ignore");
  EXPECT_EQ(Models(R"("model":"one","provider":{"order":["q"]})"),
            "invalid_value provider.order[0]");
}

TEST_F(AdmitModels, MeasuresAModelThatIsNamedByItsOwnPrice) {
  // Nine times dearer than the first, and named.
  EXPECT_EQ(Models(R"("model":"one","models":["three"])"), "a/one a/three");
}

}  // namespace
}  // namespace seekroute
