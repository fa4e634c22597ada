#include "routing/retry_policy.h"

#include <gtest/gtest.h>

namespace seekroute {
namespace {

struct Case {
  ErrorCode code;
  int upstream_status;
  int attempts;
  bool dispatched;
  bool content;
  bool may_try;
};

TEST(RetryPolicyTest, AsksAgainOnlyWhereNothingCanRepeat) {
  const RetryPolicy policy;
  for (const Case& c : std::initializer_list<Case>{
           {ErrorCode::kUpstreamError, 0, 1, false, false, true},  // could not connect
           {ErrorCode::kUpstreamError, 0, 1, true, false, false},  // ambiguous
           {ErrorCode::kUpstreamRateLimited, 429, 1, true, false, true},
           {ErrorCode::kUpstreamRateLimited, 429, 3, true, false, false},  // cap
           {ErrorCode::kUpstreamError, 500, 1, true, true, false},         // content went out
           {ErrorCode::kUpstreamInvalidRequest, 400, 1, true, false, false},
           {ErrorCode::kUpstreamTimeout, 0, 1, true, false, false}}) {
    Error error = MakeError(c.code, "");
    error.upstream_status = c.upstream_status;
    EXPECT_EQ(policy.MayTryNext({error, c.attempts, c.dispatched, c.content}), c.may_try)
        << error.name() << " " << c.upstream_status;
  }
}

TEST(RetryPolicyTest, TheOperatorMayAllowAmbiguousRepeats) {
  RetryPolicy policy;
  policy.retry_ambiguous = true;
  const Error error = MakeError(ErrorCode::kUpstreamTimeout, "");
  EXPECT_TRUE(policy.MayTryNext({error, 1, true, false}));
  EXPECT_FALSE(policy.MayTryNext({error, 1, true, true}));
}

}  // namespace
}  // namespace seekroute
