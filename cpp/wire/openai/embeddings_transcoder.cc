#include "wire/openai/embeddings_transcoder.h"

#include <optional>

#include "wire/json/non_finite.h"
#include "wire/openai/error_body.h"

namespace seekroute {

std::string EmbeddingsTranscoder::Ignored() const {
  std::string names;
  for (const std::string_view name : asked_->ignored) {
    if (!names.empty()) names += ", ";
    names += name;
  }
  return names;
}

std::string_view EmbeddingsTranscoder::AdviceIfTooLarge() const {
  return ": send fewer inputs at a time, or ask for the encoding_format base64";
}

Status EmbeddingsTranscoder::Read() {
  Result<EmbeddingsAnswer> answer = ReadEmbeddingsAnswer(body().text(), asked_->ask.inputs);
  if (!answer) {
    if (std::optional<std::string> mended = WithoutNonFinite(body().text())) {
      body().Replace(*std::move(mended));
      answer = ReadEmbeddingsAnswer(body().text(), asked_->ask.inputs);
    }
  }
  if (!answer) return std::move(answer.error());
  answer_ = std::move(*answer);
  return {};
}

void EmbeddingsTranscoder::Finish(const UsageReport& report, std::string* out) {
  std::string text = body().TakeText();
  RewriteEmbeddingsAnswer(answer_, names(), report, &text);
  if (out->empty()) {
    *out = std::move(text);
  } else {
    out->append(text);
  }
}

// Nothing was written before: there is no stream to end.
void EmbeddingsTranscoder::Fail(const Error& error, const Profile& profile, const ErrorPlace& place,
                                std::string* out) {
  out->append(WriteErrorBody(error, profile, place));
}

Reading EmbeddingsTranscoder::reading() const {
  Reading reading;
  if (state() != State::kEnded) return reading;
  reading.usage = answer_.usage;
  reading.usage_odd = answer_.usage_odd;
  reading.service_tier = answer_.service_tier;
  reading.any_output = true;
  return reading;
}

}  // namespace seekroute
