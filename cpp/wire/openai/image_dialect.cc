#include "wire/openai/image_dialect.h"

#include <utility>

#include "wire/openai/image_request.h"
#include "wire/openai/image_transcoder.h"
#include "wire/openai/parsed_chat.h"

namespace seekroute {

DialectTraits ImageDialect::traits() const {
  return {.lacks = NeedSet(Need::kEmbedding) | Need::kNoPromptText | Need::kOddPromptText,
          .token_answer = false,
          .pieces = 1};
}

Result<std::unique_ptr<Transcoder>> ImageDialect::Open(TranscoderPlan plan) const {
  if (plan.surface != SurfaceId::kChat) {
    return MakeError(ErrorCode::kNoMatchingEndpoint, "this is no request for a picture");
  }
  const ChatRequest& chat = static_cast<const ParsedChat&>(*plan.request).chat;
  Result<std::string> call = BuildImageCall(plan.body, chat, plan.upstream_model);
  if (!call) return std::move(call).error();
  WholeTranscoder::Plan way{
      .request = {"/images/generations", std::move(*call), {"Accept: application/json"}},
      .names = std::move(plan.names),
      .max_answer_bytes = plan.max_answer_bytes};
  return std::unique_ptr<Transcoder>(std::make_unique<ImageTranscoder>(std::move(way), &chat));
}

}  // namespace seekroute
