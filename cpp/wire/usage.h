// What a provider says an answer consumed. Absent is not zero: every field is optional.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/money.h"

namespace seekroute {

// Token counts in OpenAI's meaning: `prompt` includes `cached`, `completion` includes `reasoning`.
// Value type.
struct Usage {
  std::optional<int64_t> prompt;
  std::optional<int64_t> completion;
  std::optional<int64_t> total;
  std::optional<int64_t> cached;
  std::optional<int64_t> reasoning;
  std::optional<int64_t> audio_prompt;
  std::optional<int64_t> audio_completion;
  std::optional<int64_t> images;  // generated images, where that is what is sold

  // True when prompt and completion are both known.
  bool complete() const { return prompt.has_value() && completion.has_value(); }

  // True when no field is known.
  bool IsEmpty() const;

  // Takes the maximum of each field: some providers repeat running totals in every chunk, some
  // split the fields over chunks. Never a sum.
  void MergeMax(const Usage& other);
};

// Reads a JSON `usage` object as a provider wrote it. A field that is not a non-negative integer
// within 2^53 is taken as absent, and sets *odd; the counts are then estimated, never trusted.
// `json` must be valid JSON. Not an object (null, say): everything absent, *odd untouched.
Usage ParseUsage(std::string_view json, bool* odd);

// What the client is told.
struct UsageReport {
  Usage usage;                // complete() when reported
  std::optional<Money> cost;  // sent as usage.cost when the profile shows costs
  std::string routing;        // a whole JSON member that is put behind "usage"; may be empty
};

// Writes OpenAI's usage object: prompt_tokens, completion_tokens, total_tokens, the *_details
// objects where a detail is known, and `cost` where given. Without `routing`.
std::string WriteUsage(const UsageReport& report);

}  // namespace seekroute
