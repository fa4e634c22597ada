// Usage as OpenAI's clients read it.
#pragma once

#include <string>

#include "wire/json/json_writer.h"
#include "wire/usage.h"

namespace seekroute {

// Writes OpenAI's usage object: prompt_tokens, completion_tokens, total_tokens, the *_details
// objects where a detail is known, `cost` and `cost_details` where given, as exact decimals.
// Without `routing`.
void WriteUsage(const UsageReport& report, JsonWriter* json);
std::string WriteUsage(const UsageReport& report);

// The same of an answer that is not made of tokens: without completion_tokens and their details.
void WritePromptUsage(const UsageReport& report, JsonWriter* json);

}  // namespace seekroute
