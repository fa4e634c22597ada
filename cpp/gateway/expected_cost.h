// How many tokens a request is expected to take, for limits that count them before it has.
#pragma once

#include <span>
#include <string_view>

#include "gateway/admission.h"
#include "gateway/options.h"
#include "limits/limit_answer.h"
#include "routing/route.h"

namespace seekroute {

// Of the prompt what is estimated; of `body` where nobody has estimated it yet. Of an answer as
// many as its client has named at most, or the usual; and no more than any of `candidates` can
// answer. Of an admitted request.
LimitCost ExpectedCost(const Admission& admission, const GatewayOptions& options,
                       std::span<const Candidate> candidates, std::string_view body);

// The answer's part of that, of all choices together.
int64_t ExpectedAnswer(const Ask& ask, const GatewayOptions& options,
                       std::span<const Candidate> candidates);

}  // namespace seekroute
