#include "wire/openai/image_transcoder.h"

#include "wire/openai/chat_answer.h"
#include "wire/openai/error_body.h"
#include "wire/openai/image_request.h"
#include "wire/openai/upstream_chat.h"

namespace seekroute {

// Whoever draws is told nothing of thinking.
std::string ImageTranscoder::Ignored() const {
  return IgnoredFields(*asked_, ReasoningForm::kNone);
}

Status ImageTranscoder::Read() {
  Result<std::vector<std::string>> images = ParseImageAnswer(body().text());
  if (!images) return std::move(images.error());
  images_ = std::move(*images);
  return {};
}

void ImageTranscoder::Finish(const UsageReport& report, std::string* out) {
  out->append(asked_->stream ? WriteChatStream(names(), images_, report, asked_->include_usage)
                             : WriteChatAnswer(names(), images_, report));
}

void ImageTranscoder::Fail(const Error& error, const Profile& profile, const ErrorPlace& place,
                           std::string* out) {
  out->append(WriteErrorEvent(error, profile, place, names().id, names().model, names().created));
}

Reading ImageTranscoder::reading() const {
  Reading reading;
  reading.usage.images = static_cast<int64_t>(images_.size());
  reading.any_output = !images_.empty();
  if (state() == State::kEnded) reading.finish_reason = "stop";
  return reading;
}

}  // namespace seekroute
