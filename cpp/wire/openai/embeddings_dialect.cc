#include "wire/openai/embeddings_dialect.h"

#include <utility>

#include "wire/json/cut_members.h"
#include "wire/json/splice.h"
#include "wire/openai/embeddings_transcoder.h"
#include "wire/openai/request_fields.h"

namespace seekroute {
namespace {

static_assert(kMostUnsent + 1 <= Splice::kMaxEdits, "and the model");

std::string UpstreamBody(std::string_view body, const ParsedEmbeddings& asked,
                         std::string_view upstream_model) {
  std::string model;
  AppendJsonString(upstream_model, &model);
  Splice splice(body);
  splice.Replace(asked.model_value, model);
  CutMembers(body, asked.unsent, &splice);
  std::string out;
  out.reserve(body.size() + model.size());
  splice.AppendTo(&out);
  return out;
}

}  // namespace

DialectTraits EmbeddingsDialect::traits() const {
  return {.lacks = Need::kChat, .token_answer = false, .one_context = false};
}

Result<std::unique_ptr<Transcoder>> EmbeddingsDialect::Open(TranscoderPlan plan) const {
  if (plan.surface != SurfaceId::kEmbeddings) {
    return MakeError(ErrorCode::kNoMatchingEndpoint, "this is no request for embeddings");
  }
  const auto& asked = static_cast<const ParsedEmbeddings&>(*plan.request);
  WholeTranscoder::Plan way{.request = {"/embeddings",
                                        UpstreamBody(plan.body, asked, plan.upstream_model),
                                        {"Accept: application/json"}},
                            .names = std::move(plan.names),
                            .max_answer_bytes = plan.max_answer_bytes};
  return std::unique_ptr<Transcoder>(
      std::make_unique<EmbeddingsTranscoder>(std::move(way), &asked));
}

}  // namespace seekroute
