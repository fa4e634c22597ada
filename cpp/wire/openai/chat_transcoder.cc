#include "wire/openai/chat_transcoder.h"

#include <algorithm>
#include <utility>

#include "wire/json/non_finite.h"
#include "wire/openai/chunk_shape.h"
#include "wire/openai/error_body.h"
#include "wire/openai/upstream_chat.h"
#include "wire/upstream_refusal.h"

namespace seekroute {
namespace {

using enum ErrorCode;

constexpr std::string_view kEventStream = "text/event-stream";

}  // namespace

ChatTranscoder::ChatTranscoder(Plan plan) : plan_(std::move(plan)), body_(plan_.max_answer_bytes) {
  if (streams()) stream_.emplace(plan_.stream);
}

bool ChatTranscoder::RefusesAdded(const Error& refusal) const {
  return plan_.adds_options && refusal.code == kUpstreamInvalidRequest &&
         refusal.said_by_upstream && RefusesStreamOptions(refusal.param, refusal.words);
}

std::string ChatTranscoder::Ignored() const {
  return IgnoredFields(*plan_.asked, plan_.form->reasoning, plan_.form->dropped);
}

// The form is looked at before the size: a stream has bounds of its own.
Status ChatTranscoder::Feed(std::string_view bytes, std::string* out) {
  if (failed_) return MakeError(kBadUpstreamResponse, "the provider's answer has failed already");
  if (ended_) return {};
  if (in_events_) return FeedEvents(bytes, out);
  const std::string_view rest = body_.Take(bytes);
  if (sniffer_.Look(body_.text(), media_type_ == kEventStream) == AnswerForm::kEvents) {
    BeginEvents();
    const std::string begun = body_.TakeText();
    if (Status fed = FeedEvents(begun, out); !fed || rest.empty() || ended_) return fed;
    return FeedEvents(rest, out);
  }
  return rest.empty() ? Status() : Failed(WholeBody::TooLarge());
}

void ChatTranscoder::BeginEvents() {
  in_events_ = true;
  if (stream_) return;
  ChatStream::Options options = plan_.stream;
  // A second name of thinking is written once it is whole: the bound is for what was sent.
  options.names.repeats_reasoning = false;
  stream_.emplace(std::move(options));
  collector_.emplace(plan_.max_answer_bytes);
}

Status ChatTranscoder::FeedEvents(std::string_view bytes, std::string* out) {
  return collector_ ? Collect(bytes) : Relayed(stream_->Feed(bytes, out));
}

Status ChatTranscoder::Relayed(Status fed) {
  if (!fed) return Failed(std::move(fed.error()));
  ended_ = stream_->state() == ChatStream::State::kEnded;
  return fed;
}

// A line at a time: what makes the answer too large ends it, and nothing behind that is read.
Status ChatTranscoder::Collect(std::string_view bytes) {
  while (!bytes.empty() && !ended_) {
    const size_t end = std::min(bytes.find_first_of("\r\n"), bytes.size() - 1) + 1;
    piece_.clear();
    Status added = AddCollected(stream_->Feed(bytes.substr(0, end), &piece_));
    if (!added) return added;
    bytes.remove_prefix(end);
  }
  return {};
}

// Piece by piece: `fed` is what the stream said when it wrote this one.
Status ChatTranscoder::AddCollected(Status fed) {
  if (fed) fed = collector_->Add(piece_);
  if (!fed) return Failed(std::move(fed.error()));
  return stream_->state() == ChatStream::State::kEnded ? EndCollected() : Status();
}

// All of a stream that nobody asked for is here.
Status ChatTranscoder::EndCollected() {
  piece_.clear();
  stream_->Finish({}, &piece_);
  if (Status added = collector_->Add(piece_); !added) return Failed(std::move(added.error()));
  body_.Replace(collector_->Write());
  Result<ChatAnswer> answer = ParseChatAnswer(body_.text());
  if (!answer) return Failed(std::move(answer.error()));
  answer_ = std::move(*answer);
  answer_.usage = stream_->usage();
  answer_.usage_odd = stream_->usage_odd();
  answer_.service_tier = stream_->service_tier();
  ended_ = true;
  return {};
}

Status ChatTranscoder::EndOfInput(std::string* out) {
  if (failed_) return MakeError(kBadUpstreamResponse, "the provider's answer has failed already");
  if (ended_) return {};
  if (!in_events_) return ReadWhole(out);
  if (!collector_) return Relayed(stream_->EndOfInput(out));
  piece_.clear();
  return AddCollected(stream_->EndOfInput(&piece_));
}

Status ChatTranscoder::ReadWhole(std::string* out) {
  if (Status read = body_.End(media_type_); !read) return Failed(std::move(read.error()));
  Result<ChatAnswer> answer = ParseChatAnswer(body_.text());
  if (!answer) {
    if (std::optional<std::string> mended = WithoutNonFinite(body_.text())) {
      body_.Replace(*std::move(mended));
      answer = ParseChatAnswer(body_.text());
    }
  }
  if (!answer) return Failed(std::move(answer.error()));
  if (streams()) {
    const std::string chunk = ChunkFromAnswer(body_.TakeText());
    return Relayed(stream_->FeedWhole(chunk, out));
  }
  if (answer->lacks_member) {
    body_.Replace(AnswerWithMessages(body_.text()));
    answer = ParseChatAnswer(body_.text());
    if (!answer) return Failed(std::move(answer.error()));
  }
  answer_ = std::move(*answer);
  ended_ = true;
  return {};
}

bool ChatTranscoder::IsWhole() const {
  return ended_ || (in_events_ && !failed_ && stream_->IsWhole());
}

Status ChatTranscoder::EndWhole() {
  if (ended_) return {};
  if (Status ended = stream_->BreakOff(); !ended) return Failed(std::move(ended.error()));
  if (collector_) return EndCollected();
  ended_ = true;
  return {};
}

void ChatTranscoder::Finish(const UsageReport& report, std::string* out) {
  if (streams()) return stream_->Finish(report, out);
  out->append(RewriteChatAnswer(body_.text(), answer_, plan_.stream.names, report));
}

void ChatTranscoder::Fail(const Error& error, const Profile& profile, const ErrorPlace& place,
                          std::string* out) {
  const AnswerNames& names = plan_.stream.names;
  out->append(WriteErrorEvent(error, profile, place, names.id, names.model, names.created));
}

Transcoder::State ChatTranscoder::state() const {
  if (failed_) return State::kFailed;
  if (ended_) return State::kEnded;
  if (!streams() || stream_->state() == ChatStream::State::kWaiting) return State::kSilent;
  return stream_->has_content() ? State::kContent : State::kProgress;
}

bool ChatTranscoder::has_content() const {
  return streams() ? stream_->has_content() : answer_.has_content;
}

Reading ChatTranscoder::reading() const {
  Reading reading;
  reading.streamed = stream_.has_value();
  if (ended_ && !streams()) {
    reading.usage = answer_.usage;
    reading.usage_odd = answer_.usage_odd;
    reading.any_output = answer_.has_content;
    reading.finish_reason = answer_.finish_reason;
    reading.service_tier = answer_.service_tier;
    reading.media = answer_.media;
  } else if (stream_) {
    reading.usage = stream_->usage();
    reading.usage_odd = stream_->usage_odd();
    reading.usage_whole = streams() && stream_->HasFinalUsage();
    reading.any_output = stream_->any_content();
    reading.finish_reason = stream_->finish_reason();
    reading.service_tier = stream_->service_tier();
    reading.media = stream_->media();
  }
  return reading;
}

TokenEstimate ChatTranscoder::CountContent() const {
  const bool whole = !streams() && (ended_ || !stream_);
  return whole ? EstimateChatAnswer(body_.text()) : stream_->content_tokens();
}

Status ChatTranscoder::Failed(Error error) {
  failed_ = true;
  return error;
}

}  // namespace seekroute
