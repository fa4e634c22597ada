// Embeddings asked for and answered in the same words: the client's own bytes with a few of them
// exchanged, both ways.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "wire/openai/embeddings_answer.h"
#include "wire/openai/embeddings_request.h"
#include "wire/whole_transcoder.h"

namespace seekroute {

// An upstream may answer in another encoding_format than it was asked for: it is passed as it is,
// as SDKs read both.
class EmbeddingsTranscoder final : public WholeTranscoder {
 public:
  // `asked` outlives it.
  EmbeddingsTranscoder(Plan plan, const ParsedEmbeddings* asked)
      : WholeTranscoder(std::move(plan)), asked_(asked) {}

  std::string Ignored() const override;
  void Finish(const UsageReport& report, std::string* out) override;
  void Fail(const Error& error, const Profile& profile, const ErrorPlace& place,
            std::string* out) override;
  // Its usage has a completion of 0 where the prompt was told, and is so complete(): it is billed
  // as told. Where it was not, there is none of the two, and the bill counts by the estimate of the
  // prompt, and of CountContent(), which is nothing.
  Reading reading() const override;

 private:
  Status Read() override;
  std::string_view AdviceIfTooLarge() const override;

  const ParsedEmbeddings* const asked_;
  EmbeddingsAnswer answer_;  // in body(), once it has ended
};

}  // namespace seekroute
