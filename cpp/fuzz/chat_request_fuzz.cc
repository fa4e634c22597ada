// A request that is accepted is valid JSON, and what is built for the upstream parses again: with
// the new model, and with everything else as it was. The one pass that also estimates the prompt
// says the same as two.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "wire/json/json.h"
#include "wire/openai/chat_prompt.h"
#include "wire/openai/chat_request.h"
#include "wire/openai/chat_surface.h"
#include "wire/openai/image_request.h"
#include "wire/openai/upstream_chat.h"

namespace {

using seekroute::ByteRange;
using seekroute::ChatRequest;

constexpr std::string_view kModel = "up/\"model\"\n";
constexpr int64_t kCap = 50;

void Check(bool holds) {
  if (!holds) std::abort();
}

// `text` is made of what is left of `body` without `cut`, in order, and of inserted bytes.
bool Contains(std::string_view text, std::string_view left, std::string_view right) {
  return text.size() >= left.size() + right.size() && text.substr(0, left.size()) == left &&
         text.substr(text.size() - right.size()) == right;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const auto request = seekroute::ParseChatRequest(body, seekroute::Profile());
  const auto read = seekroute::ChatSurface().Read(body, seekroute::Profile(), {.prompt = true});
  if (!request) {
    Check(request.error().status() == 400 && request.error().param.size() <= 80);
    Check(request.error().message.size() <= 160);
    Check(!read && read.error().message == request.error().message);
    return 0;
  }
  const auto prompt = seekroute::EstimateChatPrompt(body);
  Check(read && (*read)->ask.prompt->tokens == prompt.tokens);
  Check((*read)->ask.prompt->upper == prompt.upper);
  Check(seekroute::CheckJson(body).ok());

  const std::string upstream = seekroute::BuildUpstreamChat(body, *request, kModel);
  Check(seekroute::CheckJson(upstream).ok());
  const auto again = seekroute::ParseChatRequest(upstream, seekroute::Profile());
  Check(again.has_value());
  Check(again->model == kModel);
  Check(again->stream == request->stream && again->choices == request->choices);
  Check(again->max_tokens == request->max_tokens);
  Check(again->message_count == request->message_count);
  Check(again->tool_count == request->tool_count && again->text_bytes == request->text_bytes);
  Check(again->last_user_content.has_value() == request->last_user_content.has_value());
  if (request->last_user_content) {
    Check(again->last_user_content->In(upstream) == request->last_user_content->In(body));
  }
  Check(again->unsent.empty());
  if (request->stream) {
    Check(again->include_usage);
  } else if (request->unsent.empty()) {
    const ByteRange model = request->model_value;
    Check(Contains(upstream, body.substr(0, model.begin), body.substr(model.end)));
  }
  for (const std::string_view field :
       {seekroute::kMaxTokensField, seekroute::kMaxCompletionTokensField}) {
    const std::string capped = seekroute::BuildUpstreamChat(
        body, *request, kModel, seekroute::AnswerCap{kCap, field, kCap});
    const auto told = seekroute::ParseChatRequest(capped, seekroute::Profile());
    Check(told.has_value());
    const auto& own = field == seekroute::kMaxTokensField ? told->max_tokens_field
                                                          : told->max_completion_tokens_field;
    const int64_t most = std::min(kCap, request->max_tokens.value_or(kCap));
    Check(own && own->tokens && *own->tokens <= most && *told->max_tokens <= most);
    Check(told->max_reasoning && *told->max_reasoning <= kCap);
  }
  const auto image = seekroute::BuildImageCall(body, *request, kModel);
  if (image) Check(seekroute::CheckJson(*image).ok());
  return 0;
}
