// OpenAI's embeddings, as upstreams speak them.
#pragma once

#include <memory>
#include <string_view>

#include "wire/dialect.h"

namespace seekroute {

class EmbeddingsDialect final : public Dialect {
 public:
  DialectId id() const override { return DialectId::kOpenAiEmbeddings; }
  std::string_view label() const override { return "openai-embeddings"; }
  DialectTraits traits() const override;

  // Of a request that SurfaceId::kEmbeddings has read: its own bytes with another model, without
  // what is not for an upstream.
  Result<std::unique_ptr<Transcoder>> Open(TranscoderPlan plan) const override;
};

}  // namespace seekroute
