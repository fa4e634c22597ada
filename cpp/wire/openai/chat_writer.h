// Internal to wire/: the pieces of chat completions that the gateway writes itself.
#pragma once

#include <string>
#include <string_view>

#include "wire/json/json_writer.h"
#include "wire/openai/chat_answer.h"

namespace seekroute {

inline constexpr std::string_view kChunkObject = "chat.completion.chunk";
inline constexpr std::string_view kDoneEvent = "data: [DONE]\n\n";

// The members `id`, `object`, `created` and `model`.
void WriteChatHead(const AnswerNames& names, std::string_view object, JsonWriter* json);

// The member `usage`, and the report's routing behind it.
void WriteUsageMembers(const UsageReport& report, JsonWriter* json);

// The event with `choices: []` that stream_options.include_usage asks for.
void AppendUsageChunk(const AnswerNames& names, const UsageReport& report, std::string* out);

}  // namespace seekroute
