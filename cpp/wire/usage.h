// What a provider says an answer consumed. Absent is not zero: every field is optional.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/money.h"

namespace seekroute {

// Counts in one meaning, OpenAI's: `prompt` includes every other count of the prompt, `completion`
// every other count of the answer. Value type.
struct Usage {
  std::optional<int64_t> prompt;
  std::optional<int64_t> completion;
  std::optional<int64_t> total;
  std::optional<int64_t> cached;                // of prompt: read from the provider's cache
  std::optional<int64_t> cache_write;           // of prompt: written to it, for whatever time
  std::optional<int64_t> cache_write_1h;        // of cache_write: for an hour
  std::optional<int64_t> audio_prompt;          // of prompt
  std::optional<int64_t> audio_cached;          // of cached and of audio_prompt
  std::optional<int64_t> image_prompt;          // of prompt: tokens, not pieces
  std::optional<int64_t> reasoning;             // of completion
  std::optional<int64_t> audio_completion;      // of completion
  std::optional<int64_t> image_completion;      // of completion: tokens, not pieces
  std::optional<int64_t> accepted_predictions;  // of completion, at its price
  std::optional<int64_t> rejected_predictions;  // likewise
  std::optional<int64_t> images;                // generated images, where that is what is sold

  bool operator==(const Usage&) const = default;

  // True when prompt and completion are both known.
  bool complete() const { return prompt.has_value() && completion.has_value(); }

  // Counts the prompt, and all that is of it, as `other` does.
  void TakePrompt(const Usage& other) {
    prompt = other.prompt;
    cached = other.cached;
    cache_write = other.cache_write;
    cache_write_1h = other.cache_write_1h;
    audio_prompt = other.audio_prompt;
    audio_cached = other.audio_cached;
    image_prompt = other.image_prompt;
  }
};

// Counts as providers spell them, before it is known which of them include which. Value type.
struct UsageReading {
  Usage counts;                   // what needs no interpretation
  std::optional<int64_t> input;   // `input_tokens` of Anthropic's shape, or of OpenAI's Responses
  std::optional<int64_t> output;  // `output_tokens`
  std::optional<int64_t> cache_miss;  // of the prompt (DeepSeek)
  std::optional<int64_t> write_5m;    // to the cache, for five minutes
  bool cache_apart = false;           // cache counts in Anthropic's spelling: not part of `input`
  bool odd = false;                   // a count was not an integer from 0 to 2^53, or stood twice

  // True when no field is known.
  bool IsEmpty() const;

  // Takes the maximum of each field: some providers repeat running totals in every chunk, some
  // split the fields over chunks. Never a sum.
  void MergeMax(const UsageReading& other);

  // The counts in OpenAI's meaning. What other providers count apart is added to `prompt` or
  // `completion`, but only on evidence:
  //  - `input_tokens` with Anthropic's cache fields leaves the cached and the written tokens out;
  //  - a `total_tokens` that is the sum with the reasoning (xAI), with the cached and written
  //    tokens, or with both, says that they stand outside;
  //  - a `total_tokens` larger than that sum, where no reasoning is told, has hidden reasoning in
  //    it (Gemini), which its provider charges as output.
  // A total that fits none of these is ignored.
  Usage Counts() const;
};

// Reads a JSON `usage` object as a provider wrote it. A field that is not a non-negative integer
// within 2^53 (100.0 and 1e2 are integers) is taken as absent and makes the reading odd, and so
// does one that stands twice in its object; the counts are then estimated, never trusted. Not an
// object (null, say): everything absent. Text that is no JSON is odd.
UsageReading ParseUsage(std::string_view json);

// Whether an answer's `service_tier` names one. Names are compared with those of prices and stored;
// whatever else stands there is none. At most 32 bytes.
bool IsTierName(std::string_view text);

// Money a client is told, in USD.
struct CostReport {
  Money cost;
  bool details = false;  // the following is told too: what the provider charges, without markup
  Money upstream;
  Money upstream_prompt;
  Money upstream_completion;
};

// What the client is told.
struct UsageReport {
  Usage usage;                     // complete() when reported
  std::optional<CostReport> cost;  // sent as usage.cost when the profile shows costs
  std::string routing;             // a whole JSON member that is put behind "usage"; may be empty
  // What the provider counted, where that contradicts itself: sent as usage.reported.
  std::optional<Usage> reported = std::nullopt;
};

}  // namespace seekroute
