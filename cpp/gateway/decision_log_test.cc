#include "gateway/decision_log.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "routing/auto/auto_router.h"

namespace seekroute {
namespace {

TEST(DecisionLog, GivesEachDecisionOnceInOrder) {
  DecisionLog log;
  for (const char* const id : {"a", "b"}) log.Put({.generation_id = id});
  const auto taken = log.TakeAll();
  ASSERT_EQ(taken.size(), 2U);
  EXPECT_EQ(taken[0].generation_id, "a");
  EXPECT_EQ(taken[1].generation_id, "b");
  EXPECT_TRUE(log.TakeAll().empty());
}

TEST(DecisionLog, ForgetsTheOldestWhereNobodyTakesThem) {
  DecisionLog log;
  for (size_t i = 0; i < DecisionLog::kMost + 3; ++i) {
    log.Put({.generation_id = std::to_string(i)});
  }
  EXPECT_EQ(log.dropped(), 3U);
  const auto taken = log.TakeAll();
  ASSERT_EQ(taken.size(), DecisionLog::kMost);
  EXPECT_EQ(taken.front().generation_id, "3");
}

struct SomeRequest : ParsedRequest {
  std::string PathOf(Need) const override { return {}; }
};

// A request for which a model was chosen, by one that learns.
struct Chosen {
  Chosen() {
    snapshot.router = std::make_shared<const AutoRouter>(
        *AutoRouter::Make({{.id = "a/b", .quality = 0.5}}, {.learn = true}, nullptr));
    model.id = "a/b";
    admission.route.automatic = AutoRoute{.models = {{&model, {}}}};
    Wish({});
  }
  void Wish(AskedRoute asked) {
    auto request = std::make_unique<SomeRequest>();
    request->ask.route = std::make_unique<AskedRoute>(std::move(asked));
    admission.request = std::move(request);
  }

  Snapshot snapshot;
  Model model;
  Admission admission;
};

TEST(DecisionLog, LearnsOfChoicesButOfThoseThatAskForPrivacy) {
  Chosen chosen;
  EXPECT_TRUE(IsToBeLearned(chosen.admission, chosen.snapshot));
  chosen.Wish({.zdr = true});
  EXPECT_FALSE(IsToBeLearned(chosen.admission, chosen.snapshot));
  chosen.Wish({.deny_data_collection = true});
  EXPECT_FALSE(IsToBeLearned(chosen.admission, chosen.snapshot));
}

TEST(DecisionLog, LearnsOfNothingElse) {
  Chosen chosen;
  chosen.admission.route.automatic.reset();
  EXPECT_FALSE(IsToBeLearned(chosen.admission, chosen.snapshot));
  Chosen other;
  other.snapshot.router = std::make_shared<const AutoRouter>(
      *AutoRouter::Make({{.id = "a/b", .quality = 0.5}}, {}, nullptr));
  EXPECT_FALSE(IsToBeLearned(other.admission, other.snapshot));
}

}  // namespace
}  // namespace seekroute
