// One try at one upstream: its transfer, its deadlines, and what is made of its answer.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "gateway/options.h"
#include "gateway/snapshot.h"
#include "transport/transport.h"
#include "wire/told_limits.h"
#include "wire/transcoder.h"

namespace seekroute {

class Attempt;

// What is heard of an attempt, which each call names: several may run. Exactly one of OnAnswered
// and OnFailed, once; nothing after Abandon().
class AttemptOwner {
 public:
  virtual ~AttemptOwner() = default;
  // The provider has been sent all of the request. May not end the attempt.
  virtual void OnSent(Attempt* attempt) = 0;
  // The head of the answer tells what the provider leaves of its limits. May not end the attempt.
  virtual void OnTold(Attempt* attempt, const ToldLimits& told) = 0;
  // Bytes for the client of a stream whose content has begun.
  virtual Flow OnOutput(Attempt* attempt, std::string_view bytes) = 0;
  virtual void OnAnswered(Attempt* attempt) = 0;
  // `dispatched`: the provider may have got the request.
  virtual void OnFailed(Attempt* attempt, Error error, bool dispatched) = 0;
  // After OnAnswered: the connection has been given back, or up.
  virtual void OnTransferOver(Attempt* attempt) = 0;
};

// Engine thread only.
class Attempt : public TransportObserver {
 public:
  // How long a provider may take to close a transfer after [DONE], for its connection to be reused.
  static constexpr Duration kLinger = Duration::Seconds(1);

  // A provider gives up a reader that takes nothing, sooner or later.
  static constexpr Duration kStalled = Duration::Seconds(5);
  // How long the body of a refusal may take after its head, whose status has said the most.
  static constexpr Duration kRefusalPatience = Duration::Seconds(10);

  struct Plan {
    const Provider* provider = nullptr;  // owned by the exchange's snapshot
    const Endpoint* endpoint = nullptr;  // likewise
    size_t key = 0;                      // of the provider's
    // That the key has by now, where it is known; null: the snapshot's.
    std::shared_ptr<const Secret> secret;
    std::unique_ptr<Transcoder> transcoder;
    // When its content has to have begun, or its head where it is not streamed, for somebody else
    // to have the time to be asked.
    TimePoint patience = TimePoint::Never();
  };

  // Nothing here is owned but the plan. Nothing is sent before Send().
  Attempt(Plan plan, const GatewayOptions& options, const Clock& clock, Transport* transport,
          AttemptOwner* owner);
  ~Attempt() override;  // cancels the transfer if it still runs

  void Send();
  void Resume();

  // Ends an answer of which nothing but the mark of its end is missing as if that had come. False,
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
  // A status that refuses came, with words: it is the provider's own, and no answer was written.
  bool refused_in_words() const {
    return head_.status == 429 || (head_.status >= 400 && !refusal_.empty());
  }
  // The provider has said that it does not serve this: it will not charge for it.
  bool refused() const;
  Duration waited() const { return waited_; }  // for the upstream, until the last callback
  // It has ended by a limit that its endpoint sets itself until content: whoever sets one wants the
  // next to be asked.
  bool met_own_limit() const { return met_own_limit_; }
  // It has ended because somebody else was to have the time.
  bool met_patience() const { return met_patience_; }
  // Its client has taken nothing for so long that whatever became of it is the client's doing.
  bool stalled() const { return paused_ && clock_.Now() >= paused_at_ + kStalled; }
  // From sending until its first content; nothing: none has come.
  Duration first_content() const { return content_relayed() ? first_content_ - sent_ : Duration{}; }
  Duration running() const { return clock_.Now() - sent_; }
  // Since its first content.
  Duration in_content() const {
    return content_relayed() ? clock_.Now() - first_content_ : Duration{};
  }
  bool content_relayed() const { return first_content_ != TimePoint::Never(); }

  // Of the answer, as far as it has come; also after Abandon().
  Transcoder& transcoder() const { return *plan_.transcoder; }

  void OnSent() override { owner_->OnSent(this); }
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

  void TakeOutput(Status fed, int64_t pieces_before);
  void RelayOutput(int64_t pieces_before);
  const Secret& credentials() const {
    return plan_.secret ? *plan_.secret : plan_.provider->authorization(plan_.key);
  }
  void ReadLimits(const TransportHead& head);
  bool IsRefusal() const { return head_.status < 200 || head_.status > 299; }
  Error UpstreamRefusal() const;
  Error WithoutSecrets(Error error) const;
  void Fail(Error error, bool dispatched);
  void Answered();
  void StopTransfer();
  // How long it may take in all, however alive it is.
  TimePoint over_by() const {
    return sent_ + OwnOr(plan_.endpoint->timeouts.total, options_.total_timeout);
  }

  const Plan plan_;
  const GatewayOptions& options_;
  const Clock& clock_;
  Transport* const transport_;
  AttemptOwner* const owner_;

  TransferId transfer_ = 0;
  Phase phase_ = Phase::kAwaitingHead;
  TransportHead head_;
  bool paused_ = false;
  bool met_own_limit_ = false;
  bool met_patience_ = false;
  bool refused_in_answer_ = false;  // status 2xx, and instead of content the words of a refusal
  std::string refusal_;             // the body of an answer that is no 2xx, cut
  std::string output_;              // what the last bytes made for the client
  TimePoint sent_;
  TimePoint paused_at_;     // where it is paused
  TimePoint last_byte_;     // comments too
  TimePoint last_content_;  // or progress; both begin anew when the client lets it go on
  TimePoint first_content_ = TimePoint::Never();
  TimePoint linger_until_ = TimePoint::Never();
  TimePoint refusal_until_ = TimePoint::Never();
  size_t lingering_bytes_ = 0;
  Duration waited_;
};

}  // namespace seekroute
