// What a request would cost, said before it is sent.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "gateway/admission.h"
#include "gateway/health_table.h"
#include "gateway/options.h"
#include "gateway/snapshot.h"

namespace seekroute {

// A quote's guess of how long an answer gets when nothing limits it to less. The bounds of the cost
// do not depend on it.
inline constexpr int64_t kExpectedAnswerTokens = 400;

// {"object":"quote","model",...,"prompt_tokens":{"expected","max"},"completion_tokens":{...},
// "cost":{"min","expected","max"},"candidates":[{"provider","model","upstream_model","endpoint",
// "group","probability","pricing","cost"}],"excluded":[{"provider","reason","detail"}],"sort",
// "seed","explored","auto","simulated":{"draws","first"}}, the last two where a model was chosen
// (routing_report.h), and where it was simulated. `min`: one
// token a choice; `max`: what the same request is held for (gateway/spend_bound.h), null where
// nothing bounds the answer. The outer cost is the first candidate's expected and the extremes over
// all of them, as any may serve it. `admission` must have been admitted, with an estimate of the
// prompt. `skipped`: why limits would pass over candidates now, by place; empty: none. A max_cost
// is told back and shortens the longest answer to what it pays for; fails with kMaxCostExceeded as
// the request would. Pure.
Result<std::string> WriteQuote(const Admission& admission, const Snapshot& snapshot,
                               const GatewayOptions& options, UnixSeconds now,
                               std::span<const Skip> skipped = {});

}  // namespace seekroute
