// OpenAI's images/generations.
#pragma once

#include <memory>
#include <string_view>

#include "wire/dialect.h"

namespace seekroute {

class ImageDialect final : public Dialect {
 public:
  DialectId id() const override { return DialectId::kOpenAiImages; }
  std::string_view label() const override { return "openai-images"; }
  DialectTraits traits() const override;

  // Of a request that SurfaceId::kChat has read: the text of its last user message is drawn. Fails
  // with kInvalidValue where that has none.
  Result<std::unique_ptr<Transcoder>> Open(TranscoderPlan plan) const override;
};

}  // namespace seekroute
