#include "wire/whole_transcoder.h"

namespace seekroute {

Status WholeTranscoder::Feed(std::string_view bytes, std::string*) {
  if (state_ == State::kEnded) return {};
  if (state_ == State::kFailed) {
    return MakeError(ErrorCode::kBadUpstreamResponse, "the provider's answer has failed already");
  }
  if (body_.Take(bytes).empty()) return {};
  Error error = WholeBody::TooLarge();
  error.message += AdviceIfTooLarge();
  return Failed(std::move(error));
}

Status WholeTranscoder::EndOfInput(std::string* out) {
  if (state_ != State::kSilent) return Feed({}, out);
  Status read = body_.End(media_type_);
  if (read) read = Read();
  if (!read) return Failed(std::move(read.error()));
  state_ = State::kEnded;
  return {};
}

Status WholeTranscoder::Failed(Error error) {
  state_ = State::kFailed;
  (void)body_.TakeText();
  return error;
}

}  // namespace seekroute
