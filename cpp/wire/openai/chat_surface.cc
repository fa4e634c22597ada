#include "wire/openai/chat_surface.h"

#include <optional>
#include <utility>

#include "wire/openai/chat_prompt.h"
#include "wire/openai/error_body.h"
#include "wire/openai/excerpt.h"
#include "wire/openai/one_model_chat.h"
#include "wire/openai/parsed_chat.h"
#include "wire/openai/prompt_sink.h"
#include "wire/openai/request_sink.h"

namespace seekroute {
namespace {

// One scan for two: each hears of all that it would have heard of alone.
class TwoSinks final : public JsonSink {
 public:
  TwoSinks(RequestSink* request, PromptSink* prompt) : request_(*request), prompt_(*prompt) {}

  Step OnOpen(const JsonPlace& place, JsonType type) override {
    const int depth = place.depth();
    if (request_deaf_ == kHears) {
      const Step step = request_.OnOpen(place, type);
      if (step == Step::kStop) {
        FailAsRequest();
        return step;
      }
      if (step == Step::kSkip) request_deaf_ = depth;
    }
    if (prompt_deaf_ == kHears && prompt_.OnOpen(place, type) == Step::kSkip) prompt_deaf_ = depth;
    return request_deaf_ == kHears || prompt_deaf_ == kHears ? Step::kEnter : Step::kSkip;
  }

  bool OnClose(const JsonPlace& place, const JsonValue& value) override {
    if (Hears(place, &request_deaf_) && !request_.OnClose(place, value)) return FailAsRequest();
    return !Hears(place, &prompt_deaf_) || prompt_.OnClose(place, value);
  }

  bool OnScalar(const JsonPlace& place, const JsonValue& value) override {
    if (request_deaf_ == kHears && !request_.OnScalar(place, value)) return FailAsRequest();
    return prompt_deaf_ != kHears || prompt_.OnScalar(place, value);
  }

 private:
  // Where a sink skips a container, the level of that; kHears where it does not.
  static constexpr int kHears = -1;

  // What a sink has skipped ends for it with that container itself.
  static bool Hears(const JsonPlace& place, int* deaf) {
    if (*deaf == place.depth()) *deaf = kHears;
    return *deaf == kHears;
  }

  bool FailAsRequest() {
    const Error& why = request_.failure();
    return Fail(why.code, why.message, why.param);
  }

  RequestSink& request_;
  PromptSink& prompt_;
  int request_deaf_ = kHears;
  int prompt_deaf_ = kHears;
};

}  // namespace

Result<std::unique_ptr<const ParsedRequest>> ChatSurface::Read(std::string_view body,
                                                               const Profile& profile,
                                                               ReadScope scope) const {
  RequestSink sink(profile);
  std::optional<TokenEstimate> prompt;
  Status scanned;
  if (scope.prompt) {
    PromptSink estimate(body, 0);
    TwoSinks both(&sink, &estimate);
    scanned = ScanJson(body, JsonKeys::kUnique, &both);
    prompt = estimate.Estimate();
  } else {
    scanned = ScanJson(body, JsonKeys::kUnique, &sink);
  }
  Result<std::unique_ptr<ParsedChat>> request = sink.Take(scanned);
  if (!request) return std::move(request.error());
  std::unique_ptr<ParsedChat> parsed = std::move(*request);
  if (!prompt && parsed->ask.max_cost) prompt = EstimatePrompt(body);
  parsed->ask.prompt = prompt;
  if (const auto& content = parsed->chat.last_user_content;
      content && NamesOneOf(parsed->ask, scope.excerpt_for)) {
    parsed->ask.excerpt = ExcerptOf(body.substr(content->begin, content->end - content->begin));
  }
  return Result<std::unique_ptr<const ParsedRequest>>(std::move(parsed));
}

TokenEstimate ChatSurface::EstimatePrompt(std::string_view body) const {
  return EstimateChatPrompt(body);
}

std::string ChatSurface::ForOneModel(std::string_view body, std::string_view model) const {
  return ChatForOneModel(body, model);
}

std::string ChatSurface::WriteError(const Error& error, const Profile& profile,
                                    const ErrorPlace& place) const {
  return WriteErrorBody(error, profile, place);
}

std::string ChatSurface::WriteErrorEvent(const Error& error, const Profile& profile,
                                         const ErrorPlace& place, std::string_view id,
                                         std::string_view model, int64_t created) const {
  return seekroute::WriteErrorEvent(error, profile, place, id, model, created);
}

// An SSE comment; one newline, because a blank line after it makes some SDKs dispatch an empty
// event.
std::string_view ChatSurface::keep_alive() const { return ": SEEKROUTE PROCESSING\n"; }

}  // namespace seekroute
