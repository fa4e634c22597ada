// Embeddings asked for and answered in the same words: the client's own bytes with a few of them
// exchanged, both ways.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "wire/openai/embeddings_answer.h"
#include "wire/openai/embeddings_request.h"
#include "wire/transcoder.h"
#include "wire/whole_body.h"

namespace seekroute {

// The answer comes and goes whole. An upstream may answer in another encoding_format than it was
// asked for: it is passed as it is, as SDKs read both.
class EmbeddingsTranscoder final : public Transcoder {
 public:
  struct Plan {
    UpstreamRequest request;
    const ParsedEmbeddings* asked = nullptr;  // outlives the transcoder
    AnswerNames names;
    size_t max_answer_bytes = 0;
  };
  explicit EmbeddingsTranscoder(Plan plan)
      : plan_(std::move(plan)), body_(plan_.max_answer_bytes) {}

  UpstreamRequest TakeRequest() override { return std::move(plan_.request); }
  bool streams() const override { return false; }
  bool adds_member() const override { return false; }
  bool RefusesAdded(const Error&) const override { return false; }
  std::string Ignored() const override;

  void OnHead(std::string_view media_type) override { media_type_ = media_type; }
  Status Feed(std::string_view bytes, std::string* out) override;
  Status EndOfInput(std::string* out) override;
  bool IsWhole() const override { return state_ == State::kEnded; }
  Status EndWhole() override { return {}; }
  void Finish(const UsageReport& report, std::string* out) override;
  void Fail(const Error& error, const Profile& profile, const ErrorPlace& place,
            std::string* out) override;

  State state() const override { return state_; }
  bool has_content() const override { return state_ == State::kEnded; }
  int64_t pieces() const override { return 0; }
  // Its usage has a completion of 0 where the prompt was told, and is so complete(): it is billed
  // as told. Where it was not, there is none of the two, and the bill counts by the estimate of the
  // prompt, and of CountContent(), which is nothing.
  Reading reading() const override;
  TokenEstimate CountContent() const override { return {}; }

 private:
  Status Failed(Error error);

  Plan plan_;
  std::string media_type_;
  WholeBody body_;
  EmbeddingsAnswer answer_;       // in body_, once it has ended
  State state_ = State::kSilent;  // until it has ended or failed
};

}  // namespace seekroute
