// What an upstream is sent of a chat request: the client's own bytes with a few of them exchanged.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "wire/openai/chat_request.h"
#include "wire/request_form.h"

namespace seekroute {

// Whether the usage of a stream is asked for: some providers refuse `stream_options`.
enum class StreamUsage : uint8_t { kAsked, kUnasked };

// The names of the members that ask for something which an upstream of that form is not told,
// separated by ", "; empty: none. They are names that the gateway knows, in its spelling.
std::string IgnoredFields(const ChatRequest& request, ReasoningForm reasoning,
                          const DroppedFields& dropped = {});

// Returns `body` with "model" set to `upstream_model` and, for a stream, with
// stream_options.include_usage set to true; without request.unsent; with `cap`, where given, in
// cap.field, and with cap.reasoning in the field of thinking, unless the client's is shorter. With
// `usage` kUnasked nothing is asked of the usage, and a client's own stream_options are left out
// too: it gets its usage from the gateway. A client that used the other field only finds its own
// renamed; where it used both, both stay, neither longer than the cap or than the client's smaller
// one. `reasoning` goes as `form` says: its `effort` becomes `reasoning_effort`, unless the client
// sent that, too; what else is in it is left out. So are the members that `dropped` names. Not
// another byte differs. `request` must have been read from `body`.
std::string BuildUpstreamChat(std::string_view body, const ChatRequest& request,
                              std::string_view upstream_model,
                              const std::optional<AnswerCap>& cap = std::nullopt,
                              StreamUsage usage = StreamUsage::kAsked,
                              ReasoningForm form = ReasoningForm::kEffort,
                              const DroppedFields& dropped = {});

}  // namespace seekroute
