// One try at one upstream: its transfer, its deadlines, and the reading of its answer.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/options.h"
#include "gateway/snapshot.h"
#include "transport/transport.h"
#include "wire/answer_form.h"
#include "wire/openai/chat_answer.h"
#include "wire/openai/chat_collect.h"
#include "wire/openai/chat_stream.h"

namespace seekroute {

// What the exchange hears of its attempt. Exactly one of OnAnswered and OnFailed, once; nothing
// after Abandon().
class AttemptOwner {
 public:
  virtual ~AttemptOwner() = default;
  // The provider has been sent all of the request. May not end the attempt.
  virtual void OnSent() = 0;
  // Bytes for the client of a stream whose content has begun.
  virtual Flow OnOutput(std::string_view bytes) = 0;
  virtual void OnAnswered() = 0;
  // `dispatched`: the provider may have got the request.
  virtual void OnFailed(Error error, bool dispatched) = 0;
  // After OnAnswered: the connection has been given back, or up.
  virtual void OnTransferOver() = 0;
};

// Engine thread only.
class Attempt : public TransportObserver {
 public:
  enum class Kind : uint8_t { kChat, kChatStream, kImage };

  // How long a provider may take to close a transfer after [DONE], for its connection to be reused.
  static constexpr Duration kLinger = Duration::Seconds(1);

  // How long the body of a refusal may take after its head, whose status has said the most.
  static constexpr Duration kRefusalPatience = Duration::Seconds(10);

  struct Plan {
    Kind kind = Kind::kChat;
    const Provider* provider = nullptr;  // owned by the exchange's snapshot
    const Endpoint* endpoint = nullptr;  // likewise
    std::string body;                    // what the upstream gets
    ChatStream::Options stream;          // of a chat; of a plain one should it come as a stream
  };

  // Nothing here is owned but the plan. Nothing is sent before Send().
  Attempt(Plan plan, const GatewayOptions& options, const Clock& clock, Transport* transport,
          AttemptOwner* owner);
  ~Attempt() override;  // cancels the transfer if it still runs

  void Send();
  void Resume();

  // Ends a stream of which nothing but [DONE] is missing as if that had come: OnAnswered(). False,
  // and nothing is done: it is not so far.
  bool EndWhole();

  // Stops the transfer; the owner hears nothing more.
  void Abandon();

  // The next instant at which OnTimer() has something to do, never past it.
  TimePoint NextDeadline() const;
  void OnTimer(TimePoint now);

  // The transfer is over, or nobody needs its end any more.
  bool transfer_done() const { return transfer_ == 0; }

  const Provider& provider() const { return *plan_.provider; }
  int upstream_status() const { return head_.status; }
  // The provider has said that it does not serve this: it will not charge for it.
  bool refused() const;
  Duration waited() const { return waited_; }  // for the upstream, until the last callback
  bool content_relayed() const { return first_content_ != TimePoint::Never(); }

  // After OnAnswered(), by kind:
  const ChatAnswer& answer() const { return answer_; }
  const std::string& body() const { return body_; }
  bool is_stream() const { return stream_.has_value(); }  // as it was asked for, or as it came
  ChatStream& stream() { return *stream_; }               // only then
  const std::vector<std::string>& images() const { return images_; }

  void OnSent() override { owner_->OnSent(); }
  void OnHead(const TransportHead& head) override;
  Flow OnBody(std::string_view bytes) override;
  void OnEnd(const TransportEnd& end) override;

 private:
  enum class Phase : uint8_t {
    kAwaitingHead,
    kAwaitingContent,
    kContent,
    kLingering,  // answered: the transfer may still close, for the connection to be reused
    kOver,
  };

  Flow OnStreamBytes(std::string_view bytes);
  Flow OnBegunStream();
  void TakeOutput(Status fed, int64_t pieces_before);
  void RelayOutput(int64_t pieces_before);
  void EndStream();
  void ReadWholeBody();
  void ReadWholeChat();
  bool IsRefusal() const { return head_.status < 200 || head_.status > 299; }
  Error UpstreamRefusal() const;
  Error WithoutSecrets(Error error) const;
  void Fail(Error error, bool dispatched);
  void Answered();
  void StopTransfer();
  bool streamed() const { return plan_.kind == Kind::kChatStream; }
  // How long it may take in all, however alive it is.
  TimePoint over_by() const {
    return sent_ + OwnOr(plan_.endpoint->timeouts.total, options_.total_timeout);
  }

  Plan plan_;  // its body is moved into the transfer
  const GatewayOptions& options_;
  const Clock& clock_;
  Transport* const transport_;
  AttemptOwner* const owner_;

  std::optional<ChatStream> stream_;
  TransferId transfer_ = 0;
  Phase phase_ = Phase::kAwaitingHead;
  TransportHead head_;
  bool collect_ = true;  // the body is held whole: no stream, not known yet, or a refusal
  FormSniffer sniffer_;
  std::optional<ChatCollector> collector_;  // of a stream that nobody asked for
  bool paused_ = false;
  bool refused_in_answer_ = false;  // status 2xx, and instead of content the words of a refusal
  std::string body_;
  std::string output_;
  ChatAnswer answer_;
  std::vector<std::string> images_;
  TimePoint sent_;
  TimePoint last_byte_;     // comments too
  TimePoint last_content_;  // of the stream; both begin anew when the client lets it go on
  TimePoint first_content_ = TimePoint::Never();
  TimePoint linger_until_ = TimePoint::Never();
  TimePoint refusal_until_ = TimePoint::Never();
  size_t lingering_bytes_ = 0;
  Duration waited_;
};

}  // namespace seekroute
