// Internal to wire/: the pieces of chat completions that the gateway writes itself.
#pragma once

#include <string>
#include <string_view>

#include "wire/openai/chat_answer.h"

namespace seekroute {

inline constexpr std::string_view kChunkObject = "chat.completion.chunk";
inline constexpr std::string_view kDoneEvent = "data: [DONE]\n\n";

// "id":…,"object":…,"created":…,"model":… without braces.
void AppendChatHead(const AnswerNames& names, std::string_view object, std::string* out);

// "usage":{...}, and the report's routing behind it, without braces.
std::string UsageMembers(const UsageReport& report);

// The event with `choices: []` that stream_options.include_usage asks for. `members`: as
// UsageMembers() gives them.
void AppendUsageChunk(const AnswerNames& names, std::string_view members, std::string* out);

}  // namespace seekroute
