// What a request is expected to take, before anybody has counted it. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.h"
#include "routing/route.h"
#include "wire/ask.h"

namespace seekroute {

// The tokens that the prompt is expected to have: its estimate, else a guess by its bytes.
int64_t ExpectedPrompt(const Ask& ask, std::optional<int64_t> estimate);

// What a request is expected to cost there, the markup included, in pico-USD: the rates in force,
// for that prompt and an answer of its cap, at most kGuessedAnswerTokens. Saturates.
inline constexpr int64_t kGuessedAnswerTokens = 400;
uint64_t ExpectedPico(const Candidate& candidate, const Ask& ask, int64_t prompt,
                      UnixSeconds created);

}  // namespace seekroute
