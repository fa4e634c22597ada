// OpenAI's chat completions, as clients speak them.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "wire/surface.h"

namespace seekroute {

// Its requests are ParsedChat. Stateless; thread-safe.
class ChatSurface final : public Surface {
 public:
  SurfaceId id() const override { return SurfaceId::kChat; }
  std::string_view label() const override { return "chat_completions"; }
  Result<std::unique_ptr<const ParsedRequest>> Read(std::string_view body, const Profile& profile,
                                                    ReadScope scope) const override;
  TokenEstimate EstimatePrompt(std::string_view body) const override;
  std::string WriteError(const Error& error, const Profile& profile,
                         const ErrorPlace& place) const override;
  std::string_view keep_alive() const override;
};

}  // namespace seekroute
