// OpenAI's embeddings, as clients speak them.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "wire/surface.h"

namespace seekroute {

// Its requests are ParsedEmbeddings; ReadEmbeddings() says which it accepts. Stateless;
// thread-safe.
class EmbeddingsSurface final : public Surface {
 public:
  SurfaceId id() const override { return SurfaceId::kEmbeddings; }
  std::string_view label() const override { return "embeddings"; }
  Result<std::unique_ptr<const ParsedRequest>> Read(std::string_view body, const Profile& profile,
                                                    ReadScope scope) const override;
  TokenEstimate EstimatePrompt(std::string_view body) const override;
  std::string ForOneModel(std::string_view, std::string_view) const override { return {}; }
  std::string WriteError(const Error& error, const Profile& profile,
                         const ErrorPlace& place) const override;
  // Nothing streams.
  std::string WriteErrorEvent(const Error&, const Profile&, const ErrorPlace&, std::string_view,
                              std::string_view, int64_t) const override {
    return {};
  }
  std::string_view keep_alive() const override { return {}; }
};

}  // namespace seekroute
