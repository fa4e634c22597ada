#include "routing/succession.h"

#include <gtest/gtest.h>

#include <deque>
#include <vector>

namespace seekroute {
namespace {

// A route of models, each with a context by host; host i is at provider i.
class SuccessionTest : public ::testing::Test {
 protected:
  void Plan(const std::vector<std::vector<int64_t>>& models) {
    for (const std::vector<int64_t>& hosts : models) {
      Model& model = models_.emplace_back();
      for (size_t i = 0; i < hosts.size(); ++i) {
        Endpoint& endpoint = model.endpoints.emplace_back();
        endpoint.provider = static_cast<uint32_t>(i);
        endpoint.context = hosts[i];
      }
    }
    for (const Model& model : models_) {
      for (const Endpoint& endpoint : model.endpoints) {
        route_.candidates.push_back({&model, &endpoint});
      }
    }
  }

  // The places that are asked where each fails so.
  std::vector<size_t> Asked(ErrorCode code, int status) {
    Succession succession(&route_, &policy_);
    std::vector<size_t> asked;
    Error error = MakeError(code, "");
    error.upstream_status = status;
    while (succession.AnyLeft()) {
      const size_t place = succession.FirstFrom(0);
      succession.Pass(place);
      succession.BeginAnew();
      succession.Begin(place);
      succession.Failed(place, {.error = error, .dispatched = true});
      asked.push_back(place);
    }
    return asked;
  }

  using Places = std::vector<size_t>;
  std::deque<Model> models_;
  Route route_;
  RetryPolicy policy_;
};

TEST_F(SuccessionTest, TheLastAttemptIsLeftToTheOtherModel) {
  Plan({{0, 0, 0, 0}, {0}});
  EXPECT_EQ(Asked(ErrorCode::kUpstreamError, 500), (Places{0, 1, 4}));
}

TEST_F(SuccessionTest, EveryModelHasOneAtLeastAsFarAsTheCapGoes) {
  Plan({{0, 0}, {0, 0}, {0}, {0}, {0}});
  EXPECT_EQ(Asked(ErrorCode::kUpstreamError, 500), (Places{0, 2, 4}));
  policy_.max_attempts = 6;
  EXPECT_EQ(Asked(ErrorCode::kUpstreamError, 500), (Places{0, 1, 2, 4, 5, 6}));
}

TEST_F(SuccessionTest, WhatIsLeftToAModelThatHasNoTurnGoesToTheOthers) {
  Plan({{0, 0, 0}, {0}});
  Succession succession(&route_, &policy_);
  const Error error = MakeError(ErrorCode::kUpstreamError, "");
  for (const size_t place : {size_t{0}, size_t{1}}) {
    succession.Pass(place);
    succession.BeginAnew();
    succession.Begin(place);
    succession.Failed(place, {.error = error});
  }
  EXPECT_EQ(succession.FirstFrom(0), 3U);
  EXPECT_FALSE(succession.Allows(2));
  EXPECT_TRUE(succession.Allows(2, uint64_t{1} << 3));  // the last is at its limit
  succession.Pass(3);
  EXPECT_EQ(succession.FirstFrom(0), 2U);
}

TEST_F(SuccessionTest, ATooLongPromptGoesWhereThereIsMoreRoom) {
  policy_.max_attempts = 8;
  Plan({{8000, 0, 4000, 32'000, 8000}, {1000}});
  EXPECT_EQ(Asked(ErrorCode::kContextLengthExceeded, 400), (Places{0, 3, 5}));
}

TEST_F(SuccessionTest, ContentThatIsRefusedGoesToAnotherModelAlone) {
  Plan({{0, 0, 0}, {0, 0}});
  EXPECT_EQ(Asked(ErrorCode::kContentPolicyViolation, 400), (Places{0, 3}));
}

// The list `any` follows what another provider would be asked after.
TEST_F(SuccessionTest, WhatIsSaidOfTheRequestOpensNoListOfAny) {
  Plan({{8000}, {4000}, {32'000}});
  route_.candidates[1].of_any_list = route_.candidates[2].of_any_list = true;
  policy_.fallback_on_400 = true;
  EXPECT_EQ(Asked(ErrorCode::kContentPolicyViolation, 400), Places{0});
  EXPECT_EQ(Asked(ErrorCode::kUpstreamInvalidRequest, 400), Places{0});
  EXPECT_EQ(Asked(ErrorCode::kContextLengthExceeded, 400), (Places{0, 2}));
  EXPECT_EQ(Asked(ErrorCode::kUpstreamError, 500), (Places{0, 1, 2}));
}

TEST_F(SuccessionTest, AModelOfSeveralListsIsAskedAfterTheFailuresOfEach) {
  const std::pair<ErrorCode, AskedAfter> of_request[] = {
      {ErrorCode::kContextLengthExceeded, AskedAfter::kContextTooLong},
      {ErrorCode::kContentPolicyViolation, AskedAfter::kContentPolicy}};
  Plan({{100}, {100}});
  Candidate& fallback = route_.candidates[1];
  for (const auto& [code, list] : of_request) {
    fallback.of_any_list = true;
    fallback.after = AskedAfter::kAny;
    fallback.also_after = BitOf(list);
    EXPECT_EQ(Asked(code, 400), (Places{0, 1}));
    EXPECT_EQ(Asked(ErrorCode::kUpstreamError, 500), (Places{0, 1}));
    for (const auto& other : of_request) {
      if (other.second == list) continue;
      EXPECT_EQ(Asked(other.first, 400), Places{0});
    }
    fallback.of_any_list = false;
    fallback.after = of_request[0].second;
    fallback.also_after = BitOf(of_request[1].second);
    EXPECT_EQ(Asked(code, 400), (Places{0, 1}));
    EXPECT_EQ(Asked(ErrorCode::kUpstreamError, 500), Places{0});
  }
}

TEST_F(SuccessionTest, ABadRequestIsAskedOfOthersWhereTheOperatorSaysSo) {
  Plan({{0, 0}, {0, 0}});
  EXPECT_EQ(Asked(ErrorCode::kUpstreamInvalidRequest, 400), Places{0});
  policy_.fallback_on_400 = true;
  EXPECT_EQ(Asked(ErrorCode::kUpstreamInvalidRequest, 400), (Places{0, 2}));
}

TEST_F(SuccessionTest, WhatMayHaveBeenDoneIsNotDoneTwice) {
  Plan({{0, 0}, {0}});
  EXPECT_EQ(Asked(ErrorCode::kUpstreamTimeout, 0), Places{0});
  policy_.retry_ambiguous = true;
  EXPECT_EQ(Asked(ErrorCode::kUpstreamTimeout, 0), (Places{0, 1, 2}));
}

// What one has said of the request is not forgotten when the next fails otherwise.
TEST_F(SuccessionTest, ATooLongPromptStaysTooLong) {
  Plan({{8000, 32'000, 8000, 64'000}});
  Succession succession(&route_, &policy_);
  Error error = MakeError(ErrorCode::kContextLengthExceeded, "");
  error.upstream_status = 400;
  succession.Pass(0);
  succession.Begin(0);
  succession.Failed(0, {.error = error, .dispatched = true});
  EXPECT_EQ(succession.FirstFrom(0), 1u);
  succession.Pass(1);
  succession.BeginAnew();
  succession.Begin(1);
  error = MakeError(ErrorCode::kUpstreamUnavailable, "");
  error.upstream_status = 503;
  succession.Failed(1, {.error = error, .dispatched = true});
  EXPECT_EQ(succession.FirstFrom(0), 3u);
}

TEST_F(SuccessionTest, OfTwoThatRanTogetherEitherOpensTheWay) {
  Plan({{0, 0, 0}});
  Succession succession(&route_, &policy_);
  Error error = MakeError(ErrorCode::kUpstreamUnavailable, "");
  error.upstream_status = 503;
  for (const size_t place : {size_t{0}, size_t{1}}) succession.Pass(place), succession.Begin(place);
  succession.Failed(1, {.error = error, .dispatched = true});
  error = MakeError(ErrorCode::kUpstreamTruncated, "");
  succession.Failed(0, {.error = error, .dispatched = true});
  EXPECT_EQ(succession.FirstFrom(0), 2u);
}

TEST_F(SuccessionTest, TheLongestRouteEnds) {
  policy_.max_attempts = 1000;
  Plan({std::vector<int64_t>(100, 0)});
  EXPECT_EQ(Asked(ErrorCode::kUpstreamError, 500).size(), Succession::kMost);
}

}  // namespace
}  // namespace seekroute
