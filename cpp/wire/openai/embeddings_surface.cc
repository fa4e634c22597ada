#include "wire/openai/embeddings_surface.h"

#include <utility>

#include "wire/openai/embeddings_request.h"
#include "wire/openai/error_body.h"

namespace seekroute {

// No profile has ranges for what is in it.
Result<std::unique_ptr<const ParsedRequest>> EmbeddingsSurface::Read(std::string_view body,
                                                                     const Profile&,
                                                                     ReadScope scope) const {
  auto read = ReadEmbeddings(body, scope);
  if (!read) return std::move(read.error());
  return Result<std::unique_ptr<const ParsedRequest>>(std::move(*read));
}

TokenEstimate EmbeddingsSurface::EstimatePrompt(std::string_view body) const {
  return EstimateEmbeddingsPrompt(body);
}

std::string EmbeddingsSurface::WriteError(const Error& error, const Profile& profile,
                                          const ErrorPlace& place) const {
  return WriteErrorBody(error, profile, place);
}

}  // namespace seekroute
