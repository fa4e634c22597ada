// One try whose answer is no stream: it is held until all of it has come, and then read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "wire/transcoder.h"
#include "wire/whole_body.h"

namespace seekroute {

// Whoever derives from it reads the answer, writes what the client gets of it, and keeps whatever
// it needs of the client's request.
class WholeTranscoder : public Transcoder {
 public:
  struct Plan {
    UpstreamRequest request;
    AnswerNames names;
    size_t max_answer_bytes = 0;
  };

  UpstreamRequest TakeRequest() final { return std::move(plan_.request); }
  bool streams() const final { return false; }
  bool adds_member() const final { return false; }
  bool RefusesAdded(const Error&) const final { return false; }

  void OnHead(std::string_view media_type) final { media_type_ = media_type; }
  // Writes nothing: an answer of more than `max_answer_bytes` fails.
  Status Feed(std::string_view bytes, std::string* out) final;
  // Reads the answer. Writes nothing: that is Finish()'s.
  Status EndOfInput(std::string* out) final;
  bool IsWhole() const final { return state_ == State::kEnded; }
  Status EndWhole() final { return {}; }

  State state() const final { return state_; }
  bool has_content() const final { return state_ == State::kEnded; }
  int64_t pieces() const final { return 0; }
  TokenEstimate CountContent() const final { return {}; }

 protected:
  explicit WholeTranscoder(Plan plan) : plan_(std::move(plan)), body_(plan_.max_answer_bytes) {}

  const AnswerNames& names() const { return plan_.names; }
  WholeBody& body() { return body_; }

 private:
  // Once, of all of body(), which is JSON by its first bytes. Fails where that is no answer: nobody
  // gets an answer without output.
  virtual Status Read() = 0;

  // What to do about an answer that is too large, to be added to what is said of it.
  virtual std::string_view AdviceIfTooLarge() const { return {}; }

  Status Failed(Error error);

  Plan plan_;
  std::string media_type_;
  WholeBody body_;
  State state_ = State::kSilent;  // until it has ended or failed
};

}  // namespace seekroute
