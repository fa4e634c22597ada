// The answer to an embeddings request: what the gateway reads of the upstream's, and the one that
// it gives the client. The numbers stay the bytes they are: nobody here makes floats of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/json/json.h"
#include "wire/transcoder.h"
#include "wire/usage.h"

namespace seekroute {

// The ranges point into the body it was read from.
struct EmbeddingsAnswer {
  // With a completion of 0 where the prompt is told: nothing else is ever charged for, and so the
  // count is complete(), as a bill wants it. No input is empty: a prompt of 0 tokens is not told.
  Usage usage;
  bool usage_odd = false;    // a count was not a sane integer, or stood twice
  std::string service_tier;  // as the answer names it; empty where it does not
  std::optional<ByteRange> id, object, model, usage_value;
  std::vector<ByteRange> repeated;  // to be cut: members of these that stood more than once
};

// Fails with kBadUpstreamResponse when `body` is not a JSON object with an array `data` of so many
// objects as there are `inputs`, each with an `embedding`: an array of numbers (null where one is
// no number), or a string, in base64. Which of the two is not compared with what was asked for:
// SDKs read both. Fails with kUpstreamError when it carries an `error`. Linear; one pass.
Result<EmbeddingsAnswer> ReadEmbeddingsAnswer(std::string_view body, int64_t inputs);

// Makes of `*body`, which `answer` was read from, what the client gets: `model` and `usage` are
// replaced or added, an `id` that is there is replaced, `object` added where it was missing, and
// report.routing put in. Not another byte differs. In place: it may be tens of megabytes.
void RewriteEmbeddingsAnswer(const EmbeddingsAnswer& answer, const AnswerNames& names,
                             const UsageReport& report, std::string* body);

}  // namespace seekroute
