#include "gateway/attempt.h"

#include <algorithm>
#include <utility>

#include "wire/json/non_finite.h"
#include "wire/openai/chunk_shape.h"
#include "wire/openai/image_request.h"
#include "wire/sanitize.h"
#include "wire/upstream_refusal.h"

namespace seekroute {
namespace {

// What a provider may still send after [DONE] before its connection is given up: a terminating
// chunk is a few bytes.
constexpr size_t kMaxLingeringBytes = 4096;

constexpr std::string_view kEventStream = "text/event-stream";
constexpr std::string_view kBom = "\xEF\xBB\xBF";

}  // namespace

Attempt::Attempt(Plan plan, const GatewayOptions& options, const Clock& clock, Transport* transport,
                 AttemptOwner* owner)
    : plan_(std::move(plan)),
      options_(options),
      clock_(clock),
      transport_(transport),
      owner_(owner) {
  if (plan_.kind == Kind::kChatStream) stream_.emplace(plan_.stream);
}

Attempt::~Attempt() { StopTransfer(); }

void Attempt::Send() {
  TransportRequest request;
  request.upstream = &plan_.provider->upstream;
  request.path = plan_.kind == Kind::kImage ? "/images/generations" : "/chat/completions";
  request.headers = plan_.provider->headers;
  request.headers.emplace_back(plan_.kind == Kind::kChatStream ? "Accept: text/event-stream"
                                                               : "Accept: application/json");
  request.body = std::move(plan_.body);
  request.connect_timeout = options_.connect_timeout;
  sent_ = clock_.Now();
  last_byte_ = sent_;
  last_content_ = sent_;
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
      if (!streamed()) return over_by();
      return std::min(over_by(), sent_ + OwnOr(own.first_byte, options_.first_byte_timeout));
    case Phase::kAwaitingContent:
      // A refusal has its words to wait for, and no content.
      if (!streamed() || paused_ || refusal_until_ != TimePoint::Never()) {
        return std::min(over_by(), refusal_until_);
      }
      return std::min(over_by(), last_content_ + thinking);
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
  switch (phase_) {
    case Phase::kAwaitingHead:
      Fail(MakeError(ErrorCode::kUpstreamTimeout, "the provider did not answer in time"), true);
      break;
    case Phase::kAwaitingContent:
      if (now >= refusal_until_) return Fail(UpstreamRefusal(), true);
      if (EndWhole()) break;
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
      owner_->OnTransferOver();
      break;
    case Phase::kOver:
      break;
  }
}

void Attempt::OnHead(const TransportHead& head) {
  waited_ = clock_.Now() - sent_;
  head_ = head;
  head_.retry_after_ms = RetryAfterMs(head, clock_.WallTime().seconds());
  phase_ = Phase::kAwaitingContent;
  if (head_.status >= 300) refusal_until_ = clock_.Now() + kRefusalPatience;
  if (const std::string encoding = NameOfEncoding(head_.content_encoding); !encoding.empty()) {
    if (head_.status >= 300) return Fail(UpstreamRefusal(), true);  // its status says the most
    Error error =
        MakeError(ErrorCode::kBadUpstreamResponse,
                  "the provider sent an answer " + encoding + ", which was not asked for");
    return Fail(WithoutSecrets(std::move(error)), true);
  }
}

Flow Attempt::OnBody(std::string_view bytes) {
  if (phase_ == Phase::kOver) return Flow::kContinue;
  if (phase_ == Phase::kLingering) {
    lingering_bytes_ += bytes.size();
    if (lingering_bytes_ > kMaxLingeringBytes) {
      StopTransfer();
      owner_->OnTransferOver();
    }
    return Flow::kContinue;
  }
  const TimePoint now = clock_.Now();
  waited_ = now - sent_;
  if (!collect_) return OnStreamBytes(bytes);

  const size_t limit = IsRefusal() ? options_.max_upstream_error_bytes : options_.max_answer_bytes;
  if (body_.size() + bytes.size() > limit && !IsRefusal()) {
    Fail(MakeError(ErrorCode::kBadUpstreamResponse, "the provider's answer is too large"), true);
    return Flow::kContinue;
  }
  // Of an error, what exceeds the limit is of no use and is dropped.
  body_.append(bytes.substr(0, limit - std::min(limit, body_.size())));
  if (IsRefusal() || plan_.kind == Kind::kImage) return Flow::kContinue;
  const bool labelled = head_.content_type == kEventStream;
  return sniffer_.Look(body_, labelled) == AnswerForm::kEvents ? OnBegunStream() : Flow::kContinue;
}

// The body turns out to be a stream.
Flow Attempt::OnBegunStream() {
  collect_ = false;
  if (!stream_) {
    // A second name of thinking is written once it is whole: the bound is for what was sent.
    plan_.stream.names.repeats_reasoning = false;
    stream_.emplace(plan_.stream);
    collector_.emplace(options_.max_answer_bytes);
  }
  return OnStreamBytes(std::exchange(body_, {}));
}

Flow Attempt::OnStreamBytes(std::string_view bytes) {
  output_.clear();
  last_byte_ = clock_.Now();
  const int64_t pieces_before = stream_->pieces();
  TakeOutput(stream_->Feed(bytes, &output_), pieces_before);
  const bool goes_on = phase_ == Phase::kAwaitingContent || phase_ == Phase::kContent;
  return paused_ && goes_on ? Flow::kPause : Flow::kContinue;
}

// What the stream made of its input, which it took so.
void Attempt::TakeOutput(Status fed, int64_t pieces_before) {
  if (collector_) {
    Status added = collector_->Add(output_);
    if (fed.ok()) fed = std::move(added);
  } else {
    RelayOutput(pieces_before);
    if (phase_ == Phase::kOver) return;
  }
  if (!fed.ok()) return Fail(WithoutSecrets(std::move(fed.error())), true);
  if (stream_->state() == ChatStream::State::kEnded) EndStream();
}

void Attempt::RelayOutput(int64_t pieces_before) {
  if (stream_->state() == ChatStream::State::kWaiting || output_.empty()) return;
  const TimePoint now = clock_.Now();
  if (phase_ == Phase::kAwaitingContent) {
    phase_ = Phase::kContent;
    last_content_ = now;
  }
  if (!stream_->has_content()) {
    last_content_ = now;  // of a stream that is relayed, progress is life like content
  } else if (first_content_ == TimePoint::Never()) {
    first_content_ = now;
  }
  if (stream_->pieces() != pieces_before) last_content_ = now;
  paused_ = owner_->OnOutput(output_) == Flow::kPause;
}

// All of the stream is here. One that nobody asked for becomes a plain answer.
void Attempt::EndStream() {
  if (!collector_) return Answered();
  std::string rest;
  stream_->Finish({}, &rest);
  Status added = collector_->Add(rest);
  if (!added.ok()) return Fail(std::move(added.error()), true);
  body_ = collector_->Write();
  Result<ChatAnswer> answer = ParseChatAnswer(body_);
  if (!answer) return Fail(WithoutSecrets(std::move(answer.error())), true);
  answer_ = std::move(*answer);
  answer_.usage = stream_->usage();
  answer_.usage_odd = stream_->usage_odd();
  answer_.service_tier = stream_->service_tier();
  Answered();
}

void Attempt::OnEnd(const TransportEnd& end) {
  transfer_ = 0;
  if (phase_ == Phase::kLingering || phase_ == Phase::kOver) {
    phase_ = Phase::kOver;
    owner_->OnTransferOver();
    return;
  }
  waited_ = clock_.Now() - sent_;
  if (!end.complete) {
    // An error answer that was cut short still says what it says by its status.
    if (head_.status >= 300) return Fail(UpstreamRefusal(), true);
    if (EndWhole()) return;
    return Fail(end.error, end.dispatched);
  }
  if (!collect_) {
    output_.clear();
    const int64_t pieces_before = stream_->pieces();
    return TakeOutput(stream_->EndOfInput(&output_), pieces_before);
  }
  ReadWholeBody();
}

void Attempt::ReadWholeBody() {
  if (IsRefusal()) return Fail(UpstreamRefusal(), true);
  if (const std::string other = NameOfNoJson(head_.content_type, body_); !other.empty()) {
    return Fail(MakeError(ErrorCode::kBadUpstreamResponse,
                          "the provider answered with " + other + " instead of JSON"),
                true);
  }
  if (body_.starts_with(kBom)) body_.erase(0, kBom.size());
  if (plan_.kind != Kind::kImage) return ReadWholeChat();
  Result<std::vector<std::string>> images = ParseImageAnswer(body_);
  if (!images) return Fail(WithoutSecrets(std::move(images.error())), true);
  images_ = std::move(*images);
  Answered();
}

void Attempt::ReadWholeChat() {
  Result<ChatAnswer> answer = ParseChatAnswer(body_);
  if (!answer) {
    if (std::optional<std::string> mended = WithoutNonFinite(body_)) {
      body_ = *std::move(mended);
      answer = ParseChatAnswer(body_);
    }
  }
  if (!answer) return Fail(WithoutSecrets(std::move(answer.error())), true);
  if (plan_.kind == Kind::kChat) {
    if (answer->lacks_member) {
      body_ = AnswerWithMessages(body_);
      answer = ParseChatAnswer(body_);
      if (!answer) return Fail(WithoutSecrets(std::move(answer.error())), true);
    }
    answer_ = std::move(*answer);
    return Answered();
  }
  // It did not stream although it was asked to: it is relayed as a stream of one chunk.
  output_.clear();
  const std::string chunk = ChunkFromAnswer(std::exchange(body_, {}));
  Status fed = stream_->FeedWhole(chunk, &output_);
  RelayOutput(0);
  if (phase_ == Phase::kOver) return;
  if (!fed.ok()) return Fail(WithoutSecrets(std::move(fed.error())), true);
  Answered();
}

bool Attempt::refused() const {
  if (refused_in_answer_) return true;
  // Without a word of its own a 503 may be that of a machine between us.
  if (head_.status == 503 || head_.status == 529) return !body_.empty();
  return head_.status >= 300 && head_.status < 500;
}

// An error found inside an answer quotes the provider, who may quote the key it was sent.
Error Attempt::WithoutSecrets(Error error) const {
  const std::vector<const Secret*> secrets = {&plan_.provider->upstream.authorization};
  error.message = SanitizeUpstreamText(error.message, secrets);
  error.words = SanitizeUpstreamText(error.words, secrets);
  for (std::string* word : {&error.shown_code, &error.param}) {
    if (SanitizeUpstreamText(*word, secrets) != *word) word->clear();
  }
  return error;
}

Error Attempt::UpstreamRefusal() const {
  Error error = ReadRefusal(head_.status, body_, {&plan_.provider->upstream.authorization});
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
  const bool begun = content_relayed() || (stream_ && stream_->any_content());
  refused_in_answer_ = error.said_by_upstream && head_.status < 300 && !begun &&
                       error.code != ErrorCode::kUpstreamError &&
                       error.code != ErrorCode::kUpstreamTimeout;
  owner_->OnFailed(std::move(error), dispatched);
}

// A connection that dies, or falls silent, when nothing is missing of its stream but [DONE] takes
// nothing from the client, and the provider charges for the answer.
bool Attempt::EndWhole() {
  if (collect_ || !stream_->IsWhole()) return false;
  const Phase phase = phase_;
  StopTransfer();
  phase_ = phase;
  (void)stream_->BreakOff();  // it ends what is whole
  EndStream();
  return true;
}

void Attempt::Answered() {
  phase_ = transfer_ == 0 ? Phase::kOver : Phase::kLingering;
  linger_until_ = clock_.Now() + kLinger;
  owner_->OnAnswered();
}

void Attempt::StopTransfer() {
  if (transfer_ == 0) return;
  transport_->Cancel(transfer_);
  transfer_ = 0;
  phase_ = Phase::kOver;
}

}  // namespace seekroute
