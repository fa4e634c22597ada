// Status lines and headers of what the gateway answers: the only place that writes them.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "base/time.h"
#include "gateway/outlet.h"
#include "store/store.h"
#include "wire/profile.h"

namespace seekroute {

// An answer's head that is known before its body: 200, text/event-stream. Who answered is told
// where the profile tells it; the mock provider always is. `ignored` names the fields of the
// request that were of no effect; empty: none.
ResponseHead StreamHead(const ExchangeRecord& row, const Profile& profile,
                        std::string_view ignored);

// 200, application/json, with the cost where the profile has it.
ResponseHead AnswerHead(const ExchangeRecord& row, const Profile& profile, size_t body_size,
                        std::string_view ignored);

// 200, application/json, for an answer that no exchange gives.
ResponseHead QuoteHead(std::string_view request_id, size_t body_size);

// The error's status with what a client needs to act on it: Retry-After, retry-after-ms,
// x-should-retry, WWW-Authenticate.
ResponseHead ErrorHead(const Error& error, std::string_view request_id, size_t body_size);

}  // namespace seekroute
