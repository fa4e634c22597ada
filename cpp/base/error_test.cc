#include "base/error.h"

#include <gtest/gtest.h>

#include <set>

namespace seekroute {
namespace {

TEST(ErrorTest, EveryCodeHasACompleteRow) {
  for (int i = 0; i < kErrorCodeCount; ++i) {
    const ErrorTraits& row = TraitsOf(static_cast<ErrorCode>(i));
    EXPECT_FALSE(row.name.empty());
    EXPECT_GE(row.status, 400);
    EXPECT_LT(row.status, 600);
    EXPECT_FALSE(row.type.empty());
    EXPECT_FALSE(row.error_type.empty());
    EXPECT_FALSE(row.hint.empty()) << row.name;
    EXPECT_FALSE(row.hint.ends_with('.')) << row.name;
  }
}

TEST(ErrorTest, AnErrorBeginsWithTheTimeOfItsRow) {
  for (int i = 0; i < kErrorCodeCount; ++i) {
    const ErrorTraits& row = TraitsOf(static_cast<ErrorCode>(i));
    EXPECT_EQ(MakeError(row.code, "why").retry_after_ms, row.retry_after_ms) << row.name;
    // A time to wait beside the advice not to try again would be a contradiction.
    if (row.client_retry == ClientRetry::kNo) {
      EXPECT_EQ(row.retry_after_ms, 0) << row.name;
    }
    // What a provider says is for the provider to say.
    if (row.fault == Fault::kProvider) {
      EXPECT_EQ(row.retry_after_ms, 0) << row.name;
    }
    EXPECT_LE(row.retry_after_ms, 60'000) << row.name;
  }
  for (const ErrorCode code :
       {ErrorCode::kShuttingDown, ErrorCode::kOverloaded, ErrorCode::kRateLimitExceeded,
        ErrorCode::kStoreUnavailable, ErrorCode::kStorageFull, ErrorCode::kStorageCorrupt,
        ErrorCode::kIdempotencyInProgress, ErrorCode::kCreditsHeld}) {
    EXPECT_GT(TraitsOf(code).retry_after_ms, 0) << TraitsOf(code).name;
  }
}

// A failure of our own parts must never look like the customer's fault.
TEST(ErrorTest, GatewayFaultsAreNeverBlamedOnTheClient) {
  for (int i = 0; i < kErrorCodeCount; ++i) {
    const ErrorTraits& row = TraitsOf(static_cast<ErrorCode>(i));
    if (row.fault == Fault::kGateway) {
      EXPECT_GE(row.status, 500) << row.name;
    }
  }
}

TEST(ErrorTest, FindsCodesByWireName) {
  EXPECT_EQ(ErrorCodeNamed("model_not_found"), ErrorCode::kModelNotFound);
  EXPECT_FALSE(ErrorCodeNamed("no_such_code").has_value());
}

}  // namespace
}  // namespace seekroute
