// OpenAI's chat completions, as most upstreams speak them.
#pragma once

#include <memory>
#include <string_view>

#include "wire/dialect.h"

namespace seekroute {

class ChatDialect final : public Dialect {
 public:
  DialectId id() const override { return DialectId::kOpenAiChat; }
  std::string_view label() const override { return "openai-chat"; }
  DialectTraits traits() const override;

  // Of a request that SurfaceId::kChat has read.
  Result<std::unique_ptr<Transcoder>> Open(TranscoderPlan plan) const override;
};

}  // namespace seekroute
