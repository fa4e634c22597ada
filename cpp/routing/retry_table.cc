#include "routing/retry_table.h"

#include <array>

namespace seekroute {
namespace {

using enum FailureClass;
using enum May;

struct Rule {
  FailureClass failure;
  std::string_view name;
  // By Step.
  std::array<May, kStepCount> may;
};

// One row a line, in the order of the enum. A connection and a key are the provider's, so another
// endpoint there is no help where those are the trouble; with another key it is.
// clang-format off
constexpr std::array<Rule, kFailureClassCount> kRules = {{
  // failure        name               same endpoint  other key  other endpoint  other provider  other model
  {kNotSent,       "not_sent",        {kIfStale,     kNever,    kNever,         kAtOnce,        kAtOnce}},
  {kRateLimited,   "rate_limited",    {kIfAlone,     kAtOnce,   kAtOnce,        kAtOnce,        kAtOnce}},
  {kNoCredit,      "no_credit",       {kNever,       kAtOnce,   kAtOnce,        kAtOnce,        kAtOnce}},
  {kBadKey,        "bad_key",         {kNever,       kAtOnce,   kAtOnce,        kAtOnce,        kAtOnce}},
  {kForbidden,     "forbidden",       {kNever,       kAtOnce,   kAtOnce,        kAtOnce,        kAtOnce}},
  {kNoModel,       "no_model",        {kNever,       kNever,    kAtOnce,        kAtOnce,        kAtOnce}},
  {kServer,        "server",          {kIfAlone,     kNever,    kAtOnce,        kAtOnce,        kAtOnce}},
  {kOverloaded,    "overloaded",      {kIfAlone,     kAtOnce,   kAtOnce,        kAtOnce,        kAtOnce}},
  {kTimeout,       "timeout",         {kNever,       kNever,    kIfAmbiguous,   kIfAmbiguous,   kIfAmbiguous}},
  {kDied,          "died",            {kNever,       kNever,    kIfAmbiguous,   kIfAmbiguous,   kIfAmbiguous}},
  {kErrorInAnswer, "error_in_answer", {kNever,       kNever,    kAtOnce,        kAtOnce,        kAtOnce}},
  {kContext,       "context",         {kNever,       kNever,    kIfLonger,      kIfLonger,      kAtOnce}},
  {kPolicy,        "policy",          {kNever,       kNever,    kNever,         kNever,         kAtOnce}},
  {kRefused,       "refused",         {kNever,       kNever,    kNever,         kNever,         kIfSaidOtherwise}},
  {kAfterContent,  "after_content",   {kNever,       kNever,    kNever,         kNever,         kNever}},
  {kOurs,          "ours",            {kNever,       kNever,    kNever,         kNever,         kNever}},
}};
// clang-format on

constexpr bool RulesMatchEnum() {
  for (size_t i = 0; i < kRules.size(); ++i) {
    if (static_cast<size_t>(kRules[i].failure) != i) return false;
  }
  return true;
}
static_assert(RulesMatchEnum(), "the rules must follow the order of FailureClass");

// What a code is by itself: where it was said, and of an attempt that may have been sent.
struct Kind {
  ErrorCode code;
  FailureClass said;
  FailureClass unsaid;
};

constexpr Kind Same(ErrorCode code, FailureClass failure) { return {code, failure, failure}; }

// In the order of the enum. Of those that no attempt fails with: ours.
constexpr auto kKinds = [] {
  std::array<Kind, kErrorCodeCount> kinds{};
  for (int i = 0; i < kErrorCodeCount; ++i) {
    kinds[static_cast<size_t>(i)] = Same(static_cast<ErrorCode>(i), kOurs);
  }
  using enum ErrorCode;
  for (const Kind& kind : {
           Same(kContextLengthExceeded, kContext),
           Kind{kUpstreamError, kServer, kDied},
           Same(kUpstreamTls, kNotSent),
           Kind{kBadUpstreamResponse, kServer, kDied},
           Kind{kUpstreamTruncated, kServer, kDied},
           Same(kUpstreamAuthError, kBadKey),
           Same(kUpstreamNoCredit, kNoCredit),
           Same(kUpstreamForbidden, FailureClass::kForbidden),
           Same(kUpstreamModelNotFound, kNoModel),
           Kind{kUpstreamTimeout, kServer, kTimeout},
           Same(kUpstreamIdleTimeout, kTimeout),
           Same(kUpstreamRateLimited, kRateLimited),
           Same(kUpstreamUnavailable, FailureClass::kOverloaded),
           Same(kUpstreamInvalidRequest, kRefused),
           Same(kUpstreamRequestTooLarge, kRefused),
           Same(kContentPolicyViolation, kPolicy),
       }) {
    kinds[static_cast<size_t>(kind.code)] = kind;
  }
  return kinds;
}();

// Every failure of a provider's has a class of its own; a client's or the gateway's has none but
// those that a provider tells of. An answer too large for us would be so anywhere.
constexpr bool EveryCodeHasItsClass() {
  for (size_t i = 0; i < kKinds.size(); ++i) {
    const auto code = static_cast<ErrorCode>(i);
    if (kKinds[i].code != code) return false;
    const bool upstream = code >= ErrorCode::kUpstreamError && code < ErrorCode::kClientClosed &&
                          code != ErrorCode::kAnswerTooLarge;
    const bool told = code == ErrorCode::kContextLengthExceeded;
    if ((kKinds[i].said != kOurs) != (upstream || told)) return false;
  }
  return true;
}
static_assert(EveryCodeHasItsClass(), "a new code of an upstream needs its class");

}  // namespace

std::string_view NameOf(FailureClass failure) { return kRules[static_cast<size_t>(failure)].name; }

FailureClass ClassOf(const FailedAttempt& failed) {
  const Error& error = failed.error;
  if (failed.content_relayed) return kAfterContent;
  const Kind& kind = kKinds[static_cast<size_t>(error.code)];
  // A definite answer, by its status or in words: nothing more comes of that attempt.
  const bool said = error.said_by_upstream || error.upstream_status >= 400;
  if (!said) {
    const bool unsent = !failed.dispatched && kind.unsaid != kOurs;
    return unsent ? kNotSent : kind.unsaid;
  }
  // Not a key that is none, but one that may not: a region, a model that it was not given.
  if (kind.said == kBadKey && error.upstream_status == 403) return FailureClass::kForbidden;
  if (kind.said == kServer && failed.in_answer) return kErrorInAnswer;
  return kind.said;
}

May MayFollow(FailureClass failure, Step step) {
  return kRules[static_cast<size_t>(failure)].may[static_cast<size_t>(step)];
}

bool Holds(May may, const RetryPolicy& policy, const Circumstances& at) {
  switch (may) {
    case kAtOnce:
      return true;
    case kIfAmbiguous:
      return policy.retry_ambiguous || at.own_limit;
    case kIfLonger:
      return at.longer;
    case kIfSaidOtherwise:
      return policy.fallback_on_400;
    case kNever:
    case kIfStale:
    case kIfAlone:
      break;
  }
  return false;
}

}  // namespace seekroute
