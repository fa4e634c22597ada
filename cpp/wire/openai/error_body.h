// Errors on the wire: OpenAI's envelope in the profile's words.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "wire/profile.h"
#include "wire/surface.h"

namespace seekroute {

// {"error":{"message","type","param","code","metadata":{...}}} in the profile's words and fields.
std::string WriteErrorBody(const Error& error, const Profile& profile, const ErrorPlace& place);

// One `data:` event with the same body, blank line included: OpenAI's shape. Some clients know it
// by `{"error":` at its very beginning, others by being no chunk, so it has nothing of it. Under
// /api/v1 it is OpenRouter's shape: a chunk with `error` beside a choice whose finish reason is
// "error"; `id`, `model` and `created` are for that. No [DONE] follows it.
std::string WriteErrorEvent(const Error& error, const Profile& profile, const ErrorPlace& place,
                            std::string_view id, std::string_view model, int64_t created);

}  // namespace seekroute
