#include "wire/openai/image_transcoder.h"

#include <utility>

#include "wire/openai/chat_answer.h"
#include "wire/openai/error_body.h"
#include "wire/openai/image_request.h"
#include "wire/openai/upstream_chat.h"

namespace seekroute {

// Whoever draws is told nothing of thinking.
std::string ImageTranscoder::Ignored() const {
  return IgnoredFields(*plan_.asked, ReasoningForm::kNone);
}

Status ImageTranscoder::Feed(std::string_view bytes, std::string*) {
  if (state_ == State::kEnded) return {};
  if (state_ == State::kFailed) {
    return MakeError(ErrorCode::kBadUpstreamResponse, "the provider's answer has failed already");
  }
  return body_.Take(bytes).empty() ? Status() : Failed(WholeBody::TooLarge());
}

Status ImageTranscoder::EndOfInput(std::string* out) {
  if (state_ != State::kSilent) return Feed({}, out);
  if (Status read = body_.End(media_type_); !read) return Failed(std::move(read.error()));
  Result<std::vector<std::string>> images = ParseImageAnswer(body_.text());
  if (!images) return Failed(std::move(images.error()));
  images_ = std::move(*images);
  state_ = State::kEnded;
  return {};
}

void ImageTranscoder::Finish(const UsageReport& report, std::string* out) {
  out->append(plan_.asked->stream
                  ? WriteChatStream(plan_.names, images_, report, plan_.asked->include_usage)
                  : WriteChatAnswer(plan_.names, images_, report));
}

void ImageTranscoder::Fail(const Error& error, const Profile& profile, const ErrorPlace& place,
                           std::string* out) {
  const AnswerNames& names = plan_.names;
  out->append(WriteErrorEvent(error, profile, place, names.id, names.model, names.created));
}

Reading ImageTranscoder::reading() const {
  Reading reading;
  reading.usage.images = static_cast<int64_t>(images_.size());
  reading.any_output = !images_.empty();
  if (state_ == State::kEnded) reading.finish_reason = "stop";
  return reading;
}

Status ImageTranscoder::Failed(Error error) {
  state_ = State::kFailed;
  return error;
}

}  // namespace seekroute
