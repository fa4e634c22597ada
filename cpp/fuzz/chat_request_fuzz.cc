// A request that is accepted is valid JSON, and what is built for the upstream parses again: with
// the new model, and with everything else as it was. The one pass that also estimates the prompt
// says the same as two.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "testing/read_chat.h"
#include "wire/json/json.h"
#include "wire/openai/chat_prompt.h"
#include "wire/openai/image_request.h"
#include "wire/openai/upstream_chat.h"

namespace {

using seekroute::ByteRange;
using seekroute::ChatRequest;
using seekroute::testing::ReadChat;

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
  const auto request = ReadChat(body);
  if (!request) {
    Check(request.error().status() == 400 && request.error().param.size() <= 80);
    Check(request.error().message.size() <= 160);
    const auto plain = seekroute::ChatSurface().Read(body, seekroute::Profile(), {});
    Check(!plain && plain.error().message == request.error().message);
    return 0;
  }
  const auto prompt = seekroute::EstimateChatPrompt(body);
  Check(request->ask.prompt->tokens == prompt.tokens);
  Check(request->ask.prompt->upper == prompt.upper);
  Check(seekroute::CheckJson(body).ok());
  // What a model is chosen by is bounded, and read of whatever was accepted.
  const std::string names[] = {request->ask.model};
  const auto chosen =
      seekroute::ChatSurface().Read(body, seekroute::Profile(), {.excerpt_for = names});
  Check(chosen && (*chosen)->ask.excerpt.size() <= seekroute::kMostExcerptBytes);

  const std::string upstream = seekroute::BuildUpstreamChat(body, request->chat, kModel);
  Check(seekroute::CheckJson(upstream).ok());
  const auto again = ReadChat(upstream);
  Check(again.has_value());
  const ChatRequest& chat = request->chat;
  Check(again->ask.model == kModel);
  Check(again->ask.stream == request->ask.stream && again->ask.choices == request->ask.choices);
  Check(again->ask.max_output == request->ask.max_output);
  Check(again->ask.preamble == request->ask.preamble);
  Check(again->ask.strict_prompt == request->ask.strict_prompt);
  Check(again->ask.needs == request->ask.needs);
  Check(again->chat.last_user_content.has_value() == chat.last_user_content.has_value());
  if (chat.last_user_content) {
    Check(again->chat.last_user_content->In(upstream) == chat.last_user_content->In(body));
  }
  Check(again->chat.unsent.empty());
  if (chat.stream) {
    Check(again->chat.include_usage);
  } else if (chat.unsent.empty()) {
    const ByteRange model = request->model_value;
    Check(Contains(upstream, body.substr(0, model.begin), body.substr(model.end)));
  }
  for (const std::string_view field :
       {seekroute::kMaxTokensField, seekroute::kMaxCompletionTokensField}) {
    const std::string capped =
        seekroute::BuildUpstreamChat(body, chat, kModel, seekroute::AnswerCap{kCap, field, kCap});
    const auto told = ReadChat(capped);
    Check(told.has_value());
    const auto& own = field == seekroute::kMaxTokensField ? told->chat.max_tokens_field
                                                          : told->chat.max_completion_tokens_field;
    const int64_t most = std::min(kCap, chat.max_tokens.value_or(kCap));
    Check(own && own->tokens && *own->tokens <= most && *told->chat.max_tokens <= most);
    Check(told->ask.reasoning.most && *told->ask.reasoning.most <= kCap);
  }
  const auto image = seekroute::BuildImageCall(body, chat, kModel);
  if (image) Check(seekroute::CheckJson(*image).ok());
  return 0;
}
