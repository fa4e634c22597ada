// What an answer costs: integer arithmetic, one rounding.
#pragma once

#include <string_view>

#include "base/money.h"
#include "wire/token_estimate.h"
#include "wire/usage.h"

namespace seekroute {

// price(usage) = sum of (units x rate) in 128 bits, rounded up once to the next nano-USD. Cached
// prompt tokens cost `cache_read` and are not charged again as input; more cached than prompt
// tokens, or an absent count, counts as what is known. Saturates at the largest Money.
Money CostOf(const Usage& usage, const Price& price);

// Zero-completion rule: an answer with no output at all and no finish reason, or one that ended
// in the provider's own error, is not charged.
bool IsFree(const Usage& usage, std::string_view finish_reason);

// Counts for an answer whose provider gave none: what is expected, not the upper bound. Flagged as
// an estimate wherever it is stored.
Usage EstimateUsage(const TokenEstimate& prompt, const TokenEstimate& content);

}  // namespace seekroute
