// A chat completion that is not streamed: what the gateway reads of the upstream's, and the one it
// gives the client.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/delivered_media.h"
#include "wire/json/json.h"
#include "wire/openai/hidden_reasoning.h"
#include "wire/token_estimate.h"
#include "wire/transcoder.h"
#include "wire/usage.h"

namespace seekroute {

// What the gateway reads of an upstream's answer. The ranges point into its body.
struct ChatAnswer {
  Usage usage;
  bool usage_odd = false;     // a count was not a sane integer, or stood twice
  size_t content_bytes = 0;   // of every choice's output, tool calls included
  bool lacks_member = false;  // a choice has no object `message` or no index: AnswerWithMessages()
  bool has_content = false;   // output of any kind: text, a tool call, media
  DeliveredMedia media;       // of every choice
  std::string finish_reason;  // of the first choice; empty for null or none
  std::string service_tier;   // that the provider says it served by; empty: unsaid
  std::optional<ByteRange> id, object, model, created, usage_value;
  std::vector<ByteRange> repeated;  // to be cut: members that stood more than once
  std::vector<HiddenReasoning> hidden_reasoning;
};

// Fails with kBadUpstreamResponse when `body` is not a JSON object with a `choices` array (or is
// deeper than kMaxJsonDepth), with kUpstreamError when it carries an `error`, of its own or of a
// choice, or a choice ended in the finish reason `error`.
Result<ChatAnswer> ParseChatAnswer(std::string_view body);

// About how many tokens the output text in `body` is, for an answer that does not say. Where `body`
// is no chat completion, of what could be read of it.
TokenEstimate EstimateChatAnswer(std::string_view body);

// Returns `body` with id, object, model and usage replaced or added, `created` added where it was
// missing, and, if names.repeats_reasoning, a message's `reasoning_content` repeated as `reasoning`
// where it has none; not another byte differs. Invalid UTF-8 was refused by ParseChatAnswer.
std::string RewriteChatAnswer(std::string_view body, const ChatAnswer& answer,
                              const AnswerNames& names, const UsageReport& report);

// Writes a whole chat completion with one choice a text, for answers that no chat upstream made.
std::string WriteChatAnswer(const AnswerNames& names, const std::vector<std::string>& contents,
                            const UsageReport& report);

// The same as a stream: role chunk, content chunks, the final chunk with usage, [DONE].
std::string WriteChatStream(const AnswerNames& names, const std::vector<std::string>& contents,
                            const UsageReport& report, bool include_usage);

}  // namespace seekroute
