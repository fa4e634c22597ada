#include "routing/attempt_verdict.h"

#include <gtest/gtest.h>

namespace seekroute {
namespace {

using Key = AttemptVerdict::Key;

struct Case {
  ErrorCode code;
  int status;
  int64_t retry_after_ms;
  bool dispatched;
  bool content;
  Outcome outcome;
  Key key;
};

TEST(AttemptVerdictTest, WhatItsClientDoesSaysNothingOfAProvider) {
  const Error error = MakeError(ErrorCode::kUpstreamTruncated, "");
  EXPECT_EQ(VerdictOn({.error = error, .dispatched = true}).outcome, Outcome::kFault);
  EXPECT_EQ(VerdictOn({.error = error, .dispatched = true, .of_client = true}).outcome,
            Outcome::kNeutral);
}

TEST(AttemptVerdictTest, WhatIsOfOneRequestPutsNoKeyOut) {
  for (const auto& [code, status] : {std::pair{ErrorCode::kUpstreamNoCredit, 402},
                                     {ErrorCode::kUpstreamModelNotFound, 404},
                                     {ErrorCode::kUpstreamRateLimited, 429}}) {
    Error error = MakeError(code, "");
    error.upstream_status = status;
    error.of_request = true;
    const AttemptVerdict verdict = VerdictOn({.error = error, .dispatched = true});
    EXPECT_EQ(verdict.outcome, Outcome::kNeutral) << status;
    EXPECT_EQ(verdict.key, Key::kNothing) << status;
  }
  Error firewall = MakeError(ErrorCode::kUpstreamForbidden, "");
  firewall.upstream_status = 403;
  firewall.of_request = true;
  const AttemptVerdict verdict = VerdictOn({.error = firewall, .dispatched = true});
  EXPECT_EQ(verdict.outcome, Outcome::kFault);
  EXPECT_EQ(verdict.key, Key::kNothing);
}

TEST(AttemptVerdictTest, TellsWhoseTroubleItIs) {
  using enum ErrorCode;
  for (const Case& c : std::initializer_list<Case>{
           {kUpstreamError, 0, 0, false, false, Outcome::kOriginFault, Key::kNothing},
           {kUpstreamTls, 0, 0, false, false, Outcome::kOriginFault, Key::kNothing},
           {kUpstreamError, 500, 0, true, false, Outcome::kFault, Key::kNothing},
           {kUpstreamTimeout, 408, 0, true, false, Outcome::kFault, Key::kNothing},
           {kUpstreamTimeout, 0, 0, true, false, Outcome::kFault, Key::kNothing},
           {kUpstreamTruncated, 0, 0, true, true, Outcome::kFault, Key::kNothing},
           {kUpstreamIdleTimeout, 0, 0, true, true, Outcome::kFault, Key::kNothing},
           {kBadUpstreamResponse, 0, 0, true, false, Outcome::kFault, Key::kNothing},
           {kUpstreamUnavailable, 503, 0, true, false, Outcome::kFault, Key::kNothing},
           {kUpstreamUnavailable, 503, 2000, true, false, Outcome::kNeutral, Key::kNothing},
           {kUpstreamRateLimited, 429, 0, true, false, Outcome::kLimited, Key::kLimited},
           {kUpstreamRateLimited, 429, 0, true, true, Outcome::kLimited, Key::kLimited},
           {kUpstreamNoCredit, 402, 0, true, false, Outcome::kNeutral, Key::kNoCredit},
           {kUpstreamNoCredit, 429, 0, true, false, Outcome::kNeutral, Key::kNoCredit},
           {kUpstreamAuthError, 401, 0, true, false, Outcome::kNeutral, Key::kBad},
           {kUpstreamAuthError, 403, 0, true, false, Outcome::kNeutral, Key::kForbidden},
           {kUpstreamModelNotFound, 404, 0, true, false, Outcome::kNeutral, Key::kNoModel},
           {kUpstreamInvalidRequest, 400, 0, true, false, Outcome::kNeutral, Key::kNothing},
           {kUpstreamRequestTooLarge, 413, 0, true, false, Outcome::kNeutral, Key::kNothing},
           {kContextLengthExceeded, 400, 0, true, false, Outcome::kNeutral, Key::kNothing},
           {kContentPolicyViolation, 403, 0, true, false, Outcome::kNeutral, Key::kNothing},
           {kAnswerTooLarge, 200, 0, true, false, Outcome::kNeutral, Key::kNothing},
           {kInternal, 0, 0, false, false, Outcome::kNeutral, Key::kNothing}}) {
    Error error = MakeError(c.code, "");
    error.upstream_status = c.status;
    error.retry_after_ms = c.retry_after_ms;
    const AttemptVerdict verdict =
        VerdictOn({.error = error, .dispatched = c.dispatched, .content_relayed = c.content});
    EXPECT_EQ(verdict.outcome, c.outcome) << error.name() << ' ' << c.status;
    EXPECT_EQ(verdict.key, c.key) << error.name() << ' ' << c.status;
    EXPECT_EQ(verdict.retry_after, Duration::Milliseconds(c.retry_after_ms));
  }
  EXPECT_EQ(Answered().outcome, Outcome::kOk);
}

}  // namespace
}  // namespace seekroute
