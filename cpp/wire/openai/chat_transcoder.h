// A chat completion asked for and answered in the same words: the client's own bytes with a few of
// them exchanged, both ways.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "wire/answer_form.h"
#include "wire/openai/chat_answer.h"
#include "wire/openai/chat_collect.h"
#include "wire/openai/chat_request.h"
#include "wire/openai/chat_stream.h"
#include "wire/transcoder.h"
#include "wire/whole_body.h"

namespace seekroute {

// The client gets the form it asked for. Some upstreams answer in the other one: a stream that
// nobody asked for is collected, and relayed as a whole answer; a whole answer where a stream was
// asked for is relayed as a stream of one chunk. Which form came is told by its first bytes.
class ChatTranscoder final : public Transcoder {
 public:
  struct Plan {
    UpstreamRequest request;
    const ChatRequest* asked = nullptr;  // outlives the transcoder, as `form` does
    const RequestForm* form = nullptr;
    bool adds_options = false;   // `stream_options` stand in the request, or could, by our doing
    ChatStream::Options stream;  // of a plain answer, too, should it come as a stream
    size_t max_answer_bytes = 0;
  };
  explicit ChatTranscoder(Plan plan);

  UpstreamRequest TakeRequest() override { return std::move(plan_.request); }
  bool streams() const override { return plan_.asked->stream; }
  bool adds_member() const override { return plan_.adds_options; }
  bool RefusesAdded(const Error& refusal) const override;
  std::string Ignored() const override;

  void OnHead(std::string_view media_type) override { media_type_ = media_type; }
  Status Feed(std::string_view bytes, std::string* out) override;
  Status EndOfInput(std::string* out) override;
  bool IsWhole() const override;
  Status EndWhole() override;
  void Finish(const UsageReport& report, std::string* out) override;
  void Fail(const Error& error, const Profile& profile, const ErrorPlace& place,
            std::string* out) override;

  State state() const override;
  bool has_content() const override;
  int64_t pieces() const override { return stream_ ? stream_->pieces() : 0; }
  Reading reading() const override;
  TokenEstimate CountContent() const override;

 private:
  void BeginEvents();
  Status FeedEvents(std::string_view bytes, std::string* out);
  Status Collect(std::string_view bytes);
  Status AddCollected(Status fed);
  Status EndCollected();
  Status ReadWhole(std::string* out);
  Status Relayed(Status fed);
  Status Failed(Error error);

  Plan plan_;
  std::string media_type_;
  FormSniffer sniffer_;
  WholeBody body_;                          // until it is known to be a stream
  bool in_events_ = false;                  // it is one
  std::optional<ChatStream> stream_;        // as it was asked for, or as it came
  std::optional<ChatCollector> collector_;  // of a stream that nobody asked for
  std::string piece_;                       // what the stream has just written for it
  ChatAnswer answer_;                       // in body_; of a whole one, once it has ended
  bool ended_ = false;
  bool failed_ = false;
};

}  // namespace seekroute
