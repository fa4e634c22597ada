// Pictures asked for in a chat and drawn by images/generations: the answer comes whole, and is
// written as a chat completion, or as its stream.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/openai/chat_request.h"
#include "wire/transcoder.h"
#include "wire/whole_body.h"

namespace seekroute {

class ImageTranscoder final : public Transcoder {
 public:
  struct Plan {
    UpstreamRequest request;
    const ChatRequest* asked = nullptr;  // outlives the transcoder
    AnswerNames names;
    size_t max_answer_bytes = 0;
  };
  explicit ImageTranscoder(Plan plan) : plan_(std::move(plan)), body_(plan_.max_answer_bytes) {}

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
  bool has_content() const override { return !images_.empty(); }
  int64_t pieces() const override { return 0; }
  Reading reading() const override;
  TokenEstimate CountContent() const override { return {}; }

 private:
  Status Failed(Error error);

  Plan plan_;
  std::string media_type_;
  WholeBody body_;
  std::vector<std::string> images_;  // a URL each
  State state_ = State::kSilent;     // until it has ended or failed
};

}  // namespace seekroute
