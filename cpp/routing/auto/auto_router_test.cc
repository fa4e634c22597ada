#include "routing/auto/auto_router.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "testing/auto_weights.h"

namespace seekroute {
namespace {

constexpr std::array kAll{AutoStrategy::kBalanced, AutoStrategy::kCost, AutoStrategy::kLatency,
                          AutoStrategy::kQuality};
constexpr std::string_view kHard =
    "Prove the theorem step by step and explain why the complexity of the algorithm is optimal.";

AutoRouter RouterOf(size_t models, AutoRules rules = {}) {
  std::vector<PooledModel> pool;
  for (size_t i = 0; i < models; ++i) pool.push_back({"a/" + std::to_string(i), 0.7, ""});
  return *AutoRouter::Make(std::move(pool), rules, nullptr);
}

// Models of any quality and price, some of which are alike.
struct Pool {
  explicit Pool(std::mt19937_64* random) {
    const auto below = [&](uint64_t most) { return (*random)() % most; };
    const size_t size = 1 + below(8);
    for (size_t i = 0; i < size; ++i) {
      judged.quality.push_back(static_cast<float>(below(101)) / 100);
      offers.push_back({.model = static_cast<uint32_t>(i),
                        .cost_pico = below(8) == 0 ? 0 : below(1000) * below(1'000'000),
                        .latency_ms = static_cast<uint32_t>(1 + below(2000)),
                        .last_resort = below(6) == 0});
    }
    rules.cost_weight = static_cast<double>(below(200)) / 100;
    rules.cost_slack = static_cast<double>(below(30)) / 100;
  }

  std::vector<AutoVerdict> Rank(AutoStrategy strategy) const {
    return RouterOf(offers.size(), rules).Rank(judged, offers, strategy);
  }

  AutoJudgement judged;
  std::vector<AutoOffer> offers;
  AutoRules rules;
};

constexpr int kPools = 3000;

// What is guessed of models leaves more room to save than what is learned: by the least known one.
TEST(AutoRouter, SlackComesToThatOfLearnedModels) {
  const auto slack = [](std::vector<std::string> learned, uint64_t ratings) {
    AutoWeights weights = testing::SomeAutoWeights(7, 3);
    weights.models[1].ratings = ratings;
    const auto scorer = std::make_shared<const AutoScorer>(*AutoScorer::Make(weights, nullptr));
    std::vector<PooledModel> pool;
    for (const std::string& each : learned) pool.push_back({"a/" + each, 0.7, each});
    const AutoRules rules{.cost_slack = 0.2, .learned_slack = 0.05};
    return AutoRouter::Make(std::move(pool), rules, scorer)->rules().cost_slack;
  };
  EXPECT_NEAR(slack({"model-0", "model-1"}, 1000), 0.2 - 0.15 * 1000 / 1200, 1e-9);
  EXPECT_NEAR(slack({"model-0", "model-1"}, 200), 0.125, 1e-9);
  EXPECT_NEAR(slack({"model-0", "model-2"}, 200), 0.2 - 0.15 * 1000 / 1200, 1e-9);
  EXPECT_NEAR(slack({"model-0", "model-1"}, 0), 0.2, 1e-9);
  EXPECT_NEAR(slack({"model-0", ""}, 1000), 0.2, 1e-9);
  EXPECT_EQ(RouterOf(2, {.cost_slack = 0.2, .learned_slack = 0.05}).rules().cost_slack, 0.2);
  EXPECT_EQ(RouterOf(2, {.cost_slack = 0.2}).rules().cost_slack, 0.2);
}

TEST(AutoRouter, RanksEachOfferOnce) {
  std::mt19937_64 random(1);
  for (int i = 0; i < kPools; ++i) {
    const Pool pool(&random);
    for (const AutoStrategy strategy : kAll) {
      const auto ranked = pool.Rank(strategy);
      ASSERT_EQ(ranked.size(), pool.offers.size());
      std::vector<uint32_t> places;
      for (const AutoVerdict& each : ranked) places.push_back(each.offer.model);
      std::ranges::sort(places);
      for (size_t at = 0; at < places.size(); ++at) EXPECT_EQ(places[at], at);
    }
  }
}

TEST(AutoRouter, NeverPassesOverACheaperModelOfTheSameQuality) {
  std::mt19937_64 random(2);
  for (int i = 0; i < kPools; ++i) {
    const Pool pool(&random);
    for (const AutoStrategy strategy : kAll) {
      const auto ranked = pool.Rank(strategy);
      for (size_t at = 0; at < ranked.size(); ++at) {
        for (size_t behind = at + 1; behind < ranked.size(); ++behind) {
          const AutoVerdict &a = ranked[at], &b = ranked[behind];
          if (a.quality != b.quality || a.offer.last_resort != b.offer.last_resort) continue;
          // Speed may be what is asked for.
          const bool quicker =
              strategy == AutoStrategy::kLatency && a.offer.latency_ms < b.offer.latency_ms;
          EXPECT_TRUE(a.offer.cost_pico <= b.offer.cost_pico || quicker)
              << NameOf(strategy) << ' ' << i;
        }
      }
    }
  }
}

TEST(AutoRouter, IsNeverDearerByCostThanInABalanceNorThereThanByQuality) {
  std::mt19937_64 random(3);
  for (int i = 0; i < kPools; ++i) {
    const Pool pool(&random);
    const AutoVerdict cost = pool.Rank(AutoStrategy::kCost).front();
    const AutoVerdict balanced = pool.Rank(AutoStrategy::kBalanced).front();
    const AutoVerdict quality = pool.Rank(AutoStrategy::kQuality).front();
    EXPECT_LE(cost.offer.cost_pico, balanced.offer.cost_pico) << i;
    EXPECT_LE(balanced.offer.cost_pico, quality.offer.cost_pico) << i;
    EXPECT_EQ(cost.offer.last_resort, quality.offer.last_resort) << i;
    EXPECT_EQ(balanced.offer.last_resort, quality.offer.last_resort) << i;
  }
}

TEST(AutoRouter, KeepsWithinItsSlackOfTheBest) {
  std::mt19937_64 random(4);
  for (int i = 0; i < kPools; ++i) {
    const Pool pool(&random);
    for (const AutoStrategy strategy : kAll) {
      if (strategy == AutoStrategy::kBalanced) continue;
      const auto ranked = pool.Rank(strategy);
      double best = 0;
      for (const AutoVerdict& each : ranked) {
        if (each.offer.last_resort == ranked.front().offer.last_resort) {
          best = std::max(best, static_cast<double>(each.quality));
        }
      }
      const double slack = strategy == AutoStrategy::kQuality
                               ? AutoRouter::kSameQuality
                               : std::max(pool.rules.cost_slack, AutoRouter::kSameQuality);
      const bool keeps = static_cast<double>(ranked.front().quality) >= best - slack;
      // To be no dearer than a balance a choice by cost may be one.
      const bool by_cost = strategy == AutoStrategy::kCost;
      EXPECT_TRUE(keeps || (by_cost && ranked.front().offer.model ==
                                           pool.Rank(AutoStrategy::kBalanced).front().offer.model))
          << i;
    }
  }
}

TEST(AutoRouter, AsksALastResortAfterAllOthers) {
  std::mt19937_64 random(5);
  for (int i = 0; i < kPools; ++i) {
    const Pool pool(&random);
    for (const AutoStrategy strategy : kAll) {
      const auto ranked = pool.Rank(strategy);
      EXPECT_TRUE(std::ranges::is_sorted(
          ranked, {}, [](const AutoVerdict& each) { return each.offer.last_resort; }));
    }
  }
}

// A model that is worse, dearer and slower than the chosen one is none that anybody would choose.
TEST(AutoRouter, ChoosesTheSameBesideAModelThatNobodyWants) {
  std::mt19937_64 random(6);
  for (int i = 0; i < kPools; ++i) {
    Pool pool(&random);
    for (const AutoStrategy strategy : kAll) {
      const AutoVerdict before = pool.Rank(strategy).front();
      if (before.quality == 0) continue;
      Pool more = pool;
      const float worse = before.quality * static_cast<float>(random() % 99) / 100;
      more.judged.quality.push_back(worse);
      more.offers.push_back({.model = static_cast<uint32_t>(pool.offers.size()),
                             .cost_pico = before.offer.cost_pico + 1 + random() % 1'000'000'000,
                             .latency_ms = before.offer.latency_ms + 1,
                             .last_resort = before.offer.last_resort});
      // The new one may stand anywhere among them.
      std::swap(more.offers.back(), more.offers[random() % more.offers.size()]);
      EXPECT_EQ(more.Rank(strategy).front().offer.model, before.offer.model)
          << NameOf(strategy) << ' ' << i;
    }
  }
}

TEST(AutoRouter, TakesAnUnknownLatencyForAMiddlingOne) {
  const AutoRouter router = RouterOf(4);
  const AutoJudgement judged{.difficulty = 0.5F, .quality = {0.7F, 0.7F, 0.7F, 0.7F}};
  const auto ranked = router.Rank(judged,
                                  std::vector<AutoOffer>{{.model = 0, .latency_ms = 900},
                                                         {.model = 1, .latency_ms = 0},
                                                         {.model = 2, .latency_ms = 100},
                                                         {.model = 3, .latency_ms = 500}},
                                  AutoStrategy::kLatency);
  std::vector<uint32_t> order;
  for (const AutoVerdict& each : ranked) order.push_back(each.offer.model);
  EXPECT_EQ(order, (std::vector<uint32_t>{2, 1, 3, 0}));
  EXPECT_EQ(ranked[0].reason, AutoReason::kQuickest);
  EXPECT_EQ(ranked[1].reason, AutoReason::kSlower);
}

TEST(AutoRouter, ChoosesTheQuickestOfThoseThatAreAsGoodWithoutAnySlack) {
  const AutoJudgement judged{.difficulty = 0.5F, .quality = {0.7F, 0.695F, 0.68F}};
  const auto ranked = RouterOf(3, {.cost_slack = 0})
                          .Rank(judged,
                                std::vector<AutoOffer>{{.model = 0, .latency_ms = 900},
                                                       {.model = 1, .latency_ms = 500},
                                                       {.model = 2, .latency_ms = 100}},
                                AutoStrategy::kLatency);
  EXPECT_EQ(ranked.front().offer.model, 1u);
}

// What is out of service says nothing of how good a model could be had.
TEST(AutoRouter, MeasuresByWhoIsInService) {
  const AutoJudgement judged{.difficulty = 0.5F, .quality = {0.9F, 0.86F, 0.82F}};
  const auto ranked =
      RouterOf(3).Rank(judged,
                       std::vector<AutoOffer>{{.model = 0, .cost_pico = 50, .last_resort = true},
                                              {.model = 1, .cost_pico = 10},
                                              {.model = 2, .cost_pico = 1}},
                       AutoStrategy::kCost);
  EXPECT_EQ(ranked.front().offer.model, 2u);
  EXPECT_EQ(ranked.back().offer.model, 0u);
}

TEST(AutoRouter, StaysWithWhatHasAnsweredUnlessAnotherIsMuchBetter) {
  const AutoJudgement judged{.difficulty = 0.5F, .quality = {0.72F, 0.8F, 0.6F}};
  std::vector<AutoOffer> offers{{.model = 0}, {.model = 1}, {.model = 2}};
  const auto first = [&](uint32_t last, double stay, AutoStrategy strategy) {
    return RouterOf(3, {.stay = stay}).Rank(judged, offers, strategy, last).front();
  };
  for (const AutoStrategy strategy : kAll) {
    const AutoVerdict stayed = first(0, 0.1, strategy);
    EXPECT_EQ(stayed.offer.model, 0u) << NameOf(strategy);
    EXPECT_EQ(stayed.reason, AutoReason::kStayed) << NameOf(strategy);
    EXPECT_EQ(first(2, 0.1, strategy).offer.model, 1u) << NameOf(strategy);
    EXPECT_EQ(first(0, 0.05, strategy).offer.model, 1u) << NameOf(strategy);
    EXPECT_EQ(first(0, 0, strategy).offer.model, 1u) << NameOf(strategy);
    EXPECT_NE(first(1, 0.1, strategy).reason, AutoReason::kStayed) << NameOf(strategy);
  }
  offers[0].last_resort = true;
  EXPECT_EQ(first(0, 1, AutoStrategy::kQuality).offer.model, 1u);
  offers.erase(offers.begin());  // it may not be asked any more
  EXPECT_EQ(first(0, 1, AutoStrategy::kQuality).offer.model, 1u);
}

TEST(AutoRouter, WeighsQualityAgainstCost) {
  const AutoJudgement judged{.difficulty = 0.5F, .quality = {0.6F, 0.76F, 0.8F}};
  const std::vector<AutoOffer> offers{{.model = 0, .cost_pico = 100},
                                      {.model = 1, .cost_pico = 500},
                                      {.model = 2, .cost_pico = 1000}};
  const auto first = [&](double cost_weight, AutoStrategy strategy) {
    return RouterOf(3, {.cost_weight = cost_weight}).Rank(judged, offers, strategy).front();
  };
  EXPECT_EQ(first(0, AutoStrategy::kBalanced).offer.model, 2u);
  const AutoVerdict middle = first(0.2, AutoStrategy::kBalanced);  // .58, .66, .6
  EXPECT_EQ(middle.offer.model, 1u);
  EXPECT_NEAR(middle.score, 0.66, 1e-6);
  EXPECT_EQ(middle.reason, AutoReason::kBalance);
  EXPECT_EQ(first(0.5, AutoStrategy::kBalanced).offer.model, 0u);  // .55, .51, .3
  EXPECT_EQ(first(0.2, AutoStrategy::kQuality).offer.model, 2u);
  EXPECT_EQ(first(0.2, AutoStrategy::kCost).offer.model, 1u);  // within .05
  const auto ranked = RouterOf(3).Rank(judged, offers, AutoStrategy::kCost);
  EXPECT_EQ(ranked[1].reason, AutoReason::kDearer);
  EXPECT_EQ(ranked[2].reason, AutoReason::kWorse);
}

TEST(AutoRouter, TakesWhatCostsNothingAsTheMeasure) {
  const AutoJudgement judged{.difficulty = 0.5F, .quality = {0.8F, 0.7F}};
  const auto ranked =
      RouterOf(2).Rank(judged, std::vector<AutoOffer>{{.model = 0}, {.model = 1, .cost_pico = 5}},
                       AutoStrategy::kBalanced);
  EXPECT_EQ(ranked[0].offer.model, 0u);
  for (const AutoVerdict& each : ranked) EXPECT_TRUE(std::isfinite(each.score));
}

TEST(AutoRouter, BelievesLessOfAModelTheHarderThePromptLooks) {
  std::vector<PooledModel> pool{{"a/weak", 0.6, ""}, {"a/strong", 0.8, ""}};
  const AutoRouter router = *AutoRouter::Make(std::move(pool), {}, nullptr);
  const AutoJudgement none = router.Judge(""), easy = router.Judge("Hi"),
                      hard = router.Judge(kHard);
  EXPECT_NEAR(none.quality[0], 0.6, 1e-6);
  EXPECT_NEAR(none.quality[1], 0.8, 1e-6);
  EXPECT_EQ(none.difficulty, 0.5F);
  EXPECT_LT(easy.difficulty, 0.2F);
  EXPECT_GT(hard.difficulty, 0.6F);
  for (const size_t model : {0u, 1u}) {
    EXPECT_GT(easy.quality[model], none.quality[model]);
    EXPECT_LT(hard.quality[model], none.quality[model]);
  }
  // What is gained by the better model is gained where it is hard.
  EXPECT_GT(hard.quality[1] - hard.quality[0], easy.quality[1] - easy.quality[0]);
}

TEST(AutoRouter, BelievesWhatWasLearnedAsFarAsThereAreRatings) {
  const auto judge = [](uint64_t ratings, std::string_view excerpt) {
    AutoWeights weights = testing::SomeAutoWeights(7);
    weights.ratings = 1'000'000;
    for (AutoWeights::PerModel& each : weights.models) each.ratings = ratings;
    auto scorer =
        std::make_shared<const AutoScorer>(*AutoScorer::Make(std::move(weights), nullptr));
    std::vector<PooledModel> pool{{"a/unknown", 0.7, ""}, {"a/known", 0.7, "model-1"}};
    return AutoRouter::Make(std::move(pool), {}, scorer)->Judge(excerpt);
  };
  AutoScorer::Scratch scratch;
  PromptScores scores;
  AutoScorer::Make(testing::SomeAutoWeights(7), nullptr)->Score(kHard, true, &scratch, &scores);
  const float learned = scores.models[1].quality;
  const AutoJudgement none = judge(0, kHard), some = judge(200, kHard),
                      many = judge(1'000'000, kHard);
  EXPECT_EQ(none.quality[1], none.quality[0]);
  EXPECT_NEAR(some.quality[1], (none.quality[1] + learned) / 2, 1e-6);
  EXPECT_NEAR(many.quality[1], learned, 1e-3);
  EXPECT_EQ(many.quality[0], none.quality[0]);  // which the weights do not know
  EXPECT_EQ(many.difficulty, scores.prior);
  const AutoJudgement empty = judge(1'000'000, "");
  EXPECT_NEAR(empty.quality[1], 0.7, 1e-6);
}

TEST(AutoRouter, JudgesFeaturesAsItJudgesTheirText) {
  const auto scorer =
      std::make_shared<const AutoScorer>(*AutoScorer::Make(testing::SomeAutoWeights(7), nullptr));
  const std::vector<PooledModel> pool{{.id = "a/unknown", .quality = 0.7},
                                      {.id = "a/known", .quality = 0.7, .learned = "model-1"}};
  for (const auto& knows : {std::shared_ptr<const AutoScorer>(), scorer}) {
    auto own = pool;
    if (knows == nullptr) own[1].learned.clear();
    const AutoRouter router = *AutoRouter::Make(own, {}, knows);
    TextScanner scanner;
    std::vector<uint16_t> known;
    PromptFeatures features{.text = scanner.Scan(kHard)};
    features.dense = DenseFeaturesOf(kHard, features.text, nullptr, &known);
    const AutoJudgement of_text = router.Judge(kHard), of_features = router.Judge(&features);
    EXPECT_EQ(of_text.difficulty, of_features.difficulty);
    EXPECT_EQ(of_text.quality, of_features.quality);
    EXPECT_EQ(router.Judge("").quality, router.Judge(nullptr).quality);
  }
}

TEST(AutoRouter, RaisesAndLowersAModelByHowItHasDone) {
  const auto quality = [](double shift) {
    const std::vector<PooledModel> pool{{.id = "a/b", .quality = 0.7, .shift = shift}};
    return AutoRouter::Make(pool, {}, nullptr)->Judge("").quality[0];
  };
  EXPECT_NEAR(quality(0), 0.7, 1e-6);
  EXPECT_NEAR(quality(1), 1 / (1 + std::exp(-std::log(0.7 / 0.3) - 1)), 1e-6);
  EXPECT_LT(quality(-1), 0.5);
  EXPECT_FALSE(AutoRouter::Make({{.id = "a/b", .quality = 0.7, .shift = 5.1}}, {}, nullptr));
}

TEST(AutoRouter, DrawsOnlyAmongThoseThatAreNearlyAsGoodAndNotMuchDearer) {
  AutoRules rules{.explore = 0.2};
  const AutoRouter router = RouterOf(5, rules);
  std::vector<AutoVerdict> ranked{
      {.offer = {.model = 0, .cost_pico = 10}, .quality = 0.8F},
      {.offer = {.model = 1, .cost_pico = 20}, .quality = 0.7F},
      {.offer = {.model = 2, .cost_pico = 21}, .quality = 0.9F},
      {.offer = {.model = 3, .cost_pico = 1}, .quality = 0.6F},
      {.offer = {.model = 4, .cost_pico = 1, .last_resort = true}, .quality = 0.8F}};
  constexpr int kDraws = 10'000;
  std::array<int, 5> first{};
  for (int i = 0; i < kDraws; ++i) {
    auto drawn = ranked;
    router.Explore((i + 0.5) / kDraws, &drawn);
    ++first[drawn.front().offer.model];
    double all = 0;
    for (const AutoVerdict& each : drawn) all += each.chance;
    ASSERT_NEAR(all, 1, 1e-12);
    EXPECT_EQ(drawn.front().reason == AutoReason::kExplored, drawn.front().offer.model != 0);
    if (drawn.front().offer.model != 0) {
      EXPECT_EQ(drawn[1].offer.model, 0U);
    }
  }
  EXPECT_EQ(first, (std::array<int, 5>{9000, 1000, 0, 0, 0}));
}

TEST(AutoRouter, AlwaysTakesTheBestWhereItDoesNotExplore) {
  std::mt19937_64 random(8);
  for (int i = 0; i < 300; ++i) {
    const Pool pool(&random);
    auto ranked = pool.Rank(AutoStrategy::kBalanced);
    const uint32_t best = ranked.front().offer.model;
    RouterOf(pool.offers.size(), pool.rules).Explore(0, &ranked);
    EXPECT_EQ(ranked.front().offer.model, best);
    EXPECT_EQ(ranked.front().chance, 1);
  }
}

TEST(AutoRouter, LetsGoOfAConversationsModelThatIsMuchDearerByCost) {
  const AutoRouter router = RouterOf(2);
  const AutoJudgement judged{.quality = {0.915F, 0.91F}};
  const auto first = [&](uint64_t dear, AutoStrategy strategy) {
    const std::vector<AutoOffer> offers{{.model = 0, .cost_pico = dear},
                                        {.model = 1, .cost_pico = 100}};
    return router.Rank(judged, offers, strategy, 0).front();
  };
  EXPECT_EQ(first(200, AutoStrategy::kCost).offer.model, 0U);
  EXPECT_EQ(first(200, AutoStrategy::kCost).reason, AutoReason::kStayed);
  EXPECT_EQ(first(201, AutoStrategy::kCost).offer.model, 1U);
  const std::vector<AutoOffer> offers{{.model = 0, .cost_pico = 200},
                                      {.model = 1, .cost_pico = 100}};
  EXPECT_EQ(router.Rank(judged, offers, AutoStrategy::kCost, 0)[1].reason, AutoReason::kWorse);
}

// Weights may be anything that CheckAutoWeights() lets pass, excerpts anything at all.
TEST(AutoRouter, JudgesAnyBytesTheSameTwice) {
  std::mt19937_64 random(8);
  auto scorer = std::make_shared<const AutoScorer>(
      *AutoScorer::Make(testing::SomeAutoWeights(9, 3), nullptr));
  std::vector<PooledModel> pool;
  for (int i = 0; i < 3; ++i) {
    pool.push_back({"a/" + std::to_string(i), 0.5, "model-" + std::to_string(i)});
  }
  const AutoRouter learned = *AutoRouter::Make(pool, {}, scorer);
  for (PooledModel& each : pool) each.learned.clear();
  const AutoRouter prior = *AutoRouter::Make(pool, {}, nullptr);
  for (int i = 0; i < 1000; ++i) {
    std::string text(random() % 200, ' ');
    for (char& c : text) c = static_cast<char>(random());
    for (const AutoRouter* router : {&learned, &prior}) {
      const AutoJudgement judged = router->Judge(text);
      EXPECT_GE(judged.difficulty, 0);
      EXPECT_LE(judged.difficulty, 1);
      for (const float quality : judged.quality) EXPECT_TRUE(quality >= 0 && quality <= 1);
      EXPECT_EQ(judged.quality, router->Judge(text).quality);
    }
  }
}

TEST(AutoRouter, RefusesWhatMakesNoSense) {
  const auto why = [](std::vector<PooledModel> pool, AutoRules rules = {}) {
    const auto made = AutoRouter::Make(std::move(pool), rules, nullptr);
    return made ? std::string() : made.error().message;
  };
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(why({}), "expected 1 to 32 models to choose from");
  EXPECT_EQ(why(std::vector<PooledModel>(33, {"a/m", 0.5, ""})),
            "expected 1 to 32 models to choose from");
  EXPECT_EQ(why({{"a/m", 1.5, ""}}), "quality of 'a/m': expected 0 to 1");
  EXPECT_EQ(why({{"a/m", kNaN, ""}}), "quality of 'a/m': expected 0 to 1");
  EXPECT_EQ(why({{"a/m", 0.5, "x"}}), "the weights know no model 'x'");
  EXPECT_EQ(why({{"a/m", 0.5, ""}}, {.cost_weight = kNaN}), "cost_weight: expected 0 to 100");
  EXPECT_EQ(why({{"a/m", 0.5, ""}}, {.cost_slack = 2}), "cost_slack: expected 0 to 1");
  EXPECT_EQ(why({{"a/m", 0.5, ""}}), "");
}

}  // namespace
}  // namespace seekroute
