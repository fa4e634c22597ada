#include "wire/openai/embeddings_transcoder.h"

#include <optional>

#include "wire/json/non_finite.h"
#include "wire/openai/error_body.h"

namespace seekroute {

std::string EmbeddingsTranscoder::Ignored() const {
  std::string names;
  for (const std::string_view name : plan_.asked->ignored) {
    if (!names.empty()) names += ", ";
    names += name;
  }
  return names;
}

Status EmbeddingsTranscoder::Feed(std::string_view bytes, std::string*) {
  if (state_ == State::kEnded) return {};
  if (state_ == State::kFailed) {
    return MakeError(ErrorCode::kBadUpstreamResponse, "the provider's answer has failed already");
  }
  if (body_.Take(bytes).empty()) return {};
  Error error = WholeBody::TooLarge();
  error.message += ": send fewer inputs at a time, or ask for the encoding_format base64";
  return Failed(std::move(error));
}

Status EmbeddingsTranscoder::EndOfInput(std::string* out) {
  if (state_ != State::kSilent) return Feed({}, out);
  if (Status read = body_.End(media_type_); !read) return Failed(std::move(read.error()));
  const int64_t inputs = plan_.asked->inputs;
  Result<EmbeddingsAnswer> answer = ReadEmbeddingsAnswer(body_.text(), inputs);
  if (!answer) {
    if (std::optional<std::string> mended = WithoutNonFinite(body_.text())) {
      body_.Replace(*std::move(mended));
      answer = ReadEmbeddingsAnswer(body_.text(), inputs);
    }
  }
  if (!answer) return Failed(std::move(answer.error()));
  answer_ = std::move(*answer);
  state_ = State::kEnded;
  return {};
}

void EmbeddingsTranscoder::Finish(const UsageReport& report, std::string* out) {
  std::string body = body_.TakeText();
  RewriteEmbeddingsAnswer(answer_, plan_.names, report, &body);
  if (out->empty()) {
    *out = std::move(body);
  } else {
    out->append(body);
  }
}

// Nothing was written before: there is no stream to end.
void EmbeddingsTranscoder::Fail(const Error& error, const Profile& profile, const ErrorPlace& place,
                                std::string* out) {
  out->append(WriteErrorBody(error, profile, place));
}

Reading EmbeddingsTranscoder::reading() const {
  Reading reading;
  if (state_ != State::kEnded) return reading;
  reading.usage = answer_.usage;
  reading.usage_odd = answer_.usage_odd;
  reading.service_tier = answer_.service_tier;
  reading.any_output = true;
  return reading;
}

Status EmbeddingsTranscoder::Failed(Error error) {
  state_ = State::kFailed;
  (void)body_.TakeText();
  return error;
}

}  // namespace seekroute
