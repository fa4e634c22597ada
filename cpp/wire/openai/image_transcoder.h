// Pictures asked for in a chat and drawn by images/generations: the answer comes whole, and is
// written as a chat completion, or as its stream.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "wire/openai/chat_request.h"
#include "wire/whole_transcoder.h"

namespace seekroute {

class ImageTranscoder final : public WholeTranscoder {
 public:
  // `asked` outlives it.
  ImageTranscoder(Plan plan, const ChatRequest* asked)
      : WholeTranscoder(std::move(plan)), asked_(asked) {}

  std::string Ignored() const override;
  void Finish(const UsageReport& report, std::string* out) override;
  void Fail(const Error& error, const Profile& profile, const ErrorPlace& place,
            std::string* out) override;
  Reading reading() const override;

 private:
  Status Read() override;

  const ChatRequest* const asked_;
  std::vector<std::string> images_;  // a URL each; none until it has ended
};

}  // namespace seekroute
