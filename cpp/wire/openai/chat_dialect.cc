#include "wire/openai/chat_dialect.h"

#include <utility>

#include "wire/openai/chat_transcoder.h"
#include "wire/openai/parsed_chat.h"
#include "wire/openai/upstream_chat.h"

namespace seekroute {

DialectTraits ChatDialect::traits() const { return {.lacks = Need::kEmbedding}; }

Result<std::unique_ptr<Transcoder>> ChatDialect::Open(TranscoderPlan plan) const {
  if (plan.surface != SurfaceId::kChat) {
    return MakeError(ErrorCode::kNoMatchingEndpoint, "this is no request for a chat completion");
  }
  const ChatRequest& chat = static_cast<const ParsedChat&>(*plan.request).chat;
  const bool asks_usage = plan.usage != Asking::kNo;
  // Where they were refused before, the client's own are sent at our risk.
  const bool own = chat.stream_options && plan.usage != Asking::kAgain;
  ChatTranscoder::Plan way;
  way.request.path = "/chat/completions";
  way.request.headers.emplace_back(chat.stream ? "Accept: text/event-stream"
                                               : "Accept: application/json");
  way.request.body = BuildUpstreamChat(plan.body, chat, plan.upstream_model, plan.cap,
                                       asks_usage ? StreamUsage::kAsked : StreamUsage::kUnasked,
                                       plan.form->reasoning, plan.form->dropped);
  way.asked = &chat;
  way.form = plan.form;
  way.adds_options = chat.stream && asks_usage && !own;
  way.stream = {.names = std::move(plan.names),
                .include_usage = chat.include_usage,
                .choices = chat.choices,
                .may_fall_back = plan.may_fall_back,
                .wants_progress = chat.wants_progress,
                .limits = plan.sse};
  way.max_answer_bytes = plan.max_answer_bytes;
  return std::unique_ptr<Transcoder>(std::make_unique<ChatTranscoder>(std::move(way)));
}

}  // namespace seekroute
