// OpenAI's chat completions, as clients speak them.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "wire/surface.h"

namespace seekroute {

// Its requests are ParsedChat. Read() accepts a body under these rules: valid UTF-8 JSON, an
// object, depth at most 128, no duplicate key in any object (param = its path), `model` a string,
// `messages` a non-empty array of objects with known roles and content of a known type, known
// fields of the right type and range (`profile` adds its own ranges), no routing-relevant foreign
// names (api_base, base_url, api_key, custom_llm_provider, headers at top level). Names that would
// choose another model or provider behind the upstream (models, provider, plugins, ...) may hold
// anything, and are never sent.
// Lone surrogates in content pass (they are forwarded as the escape they came as); in `model`,
// `user` and key names they are refused. Error messages never quote more than 64 bytes of input.
// No recursion deeper than kMaxJsonDepth. Stateless; thread-safe.
class ChatSurface final : public Surface {
 public:
  SurfaceId id() const override { return SurfaceId::kChat; }
  std::string_view label() const override { return "chat_completions"; }
  Result<std::unique_ptr<const ParsedRequest>> Read(std::string_view body, const Profile& profile,
                                                    ReadScope scope) const override;
  TokenEstimate EstimatePrompt(std::string_view body) const override;
  std::string ForOneModel(std::string_view body, std::string_view model) const override;
  std::string WriteError(const Error& error, const Profile& profile,
                         const ErrorPlace& place) const override;
  std::string WriteErrorEvent(const Error& error, const Profile& profile, const ErrorPlace& place,
                              std::string_view id, std::string_view model,
                              int64_t created) const override;
  std::string_view keep_alive() const override;
};

}  // namespace seekroute
