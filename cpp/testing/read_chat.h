// A chat request as its surface reads it, for tests that look into it.
#pragma once

#include <memory>
#include <string_view>

#include "wire/openai/chat_surface.h"
#include "wire/openai/parsed_chat.h"

namespace seekroute::testing {

// With the estimate of its prompt.
inline Result<ParsedChat> ReadChat(std::string_view body, const Profile& profile = {}) {
  const auto read = ChatSurface().Read(body, profile, {.prompt = true});
  if (!read) return read.error();
  return static_cast<const ParsedChat&>(**read);
}

}  // namespace seekroute::testing
