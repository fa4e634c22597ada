#include "gateway/attempt.h"

#include <algorithm>
#include <utility>

#include "wire/answer_form.h"
#include "wire/sanitize.h"
#include "wire/upstream_refusal.h"

namespace seekroute {
namespace {

// What a provider may still send after [DONE] before its connection is given up: a terminating
// chunk is a few bytes.
constexpr size_t kMaxLingeringBytes = 4096;

}  // namespace

Attempt::Attempt(Plan plan, const GatewayOptions& options, const Clock& clock, Transport* transport,
                 AttemptOwner* owner)
    : plan_(std::move(plan)),
      options_(options),
      clock_(clock),
      transport_(transport),
      owner_(owner) {}

Attempt::~Attempt() { StopTransfer(); }

void Attempt::Send() {
  UpstreamRequest call = transcoder().TakeRequest();
  TransportRequest request;
  request.upstream = &plan_.provider->upstream;
  request.authorization = &credentials();
  request.path = call.path;
  const std::vector<std::string>& own = plan_.provider->headers;
  request.headers = std::move(call.headers);
  request.headers.insert(request.headers.begin(), own.begin(), own.end());
  request.body = std::move(call.body);
  request.wanted_headers = kToldLimitHeaders;
  sent_ = clock_.Now();
  last_byte_ = sent_;
  last_content_ = sent_;
  request.connect_timeout = std::min(options_.connect_timeout, NextDeadline() - sent_);
  transfer_ = transport_->Start(std::move(request), this);
}

void Attempt::Resume() {
  if (!paused_) return;
  paused_ = false;
  last_byte_ = clock_.Now();  // the silence while we paused is the client's, not the provider's
  last_content_ = last_byte_;
  transport_->Resume(transfer_);
}

void Attempt::Abandon() {
  phase_ = Phase::kOver;
  StopTransfer();
}

// The total is over whatever the phase: a client that does not read stops the other clocks only.
TimePoint Attempt::NextDeadline() const {
  const CallTimeouts& own = plan_.endpoint->timeouts;
  const Duration thinking = OwnOr(own.first_content, options_.first_content_timeout);
  switch (phase_) {
    case Phase::kAwaitingHead:
      if (!transcoder().streams()) return std::min(over_by(), plan_.patience);
      return std::min(
          {over_by(), plan_.patience, sent_ + OwnOr(own.first_byte, options_.first_byte_timeout)});
    case Phase::kAwaitingContent:
      // A refusal has its words to wait for, and no content.
      if (!transcoder().streams() || paused_ || refusal_until_ != TimePoint::Never()) {
        return std::min(over_by(), refusal_until_);
      }
      return std::min({over_by(), plan_.patience, last_content_ + thinking});
    case Phase::kContent:
      if (paused_) return over_by();
      return std::min({over_by(), last_content_ + thinking,
                       last_byte_ + OwnOr(own.idle, options_.idle_timeout)});
    case Phase::kLingering:
      return linger_until_;
    case Phase::kOver:
      break;
  }
  return TimePoint::Never();
}

void Attempt::OnTimer(TimePoint now) {
  if (now < NextDeadline()) return;
  if (phase_ != Phase::kLingering) waited_ = now - sent_;
  const CallTimeouts& own = plan_.endpoint->timeouts;
  const bool early = now < std::min(over_by(), plan_.patience);
  const bool waits = phase_ == Phase::kAwaitingHead || phase_ == Phase::kAwaitingContent;
  met_patience_ = waits && !early && now < over_by();
  switch (phase_) {
    case Phase::kAwaitingHead:
      met_own_limit_ = early && own.first_byte.ns > 0;
      Fail(MakeError(ErrorCode::kUpstreamTimeout, "the provider did not answer in time"), true);
      break;
    case Phase::kAwaitingContent:
      if (now >= refusal_until_) return Fail(UpstreamRefusal(), true);
      if (EndWhole()) break;
      met_own_limit_ = early && own.first_content.ns > 0;
      Fail(MakeError(ErrorCode::kUpstreamTimeout, "the provider sent no content in time"), true);
      break;
    case Phase::kContent:
      if (EndWhole()) break;
      if (now >= over_by()) {
        return Fail(MakeError(ErrorCode::kUpstreamTimeout,
                              "the answer took longer than this provider is given"),
                    true);
      }
      Fail(MakeError(ErrorCode::kUpstreamIdleTimeout, "the provider stopped sending"), true);
      break;
    case Phase::kLingering:
      StopTransfer();
      owner_->OnTransferOver(this);
      break;
    case Phase::kOver:
      break;
  }
}

void Attempt::OnHead(const TransportHead& head) {
  waited_ = clock_.Now() - sent_;
  head_ = head;
  head_.retry_after_ms = RetryAfterMs(head, clock_.WallTime().seconds());
  ReadLimits(head);
  phase_ = Phase::kAwaitingContent;
  if (head_.status >= 300) refusal_until_ = clock_.Now() + kRefusalPatience;
  if (const std::string encoding = NameOfEncoding(head_.content_encoding); !encoding.empty()) {
    if (head_.status >= 300) return Fail(UpstreamRefusal(), true);  // its status says the most
    Error error =
        MakeError(ErrorCode::kBadUpstreamResponse,
                  "the provider sent an answer " + encoding + ", which was not asked for");
    return Fail(WithoutSecrets(std::move(error)), true);
  }
  if (!IsRefusal()) transcoder().OnHead(head_.content_type);
}

void Attempt::ReadLimits(const TransportHead& head) {
  if (head.wanted.empty()) return;
  // Measured from its own date where it has one: the two clocks need not agree.
  const UnixSeconds now = head.date.s > 0 ? head.date : clock_.WallTime().seconds();
  const ToldLimits told = ReadToldLimits(head.wanted, now);
  if (!told.empty()) owner_->OnTold(this, told);
}

Flow Attempt::OnBody(std::string_view bytes) {
  if (phase_ == Phase::kOver) return Flow::kContinue;
  if (phase_ == Phase::kLingering) {
    lingering_bytes_ += bytes.size();
    if (lingering_bytes_ > kMaxLingeringBytes) {
      StopTransfer();
      owner_->OnTransferOver(this);
    }
    return Flow::kContinue;
  }
  last_byte_ = clock_.Now();
  waited_ = last_byte_ - sent_;
  if (IsRefusal()) {
    // What exceeds the limit is of no use and is dropped.
    const size_t limit = options_.max_upstream_error_bytes;
    refusal_.append(bytes.substr(0, limit - std::min(limit, refusal_.size())));
    return Flow::kContinue;
  }
  output_.clear();
  const int64_t pieces_before = transcoder().pieces();
  TakeOutput(transcoder().Feed(bytes, &output_), pieces_before);
  const bool goes_on = phase_ == Phase::kAwaitingContent || phase_ == Phase::kContent;
  return paused_ && goes_on ? Flow::kPause : Flow::kContinue;
}

// What the transcoder made of its input, which it took so.
void Attempt::TakeOutput(Status fed, int64_t pieces_before) {
  RelayOutput(pieces_before);
  if (phase_ == Phase::kOver) return;
  if (!fed.ok()) return Fail(WithoutSecrets(std::move(fed.error())), true);
  if (transcoder().state() == Transcoder::State::kEnded) Answered();
}

void Attempt::RelayOutput(int64_t pieces_before) {
  if (output_.empty()) return;
  const TimePoint now = clock_.Now();
  if (phase_ == Phase::kAwaitingContent) {
    phase_ = Phase::kContent;
    last_content_ = now;
  }
  if (!transcoder().has_content()) {
    last_content_ = now;  // of an answer that is relayed, progress is life like content
  } else if (first_content_ == TimePoint::Never()) {
    first_content_ = now;
  }
  if (transcoder().pieces() != pieces_before) last_content_ = now;
  paused_ = owner_->OnOutput(this, output_) == Flow::kPause;
  if (paused_) paused_at_ = clock_.Now();
}

void Attempt::OnEnd(const TransportEnd& end) {
  transfer_ = 0;
  if (phase_ == Phase::kLingering || phase_ == Phase::kOver) {
    phase_ = Phase::kOver;
    owner_->OnTransferOver(this);
    return;
  }
  waited_ = clock_.Now() - sent_;
  if (!end.complete) {
    // An error answer that was cut short still says what it says by its status.
    if (head_.status >= 300) return Fail(UpstreamRefusal(), true);
    if (EndWhole()) return;
    return Fail(end.error, end.dispatched);
  }
  if (IsRefusal()) return Fail(UpstreamRefusal(), true);
  output_.clear();
  const int64_t pieces_before = transcoder().pieces();
  TakeOutput(transcoder().EndOfInput(&output_), pieces_before);
}

bool Attempt::refused() const {
  if (refused_in_answer_) return true;
  // Without a word of its own a 503 may be that of a machine between us.
  if (head_.status == 503 || head_.status == 529) return !refusal_.empty();
  return head_.status >= 300 && head_.status < 500;
}

// An error found inside an answer quotes the provider, who may quote the key it was sent.
Error Attempt::WithoutSecrets(Error error) const {
  const std::vector<const Secret*> secrets = {&credentials()};
  error.message = SanitizeUpstreamText(error.message, secrets);
  error.words = SanitizeUpstreamText(error.words, secrets);
  for (std::string* word : {&error.shown_code, &error.param}) {
    if (SanitizeUpstreamText(*word, secrets) != *word) word->clear();
  }
  return error;
}

Error Attempt::UpstreamRefusal() const {
  Error error = ReadRefusal(head_.status, refusal_, {&credentials()});
  const bool passes = error.code == ErrorCode::kUpstreamRateLimited ||
                      error.code == ErrorCode::kUpstreamUnavailable;
  if (passes && head_.retry_after_ms >= 0) error.retry_after_ms = head_.retry_after_ms;
  return error;
}

void Attempt::Fail(Error error, bool dispatched) {
  if (phase_ == Phase::kLingering || phase_ == Phase::kOver) return;
  phase_ = Phase::kOver;
  StopTransfer();
  // Said instead of an answer it is a refusal, unless it is the provider's own failure: that may
  // have come after the work. Content that was collected is an answer like what was relayed.
  const bool begun = content_relayed() || transcoder().reading().any_output;
  refused_in_answer_ = error.said_by_upstream && head_.status < 300 && !begun &&
                       error.code != ErrorCode::kUpstreamError &&
                       error.code != ErrorCode::kUpstreamTimeout;
  owner_->OnFailed(this, std::move(error), dispatched);
}

// A connection that dies, or falls silent, when nothing is missing of its answer but the mark of
// the end takes nothing from the client, and the provider charges for the answer.
bool Attempt::EndWhole() {
  if (!transcoder().IsWhole()) return false;
  const Phase phase = phase_;
  StopTransfer();
  phase_ = phase;
  if (Status ended = transcoder().EndWhole(); !ended) {
    Fail(WithoutSecrets(std::move(ended.error())), true);
  } else {
    Answered();
  }
  return true;
}

void Attempt::Answered() {
  phase_ = transfer_ == 0 ? Phase::kOver : Phase::kLingering;
  linger_until_ = clock_.Now() + kLinger;
  owner_->OnAnswered(this);
}

void Attempt::StopTransfer() {
  if (transfer_ == 0) return;
  transport_->Cancel(transfer_);
  transfer_ = 0;
  phase_ = Phase::kOver;
}

}  // namespace seekroute
