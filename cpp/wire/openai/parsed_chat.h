// A chat completion request as its surface has read it.
#pragma once

#include "wire/ask.h"
#include "wire/openai/chat_request.h"

namespace seekroute {

struct ParsedChat final : ParsedRequest {
  std::string PathOf(Need) const override { return "messages"; }

  ChatRequest chat;
};

}  // namespace seekroute
