// Image generation spoken as chat: the last user message becomes a prompt for the provider's
// images/generations, its answer becomes a chat completion whose content is the image's URL.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/openai/chat_request.h"

namespace seekroute {

// Returns the body of an OpenAI-style images/generations call: model, prompt (the text of the last
// user message; text parts are joined by newlines), and the client's own n, size, quality, style,
// background, seed and user where given, byte for byte. Fails with kInvalidValue when the last
// user message has no text.
Result<std::string> BuildImageCall(std::string_view body, const ChatRequest& request,
                                   std::string_view upstream_model);

// Reads the answer of images/generations: one entry an image, an http(s) URL or a data URL made
// from b64_json (media type guessed from the first bytes: PNG, JPEG, WebP, else PNG).
// Fails with kBadUpstreamResponse, or kUpstreamError when the body carries an error.
Result<std::vector<std::string>> ParseImageAnswer(std::string_view body);

}  // namespace seekroute
