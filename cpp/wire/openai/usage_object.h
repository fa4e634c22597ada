// Usage as OpenAI's clients read it.
#pragma once

#include <string>

#include "wire/usage.h"

namespace seekroute {

// Writes OpenAI's usage object: prompt_tokens, completion_tokens, total_tokens, the *_details
// objects where a detail is known, `cost` and `cost_details` where given, as exact decimals.
// Without `routing`.
std::string WriteUsage(const UsageReport& report);

}  // namespace seekroute
