// What a request is expected to take, before anybody has counted it. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.h"
#include "routing/answer_lengths.h"
#include "routing/route.h"
#include "wire/ask.h"

namespace seekroute {

// The tokens that the prompt is expected to have: its estimate, else a guess by its bytes.
int64_t ExpectedPrompt(const Ask& ask, std::optional<int64_t> estimate);

// The tokens that a choice of the answer is expected to have there: `answer`, which are expected of
// the model, or less where the request or the endpoint sets a shorter length. 0: its answers are
// not made of tokens.
int64_t ExpectedAnswer(const Candidate& candidate, const Ask& ask,
                       int64_t answer = kGuessedAnswerTokens);

// What a request is expected to cost there, the markup included, in pico-USD: the rates in force,
// for that prompt and as many choices of ExpectedAnswer() as it asks for. Saturates.
uint64_t ExpectedPico(const Candidate& candidate, const Ask& ask, int64_t prompt,
                      UnixSeconds created, int64_t answer = kGuessedAnswerTokens);

}  // namespace seekroute
