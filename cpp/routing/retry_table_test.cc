#include "routing/retry_table.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace seekroute {
namespace {

using enum FailureClass;

struct Case {
  ErrorCode code;
  int upstream_status;
  bool dispatched;
  bool content;
  FailureClass failure;
};

FailureClass Judge(ErrorCode code, int upstream_status, bool dispatched, bool content) {
  Error error = MakeError(code, "");
  error.upstream_status = upstream_status;
  return ClassOf(
      FailedAttempt{.error = error, .dispatched = dispatched, .content_relayed = content});
}

bool MayAsk(FailureClass failure, Step step, const RetryPolicy& policy) {
  return Holds(MayFollow(failure, step), policy, {});
}

TEST(RetryTableTest, TellsFailuresApart) {
  for (const Case& c : std::initializer_list<Case>{
           {ErrorCode::kUpstreamError, 0, false, false, kNotSent},
           {ErrorCode::kUpstreamTls, 0, false, false, kNotSent},
           {ErrorCode::kUpstreamTimeout, 0, false, false, kNotSent},  // to connect
           {ErrorCode::kUpstreamError, 0, true, false, kDied},
           {ErrorCode::kUpstreamError, 302, true, false, kDied},  // says nothing of the work
           {ErrorCode::kUpstreamError, 500, true, false, kServer},
           {ErrorCode::kUpstreamTimeout, 504, true, false, kServer},
           {ErrorCode::kUpstreamTimeout, 0, true, false, kTimeout},
           {ErrorCode::kUpstreamTruncated, 0, true, false, kDied},
           {ErrorCode::kBadUpstreamResponse, 0, true, false, kDied},
           {ErrorCode::kUpstreamRateLimited, 429, true, false, kRateLimited},
           {ErrorCode::kUpstreamUnavailable, 503, true, false, kOverloaded},
           {ErrorCode::kUpstreamAuthError, 401, true, false, kBadKey},
           {ErrorCode::kUpstreamAuthError, 400, true, false, kBadKey},  // in words
           {ErrorCode::kUpstreamAuthError, 403, true, false, kForbidden},
           {ErrorCode::kUpstreamForbidden, 400, true, false, kForbidden},
           {ErrorCode::kUpstreamNoCredit, 400, true, false, kNoCredit},
           {ErrorCode::kUpstreamModelNotFound, 404, true, false, kNoModel},
           {ErrorCode::kContextLengthExceeded, 400, true, false, kContext},
           {ErrorCode::kContentPolicyViolation, 403, true, false, kPolicy},
           {ErrorCode::kUpstreamInvalidRequest, 400, true, false, kRefused},
           {ErrorCode::kUpstreamRequestTooLarge, 413, true, false, kRefused},
           {ErrorCode::kUpstreamError, 500, true, true, kAfterContent},
           {ErrorCode::kAnswerTooLarge, 200, true, false, kOurs},
           {ErrorCode::kInternal, 0, false, false, kOurs},
           {ErrorCode::kClientClosed, 0, true, false, kOurs}}) {
    EXPECT_EQ(NameOf(Judge(c.code, c.upstream_status, c.dispatched, c.content)), NameOf(c.failure))
        << TraitsOf(c.code).name << " " << c.upstream_status;
  }
}

TEST(RetryTableTest, AFaultInAnAnswerIsNotThatOfAStatus) {
  Error error = MakeError(ErrorCode::kUpstreamError, "");
  error.said_by_upstream = true;
  EXPECT_EQ(ClassOf(FailedAttempt{.error = error, .dispatched = true, .in_answer = true}),
            kErrorInAnswer);
  error.code = ErrorCode::kUpstreamUnavailable;
  EXPECT_EQ(ClassOf(FailedAttempt{.error = error, .dispatched = true, .in_answer = true}),
            kOverloaded);
}

TEST(RetryTableTest, TheClientsOwnFaultsAreNeverTriedElsewhere) {
  const RetryPolicy eager{.retry_ambiguous = true};
  for (int i = 0; i < kErrorCodeCount; ++i) {
    const ErrorTraits& row = TraitsOf(static_cast<ErrorCode>(i));
    if (row.fault != Fault::kCaller && row.fault != Fault::kPolicy) continue;
    const FailureClass failure = Judge(row.code, 400, true, false);
    EXPECT_FALSE(MayAsk(failure, Step::kOtherProvider, eager)) << row.name;
    EXPECT_FALSE(MayAsk(failure, Step::kOtherEndpoint, eager)) << row.name;
    EXPECT_FALSE(MayAsk(failure, Step::kOtherKey, eager)) << row.name;
  }
}

TEST(RetryTableTest, AmbiguousWorkIsRepeatedWhereTheOperatorAllowsIt) {
  for (const FailureClass failure : {kTimeout, kDied}) {
    for (const Step step : {Step::kOtherEndpoint, Step::kOtherProvider, Step::kOtherModel}) {
      const May may = MayFollow(failure, step);
      EXPECT_FALSE(Holds(may, {}, {}));
      EXPECT_TRUE(Holds(may, {.retry_ambiguous = true}, {}));
      EXPECT_TRUE(Holds(may, {}, {.own_limit = true}));
    }
    EXPECT_EQ(MayFollow(failure, Step::kSameEndpoint), May::kNever);
    EXPECT_EQ(MayFollow(failure, Step::kOtherKey), May::kNever);
  }
}

TEST(RetryTableTest, NothingFollowsContentOrAFaultOfOurs) {
  const RetryPolicy eager{.retry_ambiguous = true, .fallback_on_400 = true};
  for (const FailureClass failure : {kAfterContent, kOurs}) {
    for (size_t i = 0; i < kStepCount; ++i) {
      EXPECT_EQ(MayFollow(failure, static_cast<Step>(i)), May::kNever);
      EXPECT_FALSE(MayAsk(failure, static_cast<Step>(i), eager));
    }
  }
}

TEST(RetryTableTest, WhatIsSaidOfThePromptLeadsToOtherModels) {
  EXPECT_TRUE(MayAsk(kContext, Step::kOtherModel, {}));
  EXPECT_TRUE(MayAsk(kPolicy, Step::kOtherModel, {}));
  EXPECT_FALSE(MayAsk(kRefused, Step::kOtherModel, {}));
  EXPECT_TRUE(MayAsk(kRefused, Step::kOtherModel, {.fallback_on_400 = true}));
  EXPECT_FALSE(MayAsk(kContext, Step::kOtherProvider, {}));
  EXPECT_TRUE(Holds(MayFollow(kContext, Step::kOtherProvider), {}, {.longer = true}));
}

TEST(RetryTableTest, EveryClassHasAName) {
  std::set<std::string> names;
  for (size_t i = 0; i < kFailureClassCount; ++i) {
    names.emplace(NameOf(static_cast<FailureClass>(i)));
  }
  EXPECT_EQ(names.size(), kFailureClassCount);
}

}  // namespace
}  // namespace seekroute
